"""What an evaluation while training found, for people: numbers in a line, and outputs beside their targets."""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Mapping, Sequence

import rich.console
from rich.markup import escape
from rich.table import Table

from flan_jax.training.writers import Writers, cut_after

FILE = "samples.jsonl"  # in MODEL_DIR
# Begins the names of metrics, such as 'unseen/loss' -> for people.
SIDES = {"held_out": "new examples", "unseen": "unseen tasks"}
_SHOWN = 4  # on the terminal, of each side; the file has all
_WIDTH = 100  # characters of a text in a plain line


@dataclasses.dataclass(frozen=True)
class Sample:
  """A greedy output.

  Attributes:
    side: one of SIDES.
    target: what the model would have learned to say.
    correct: whether the answer in the output is right.
  """

  side: str
  task: str
  format: str
  id: str
  prompt: str
  target: str
  output: str
  correct: bool


class Samples:
  """Takes what evaluations find: metrics to the writers, samples to MODEL_DIR/samples.jsonl and, a few, to stderr."""

  def __init__(self, model_dir: pathlib.Path, step: int, writers: Writers, *, owed: bool = False):
    """Samples of steps after `step`, which a killed run left behind its last checkpoint, are taken out.

    Args:
      owed: whether `step` is yet to be evaluated, so that its samples go, too.
    """
    self._path = model_dir / FILE
    self._writers = writers
    cut_after(self._path, step, owed=owed)

  def show(self, step: int, metrics: Mapping[str, float], samples: Sequence[Sample]) -> None:
    """What was found after an update; see `held_out.Evaluation.measure`."""
    self._writers.write({"step": step, **metrics})
    with self._path.open("a", encoding="utf-8") as file:
      for sample in samples:
        file.write(json.dumps({"step": step, **dataclasses.asdict(sample)}, ensure_ascii=False) + "\n")
    if samples:
      self._writers.text(step, "samples", "\n\n".join(map(_block, samples)))
    print(f"step {step:,}: {_words(metrics)}", file=sys.stderr, flush=True)
    sides = dict.fromkeys(sample.side for sample in samples)
    shown = [sample for side in sides for sample in [each for each in samples if each.side == side][:_SHOWN]]
    if sys.stderr.isatty():
      rich.console.Console(file=sys.stderr).print(_table(shown))
    else:
      print("".join(f"  {_line(sample)}\n" for sample in shown), end="", file=sys.stderr, flush=True)


def _words(metrics: Mapping[str, float]) -> str:
  told = []
  for side in dict.fromkeys(name.partition("/")[0] for name in metrics):
    right = metrics.get(f"{side}/exact_match")
    exact = "" if right is None else f", exact match {right:.1%}"
    told.append(f"{SIDES[side]}: loss {metrics[f'{side}/loss']:.4f}, accuracy {metrics[f'{side}/accuracy']:.1%}{exact}")
  return "; ".join(told)


def _table(samples: Sequence[Sample]) -> Table:
  table = Table("", "asked", "target", "said")
  for sample in samples:
    texts = (_short(sample.prompt, _WIDTH * 2), _short(sample.target), _short(sample.output))
    table.add_row(f"{sample.task}\n{_mark(sample)}", *map(escape, texts))
  return table


def _line(sample: Sample) -> str:
  return f"{_mark(sample)}, {sample.task}: said {_short(sample.output)!r}, target {_short(sample.target)!r}"


def _block(sample: Sample) -> str:
  lines = (f"asked   {sample.prompt}", f"target  {sample.target}", f"said    {sample.output}")
  return "\n".join([f"{_mark(sample)}: {sample.task}", *lines])


def _mark(sample: Sample) -> str:
  return f"{SIDES[sample.side]}, {'right' if sample.correct else 'wrong'}"


def _short(text: str, length: int = _WIDTH) -> str:
  """Its end, where a question stands, in one line."""
  line = " ".join(text.split())
  return line if len(line) <= length else f"...{line[3 - length :]}"
