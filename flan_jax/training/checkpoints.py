"""Writing checkpoints of a run and going on from the newest; the format is interop/checkpoints.py's."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import gin
import jax.numpy as jnp
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from flan_jax import processes
from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.training.guard import GuardState
from flan_jax.training.state import TrainState, optimizer_arrays, with_optimizer_arrays


@gin.register
@dataclasses.dataclass(frozen=True)
class Saving:
  """When checkpoints are made, and which are kept.

  Attributes:
    period: in steps; the last step is saved in any case, and the one that a signal stopped at.
    keep: the newest so many stay, and step 0, which evaluation compares with.
  """

  period: int = 1000
  keep: int = 3

  def __post_init__(self):
    for name in ("period", "keep"):
      value = getattr(self, name)
      if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"Saving.{name} = {value!r}: must be a whole number above 0")


class Checkpoints:
  """The checkpoints of a MODEL_DIR. A context manager: leaving it waits until what was saved is whole on the disk.

  Of several processes each writes and reads the parts of arrays that its devices hold, in the same folder; all must
  call each method alike.
  """

  def __init__(self, model_dir: pathlib.Path, record: Mapping[str, Any], saving: Saving):
    """
    Args:
      record: what each checkpoint says besides step, position, guard and fingerprints (see interop/checkpoints.py).
    """
    self._model_dir = model_dir
    self._record = dict(record)
    folder = (model_dir / layout.CHECKPOINTS).absolute()
    policies = [preservation_policy.LatestN(saving.keep), preservation_policy.CustomSteps([0])]
    options = ocp.CheckpointManagerOptions(preservation_policy=preservation_policy.AnyPreservationPolicy(policies))
    self._manager = ocp.CheckpointManager(folder, options=options)

  def __enter__(self) -> "Checkpoints":
    return self

  def __exit__(self, *_) -> None:
    self._finish()
    self._manager.close()

  def save(self, step: int, state: TrainState, position: Mapping[str, Any]) -> None:
    """Saves a step that is not saved yet; returns once the arrays are copied, the disk is written behind.

    Args:
      step: the state's, known to the caller without asking the device.
      position: of the next batch, as JSON.
    """
    self._finish()
    if step in self._manager.all_steps():
      return
    arrays = {layout.PARAMS: state.params, layout.OPTIMIZER: optimizer_arrays(state)}
    fingerprints = {item: layout.fingerprints(each) for item, each in arrays.items()}
    record = {
      **self._record,
      "step": step,
      "position": dict(position),
      "guard": {name: value.item() for name, value in state.guard._asdict().items()},
      "fingerprints": fingerprints,
    }
    items = {item: ocp.args.StandardSave(each) for item, each in arrays.items()}
    self._manager.save(step, args=ocp.args.Composite(**items, **{layout.RECORD: ocp.args.JsonSave(record)}))

  def restore(self, step: int, wanted: TrainState) -> tuple[TrainState, dict[str, Any]]:
    """(the state of a step, placed as `wanted` says; the position of its next batch).

    Raises:
      FlanJaxError: a damaged array or file, by name.
    """
    folder = self._model_dir / layout.CHECKPOINTS / str(step)
    items = {layout.PARAMS: wanted.params, layout.OPTIMIZER: optimizer_arrays(wanted)}
    arrays = layout.restore(folder, items)
    record = layout.read_record(folder)
    state = with_optimizer_arrays(wanted, arrays[layout.OPTIMIZER])
    guard = _with_values(wanted.guard, record["guard"])
    return TrainState(jnp.asarray(step, jnp.int32), arrays[layout.PARAMS], state.optimizer, guard), record["position"]

  def _finish(self) -> None:
    """Waits until earlier steps are whole on the disk; only then can the sums of their files be taken."""
    self._manager.wait_until_finished()
    processes.from_first("file sums", self._write_file_sums)

  def _write_file_sums(self) -> None:
    for step in layout.saved_steps(self._model_dir):
      folder = self._model_dir / layout.CHECKPOINTS / str(step)
      if not (folder / layout.FILES).exists():
        layout.write_file_sums(folder)


def _with_values(wanted: GuardState, values: Mapping[str, float | int]) -> GuardState:
  """Scalars of a record, of the types that a state has."""
  return GuardState(**{name: jnp.asarray(values[name], shape.dtype) for name, shape in wanted._asdict().items()})
