"""95% intervals: Wilson's for the share of one row, bootstraps of two or three levels for means."""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

Interval = tuple[float, float]

_Z = 1.959963984540054  # the normal distribution's 97.5% point


def wilson(successes: int, n: int) -> Interval:
  """Wilson's score interval of a share: sensible at 0 and 1 and for small n, unlike p ± z·sqrt(p(1 - p)/n).

  Args:
    successes: how many of the n examples were right.
    n: how many examples; 0 gives (0, 1), since nothing is known.

  Returns:
    (low, high) in [0, 1], around successes / n.

  Source:
    Wilson 1927; the formula with z² / n as in Brown, Cai and DasGupta 2001, section 3.1.
  """
  if n == 0:
    return 0.0, 1.0
  share, spread = successes / n, _Z**2 / n
  centre = (share + spread / 2) / (1 + spread)
  half = _Z / (1 + spread) * math.sqrt(share * (1 - share) / n + spread / (4 * n))
  # Rounding may leave 1e-17 where the formula gives exactly 0 or 1.
  return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def mean_over_tasks(counts: Sequence[tuple[int, int]], seed: int = 0, draws: int = 2000) -> Interval:
  """Interval of the unweighted mean of tasks' shares, where another set of tasks could have been held out.

  Tasks are drawn again with replacement, then each drawn task's examples (right or wrong examples drawn again are a
  binomial, so the counts are enough). Where there is one task, or every example came out the same, drawing again says
  nothing, and the interval is Wilson's over all examples.

  Args:
    counts: (right, examples) of each task; examples > 0.
    seed: of the bootstrap's generator; the same counts give the same interval.
    draws: bootstrap samples.

  Returns:
    (low, high): the 2.5% and 97.5% points of the bootstrapped means.
  """
  right, total = sum(k for k, _ in counts), sum(n for _, n in counts)
  if len(counts) < 2 or right in (0, total):
    return wilson(right, total)
  rng = np.random.default_rng(seed)
  k, n = np.array(counts, dtype=np.int64).T  # [tasks] each
  drawn = rng.integers(len(counts), size=(draws, len(counts)))
  means = (rng.binomial(n[drawn], (k / n)[drawn]) / n[drawn]).mean(axis=1)  # [draws]
  low, high = np.quantile(means, [0.025, 0.975])
  return float(low), float(high)


class Tally(NamedTuple):
  """What came out of a task's examples.

  Attributes:
    cluster: whose tasks are alike.
    values: all that an example may score, ascending: (0, 1) of right and wrong.
    counts: how many examples scored each; not all 0.
  """

  cluster: str
  values: tuple[float, ...]
  counts: tuple[int, ...]

  @property
  def n(self) -> int:
    """How many examples."""
    return sum(self.counts)

  @property
  def mean(self) -> float:
    """Of the examples."""
    return sum(value * count for value, count in zip(self.values, self.counts, strict=True)) / self.n


@functools.lru_cache(maxsize=4096)  # a table, a chart and a file ask for the same ones
def mean_over_clusters(tallies: tuple[Tally, ...], seed: int = 0, draws: int = 1000) -> Interval:
  """Interval of the unweighted mean of tasks' means, where other clusters, tasks and examples could have been asked.

  Clusters are drawn again with replacement, in each drawn one its tasks, and of each drawn task its examples; a draw's
  mean is that over the tasks in it. The same clusters and tasks are drawn for all scores of the same tasks. Few
  clusters tell little of others: of two, half of the draws hold but one. Where all examples scored the same, or a lone
  task's scores are of two kinds, drawing again says nothing, and the interval is Wilson's over all examples.

  Args:
    tallies: of each task; at least one.
    seed: of the bootstrap's generator; the same tallies give the same interval.
    draws: bootstrap samples.

  Returns:
    (low, high): the 2.5% and 97.5% points of the bootstrapped means.
  """
  alone = len(tallies) == 1 and len(tallies[0].values) == 2
  where = {tally.counts.index(tally.n) if tally.n in tally.counts else None for tally in tallies}
  if alone or (len(where) == 1 and None not in where):
    return _by_wilson(tallies, where.pop())
  times = _times_drawn(tuple(tally.cluster for tally in tallies), seed, draws)
  rng = np.random.default_rng((seed, 1))
  sums = np.zeros(draws)
  for column, tally in zip(times.T, tallies, strict=True):
    there = np.flatnonzero(column)
    drawn = rng.multinomial(column[there] * tally.n, np.array(tally.counts) / tally.n)  # [draws, values]
    sums[there] += drawn @ np.array(tally.values) / tally.n
  low, high = np.quantile(sums / times.sum(axis=1), [0.025, 0.975])
  return float(low), float(high)


def mean_of_scores(
  scores: Sequence[Sequence[float]], *, over_instances: bool = False, seed: int = 0, draws: int = 2000
) -> Interval:
  """As `mean_over_tasks`, of scores that are any numbers in [0, 1], such as F1, and of the mean over instances too.

  Args:
    scores: of each task, one score an example; at least one.
    over_instances: an example weighs the same in whichever task, instead of a task whatever its size.
    seed: of the bootstrap's generator.
    draws: bootstrap samples.

  Returns:
    (low, high): the 2.5% and 97.5% points of the bootstrapped means; (0, 1) of one example that is no count.
  """
  every = [score for task in scores for score in task]
  counted = set(every) <= {0, 1}
  if counted and (not over_instances or len(scores) < 2 or len(set(every)) < 2):
    return mean_over_tasks([(round(sum(task)), len(task)) for task in scores], seed, draws)
  if len(every) == 1:
    return 0.0, 1.0
  rng = np.random.default_rng(seed)
  drawn = rng.integers(len(scores), size=(draws, len(scores)))  # a lone task is drawn every time
  means = np.empty((draws, len(scores)))
  sizes = np.array([len(task) for task in scores])
  for index, task in enumerate(scores):
    times = np.count_nonzero(drawn == index)
    means[drawn == index] = np.asarray(task)[rng.integers(len(task), size=(times, len(task)))].mean(axis=1)
  weights = sizes[drawn] if over_instances else np.ones_like(drawn)
  low, high = np.quantile((means * weights).sum(axis=1) / weights.sum(axis=1), [0.025, 0.975])
  return float(low), float(high)


def _by_wilson(tallies: Sequence[Tally], where: int | None) -> Interval:
  """Of scores of two kinds, or of scores that are all the one at `where`: others are as rare as Wilson has it."""
  total = sum(tally.n for tally in tallies)
  ends = []
  for side in (0, 1):
    if len(tallies[0].values) == 2:
      share = wilson(sum(tally.counts[1] for tally in tallies), total)[side]
      means = [tally.values[0] + share * (tally.values[1] - tally.values[0]) for tally in tallies]
    else:
      share = wilson(0, total)[1]
      means = [tally.values[where] + share * (tally.values[-side] - tally.values[where]) for tally in tallies]
    ends.append(sum(means) / len(means))
  return ends[0], ends[1]


@functools.lru_cache(maxsize=64)
def _times_drawn(clusters: tuple[str, ...], seed: int, draws: int) -> Int[np.ndarray, "draws tasks"]:
  """How often each task is in each draw of clusters and of tasks within them, given each task's cluster.

  A cluster that is drawn m times has its T tasks drawn m T times.
  """
  rng = np.random.default_rng((seed, 0))
  names = list(dict.fromkeys(clusters))
  tasks = {name: [index for index, cluster in enumerate(clusters) if cluster == name] for name in names}
  times = np.zeros((draws, len(clusters)), np.int64)
  often = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)  # [draws, clusters]
  for name, column in zip(names, often.T, strict=True):
    size = len(tasks[name])
    times[:, tasks[name]] = rng.multinomial(column * size, np.full(size, 1 / size))
  return times
