"""Rows to averages: the unweighted mean over tasks of each measure, of a split or of a cluster within it."""

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from flan_jax.evaluation.held_out.rows import MEASURES, Row, place, with_intervals
from flan_jax.evaluation.intervals import Interval, mean_over_clusters


@dataclasses.dataclass(frozen=True)
class Average:
  """The unweighted mean of several rows' scores, one row a task; see `rows.Row`.

  Intervals draw clusters, then tasks, then examples. A measure that some rows lack is the mean over those that have it.
  """

  split: str
  cluster: str | None  # None: over all clusters
  format: str
  tasks: int
  n: int  # examples in all
  chance: float
  before: float | None
  after: float
  before_ci: Interval | None
  after_ci: Interval
  valid_before: float | None = None
  valid_after: float | None = None
  valid_before_ci: Interval | None = None
  valid_after_ci: Interval | None = None
  corrected_before: float | None = None
  corrected_after: float | None = None
  corrected_before_ci: Interval | None = None
  corrected_after_ci: Interval | None = None
  rank_before: float | None = None
  rank_after: float | None = None
  rank_before_ci: Interval | None = None
  rank_after_ci: Interval | None = None
  swap_before: float | None = None
  swap_after: float | None = None
  swap_before_ci: Interval | None = None
  swap_after_ci: Interval | None = None
  ranked: int = 0
  pairs: int = 0
  rank_tasks: int = 0  # tasks that have a rank score
  swap_tasks: int = 0

  @classmethod
  def from_json(cls, average: Mapping[str, Any]) -> "Average":
    """One of results.json, where intervals are lists."""
    return cls(**with_intervals(average))

  def score(self, measure: str, which: str = "after") -> float | None:
    """By one of MEASURES, 'before' or 'after'; None where it was not measured."""
    return getattr(self, which if measure == "accuracy" else f"{measure}_{which}")

  def interval(self, measure: str, which: str = "after") -> Interval | None:
    """95%; None where it was not measured."""
    return getattr(self, f"{which}_ci" if measure == "accuracy" else f"{measure}_{which}_ci")

  def asked(self, measure: str) -> int:
    """Of how many examples a measure is."""
    return {"rank": self.ranked, "swap": self.pairs}.get(measure, self.n)


def averages_by_split(rows: Iterable[Row]) -> list[Average]:
  """The mean over tasks for each (split, format)."""
  return _averages(rows, lambda row: None)


def averages_by_cluster(rows: Iterable[Row]) -> list[Average]:
  """The mean over tasks for each (split, cluster, format)."""
  return _averages(rows, lambda row: row.cluster)


def _averages(rows: Iterable[Row], cluster_of: Callable[[Row], str | None]) -> list[Average]:
  groups: dict[tuple[str, str | None, str], list[Row]] = defaultdict(list)
  for row in rows:
    groups[row.split, cluster_of(row), row.format].append(row)
  averages = [_average(cluster, group) for (_, cluster, _), group in groups.items()]
  return sorted(averages, key=lambda average: (*place(average.split, average.format), average.cluster or ""))


def _average(cluster: str | None, rows: Sequence[Row]) -> Average:
  scores = {}
  for measure in MEASURES:
    for which in ("before", "after"):
      name = which if measure == "accuracy" else f"{measure}_{which}"
      measured = [row for row in rows if row.score(measure, which) is not None]
      scores[name] = _mean([row.score(measure, which) for row in measured]) if measured else None
      tallies = tuple(row.tally(measure, which) for row in measured)
      scores[f"{name}_ci"] = mean_over_clusters(tallies) if measured else None
  return Average(
    split=rows[0].split,
    cluster=cluster,
    format=rows[0].format,
    tasks=len(rows),
    n=sum(row.n for row in rows),
    chance=_mean([row.chance for row in rows]),
    **scores,
    ranked=sum(row.ranked for row in rows),
    pairs=sum(row.pairs for row in rows),
    rank_tasks=sum(row.ranked > 0 for row in rows),
    swap_tasks=sum(row.pairs > 0 for row in rows),
  )


def _mean(values: Sequence[float]) -> float:
  return sum(values) / len(values)
