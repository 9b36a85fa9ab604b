"""Where the lines and samples of a run go: metrics.jsonl, TensorBoard, Weights & Biases. One process writes."""

import html
import json
import math
import os
import pathlib
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError, unknown_name

Line = dict[str, float | int]
_NO_WANDB = "train.writers has 'wandb', which is not installed: pip install 'flan_jax[wandb]', or leave it out"


class Writer(Protocol):
  """One place."""

  def write(self, line: Line) -> None:
    """A line with its `step`."""

  def text(self, step: int, name: str, text: str) -> None:
    """A text of a step, such as samples; a writer of numbers only leaves it."""

  def rewind(self, step: int) -> None:
    """Takes out what was written of steps after this one, as far as the place allows."""

  def close(self) -> None:
    """Writes what was not written yet."""


class Writers:
  """The writers of a run, in a MODEL_DIR, as one. A context manager."""

  def __init__(self, names: Sequence[str], model_dir: pathlib.Path, step: int, about: Mapping[str, Any]):
    """Lines of steps after `step`, which a killed run left behind its last checkpoint, are taken out.

    Args:
      names: out of WRITERS.
      about: what the run is, for a writer that shows it.

    Raises:
      FlanJaxError: a writer's package is not installed, or its service refuses.
    """
    self._writers = [WRITERS[name](model_dir, about) for name in names]
    self.rewind(step)

  def __enter__(self) -> "Writers":
    return self

  def __exit__(self, *_) -> None:
    for writer in self._writers:
      writer.close()

  def write(self, line: Line) -> None:
    """A line with its `step`; in metrics.jsonl when this returns."""
    for writer in self._writers:
      writer.write(line)

  def text(self, step: int, name: str, text: str) -> None:
    """A text of a step, with line breaks."""
    for writer in self._writers:
      writer.text(step, name, text)

  def rewind(self, step: int) -> None:
    """Goes on after this step: what was written of later ones is taken out."""
    for writer in self._writers:
      writer.rewind(step)


def check_names(names: Sequence[str]) -> None:
  """Raises UsageError for a name that is no writer's."""
  for name in names:
    if name not in WRITERS:
      raise unknown_name("writer (train.writers)", name, WRITERS, ", ".join(WRITERS))


class JsonLines:
  """metrics.jsonl: one line a log period, for programs."""

  def __init__(self, model_dir: pathlib.Path, about: Mapping[str, Any]):
    del about
    self._path = model_dir / "metrics.jsonl"
    self._file = self._path.open("a", encoding="utf-8")

  def write(self, line: Line) -> None:
    self._file.write(json.dumps(line) + "\n")
    self._file.flush()

  def text(self, step: int, name: str, text: str) -> None:
    """Texts have files of their own; see `held_out`."""

  def rewind(self, step: int) -> None:
    self._file.close()
    cut_after(self._path, step)
    self._file = self._path.open("a", encoding="utf-8")

  def close(self) -> None:
    self._file.close()


class TensorBoard:
  """Event files in MODEL_DIR/tensorboard, written without TensorFlow."""

  def __init__(self, model_dir: pathlib.Path, about: Mapping[str, Any]):
    del about
    self._folder = str(model_dir / "tensorboard")
    self._events: Any = None

  def write(self, line: Line) -> None:
    for name, value in line.items():
      if name != "step":
        self._events.add_scalar(name, value, line["step"])

  def text(self, step: int, name: str, text: str) -> None:
    # TensorBoard reads Markdown, in which four spaces are a block that stays as it is.
    self._events.add_text(name, "".join(f"    {line}\n" for line in text.split("\n")), step)
    self._events.flush()

  def rewind(self, step: int) -> None:
    """A new file whose first event tells TensorBoard to drop later steps of the files before it."""
    import tensorboardX

    self.close()
    self._events = tensorboardX.SummaryWriter(self._folder, purge_step=step + 1, write_to_disk=True)

  def close(self) -> None:
    if self._events is not None:
      self._events.close()


class WeightsAndBiases:
  """A run of Weights & Biases, which the same MODEL_DIR goes on with; WANDB_MODE, WANDB_PROJECT, ... rule as ever.

  W&B takes nothing back: after a kill the steps since the last checkpoint come twice, with the same values.
  """

  def __init__(self, model_dir: pathlib.Path, about: Mapping[str, Any]):
    try:
      import wandb
    except ImportError:
      raise FlanJaxError(_NO_WANDB) from None
    path = model_dir / "wandb_id.txt"
    if not path.exists():
      write_atomically(path, uuid.uuid4().hex[:12].encode())
    self._html = wandb.Html
    try:
      self._run = wandb.init(
        project=os.environ.get("WANDB_PROJECT", "flan_jax"),
        id=path.read_text(encoding="utf-8"),
        name=os.environ.get("WANDB_NAME", model_dir.name),
        dir=str(model_dir),
        resume="allow",
        config=dict(about),
      )
    except wandb.Error as error:
      raise FlanJaxError(f"Weights & Biases: {error} (WANDB_MODE=offline needs no account)") from error
    # Its own step counter may only grow; a resumed run's may not.
    self._run.define_metric("step")
    self._run.define_metric("*", step_metric="step")

  def write(self, line: Line) -> None:
    self._run.log(dict(line))

  def text(self, step: int, name: str, text: str) -> None:
    self._run.log({"step": step, name: self._html(f"<pre>{html.escape(text)}</pre>")})

  def rewind(self, step: int) -> None:
    """See the class."""

  def close(self) -> None:
    self._run.finish()


WRITERS: Mapping[str, Callable[[pathlib.Path, Mapping[str, Any]], Writer]] = {
  "jsonl": JsonLines,
  "tensorboard": TensorBoard,
  "wandb": WeightsAndBiases,
}


def cut_after(path: pathlib.Path, step: int) -> None:
  """Takes the lines of later steps out of a file of JSON objects that have a `step`; a line cut short goes too."""
  if not path.exists():
    return
  lines = path.read_text(encoding="utf-8").splitlines()
  kept = [line for line in lines if _step_of(line) <= step]
  if len(kept) < len(lines):
    write_atomically(path, "".join(f"{line}\n" for line in kept).encode())


def _step_of(line: str) -> float:
  """A line that a kill cut in two counts as later than any."""
  try:
    return float(json.loads(line)["step"])
  except (ValueError, KeyError, TypeError):
    return math.inf
