"""Answers to rows: what the examples of one task in one format came to, by every measure."""

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flan_jax.evaluation.answered import Answered
from flan_jax.evaluation.held_out.training_answers import TrainingAnswers
from flan_jax.evaluation.held_out.ways import RANKED, SWAPPED, parted
from flan_jax.evaluation.intervals import Interval, Tally, mean_over_clusters, wilson

SPLITS = {"seen": "seen", "held_out": "held out"}
FORMATS = {
  "zero_shot": "zero-shot",
  "few_shot": "few-shot",
  "continuation": "continuation",
  "few_shot_bare": "few-shot, bare",
  "bare": "bare",
  "cot": "rationale",
  "few_shot_cot": "few-shot rationale",
}
# What is measured; all but `corrected` are shares of examples, in [0, 1].
MEASURES = {
  "accuracy": "exact match of the answer that is written",
  "valid": "outputs that are an answer at all, right or wrong",
  "corrected": "accuracy above chance: (accuracy - chance) / (1 - chance)",
  "rank": "exact match of the likeliest choice",
  "swap": "inputs answered rightly under both of two instructions",
}


class Compared(NamedTuple):
  """What two checkpoints answered to one prompt: its `group` is the task's cluster, its `variant` the format.

  The variant of an example that is asked in another way besides says which: see `ways.parted`.
  """

  after: Answered
  before: Answered | None = None  # None: there was no checkpoint to compare with


@dataclasses.dataclass(frozen=True)
class Row:
  """One task in one format, see MEASURES. `before` and `after` are the accuracy; None is what was not measured."""

  split: str  # 'seen': the task was trained on (these examples were not); 'held_out': it was not
  cluster: str
  task: str
  format: str
  n: int
  chance: float  # the larger of the mean of 1 / options (0 without options) and the commonest training answer's share
  before: float | None  # None: there was no checkpoint to compare with
  after: float
  before_ci: Interval | None
  after_ci: Interval
  no_answer_before: float | None  # share of outputs in which no answer was found
  no_answer_after: float
  valid_before: float | None = None
  valid_after: float | None = None
  corrected_before: float | None = None
  corrected_after: float | None = None
  rank_before: float | None = None  # None: no prompt has choices, or nobody asked
  rank_after: float | None = None
  swap_before: float | None = None  # None: no example has another instruction, or nobody asked
  swap_after: float | None = None
  ranked: int = 0  # how many examples have choices that were ranked
  pairs: int = 0  # how many examples were asked under two instructions
  swap_chance: float | None = None  # of guessing both answers of a pair

  @classmethod
  def from_json(cls, row: Mapping[str, Any]) -> "Row":
    """A row of results.json, where intervals are lists."""
    return cls(**with_intervals(row))

  def score(self, measure: str, which: str = "after") -> float | None:
    """By one of MEASURES, 'before' or 'after'; None where it was not measured."""
    return getattr(self, which if measure == "accuracy" else f"{measure}_{which}")

  def asked(self, measure: str) -> int:
    """Of how many examples a measure is."""
    return {"rank": self.ranked, "swap": self.pairs}.get(measure, self.n)

  def tally(self, measure: str, which: str = "after") -> Tally:
    """What the examples scored by a measure that was measured."""
    share, n = self.score("accuracy" if measure == "corrected" else measure, which), self.asked(measure)
    values = tuple(corrected(each, self.chance) for each in (0, 1)) if measure == "corrected" else (0, 1)
    right = round(share * n)
    return Tally(self.cluster, values, (n - right, right))

  def interval(self, measure: str, which: str = "after") -> Interval | None:
    """95%, over examples; None where it was not measured."""
    return None if self.score(measure, which) is None else mean_over_clusters((self.tally(measure, which),))


def with_intervals(content: Mapping[str, Any]) -> dict[str, Any]:
  """What JSON holds of a row or an average, with its intervals as the tuples that they were."""
  return {name: tuple(value) if name.endswith("ci") and value is not None else value for name, value in content.items()}


def corrected(accuracy: float, chance: float) -> float:
  """The share of the way from chance to 1, negative below chance; 0 where chance is all there is."""
  return (accuracy - chance) / (1 - chance) if chance < 1 else 0.0


def rows_of(
  compared: Iterable[Compared], trained_tasks: Collection[str], answers: Mapping[str, TrainingAnswers]
) -> list[Row]:
  """One row for each (task, format), in the order of split, cluster, task, format.

  Args:
    compared: all with a 'before', or none.
    trained_tasks: full names of the tasks that the checkpoint was trained on.
    answers: of each task's training examples, by its full name.
  """
  groups: dict[tuple[str, str], dict[str, list[Compared]]] = defaultdict(lambda: defaultdict(list))
  for each in compared:
    form, way = parted(each.after.variant)
    groups[each.after.task, form][way].append(each)
  rows = [_row(ways, trained_tasks, answers.get(task, TrainingAnswers())) for (task, _), ways in groups.items()]
  return sorted(rows, key=lambda row: (*place(row.split, row.format), row.cluster, row.task))


def place(split: str, form: str) -> tuple[int, int]:
  """Where a split and a format stand in tables."""
  return list(SPLITS).index(split), list(FORMATS).index(form)


def plain(compared: Iterable[Compared]) -> list[Compared]:
  """Those that ask in the usual way."""
  return [each for each in compared if not parted(each.after.variant)[1]]


def _row(ways: Mapping[str, Sequence[Compared]], trained_tasks: Collection[str], answers: TrainingAnswers) -> Row:
  asked = ways[""]
  first = asked[0].after
  options = sum(1 / len(each.after.choices) for each in asked if each.after.choices) / len(asked)
  chance = max(options, answers.commonest)
  scores = {"before": dict.fromkeys(_SCORES)} | {
    which: _scores({way: [getattr(each, which) for each in some] for way, some in ways.items()}, chance, answers)
    for which in ("before", "after")
    if getattr(asked[0], which) is not None
  }
  return Row(
    split="seen" if first.task in trained_tasks else "held_out",
    cluster=first.group,
    task=first.task,
    format=first.variant,
    n=len(asked),
    chance=chance,
    **{name.format(which): value for which, found in scores.items() for name, value in found.items()},
    ranked=len(ways.get(RANKED, ())),
    pairs=len(ways.get(SWAPPED, ())),
    swap_chance=_swap_chance(chance, ways.get(SWAPPED, ())),
  )


def _swap_chance(chance: float, swapped: Sequence[Compared]) -> float | None:
  """Of guessing both of a pair's answers; the second has the first one's chance where it has no choices."""
  if not swapped:
    return None
  choices = [each.after.choices for each in swapped]
  return chance * statistics.fmean(1 / len(each) if each else chance for each in choices)


# A checkpoint's fields of a row.
_SCORES = ("{}", "{}_ci", "no_answer_{}", "valid_{}", "corrected_{}", "rank_{}", "swap_{}")


def _scores(
  ways: Mapping[str, Sequence[Answered]], chance: float, answers: TrainingAnswers
) -> dict[str, float | Interval | None]:
  """By _SCORES."""
  asked = ways[""]
  right = {each.id for each in asked if each.correct}
  accuracy = len(right) / len(asked)
  found = (
    accuracy,
    wilson(len(right), len(asked)),
    _share(each.extracted is None for each in asked),
    _share(answers.valid(each) for each in asked),
    corrected(accuracy, chance),
    _share(each.correct for each in ways.get(RANKED, ())),
    _share(each.correct and each.id in right for each in ways.get(SWAPPED, ())),
  )
  return dict(zip(_SCORES, found, strict=True))


def _share(of_examples: Iterable[bool]) -> float | None:
  told = list(of_examples)
  return sum(told) / len(told) if told else None
