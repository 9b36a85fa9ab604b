"""What Slurm says of a sweep's jobs now: by the names they were submitted under, so that no number need be known.

squeue alone is asked, as sacct knows nothing where nobody keeps accounts. It forgets a job some minutes after its end
(MinJobAge); by then the run's own files say how it went.
"""

import dataclasses
import json
import pathlib
import subprocess
from collections.abc import Iterable, Mapping, Sequence

from flan_jax.errors import FlanJaxError

FOLDER = "slurm"  # in the sweep's folder: a folder for each submission
RECORD = "jobs.json"  # in it: the runs, in the order of the array's indices
_GONE = "GONE"  # our word for one that is forgotten
# A job in any other state is in the queue still, whatever Slurm calls it: PENDING, RUNNING, COMPLETING, SUSPENDED, ...
_OVER = {
  "BOOT_FAIL",
  "CANCELLED",
  "COMPLETED",
  "DEADLINE",
  "FAILED",
  _GONE,
  "NODE_FAIL",
  "OUT_OF_MEMORY",
  "PREEMPTED",
  "REVOKED",
  "TIMEOUT",
}
_WAITS = {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "CONFIGURING"}
_FORMAT = "%j|%K|%F|%T|%r|%N"  # name, index in the array, number, state, why it waits, nodes


@dataclasses.dataclass(frozen=True)
class Job:
  """A run's job, as squeue shows it.

  Attributes:
    number: as scancel takes it: '12', or '12_3' of an array.
    state: in Slurm's words, 'PENDING'.
    reason: why it waits, in Slurm's words; 'None' where there is no reason.
    nodes: where it runs; empty while it waits.
    output: the file with what the job printed that its run's log has not, such as why it could not begin.
  """

  number: str
  state: str
  reason: str
  nodes: str
  output: pathlib.Path

  @property
  def over(self) -> bool:
    """Whether it will do nothing more."""
    return self.state in _OVER

  @property
  def waits(self) -> bool:
    """Whether it is in the queue and holds no node, be it that it never did or that it was sent back."""
    return self.state in _WAITS

  def __str__(self) -> str:
    """'job 12_3 pending (Resources)', 'job 12_3 on node1', 'job 12_3 cancelled'."""
    if self.state == "RUNNING":
      return f"job {self.number} on {self.nodes}"
    reason = f" ({self.reason})" if self.waits and self.reason not in ("", "None") else ""
    return f"job {self.number} {self.state.lower().replace('_', ' ')}{reason}"


def record(runs: Sequence[str]) -> bytes:
  """What is to be known of a submission before it is made: see `of_sweep`."""
  return json.dumps({"runs": list(runs)}, indent=2).encode()


def of_sweep(folder: pathlib.Path, known: Mapping[str, Job] | None = None) -> dict[str, Job]:
  """Run name -> its newest job; runs that Slurm knows nothing of are absent.

  Args:
    folder: the sweep's.
    known: what this said last: jobs that have been forgotten since are in the result too, and over.

  Raises:
    FlanJaxError: Slurm cannot be asked.
  """
  records = sorted((folder / FOLDER).glob(f"*/{RECORD}"), key=lambda path: path.stat().st_mtime_ns)
  submissions = {path.parent.name: json.loads(path.read_bytes())["runs"] for path in records}
  found = _jobs(folder, submissions) if submissions else {}
  newest = {
    run: found[name, i] for name, runs in submissions.items() for i, run in enumerate(runs) if (name, i) in found
  }
  forgotten = {run: dataclasses.replace(job, state=_GONE) for run, job in (known or {}).items() if not job.over}
  return {**(known or {}), **forgotten, **newest}


def _jobs(folder: pathlib.Path, names: Iterable[str]) -> dict[tuple[str, int], Job]:
  """(name of a submission, index in it) -> job."""
  jobs = {}
  asked = ("--array", "--states=all", f"--name={','.join(names)}", f"--format={_FORMAT}")
  for line in ask("squeue", "--noheader", *asked).splitlines():
    name, index, number, state, reason, nodes = line.split("|", 5)
    alone = index == "N/A"  # a submission of one run is no array
    number = number if alone else f"{number}_{index}"
    output = folder / FOLDER / name / f"{number}_0_log.err"  # submitit's names
    jobs[name, 0 if alone else int(index)] = Job(number, state, reason, nodes, output)
  return jobs


def ask(*argv: str) -> str:
  """What one of Slurm's commands prints.

  Raises:
    FlanJaxError: it fails, as all do while the controller is away.
  """
  done = subprocess.run(argv, capture_output=True, text=True, check=False)
  if done.returncode:
    raise FlanJaxError(done.stderr.strip() or f"{argv[0]}: exit code {done.returncode}")  # Slurm says who speaks
  return done.stdout
