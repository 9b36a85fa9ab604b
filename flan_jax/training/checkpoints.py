"""When checkpoints of a run are written, which of them stay, and reading one; the format: interop/checkpoints.py."""

import contextlib
import dataclasses
import json
import math
import pathlib
import shutil
import time
import types
from collections.abc import Callable, Mapping
from typing import Any

import gin
import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from flan_jax import processes
from flan_jax.atomic import write_atomically
from flan_jax.data.stream import Position
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop.damage import DamagedError, write_file_sums
from flan_jax.setting_types import check_types
from flan_jax.training import recovery
from flan_jax.training.guard import GuardState
from flan_jax.training.state import TrainState, optimizer_arrays, with_optimizer_arrays
from flan_jax.training.windows import Jump

# Seconds until a save that is not done counts as failed; 45 GB take 25 minutes at 30 MB/s, more than Orbax waits for.
_PATIENCE = 4 * 3600


@gin.register
@dataclasses.dataclass(frozen=True)
class Saving:
  """When checkpoints are written and which stay; step 0, which evaluation compares with, and the newest always do.

  Attributes:
    period: in steps.
    minutes: also so long after the last one, by the clock of the first process; None for never.
    keep: the newest so many stay.
    keep_best: so do so many that are best by `best_by`; then each held-out evaluation's step is saved.
    best_by: a metric of the held-out evaluation, such as 'unseen/exact_match'; the greatest is the best, of a loss the
      least.
  """

  period: int = 1000
  minutes: float | int | None = None
  keep: int = 3
  keep_best: int = 0
  best_by: str = "held_out/accuracy"

  def __post_init__(self):
    check_types(self)
    for name, least in (("period", 1), ("keep", 1), ("keep_best", 0)):
      value = getattr(self, name)
      if value < least:
        raise UsageError(f"Saving.{name} = {value!r}: must be at least {least}")
    if self.minutes is not None and not self.minutes > 0:
      raise UsageError(f"Saving.minutes = {self.minutes!r}: must be above 0, or None for never")

  def goodness(self, value: float) -> float:
    """Greater where a metric's value is better; what is no number is worse than any."""
    if not math.isfinite(value):
      return -math.inf
    return -value if "loss" in self.best_by.rpartition("/")[-1] else value


class Alarm:
  """Tells the first process's loop, once, that `minutes` have gone by since the last checkpoint."""

  def __init__(self, minutes: float | int | None, clock: Callable[[], float] = time.monotonic):
    self._seconds = minutes * 60 if minutes is not None and processes.is_first() else math.inf
    self._clock = clock
    self.set()

  def set(self) -> None:
    """Starts anew."""
    self._since = self._clock()

  def rings(self) -> bool:
    """Whether it is time; then starts anew."""
    if self._clock() - self._since < self._seconds:
      return False
    self.set()
    return True


class Checkpoints:
  """The checkpoints of a MODEL_DIR. A context manager: leaving it waits until what was saved is whole on the disk.

  Of several processes each writes and reads the parts of arrays that its devices hold, in the same folder; all must
  call each method alike.

  Attributes:
    jumps: where in the data the run has left its course so far; each checkpoint keeps those that led to it.
    since_line: what was saved with the step that was restored last; see `save`.
  """

  jumps: tuple[Jump, ...] = ()
  since_line: Mapping[str, Any] = types.MappingProxyType({})

  def __init__(self, model_dir: pathlib.Path, record: Mapping[str, Any], saving: Saving):
    """Takes away what killed saves left half written.

    Args:
      record: what each checkpoint says besides step, position, metrics, guard and what its arrays are (see the format).
    """
    self._folder = (model_dir / layout.CHECKPOINTS).absolute()
    self._record = dict(record)
    self._saving = saving
    self._metrics = processes.from_first("old checkpoints", self._take_stock)
    kept = [
      preservation_policy.LatestN(saving.keep),
      preservation_policy.CustomSteps([0]),
      _Best(saving.keep_best, self._goodness),
    ]
    options = ocp.CheckpointManagerOptions(
      preservation_policy=preservation_policy.AnyPreservationPolicy(kept),
      # Runs in the first process when all files are there, before the folder gets its name.
      async_options=ocp.options.AsyncOptions(_PATIENCE, post_finalization_callback=self._write_file_sums),
      lightweight_initialize=True,  # else it reads Orbax's own metadata of each step, which may be damaged
    )
    self._manager = ocp.CheckpointManager(self._folder, options=options, item_handlers=layout.handlers())

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(self, *_) -> None:
    try:
      self._finish()
    finally:
      self._manager.close()

  def save(
    self,
    step: int,
    state: TrainState,
    position: Mapping[str, Any],
    metrics: Mapping[str, float] | None = None,
    since_line: Mapping[str, Any] | None = None,
  ) -> None:
    """Saves a step that is not saved yet; returns once the arrays are copied, the disk is written behind.

    Args:
      step: the state's, known to the caller without asking the device.
      position: of the next batch, as JSON.
      metrics: of an evaluation of this state, by which the best are kept.
      since_line: sums of the steps since the last line of metrics, as JSON.
    """
    self._finish()
    if step in self._manager.all_steps():
      return
    # Also where there are none: those of a state that the run went back from are of another.
    self._metrics[str(step)] = self._checked(metrics) if metrics else {}
    record = {
      **self._record,
      "step": step,
      "position": dict(position),
      "jumps": [jump.to_json() for jump in self.jumps],
      "metrics": dict(metrics or {}),
      "since_line": dict(since_line or {}),
      "guard": {name: each.item() for name, each in jax.device_get(state.guard._asdict()).items()},
    }
    items = {layout.PARAMS: state.params, layout.OPTIMIZER: optimizer_arrays(state)}
    self._saved = step
    self._manager.save(step, args=layout.to_save(items, record))

  def restore_newest(
    self, wanted: TrainState, whole: int | None = None
  ) -> tuple[int, TrainState, dict[str, Any]] | None:
    """(step, state, position) of the newest whole checkpoint; None where there is none at all.

    Newer ones that are damaged are moved aside, each with a line that says why.

    Args:
      whole: a step whose files were compared before.

    Raises:
      FlanJaxError: there are some, and none is whole.
      UsageError: it holds other arrays than those wanted.
    """
    self._finish()
    faults: recovery.Faults = {}
    while True:
      step, newer = recovery.newest_whole(self._folder.parent, faults, whole)
      if step is None:
        return None
      faults.update(newer)
      try:
        state, record = self.restore(step, wanted)
      except DamagedError as error:  # all files are as they were written, and an array is not
        faults[step] = error.faults
        continue
      if faults:
        recovery.set_aside(self._folder.parent, faults, step)
        self._manager.reload()
      self.jumps = tuple(map(Jump.from_json, record["jumps"]))
      self.since_line = record.get("since_line", {})
      return step, state, record["position"]

  def go_back(
    self, wanted: TrainState, position: Position, skipped_from: int
  ) -> tuple[int, TrainState, dict[str, int]]:
    """(step, state, position then) of the newest whole checkpoint that may be gone on from; later ones are deleted.

    It was not made amid skipped steps; and if the run has gone back to it before and every step since was skipped, its
    parameters are what is wrong, and the one before it is taken. The oldest stays in any case.

    Args:
      position: where the data goes on, which what is saved from now on says.
      skipped_from: the first of the skipped steps.
    """
    self._finish()
    # The first process says which, for all: another might look for a folder that is deleted already.
    for step in processes.from_first("checkpoints that are left", lambda: self._left(skipped_from)):
      self._manager.delete(step)
    step, state, then = self.restore_newest(wanted)
    self.jumps = (*(jump for jump in self.jumps if jump.step < step), Jump(step, position))
    return step, state, then

  def _left(self, skipped_from: int) -> list[int]:
    """The steps that `go_back` deletes, newest first."""
    left, visited = [], {jump.step for jump in self.jumps}
    for step in sorted(self._manager.all_steps(), reverse=True)[:-1]:
      try:
        amid_skipped = layout.read_record(self._folder / str(step))["guard"]["skipped_in_row"] > 0
      except DamagedError:  # `restore_newest` moves it aside
        continue
      if not amid_skipped and not (step in visited and skipped_from == step + 1):
        break
      left.append(step)
    return left

  def restore(self, step: int, wanted: TrainState) -> tuple[TrainState, dict[str, Any]]:
    """(the state of a step, placed as `wanted` says; its record). Its files are not compared.

    Raises:
      DamagedError: a damaged array, by name.
      UsageError: it holds other arrays than those wanted.
    """
    folder = self._folder / str(step)
    arrays = layout.read_arrays(folder, {layout.PARAMS: wanted.params, layout.OPTIMIZER: optimizer_arrays(wanted)})
    record = layout.read_record(folder)
    state = with_optimizer_arrays(wanted, arrays[layout.OPTIMIZER])
    guard = _with_values(wanted.guard, record["guard"])
    return TrainState(jnp.asarray(step, jnp.int32), arrays[layout.PARAMS], state.optimizer, guard), record

  def is_measured(self, step: int) -> bool:
    """Whether metrics of an evaluation of this step are known."""
    return bool(self._metrics.get(str(step)))

  def make_up(self, step: int, metrics: Mapping[str, float]) -> None:
    """Keeps metrics of an evaluation that a step was saved without, beside what was saved."""
    self._metrics[str(step)] = self._checked(metrics)
    if processes.is_first():
      write_atomically(self._folder / str(step) / layout.MADE_UP, json.dumps(self._metrics[str(step)]).encode())

  def best(self) -> tuple[int, float] | None:
    """(step, value of `Saving.best_by`) of the best checkpoint that is there; None where none was measured."""
    measured = [step for step in self._manager.all_steps() if self._goodness(step) is not None]
    if not measured:
      return None
    step = max(measured, key=self._goodness)
    return step, self._metrics[str(step)][self._saving.best_by]

  def _finish(self) -> None:
    """Waits until what was saved is whole on the disk."""
    try:
      self._manager.wait_until_finished()
    except Exception as error:  # Orbax passes on whatever the file system or TensorStore said
      reason = (str(error) or repr(error)).splitlines()[0][:300]
      raise FlanJaxError(
        f"checkpoint {self._saved} could not be written to {self._folder}: {reason}. Earlier ones are as they were; "
        "mend that, and the same command goes on from the newest"
      ) from error

  def _checked(self, metrics: Mapping[str, float]) -> dict[str, float]:
    if self._saving.keep_best and self._saving.best_by not in metrics:
      there = ", ".join(sorted(metrics)) or "nothing"
      raise UsageError(f"Saving.best_by = {self._saving.best_by!r} is not what is measured, which is {there}")
    return dict(metrics)

  def _goodness(self, step: int) -> float | None:
    """The greater the better; None where it was not measured."""
    value = self._metrics.get(str(step), {}).get(self._saving.best_by)
    return None if value is None else self._saving.goodness(value)

  def _take_stock(self) -> dict[str, dict[str, float]]:
    """What earlier steps measured, by step as JSON has it; and no trace of killed saves is left."""
    for unfinished in self._folder.glob(f"*{ocp.utils.TMP_DIR_SUFFIX}*"):
      shutil.rmtree(unfinished)
    found = {}
    for step in layout.saved_steps(self._folder.parent):
      with contextlib.suppress(DamagedError):  # it is not the one that the run goes on from
        found[str(step)] = layout.read_metrics(self._folder / str(step))
    return found

  def _write_file_sums(self) -> None:
    (folder,) = self._folder.glob(f"{self._saved}{ocp.utils.TMP_DIR_SUFFIX}*")
    write_file_sums(folder)


class _Best(preservation_policy.PreservationPolicy):
  """The best few by a metric. Orbax's BestN reads metrics from files of its own, which may be damaged."""

  def __init__(self, count: int, goodness: Callable[[int], float | None]):
    self._count = count
    self._goodness = goodness

  def should_preserve(self, checkpoints, *, context) -> list[bool]:
    """Which of the checkpoints stay, in their order."""
    measured = [each.step for each in checkpoints if self._goodness(each.step) is not None]
    best = sorted(measured, key=self._goodness, reverse=True)[: self._count]
    return [each.step in best for each in checkpoints]


def _with_values(wanted: GuardState, values: Mapping[str, float | int]) -> GuardState:
  """Scalars of a record, of the types that a state has."""
  return GuardState(**{name: jnp.asarray(values[name], shape.dtype) for name, shape in wanted._asdict().items()})
