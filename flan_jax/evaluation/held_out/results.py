"""results.json: what an evaluation found, the one thing that the table and the chart are drawn from."""

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from flan_jax.atomic import write_atomically
from flan_jax.draws import hash64
from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.held_out.averages import averages_by_cluster, averages_by_split
from flan_jax.evaluation.held_out.differences import Difference, Headline
from flan_jax.evaluation.held_out.rows import FORMATS, Compared, Row, plain

SAMPLES = 3


@dataclasses.dataclass(frozen=True)
class Results:
  """What results.json holds, beside the averages of its rows.

  Attributes:
    about: what was measured: checkpoints, mixture, number of examples, notes.
    rows: of each task and format.
    samples: a few prompts with the outputs before and after.
    differences: reasoning first minus answering at once.
    headlines: tuning at a glance, where there was a checkpoint before.
  """

  about: dict[str, Any]
  rows: list[Row]
  samples: list[dict[str, Any]]
  differences: list[Difference] = dataclasses.field(default_factory=list)
  headlines: list[Headline] = dataclasses.field(default_factory=list)

  def json(self) -> str:
    """The text of results.json: everything, and the averages over splits and over the clusters within them."""
    averages = (*averages_by_split(self.rows), *averages_by_cluster(self.rows))
    content = {**dataclasses.asdict(self), "averages": [dataclasses.asdict(average) for average in averages]}
    return json.dumps(content, indent=2, ensure_ascii=False)

  def write(self, path: Path) -> None:
    """Writes results.json, atomically."""
    write_atomically(path, (self.json() + "\n").encode())

  @classmethod
  def read(cls, path: Path) -> "Results":
    """The results that `write` wrote.

    Raises:
      FlanJaxError: if the file is missing or is something else.
    """
    try:
      content = json.loads(path.read_text(encoding="utf-8"))
      return cls(
        content["about"],
        [Row.from_json(row) for row in content["rows"]],
        content["samples"],
        [Difference.from_json(each) for each in content.get("differences", ())],
        [Headline.from_json(each) for each in content.get("headlines", ())],
      )
    except FileNotFoundError:
      raise FlanJaxError(f"{path}: no such file; 'flan-jax eval ... --output {path.parent}' writes it") from None
    except (ValueError, KeyError, TypeError) as error:
      raise FlanJaxError(f"{path}: not the results of an evaluation ({error!r})") from None


def draw_samples(compared: Iterable[Compared], rows: Iterable[Row], seed: int = 0) -> list[dict[str, Any]]:
  """Three prompts of different tasks with the outputs before and after, drawn by hash: not chosen by how they came out.

  Held-out tasks come before seen ones and zero-shot before longer formats, since a prompt should fit a screen.
  """
  split_of = {row.task: row.split for row in rows}
  by_key = {(each.after.task, each.after.variant, each.after.id): each for each in plain(compared)}

  def rank(key: tuple[str, str, str]) -> tuple[bool, int, int]:
    return split_of[key[0]] == "seen", list(FORMATS).index(key[1]), hash64("samples", seed, *key)

  first_of_task: dict[str, tuple[str, str, str]] = {}
  for key in sorted(by_key, key=rank):
    first_of_task.setdefault(key[0], key)
  return [_sample(by_key[key], split_of[key[0]]) for key in list(first_of_task.values())[:SAMPLES]]


def _sample(compared: Compared, split: str) -> dict[str, Any]:
  after, before = compared
  return {
    "split": split,
    "task": after.task,
    "format": after.variant,
    "prompt": after.prompt,
    "target": after.target,
    "before": before.output if before else None,
    "after": after.output,
    "before_correct": before.correct if before else None,
    "after_correct": after.correct,
  }
