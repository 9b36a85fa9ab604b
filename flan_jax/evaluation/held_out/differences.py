"""Two ways of asking on the same examples, paired: reasoning minus answering at once, and the headline.

The headline is fair to what there was before: it stands beside the tuned checkpoint's zero-shot prompts with whichever
of the usual ways to prompt a base model answers best.
"""

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from flan_jax.evaluation.held_out.rows import SPLITS, Compared, Row, plain, with_intervals
from flan_jax.evaluation.intervals import Interval, Tally, mean_over_clusters

# (what reasons first, the same without).
REASONING = (("cot", "zero_shot"), ("few_shot_cot", "few_shot"))
# Of the headline: how a base is prompted, and how a tuned checkpoint is.
BEFORE, AFTER = ("zero_shot", "few_shot", "continuation"), "zero_shot"


@dataclasses.dataclass(frozen=True)
class Difference:
  """What reasoning first gains or costs: means over tasks, of the examples that were asked both ways.

  Attributes:
    which: checkpoint: 'before' or 'after'.
    cluster: None: over all clusters.
    format, without: that reasons, and that does not.
    tasks, n: how many tasks and examples.
    accuracy, accuracy_without: of each format.
    difference: the one minus the other.
    difference_ci: over clusters, tasks and pairs of answers.
  """

  which: str
  split: str
  cluster: str | None
  format: str
  without: str
  tasks: int
  n: int
  accuracy: float
  accuracy_without: float
  difference: float
  difference_ci: Interval

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> "Difference":
    """One of results.json, where intervals are lists."""
    return cls(**with_intervals(content))


@dataclasses.dataclass(frozen=True)
class Headline:
  """Tuning at a glance: accuracy before, as the best of several formats gives it, and after; means over tasks.

  Attributes:
    cluster: None: over all clusters. The best format is found for each headline on its own.
    gain: after minus before, on the same examples.
  """

  split: str
  cluster: str | None
  tasks: int
  n: int
  chance: float
  before_format: str
  before: float
  before_ci: Interval
  after_format: str
  after: float
  after_ci: Interval
  gain: float
  gain_ci: Interval

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> "Headline":
    """One of results.json, where intervals are lists."""
    return cls(**with_intervals(content))


def differences(compared: Iterable[Compared], rows: Iterable[Row]) -> list[Difference]:
  """Of each checkpoint, split and pair of formats that were asked, over all clusters and of each cluster.

  Args:
    compared: all answers.
    rows: made of them.
  """
  told, found = _Told(compared, rows), []
  for which in ("before", "after"):
    for form, without in REASONING:
      for split, cluster, tasks in told.groups():
        pairs = told.paired((which, form), (which, without), tasks)
        if pairs:
          with_, without_ = _sides(pairs)
          common = (len(pairs), sum(map(len, pairs.values())), with_, without_, with_ - without_)
          interval = told.interval(_changes(pairs), _CHANGES)
          found.append(Difference(which, split, cluster, form, without, *common, interval))
  return found


def headlines(compared: Iterable[Compared], rows: Sequence[Row]) -> list[Headline]:
  """Of each split, over all clusters and of each cluster; none without a checkpoint before, or zero-shot prompts."""
  told, found = _Told(compared, rows), []
  chance = {row.task: row.chance for row in rows if row.format == AFTER}
  for split, cluster, tasks in told.groups():
    asked = {form: told.paired(("after", AFTER), ("before", form), tasks) for form in BEFORE}
    most = max(map(len, asked.values()))
    whole = {form: pairs for form, pairs in asked.items() if pairs and len(pairs) == most}
    if whole:
      form = max(whole, key=lambda form: _sides(whole[form])[1])
      found.append(_headline(told, split, cluster, form, whole[form], chance))
  return found


def _headline(
  told: "_Told", split: str, cluster: str | None, form: str, pairs: "_Pairs", chance: Mapping[str, float]
) -> Headline:
  after, before = _sides(pairs)
  return Headline(
    split=split,
    cluster=cluster,
    tasks=len(pairs),
    n=sum(map(len, pairs.values())),
    chance=sum(chance[task] for task in pairs) / len(pairs),
    before_format=form,
    before=before,
    before_ci=told.interval({task: [before for _, before in some] for task, some in pairs.items()}, (0, 1)),
    after_format=AFTER,
    after=after,
    after_ci=told.interval({task: [after for after, _ in some] for task, some in pairs.items()}, (0, 1)),
    gain=after - before,
    gain_ci=told.interval(_changes(pairs), _CHANGES),
  )


_Pairs = Mapping[str, Sequence[tuple[bool, bool]]]  # by task: whether each example was answered rightly in two ways
_Asked = tuple[str, str]  # checkpoint and format


class _Group(NamedTuple):
  split: str
  cluster: str | None
  tasks: list[str]


class _Told:
  """Who answered what rightly, by checkpoint, format, task and example."""

  def __init__(self, compared: Iterable[Compared], rows: Iterable[Row]):
    self._place = {row.task: (row.split, row.cluster) for row in rows}
    self._right: dict[_Asked, dict[str, dict[str, bool]]] = defaultdict(lambda: defaultdict(dict))
    for each in plain(compared):
      for which, answered in each._asdict().items():
        if answered is not None:
          self._right[which, answered.variant][answered.task][answered.id] = answered.correct

  def groups(self) -> list[_Group]:
    """The tasks of each split and of each cluster within it."""
    found: dict[tuple[str, str | None], list[str]] = defaultdict(list)
    for task, (split, cluster) in sorted(self._place.items()):
      found[split, None].append(task)
      found[split, cluster].append(task)
    order = sorted(found, key=lambda key: (list(SPLITS).index(key[0]), key[1] or ""))
    return [_Group(*key, found[key]) for key in order]

  def paired(self, first: _Asked, second: _Asked, tasks: Iterable[str]) -> _Pairs:
    """The examples of tasks that were asked both ways; tasks without such are not there."""
    ours, theirs = self._right.get(first, {}), self._right.get(second, {})
    shared = {task: ours[task].keys() & theirs[task].keys() for task in tasks if task in ours and task in theirs}
    return {task: [(ours[task][i], theirs[task][i]) for i in sorted(ids)] for task, ids in shared.items() if ids}

  def interval(self, scores: Mapping[str, Sequence[int]], values: tuple[int, ...]) -> Interval:
    """Of the mean over tasks of their examples' scores, each one of `values`."""
    return mean_over_clusters(
      tuple(Tally(self._place[task][1], values, tuple(map(some.count, values))) for task, some in scores.items())
    )


_CHANGES = (-1, 0, 1)  # of an example: rightly answered the second way alone, both ways or neither, the first way alone


def _changes(pairs: _Pairs) -> dict[str, list[int]]:
  return {task: [int(first) - int(second) for first, second in some] for task, some in pairs.items()}


def _sides(pairs: _Pairs) -> tuple[float, float]:
  """The mean over tasks of each of two ways."""
  shares = [[sum(each) / len(some) for each in zip(*some, strict=True)] for some in pairs.values()]
  first, second = (sum(each) / len(shares) for each in zip(*shares, strict=True))
  return first, second
