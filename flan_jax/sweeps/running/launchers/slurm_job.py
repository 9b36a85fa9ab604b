"""What a job of Slurm does: it brings one run forward, in one process or several, and is sent back when its time is up.

submitit pickles a `RunJob` and calls it in each task of the job.
"""

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys

from flan_jax.sweeps.running import child_processes

NAME = "slurm"  # in state.json


@dataclasses.dataclass
class RunJob:
  """A call for each task of a job. The first does the run as every launcher has it done; the others are there for its
  training, whose processes find each other by what Slurm says of them (clusters.py), and have nothing to evaluate.

  Attributes:
    folder: of the run, the same on all nodes.
  """

  folder: str
  _started: subprocess.Popen | None = dataclasses.field(default=None, repr=False)

  def __call__(self) -> None:
    """Ends the process, with the exit code of what it did."""
    process = int(os.environ.get("SLURM_PROCID", "0"))
    part = ["--follow", str(process)] if process else ["--launcher", NAME]
    argv = [sys.executable, "-m", "flan_jax.sweeps.running.execution", self.folder, "--parent", str(os.getpid()), *part]
    # Slurm may send USR2, before the time is up, to all that a job runs; it is for this process, and would end others.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    self._started = child_processes.start(argv)
    signal.signal(signal.SIGTERM, lambda *_: self._started.terminate())  # scancel, preemption
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR2])
    self._wait()
    sys.exit(self._started.wait() % 256)

  def checkpoint(self):
    """submitit's name for what is done when USR2 comes; it puts the job back into the queue then."""
    import submitit

    if self._started:
      self._started.terminate()
      self._wait()
    return submitit.helpers.DelayedSubmission(RunJob(self.folder))

  def _wait(self) -> None:
    """Until the process is gone. Popen.wait holds a lock, and a signal's handler may come in the midst of it."""
    with contextlib.suppress(ChildProcessError):  # its end was heard of
      os.waitid(os.P_PID, self._started.pid, os.WEXITED | os.WNOWAIT)
