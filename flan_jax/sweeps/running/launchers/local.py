"""The launcher `local`: as many runs at once as this machine's cores or GPUs allow, each on some that are its own.

Small models gain little from a second core, so runs side by side beat one run on all of them: on 4 cores four runs of
t5_demo did 44 steps/s together, where one over 4 devices did 14.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from flan_jax import locks, machine
from flan_jax.errors import FlanJaxError, UsageError, first_of
from flan_jax.sweeps.plan import LOCK, Plan, PlannedRun
from flan_jax.sweeps.running import child_processes, execution, states
from flan_jax.sweeps.running.launchers.settings import Settings

NAME = "local"  # in state.json
_LOOK_SECONDS = 0.1  # how long a core may be idle between two runs


class Slot(NamedTuple):
  """What one run has for itself: cores, and accelerators by what is in its environment."""

  cores: tuple[int, ...]
  environment: dict[str, str]


def launch(plan: Plan, runs: Sequence[PlannedRun], settings: Settings, watch: Callable[[], object]) -> None:
  """Runs them, and waits. A run that fails does not keep others from being run.

  Ctrl-C, SIGTERM and SIGHUP end it: runs save and end, then so does this; a second one kills them. If this process is
  killed, the system asks the runs to end, and the same command goes on with them.

  Args:
    settings: cores or GPUs of each run; without, 1 GPU where there are any and 1 core otherwise.
    watch: called ten times a second, and when all is over.

  Raises:
    UsageError: the machine has not as much as one run shall get.
    FlanJaxError: another process is at this sweep; or runs could not write how they ended.
    KeyboardInterrupt: with the number of the signal, after the runs have ended.
  """
  workers = _Workers(slots(settings))
  with locks.alone(plan.folder / LOCK) as lock, _signals() as heard, _compiled_once(), workers:
    if lock is None:
      raise FlanJaxError(f"{plan.folder}: another 'flan-jax sweep' is at it; wait for it, or give another --model_dir")
    left = _left_behind(plan, runs)
    todo = [*left, *runs]
    while (todo and not heard) or workers.busy:
      while not heard and workers.free and (ready := next((run for run in todo if not _at_work(run)), None)):
        todo.remove(ready)
        if ready not in left or states.state_of(ready) == "stopped":  # and did not end by itself, well or not
          workers.start(ready)
      workers.pass_on(heard)
      workers.collect()
      watch()
    watch()
  if heard:
    raise KeyboardInterrupt(heard[0])
  if workers.lost:
    raise FlanJaxError(f"of {len(workers.lost)} runs nobody knows how they ended: {first_of(workers.lost)}")


def slots(settings: Settings) -> list[Slot]:
  """What this machine can give to runs at the same time.

  Raises:
    UsageError: not as much as one run shall get.
  """
  cores, gpus, on_cpu = machine.cores(), machine.gpus(), machine.on_cpu()
  if settings.gpus and (on_cpu or len(gpus) < settings.gpus):
    raise UsageError(f"--gpus {settings.gpus}: flan_jax may use {0 if on_cpu else len(gpus)} of this machine")
  if on_cpu or settings.gpus == 0:
    environment = {} if on_cpu else {"JAX_PLATFORMS": "cpu"}
    return [Slot(share, environment) for share in _shares(cores, settings.cores or 1)]
  if not gpus:  # accelerators of which a process takes all
    return [Slot(tuple(cores), {})]
  each = settings.gpus or 1
  groups = [gpus[i : i + each] for i in range(0, len(gpus) - each + 1, each)]
  shares = _shares(cores, settings.cores or max(1, len(cores) // len(groups)))
  named = [{"CUDA_VISIBLE_DEVICES": ",".join(group)} for group in groups]
  return [Slot(*slot) for slot in zip(shares, named, strict=False)]


def _shares(cores: Sequence[int], size: int) -> list[tuple[int, ...]]:
  if size > len(cores):
    raise UsageError(f"--cores {size}: flan_jax may use {len(cores)} of this machine")
  return [tuple(cores[i : i + size]) for i in range(0, len(cores) - size + 1, size)]


def _left_behind(plan: Plan, runs: Sequence[PlannedRun]) -> list[PlannedRun]:
  """Runs of a sweep command that was killed just now: they save, and end. With its lock held there is no other one.

  If this is another machine than theirs (a container that was started again, say), it takes a minute or two until they
  count as stopped.
  """
  names = {run.name for run in runs}
  others = [run for run in plan.runs if run.name not in names and _at_work(run)]
  return [run for run in others if execution.read_state(run.folder).get("launcher") == NAME]


def _at_work(run: PlannedRun) -> bool:
  return states.state_of(run) == "running"


class _Workers:
  """The processes that do runs. A context manager: after it, even if this process fails, none is at work.

  Attributes:
    free: slots without a run.
    lost: what runs said that could not write in their folder how they ended.
  """

  def __init__(self, free: list[Slot]):
    self.free = free
    self.lost: list[str] = []
    self._working: dict[subprocess.Popen, tuple[PlannedRun, Slot]] = {}
    self._passed = 0  # signals

  def __enter__(self) -> "_Workers":
    return self

  def __exit__(self, *_) -> None:
    for process in self._working:
      process.terminate()
    for process in self._working:
      process.communicate()

  @property
  def busy(self) -> bool:
    """Whether a run is at work."""
    return bool(self._working)

  def start(self, run: PlannedRun) -> None:
    """Starts a run in a free slot."""
    slot = self.free.pop(0)
    options = ["--launcher", NAME, "--parent", str(os.getpid())]
    process = child_processes.start(
      [sys.executable, "-m", execution.__name__, str(run.folder), *options],
      environment={**os.environ, **slot.environment},
      output=subprocess.PIPE,  # a line at most: why it cannot even say in its folder how it ended
      cores=slot.cores,
    )
    self._working[process] = run, slot

  def pass_on(self, heard: Sequence[int]) -> None:
    """The first signal that this process heard asks runs to save and end, those after it kill."""
    if len(heard) > self._passed:
      self._passed = len(heard)
      if self._passed == 1:
        print("Runs save and end; the same command goes on with them. A second time kills them.", file=sys.stderr)
      for process in self._working:
        process.send_signal(signal.SIGTERM if self._passed == 1 else signal.SIGQUIT)

  def collect(self) -> None:
    """Waits a moment, and frees the slots of runs that have ended meanwhile."""
    time.sleep(_LOOK_SECONDS)
    for process in [each for each in self._working if each.poll() is not None]:
      run, slot = self._working.pop(process)
      self.free.append(slot)
      with process.stdout as output:
        said = output.read().decode(errors="replace").strip().removeprefix("flan-jax: ")
      self.lost += [f"{run.name} ({said})"] if said else []


@contextlib.contextmanager
def _compiled_once() -> Iterator[None]:
  """What one process of a run has compiled its others and the other runs' read, unless the user has a folder for that.

  An evaluation of demo tasks compiles for 12 s of a core, and a run may have five. The folder is this launch's alone:
  what was compiled for one machine may not run on another.
  """
  if _COMPILED in os.environ:
    yield
    return
  with tempfile.TemporaryDirectory(prefix="flan_jax_compiled_", ignore_cleanup_errors=True) as folder:
    given = {_COMPILED: folder, "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    given = {name: value for name, value in given.items() if name not in os.environ}
    os.environ.update(given)
    try:
      yield
    finally:
      for name in given:
        del os.environ[name]


_COMPILED = "JAX_COMPILATION_CACHE_DIR"


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
  """Those that ask this process to end, as they come; what it was started to ignore (by nohup, say) it ignores."""
  heard: list[int] = []
  before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
  wanted = [number for number, handler in before.items() if handler != signal.SIG_IGN]
  for number in wanted:
    signal.signal(number, lambda number, frame: heard.append(number))
  try:
    yield heard
  finally:
    for number in wanted:
      signal.signal(number, before[number])
