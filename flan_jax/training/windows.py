"""Which rows the windows of a run have, so that the batch of any step is found at once: windows.jsonl in MODEL_DIR.

The file is a convenience: every line follows from the stream, and what is missing is planned again.
"""

import contextlib
import hashlib
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flan_jax.data.stream import Plan, Position, Stream

FILE = "windows.jsonl"
_NAMED = 4  # tasks that are named when they begin again


class WindowLog:
  """Notes each window of a run once, and says when tasks begin again. What it notes:

  first `{"stream": DIGEST}`, then for each window `{"window": 0, "rows": 2301, "again": [tasks that began again]}`.
  """

  def __init__(self, model_dir: pathlib.Path, identity: Mapping[str, Any], variants: int):
    """
    Args:
      identity: of the stream; lines of another stream are dropped.
      variants: how many each example has, for what is said.
    """
    self._path = model_dir / FILE
    self._variants = variants
    self._digest = _digest(identity)
    self._known = _rows(self._path, self._digest)

  def planned(self, window: int, plan: Plan) -> None:
    """What `Stream` calls."""
    if window in self._known:
      return
    with contextlib.suppress(OSError):  # a full disk ends no run for the sake of a convenience
      if not self._known:
        self._path.write_text(json.dumps({"stream": self._digest}), encoding="utf-8")
      # The line break comes first: after a line that a kill cut short, too, a new one begins.
      with self._path.open("a", encoding="utf-8") as file:
        file.write("\n" + json.dumps({"window": window, "rows": plan.rows, "again": plan.again}))
    self._known[window] = plan.rows
    if plan.again:
      self._say(window, plan.again)

  def _say(self, window: int, again: Sequence[str]) -> None:
    named = ", ".join(again[:_NAMED]) + (f" and {len(again) - _NAMED} more" if len(again) > _NAMED else "")
    what = "all examples" if self._variants == 1 else f"all {self._variants} variants of the examples"
    print(f"window {window}: {what} of {named} were drawn; from here on they come again", file=sys.stderr, flush=True)


class Jump(NamedTuple):
  """Where a run that went back to a checkpoint went on in the data: the batch after update `step` is at `position`."""

  step: int
  position: Position

  def to_json(self) -> dict[str, int]:
    return {"step": self.step, **self.position.to_json()}

  @classmethod
  def from_json(cls, content: Mapping[str, int]) -> "Jump":
    return cls(content["step"], Position.from_json(content))


def position_of(
  step: int, stream: Stream, model_dir: pathlib.Path, identity: Mapping[str, Any], jumps: Sequence[Jump] = ()
) -> Position:
  """Where the batch of an update begins.

  Args:
    step: the update, from 1.
    jumps: of the run, in the order of their steps.
  """
  known = _rows(model_dir / FILE, _digest(identity))
  before = [Jump(0, Position()), *(jump for jump in jumps if jump.step < step)][-1]
  window, row = before.position.window, before.position.row + (step - 1 - before.step) * stream.batch_rows
  while row >= (rows := known.get(window) or stream.plan(window).rows):
    row, window = row - rows, window + 1
  return Position(window, row)


def _digest(identity: Mapping[str, Any]) -> str:
  return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _rows(path: pathlib.Path, digest: str) -> dict[int, int]:
  """The rows of each window that is noted; a line that a kill cut short counts for nothing."""
  rows: dict[int, int] = {}
  if not path.exists():
    return rows
  first, *lines = path.read_text(encoding="utf-8").splitlines() or [""]
  if first != json.dumps({"stream": digest}):
    return rows
  for line in lines:
    try:
      noted = json.loads(line)
      rows[noted["window"]] = noted["rows"]
    except (ValueError, KeyError, TypeError):
      continue
  return rows
