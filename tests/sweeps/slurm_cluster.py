"""A Slurm of one's own: munged, slurmctld and a slurmd for each of two nodes that are both this machine.

Debian: apt-get install slurm-wlm munge. Nothing of the machine's own Slurm is read or touched, no accounting is kept
(as where nobody set up slurmdbd), and no root is needed. Also a program, to try things by hand:

    python -m tests.sweeps.slurm_cluster bash
"""

import contextlib
import fcntl
import getpass
import os
import pathlib
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

from flan_jax.sweeps.running import child_processes

DAEMONS = ("munged", "slurmctld", "slurmd")
_PLACES = ("/usr/sbin", "/usr/local/sbin", "/sbin")  # often not in a user's PATH
# A node's name is where the processes of a run look for the first of them, so that of the first must be a host's.
NODES = (socket.gethostname(), f"{socket.gethostname()}-2")
_UP_SECONDS = 30


def missing() -> str | None:
  """Why no cluster can be started here; None where one can."""
  absent = [name for name in (*DAEMONS, "srun") if _program(name) is None]
  return f"{', '.join(absent)} is not installed here: apt-get install slurm-wlm munge" if absent else None


@contextlib.contextmanager
def running(cores: int = 4) -> Iterator[dict[str, str]]:
  """A cluster while the context lasts, and the environment in which sbatch, squeue and all others speak to it.

  One at a time on a machine: others (of other workers of pytest, say) wait until it is gone.

  Args:
    cores: that each node says it has, whatever this machine has.
  """
  with _alone():
    folder = pathlib.Path(tempfile.mkdtemp(prefix="slurm_", dir="/tmp"))  # a socket's path must be short
    environment = {"SLURM_CONF": str(folder / "slurm.conf")}
    daemons: list[subprocess.Popen] = []
    try:
      (folder / "munge.key").write_bytes(secrets.token_bytes(128))
      (folder / "munge.key").chmod(0o600)
      (folder / "state").mkdir()
      (folder / "slurm.conf").write_text(_configuration(folder, cores))
      munge = [f"--{name}={folder}/munge.{end}" for name, end in _MUNGE_FILES.items()]
      daemons.append(_start("munged", "--foreground", "--force", *munge, environment=environment, folder=folder))
      daemons.append(_start("slurmctld", "-D", "-i", environment=environment, folder=folder))
      daemons += [_start("slurmd", "-D", "-N", node, environment=environment, folder=folder) for node in NODES]
      _wait_until_up(environment, daemons, folder)
      yield environment
      ask("scancel", f"--user={getpass.getuser()}", environment=environment)
      _wait_until_idle(environment)
    finally:
      for daemon in reversed(daemons):
        daemon.terminate()
      for daemon in daemons:
        daemon.wait(10)
      _kill_all_of(environment)
      shutil.rmtree(folder)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
  """Waits until no other cluster is up, and keeps further ones waiting."""
  with open(f"/tmp/slurm_{getpass.getuser()}.lock", "a", encoding="utf-8") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    yield


def ask(*argv: str, environment: dict[str, str]) -> str:
  """What one of Slurm's commands prints."""
  done = subprocess.run(argv, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
  assert done.returncode == 0, f"{argv}: exit code {done.returncode}: {done.stderr}"
  return done.stdout


# What munged calls them -> their endings.
_MUNGE_FILES = {"socket": "socket", "key-file": "key", "log-file": "log", "pid-file": "pid", "seed-file": "seed"}


def _configuration(folder: pathlib.Path, cores: int) -> str:
  user, host = getpass.getuser(), socket.gethostname()
  controller, *nodes = _free_ports(1 + len(NODES))
  described = [
    f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cores} State=UNKNOWN"
    for name, port in zip(NODES, nodes, strict=True)
  ]
  # cred_expire is also how long a requeued job waits before it starts again (two minutes by default), KillWait how
  # long one that is cancelled has between SIGTERM and SIGKILL (30 seconds).
  settings = f"""
    ClusterName=tests
    SlurmctldHost={host}(127.0.0.1)
    SlurmctldPort={controller}
    SlurmUser={user}
    SlurmdUser={user}
    AuthType=auth/munge
    AuthInfo=socket={folder}/munge.socket,cred_expire=5
    ProctrackType=proctrack/linuxproc
    TaskPlugin=task/none
    MailProg=/bin/true
    MpiDefault=none
    ReturnToService=2
    StateSaveLocation={folder}/state
    SlurmdSpoolDir={folder}/spool.%n
    SlurmctldPidFile={folder}/slurmctld.pid
    SlurmdPidFile={folder}/slurmd.%n.pid
    SelectType=select/cons_tres
    SelectTypeParameters=CR_Core
    SchedulerParameters=batch_sched_delay=0,sched_interval=1
    KillWait=20
  """
  partition = "PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP"
  return "\n".join([*(line.strip() for line in settings.strip().splitlines()), *described, partition, ""])


def _free_ports(count: int) -> list[int]:
  """None of those that the system gives to whoever connects, so that none is taken before its daemon listens."""
  with contextlib.ExitStack() as probes:
    found: list[int] = []
    while len(found) < count:
      probe, port = probes.enter_context(socket.socket()), 20_000 + secrets.randbelow(12_768)
      with contextlib.suppress(OSError):  # it is in use
        probe.bind(("127.0.0.1", port))
        found.append(port)
    return found


def _program(name: str) -> str | None:
  return shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *_PLACES]))


def _start(name: str, *arguments: str, environment: dict[str, str], folder: pathlib.Path) -> subprocess.Popen:
  with (folder / "daemons.txt").open("a") as output:
    return child_processes.start([_program(name), *arguments], environment={**os.environ, **environment}, output=output)


def _wait_until_up(environment: dict[str, str], daemons: Sequence[subprocess.Popen], folder: pathlib.Path) -> None:
  """Until all nodes are idle."""
  deadline = time.monotonic() + _UP_SECONDS
  asked = ["sinfo", "--noheader", "--Node", "--format=%T"]
  while True:
    said = subprocess.run(asked, env={**os.environ, **environment}, capture_output=True, text=True, check=False).stdout
    if said.split() == ["idle"] * len(NODES):
      return
    late = time.monotonic() > deadline or any(each.poll() is not None for each in daemons)
    assert not late, f"sinfo says {said!r}\n{(folder / 'daemons.txt').read_text()}"
    time.sleep(0.1)


def _wait_until_idle(environment: dict[str, str]) -> None:
  """Until no job has a process left."""
  deadline = time.monotonic() + _UP_SECONDS
  while ask("squeue", "--noheader", environment=environment).strip():
    assert time.monotonic() < deadline
    time.sleep(0.1)


def _kill_all_of(environment: dict[str, str]) -> None:
  """A job that is cancelled in the moment in which it starts may go on for ever."""
  sign = f"SLURM_CONF={environment['SLURM_CONF']}".encode()
  for process in pathlib.Path("/proc").glob("[0-9]*"):
    with contextlib.suppress(OSError):  # it has ended, or is another user's
      if sign in (process / "environ").read_bytes().split(b"\0") and int(process.name) != os.getpid():
        os.kill(int(process.name), signal.SIGKILL)


if __name__ == "__main__":
  with running() as its_environment:
    sys.exit(subprocess.run(sys.argv[1:] or ["bash"], env={**os.environ, **its_environment}, check=False).returncode)
