"""Where a run starts: its own newest checkpoint, given parameters, or fresh ones; and what must match for that."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

from flan_jax.errors import UsageError, first_of
from flan_jax.interop import checkpoints as layout
from flan_jax.interop.loading import Source, open_source
from flan_jax.models.configs import T5Config
from flan_jax.processes import short
from flan_jax.training import recovery
from flan_jax.training.checkpoints import Checkpoints
from flan_jax.training.feed import Feed
from flan_jax.training.state import TrainState, optimizer_arrays, with_optimizer_arrays
from flan_jax.training.trainer import Trainer

# What may differ between a checkpoint and the model that goes on from it: it changes how a step is computed, not what
# the parameters mean. Layers are stacked or taken apart as they are read.
_FREE = {"dropout_rate", "dtype", "remat_policy", "float32_attention_logits", "scan_layers"}


def set_damaged_aside(model_dir: pathlib.Path) -> int | None:
  """Makes the newest whole checkpoint the newest of all, for whoever asks below what the run goes on from.

  Returns:
    its step; None where nothing was saved.

  Raises:
    FlanJaxError: there are some, and none is whole.
  """
  step, faults = recovery.newest_whole(model_dir, {})
  if faults:
    recovery.set_aside(model_dir, faults, step)
  return step


def check_model(model_dir: pathlib.Path, model: T5Config, vocabulary_sha256: str) -> None:
  """Raises UsageError if the folder's newest checkpoint is of another model or vocabulary."""
  steps = layout.saved_steps(model_dir)
  if steps:
    folder = layout.step_folder(model_dir)
    record = layout.read_record(folder)
    if "data" not in record:
      raise UsageError(
        f"{model_dir} holds a converted checkpoint, of no run that could be gone on with: take another MODEL_DIR with "
        f"INITIAL_CHECKPOINT_PATH='{model_dir}'"
      )
    _check_same(folder, layout.saved_config(folder, record), model, record["vocabulary"]["sha256"], vocabulary_sha256)


def check_data(model_dir: pathlib.Path, identity: Mapping[str, Any]) -> None:
  """Raises UsageError if the folder's newest checkpoint is of another stream, in which its position means nothing."""
  steps = layout.saved_steps(model_dir)
  if not steps:
    return
  before = layout.read_record(layout.step_folder(model_dir))["data"]
  changed = [name for name in identity if before.get(name) != identity[name]]
  if changed:
    told = "; ".join(_told(name, before, identity) for name in changed)
    raise UsageError(
      f"{model_dir} cannot be resumed on other data: {told}. Take them back, or start anew: delete this folder, or "
      f"give another MODEL_DIR with INITIAL_CHECKPOINT_PATH='{model_dir}'"
    )


def _told(name: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
  """What has changed; of stores, which are many, how many tasks' texts or tokens are others."""
  if name != "stores":
    return f"{name} was {short(before.get(name))}, is {short(now[name])}"
  before, now = before["stores"], now["stores"]
  others = [task for task, at in now.items() if before.get(task, at) != at]
  new, gone = len(now.keys() - before.keys()), len(before.keys() - now.keys())
  named = f" ({first_of(others)})" if others else ""
  return f"of {len(now)} tasks {len(others)} are made otherwise{named}, {new} are new, {gone} gone"


def initial_checkpoint(
  path: str | None, model: T5Config, vocabulary_sha256: str, model_dir: pathlib.Path
) -> Source | None:
  """What a new run starts from, of any kind; None for fresh parameters, and for a run that goes on.

  Raises:
    UsageError: there is none, or it is of another model or vocabulary.
    FlanJaxError: it cannot be read.
  """
  if path is None or layout.saved_steps(model_dir):
    return None
  source = open_source(path)
  theirs = source.vocabulary_sha256 or vocabulary_sha256
  _check_same(path, source.config, model, theirs, vocabulary_sha256)
  return source


def tasks_before(model_dir: pathlib.Path, initial: Source | None) -> set[str]:
  """The tasks that the parameters a run starts from have been trained on: none of them is held out any more."""
  if layout.saved_steps(model_dir):
    return set(layout.read_record(layout.step_folder(model_dir))["tasks"])
  return set(initial.record.get("tasks", ())) if initial else set()


def start(
  trainer: Trainer,
  checkpoints: Checkpoints,
  feed: Feed,
  initial: Source | None,
  initial_optimizer: bool,
  newest: int | None,
) -> tuple[int, TrainState, Any]:
  """(step, state, position of the next batch). A new run saves its step 0, the 'before' of every evaluation.

  Args:
    initial: whose parameters a new run begins with.
    initial_optimizer: whether it begins with the state of its Adafactor too.
    newest: what `set_damaged_aside` found, whose files are not read for their sums again.
  """
  if restored := checkpoints.restore_newest(trainer.abstract(), newest):
    step, state, position = restored
    return step, state, feed.position(position)
  state = trainer.start() if initial is None else _begin(trainer, initial, initial_optimizer)
  checkpoints.save(0, state, feed.beginning.to_json())
  return 0, state, feed.beginning


def _begin(trainer: Trainer, initial: Source, initial_optimizer: bool) -> TrainState:
  """Step 0 from a checkpoint, whose arrays go straight onto the devices that shall hold them."""
  wanted = optimizer_arrays(trainer.abstract())
  arrays = initial.optimizer_arrays(wanted) if initial_optimizer else {}
  state = trainer.start_from(initial.parameters(trainer.shardings.params, trainer.model.config))
  return with_optimizer_arrays(state, arrays) if initial_optimizer else state


def _check_same(where: object, theirs: T5Config, ours: T5Config, their_sha256: str, our_sha256: str) -> None:
  names = [field.name for field in dataclasses.fields(T5Config) if field.name not in _FREE]
  changed = [name for name in names if getattr(theirs, name) != getattr(ours, name)]
  if changed:
    told = ", ".join(f"{name} {getattr(theirs, name)!r} (here {getattr(ours, name)!r})" for name in changed)
    raise UsageError(f"the checkpoint {where} is of another model: {told}. Choose its MODEL, or another MODEL_DIR")
  if their_sha256 != our_sha256:
    raise UsageError(
      f"the checkpoint {where} has another vocabulary (sha256 {their_sha256[:12]}, here {our_sha256[:12]}): "
      "set VOCABULARY to its own, which is vocabulary.model in its MODEL_DIR"
    )
