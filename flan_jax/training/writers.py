"""Where the lines and samples of a run go: metrics.jsonl, TensorBoard, Weights & Biases. One process writes."""

import html
import json
import os
import pathlib
import re
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError, unknown_name

Line = dict[str, float | int]
_UNNAMED = ".unnamed"  # ends the name of an event file until it has its own
_NO_WANDB = "train.writers has 'wandb', which is not installed: pip install 'flan_jax[wandb]', or leave it out"


class Writer(Protocol):
  """One place."""

  def write(self, line: Line) -> None:
    """A line with its `step`."""

  def text(self, step: int, name: str, text: str) -> None:
    """A text of a step, such as samples; a writer of numbers only leaves it."""

  def rewind(self, step: int, owed: bool) -> None:
    """Takes out what was written of steps after this one, as far as the place allows.

    Args:
      owed: whether this one is yet to be evaluated, so that what was written of that goes, too.
    """

  def close(self) -> None:
    """Writes what was not written yet."""


class Writers:
  """The writers of a run, in a MODEL_DIR, as one. A context manager."""

  def __init__(
    self,
    names: Sequence[str],
    model_dir: pathlib.Path,
    step: int,
    about: Mapping[str, Any],
    *,
    owed: bool = False,
  ):
    """Lines of steps after `step`, which a killed run left behind its last checkpoint, are taken out.

    Args:
      names: out of WRITERS.
      about: what the run is, for a writer that shows it.
      owed: whether `step` is yet to be evaluated, so that a line of that goes, too.

    Raises:
      FlanJaxError: a writer's package is not installed, or its service refuses.
    """
    self._writers = [WRITERS[name](model_dir, about) for name in names]
    self.rewind(step, owed)

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

  def rewind(self, step: int, owed: bool = False) -> None:
    """Goes on after this step: what was written of later ones is taken out."""
    for writer in self._writers:
      writer.rewind(step, owed)


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

  def rewind(self, step: int, owed: bool) -> None:
    self._file.close()
    cut_after(self._path, step, owed=owed)
    self._file = self._path.open("a", encoding="utf-8")

  def close(self) -> None:
    self._file.close()


class TensorBoard:
  """Event files in MODEL_DIR/tensorboard, written without TensorFlow."""

  def __init__(self, model_dir: pathlib.Path, about: Mapping[str, Any]):
    del about
    self._folder = model_dir / "tensorboard"
    self._events: Any = None

  def write(self, line: Line) -> None:
    for name, value in line.items():
      if name != "step":
        self._events.add_scalar(name, value, line["step"])

  def text(self, step: int, name: str, text: str) -> None:
    # TensorBoard reads Markdown, in which four spaces are a block that stays as it is.
    self._events.add_text(name, "".join(f"    {line}\n" for line in text.split("\n")), step)
    self._events.flush()

  def rewind(self, step: int, owed: bool) -> None:
    """A new file whose first event tells TensorBoard to drop later steps of the files before it."""
    import tensorboardX

    self.close()
    # The package names it by the second and the host alone, and begins a file of that name anew.
    for left in self._folder.glob(f"*{_UNNAMED}"):  # by a kill, and empty
      left.unlink()
    self._events = tensorboardX.SummaryWriter(str(self._folder), purge_step=step + 1, filename_suffix=_UNNAMED)
    (unnamed,) = self._folder.glob(f"*{_UNNAMED}")
    unnamed.rename(self._folder / _next_events_name(self._folder))

  def close(self) -> None:
    if self._events is not None:
      self._events.close()


class WeightsAndBiases:
  """A run of Weights & Biases, which the same MODEL_DIR goes on with; WANDB_MODE, WANDB_PROJECT, ... rule as ever.

  W&B takes nothing back. Steps that come again are there twice: after a kill those since the last checkpoint, with the
  same values; after the run has gone back (guard.py) those since that checkpoint, made with other data, with others.
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

  def rewind(self, step: int, owed: bool) -> None:
    """See the class."""

  def close(self) -> None:
    self._run.finish()


WRITERS: Mapping[str, Callable[[pathlib.Path, Mapping[str, Any]], Writer]] = {
  "jsonl": JsonLines,
  "tensorboard": TensorBoard,
  "wandb": WeightsAndBiases,
}


def _next_events_name(folder: pathlib.Path) -> str:
  """Behind all that are there, also where a run starts twice in a second or the clock goes back: TensorBoard reads
  event files in the order of their names."""
  names = [path.name for path in folder.iterdir() if not path.name.endswith(_UNNAMED)]
  seconds = [int(found[1]) for name in names if (found := re.match(r"events\.out\.tfevents\.(\d{10})\.", name))]
  return f"events.out.tfevents.{max([int(time.time()), *(each + 1 for each in seconds)])}.{socket.gethostname()}"


def cut_after(path: pathlib.Path, step: int, *, owed: bool = False) -> None:
  """Takes the lines of later steps out of a file of JSON objects that have a `step`; a line cut short goes too.

  Args:
    owed: whether those of an evaluation of `step` go as well: a kill left them before the run knew that it was made.
  """
  if not path.exists():
    return
  content = path.read_bytes()  # texts in it may hold what str.splitlines takes for line ends, and be cut in a letter
  kept = b"".join(b"%s\n" % line for line in content.split(b"\n") if _stays(line, step, owed))
  if kept != content:
    write_atomically(path, kept)


def _stays(line: bytes, step: int, owed: bool) -> bool:
  try:
    content = json.loads(line)
    of_evaluation = "held_out/loss" in content or "side" in content  # its metrics, or one of its samples
    return content["step"] < step or (content["step"] == step and not (owed and of_evaluation))
  except (ValueError, KeyError, TypeError):  # a kill cut it in two
    return False
