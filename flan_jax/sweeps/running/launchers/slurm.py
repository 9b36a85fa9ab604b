"""The launcher `slurm`: each run is a job of its own, all of them one array, submitted by submitit.

Jobs do not depend on the command that submitted them: it watches them, and may be stopped. The same command finds those
that are in the queue still and submits no run twice.
"""

import contextlib
import importlib.util
import math
import re
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from flan_jax import locks
from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError, UsageError, first_of
from flan_jax.sweeps.plan import LOCK, Plan, PlannedRun
from flan_jax.sweeps.running import execution, states
from flan_jax.sweeps.running.launchers import slurm_queue
from flan_jax.sweeps.running.launchers.settings import Settings
from flan_jax.sweeps.running.launchers.slurm_job import NAME, RunJob

_ARRAY = 1000  # Slurm's MaxArraySize is 1001 where nobody changed it
_DAY = 24 * 60
_SAVING_SECONDS = 120  # before its time is up, a job is told to save and is sent back into the queue
_TIMES_SENT_BACK = 1000  # a run may be longer than any job may be
_WATCH_SECONDS = 1.0
_ASK_SECONDS = 10.0  # each squeue is work for the controller, which all users share


def launch(
  plan: Plan, runs: Sequence[PlannedRun], settings: Settings, watch: Callable[[Mapping[str, str]], object]
) -> None:
  """Submits runs, but for those that are in the queue already, and watches until no run of the sweep is in it any more.

  Args:
    plan: of the sweep, whose folder all nodes must see.
    runs: to be done, in this order; their folders and their stores are written.
    settings: without a time a job gets a day, or the partition's limit where that is shorter. When it is up its run
      saves, and the job waits in the queue again.
    watch: called every second with what Slurm says of runs, by their names.

  Raises:
    UsageError, FlanJaxError: there is no Slurm or no submitit, or the jobs are refused; or jobs ended whose runs have
      not come to an end.
    KeyboardInterrupt: the jobs go on, and it is said how to come back to them.
  """
  if importlib.util.find_spec("submitit") is None:
    raise FlanJaxError("--launcher slurm needs submitit: pip install 'flan_jax[slurm]'")
  if absent := [name for name in ("sbatch", "squeue", "srun") if shutil.which(name) is None]:
    raise FlanJaxError(f"--launcher slurm: there is no {absent[0]} here; start the sweep on a login node")
  with locks.alone(plan.folder / LOCK) as lock:
    if lock is None:
      raise FlanJaxError(f"{plan.folder}: another 'flan-jax sweep' is at it; wait for it, or give another --model_dir")
    queued = _queued(plan)
    names = {run.name for run in runs}
    new = [run for run in plan.runs if run.name not in queued and (run.name in names or _is_in_a_job(run))]
    for start in range(0, len(new), _ARRAY):
      with _undisturbed():
        _submit(plan, new[start : start + _ARRAY], settings)
  watched = [run for run in plan.runs if run.name in {*queued, *(each.name for each in new)}]
  try:
    jobs = _watch(plan, watched, watch)
  except KeyboardInterrupt:
    _say(f"The jobs go on. The same command watches them again; scancel --name={_names(plan)} ends them.")
    raise
  _check_ends(watched, jobs)


def minutes(time: str) -> int:
  """A time as Slurm writes it, rounded up.

  >>> minutes("90"), minutes("1:30"), minutes("12:00:00"), minutes("2-12"), minutes("1-00:00:30")
  (90, 2, 720, 3600, 1441)

  Raises:
    UsageError: it is none.
  """
  found = re.fullmatch(r"(?:(\d+)-)?(\d+)(?::(\d+))?(?::(\d+))?", time)
  if not found:
    raise UsageError(f"--time {time}: as sbatch takes it: minutes, HOURS:MINUTES:SECONDS or DAYS-HOURS:MINUTES:SECONDS")
  days, *parts = (int(part or 0) for part in found.groups())
  from_hours = found[1] is not None or found[4] is not None
  hours, whole, seconds = parts if from_hours else (0, *parts[:2])
  if not (total := days * _DAY + hours * 60 + whole + seconds / 60):
    raise UsageError(f"--time {time}: must be above 0; without it a job gets a day, or the partition's limit")
  return math.ceil(total)


def _queued(plan: Plan) -> list[str]:
  """The runs that are in the queue already."""
  jobs = slurm_queue.of_sweep(plan.folder)
  queued = [run.name for run in plan.runs if run.name in jobs and not jobs[run.name].over]
  if queued:
    _say(f"{len(queued)} runs are in the queue already: {first_of([f'{name} ({jobs[name]})' for name in queued])}")
  return queued


def _is_in_a_job(run: PlannedRun) -> bool:
  """Whether its files say so. Where Slurm knows of no such job any more, it was killed, on a node of which the files
  will show that only when nothing has been heard of it for long enough."""
  return states.state_of(run) == "running" and execution.read_state(run.folder).get("launcher") == NAME


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
  """Ctrl-C is not heard for a second: between sbatch and the last file that the jobs read there is none to spare."""
  before = signal.signal(signal.SIGINT, signal.SIG_IGN)  # sbatch inherits it
  try:
    yield
  finally:
    signal.signal(signal.SIGINT, before)


def _submit(plan: Plan, runs: Sequence[PlannedRun], settings: Settings) -> None:
  """One array. Its record is written first: a command that is killed here leaves no job that nobody knows of."""
  import submitit

  name = re.sub(r"[^\w.-]", "_", plan.sweep.name) + f"-{secrets.token_hex(4)}"
  parameters = _parameters(name, settings)
  folder = plan.folder / slurm_queue.FOLDER / name
  write_atomically(folder / slurm_queue.RECORD, slurm_queue.record([run.name for run in runs]))
  executor = submitit.SlurmExecutor(folder, max_num_timeout=_TIMES_SENT_BACK)
  try:
    executor.update_parameters(**parameters)
    jobs = executor.submit_array([RunJob(str(run.folder.absolute())) for run in runs])
  except submitit.core.utils.FailedJobError as error:
    shutil.rmtree(folder)
    raise FlanJaxError(f"sbatch refused the jobs: {_reason(error)}") from error
  _say(f"Submitted {len(runs)} runs as job {jobs[0].job_id.partition('_')[0]}, '{name}'")


def _parameters(name: str, settings: Settings) -> dict[str, object]:
  """In submitit's words; what is None is left to Slurm."""
  time_limit = _time_limit(settings)
  cores = settings.cores or 1
  return {
    "job_name": name,
    "nodes": settings.nodes,
    "ntasks_per_node": settings.tasks_per_node,
    "cpus_per_task": cores,
    "gpus_per_node": settings.gpus or None,
    "mem": settings.memory,
    "time": time_limit,
    "partition": settings.partition,
    "account": settings.account,
    "array_parallelism": settings.array_parallelism or _ARRAY,
    "signal_delay_s": min(_SAVING_SECONDS, time_limit * 60 // 4),
    "wckey": None,  # submitit's own is refused where keys are tracked
    "additional_parameters": {"requeue": True, **_further(settings)},
    # srun takes no cores from sbatch since Slurm 22.05. A task that fails ends the others, which would wait for it; one
    # that is done with training may end long before the first, which evaluates.
    "srun_args": [f"--cpus-per-task={cores}", "--kill-on-bad-exit=1", "--wait=0"],
  }


def _further(settings: Settings) -> dict[str, str]:
  """Parameters of sbatch that have no option of ours."""
  pairs = [text.removeprefix("--").partition("=") for text in settings.slurm]
  if wrong := [name for name, _, value in pairs if not (name and value)]:
    raise UsageError(f"--slurm {wrong[0]}: must be NAME=VALUE, such as qos=high")
  return {name: value for name, _, value in pairs}


def _time_limit(settings: Settings) -> int:
  """Minutes of a job."""
  if settings.time:
    return minutes(settings.time)
  partition = settings.partition
  for line in slurm_queue.ask("sinfo", "--noheader", "--format=%P|%l").splitlines():
    name, limit = line.split("|")
    if name in (partition, f"{partition}*") or (partition is None and name.endswith("*")):
      return _DAY if limit == "infinite" else min(_DAY, minutes(limit))
  return _DAY


def _watch(
  plan: Plan, runs: Sequence[PlannedRun], watch: Callable[[Mapping[str, str]], object]
) -> dict[str, slurm_queue.Job]:
  """Until no run's job is in the queue; gives what became of them, as far as Slurm said."""
  names = {run.name for run in runs}
  known: dict[str, slurm_queue.Job] = {}
  while True:
    trouble = ""
    try:
      known = slurm_queue.of_sweep(plan.folder, known)
    except FlanJaxError as error:  # the controller may be away for a while; jobs go on without it
      trouble = f", but {str(error).splitlines()[0]}"
    going = trouble or any(not job.over for name, job in known.items() if name in names)
    notes = {name: f"{job}{trouble}" for name, job in known.items() if name in names and job.state != "COMPLETED"}
    asked = time.monotonic()
    watch(notes)
    while going and time.monotonic() - asked < _ASK_SECONDS:
      time.sleep(_WATCH_SECONDS)
      watch(notes)
    if not going:
      return known


def _check_ends(runs: Sequence[PlannedRun], jobs: Mapping[str, slurm_queue.Job]) -> None:
  """Raises FlanJaxError if a job is gone and its run has neither been finished nor failed by itself."""
  lost = []
  for run in runs:
    if states.state_of(run) in ("waiting", "stopped") or _is_in_a_job(run):
      job = jobs.get(run.name)
      told = str(job) if job else "Slurm knows no job"
      lines = states.last_lines(job.output, 1) if job and job.state != "CANCELLED" else ()
      lost.append(f"{run.name}: {told}{''.join(f': {line}' for line in lines)}")
  if lost:
    raise FlanJaxError(
      f"{len(lost)} of {len(runs)} runs did not come to an end ({first_of(lost)}). The same command goes on with them"
    )


def _names(plan: Plan) -> str:
  jobs = slurm_queue.of_sweep(plan.folder)
  return ",".join(sorted({job.output.parent.name for job in jobs.values() if not job.over}))


def _reason(error: Exception) -> str:
  """What sbatch said, out of submitit's message, whose last lines it is."""
  lines = [line.strip() for line in str(error).splitlines() if "sbatch: error" in line]
  return " ".join(line.partition("sbatch: error:")[2].strip() for line in lines) or str(error).splitlines()[-1]


def _say(text: str) -> None:
  print(text, file=sys.stderr, flush=True)
