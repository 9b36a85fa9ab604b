"""Shares of pairs that speak for A, with 95% intervals: by what is right, and by what a person preferred."""

import dataclasses
from collections.abc import Iterable, Sequence

from flan_jax.evaluation.comparison.pairs import Pair
from flan_jax.evaluation.comparison.preferences import TIE, Preference
from flan_jax.evaluation.intervals import Interval, Tally, mean_over_clusters, wilson


@dataclasses.dataclass(frozen=True)
class Share:
  """A share in [0, 1] and its interval; where it is a mean over tasks, of how many."""

  share: float
  interval: Interval
  tasks: int = 1


@dataclasses.dataclass(frozen=True)
class Rightness:
  """Of the pairs whose answer is known.

  Attributes:
    pairs: how many there are.
    A, B, both: how many each has right, and both together.
    difference: A's share of right ones less B's, in [-1, 1], the mean over tasks; its interval is that of pairs, not
      of two samples.
  """

  pairs: int
  A: int
  B: int
  both: int
  difference: Share


@dataclasses.dataclass(frozen=True)
class Preferred:
  """Of the pairs of which something was said.

  Attributes:
    pairs: how many.
    A, B, ties: of each kind.
    decided: A's share of those that are no ties, with Wilson's interval; None where all are ties.
    all: A's share where a tie counts half, the mean over tasks.
  """

  pairs: int
  A: int
  B: int
  ties: int
  decided: Share | None
  all: Share


def rightness(pairs: Sequence[Pair]) -> Rightness | None:
  """Who is right how often; None where no answer is known."""
  known = [pair for pair in pairs if pair.A.references]
  if not known:
    return None
  a, b = ([getattr(pair, side).correct for pair in known] for side in "AB")
  both = sum(x and y for x, y in zip(a, b, strict=True))
  # In [0, 1], as intervals have it: 1 where A alone is right, 0 where B alone is.
  better = _mean((pair, (1 + x - y) / 2) for pair, x, y in zip(known, a, b, strict=True))
  low, high = better.interval
  difference = Share(2 * better.share - 1, (2 * low - 1, 2 * high - 1), better.tasks)
  return Rightness(len(known), sum(a), sum(b), both, difference)


def preferred(pairs: Sequence[Pair], said: Iterable[Preference]) -> Preferred | None:
  """What a person preferred of these pairs; None where nothing was said of them."""
  known = {pair.id: pair for pair in pairs}
  said = [each for each in said if each.pair in known]
  if not said:
    return None
  a, b = (sum(each.preferred == side for each in said) for side in "AB")
  decided = Share(a / (a + b), wilson(a, a + b)) if a + b else None
  scores = {"A": 1.0, "B": 0.0, TIE: 0.5}
  return Preferred(
    len(said), a, b, len(said) - a - b, decided, _mean((known[each.pair], scores[each.preferred]) for each in said)
  )


def _mean(scores: Iterable[tuple[Pair, float]]) -> Share:
  """Over tasks, of scores for A of 0, a half or 1; its interval draws clusters, tasks and pairs again."""
  counts: dict[tuple[str, str], list[int]] = {}
  for pair, score in scores:
    counts.setdefault((pair.A.group, pair.A.task), [0, 0, 0])[_SCORES.index(score)] += 1
  tallies = tuple(Tally(cluster, _SCORES, tuple(each)) for (cluster, _), each in counts.items())
  return Share(sum(tally.mean for tally in tallies) / len(tallies), mean_over_clusters(tallies), len(tallies))


_SCORES = (0.0, 0.5, 1.0)
