"""What a run's metrics.jsonl says of the whole run: what it was trained on, what that took, its curves.

Lines of `training.metrics.Meter`, one a log period, and of held-out evaluations between them. A run that was killed and
gone on with has each step once, since its lines after the checkpoint are taken out when it starts again; a file where
they are not (a copy from the midst of that) is read as if they were.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

FILE = "metrics.jsonl"
CURVES = {"loss": "loss", "held_out_loss": "held_out/loss", "unseen_loss": "unseen/loss"}  # quantity -> name in a line
POINTS = 200  # of a curve in the table
_RATES = {"examples": "examples_per_s", "tokens": "tokens_per_s", "flops": "model_flops_per_s"}

Line = Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Trained:
  """What the steps of a run were, all starts together.

  Attributes:
    steps: the last one's number.
    examples: None where no line has rates, as in the three that follow.
    tokens: inputs and targets without padding.
    flops: model FLOPs, by training/flops.py; what is computed again does not count.
    seconds: of steps alone: neither compilation nor evaluations nor checkpoints.
  """

  steps: int
  examples: float | None = None
  tokens: float | None = None
  flops: float | None = None
  seconds: float | None = None


def read(model_dir: pathlib.Path) -> list[Line]:
  """The lines of a run in the order of their steps; [] where there are none. What a kill cut short is left out."""
  path = model_dir / FILE
  if not path.exists():
    return []
  kept: list[Line] = []
  for text in path.read_text(encoding="utf-8").splitlines():
    try:
      line = json.loads(text)
      step = line["step"]
    except (ValueError, KeyError, TypeError):
      continue
    first_undone = step if _of_training(line) else step + 1  # an evaluation's line comes behind that of its step
    while kept and kept[-1]["step"] >= first_undone:
      kept.pop()
    kept.append(line)
  return kept


def trained(lines: Sequence[Line]) -> Trained:
  """The sums over all steps.

  A line's rates are means over its steps. Steps that no line has rates of (a start's first, which compiles; those
  between the last line before a checkpoint and the checkpoint, in a run that was killed) count as those of the next
  line, or of the last one.
  """
  sums = dict.fromkeys((*_RATES, "seconds"), 0.0)
  known: set[str] = set()
  last: Line = {}
  step, uncounted = 0, 0
  for line in filter(_of_training, lines):
    uncounted += line["step"] - step
    step = line["step"]
    if line.get("steps_per_s"):
      known |= _add(sums, line, uncounted)
      last, uncounted = line, 0
  if last:
    _add(sums, last, uncounted)
  return Trained(step, **{name: total for name, total in sums.items() if name in known})


def curve(lines: Sequence[Line], quantity: str, points: int = POINTS) -> list[tuple[int, float]]:
  """(step, value) of one of CURVES; of a long one some, evenly apart, the first and the last among them."""
  name = CURVES[quantity]
  found = [(int(line["step"]), float(line[name])) for line in lines if name in line]
  if len(found) <= points:
    return found
  return [found[round(i * (len(found) - 1) / (points - 1))] for i in range(points)]


def _of_training(line: Line) -> bool:
  return "learning_rate" in line


def _add(sums: dict[str, float], line: Line, steps: int) -> set[str]:
  """Adds so many steps like the line's, and says which sums it told."""
  seconds = steps / line["steps_per_s"]
  found = {"seconds": seconds, **{name: seconds * line[rate] for name, rate in _RATES.items() if rate in line}}
  for name, value in found.items():
    sums[name] += value
  return set(found)
