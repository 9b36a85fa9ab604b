"""Writing checkpoints of a run and going on from the newest; the format is interop/checkpoints.py's."""

import pathlib
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from flan_jax import processes
from flan_jax.interop import checkpoints as layout
from flan_jax.training.state import TrainState, optimizer_arrays, with_optimizer_arrays


class Checkpoints:
  """The checkpoints of a MODEL_DIR. A context manager: leaving it waits until what was saved is whole on the disk.

  Of several processes each writes and reads the parts of arrays that its devices hold, in the same folder; all must
  call each method alike.
  """

  def __init__(self, model_dir: pathlib.Path, record: Mapping[str, Any], keep: int):
    """
    Args:
      record: what each checkpoint says besides step, position and fingerprints (see interop/checkpoints.py).
      keep: the newest so many are kept, and step 0, which evaluation compares with.
    """
    self._model_dir = model_dir
    self._record = dict(record)
    folder = (model_dir / layout.CHECKPOINTS).absolute()
    policies = [preservation_policy.LatestN(keep), preservation_policy.CustomSteps([0])]
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
    record = {**self._record, "step": step, "position": dict(position), "fingerprints": fingerprints}
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
    state = with_optimizer_arrays(wanted, arrays[layout.OPTIMIZER])
    state = TrainState(jnp.asarray(step, jnp.int32), arrays[layout.PARAMS], state.optimizer)
    return state, layout.read_record(folder)["position"]

  def _finish(self) -> None:
    """Waits until earlier steps are whole on the disk; only then can the sums of their files be taken."""
    self._manager.wait_until_finished()
    processes.from_first("file sums", self._write_file_sums)

  def _write_file_sums(self) -> None:
    for step in layout.saved_steps(self._model_dir):
      folder = self._model_dir / layout.CHECKPOINTS / str(step)
      if not (folder / layout.FILES).exists():
        layout.write_file_sums(folder)
