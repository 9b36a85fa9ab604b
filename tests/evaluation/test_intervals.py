"""Intervals hold what they should, and as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.evaluation.intervals import Tally, mean_over_clusters, mean_over_tasks, wilson

counts_of_a_row = st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(counts=counts_of_a_row)
def test_wilson_holds_the_share_and_stays_in_range(counts):
  low, high = wilson(*counts)
  assert 0 <= low <= counts[0] / counts[1] <= high <= 1
  assert low < high


@pytest.mark.parametrize(
  ("counts", "expected"),
  # Newcombe 1998 (Statistics in Medicine 17), table I, method 3.
  [((81, 263), (0.2553, 0.3662)), ((15, 148), (0.0624, 0.1605)), ((0, 20), (0, 0.1611)), ((1, 29), (0.0061, 0.1718))],
)
def test_wilson_against_newcombe(counts, expected):
  assert wilson(*counts) == pytest.approx(expected, abs=5e-5)


def test_wilson_covers_95_percent():
  rng = np.random.default_rng(0)
  hits = [low <= 0.2 <= high for low, high in (wilson(int(k), 60) for k in rng.binomial(60, 0.2, size=4000))]
  assert 0.93 < np.mean(hits) < 0.97


def test_nothing_measured_nothing_known():
  assert wilson(0, 0) == (0.0, 1.0)


@given(counts=st.lists(counts_of_a_row, min_size=1, max_size=8))
def test_mean_over_tasks_is_an_interval_and_repeats(counts):
  low, high = mean_over_tasks(counts, draws=200)
  assert 0 <= low <= high <= 1
  assert (low, high) == mean_over_tasks(counts, draws=200)


def test_tasks_that_differ_widen_the_interval():
  alike = mean_over_tasks([(50, 100)] * 6)
  apart = mean_over_tasks([(0, 100), (100, 100)] * 3)
  assert apart[1] - apart[0] > 3 * (alike[1] - alike[0])


def test_all_wrong_is_not_certainty():
  assert mean_over_tasks([(0, 10), (0, 20)]) == wilson(0, 30)


def tallies(*clusters: list[tuple[int, int]]) -> tuple[Tally, ...]:
  """Of (right, examples) of each task of each cluster."""
  return tuple(Tally(f"c{i}", (0, 1), (n - k, k)) for i, tasks in enumerate(clusters) for k, n in tasks)


def test_over_clusters_one_cluster_is_its_tasks():
  """Two ways to draw the same, so equal but for what is drawn."""
  counts = [(k, 40) for k in (4, 9, 17, 22, 30, 38)]
  assert mean_over_clusters(tallies(counts), draws=3000) == pytest.approx(mean_over_tasks(counts, draws=4000), abs=0.02)


def test_clusters_that_differ_widen_the_interval():
  """The same tasks; how they lie in clusters says how many independent things were asked."""
  low, high = [(10, 100)] * 6, [(90, 100)] * 6
  together = mean_over_clusters(tallies(low, high, low, high))
  mixed = mean_over_clusters(tallies(*([(10, 100), (90, 100)] * 3 for _ in range(4))))
  assert together[1] - together[0] > 2 * (mixed[1] - mixed[0])


def test_over_clusters_covers_95_percent():
  """Of the mean over clusters of their own: 12 clusters of 5 tasks of 20 examples, all three levels drawn."""
  rng = np.random.default_rng(0)
  hits = []
  for _ in range(60):
    of_clusters = np.clip(rng.normal(0.5, 0.12, 12), 0, 1)
    of_tasks = np.clip(rng.normal(of_clusters[:, None], 0.1, (12, 5)), 0, 1)
    right = rng.binomial(20, of_tasks)
    low, high = mean_over_clusters(tallies(*([(int(k), 20) for k in tasks] for tasks in right)), draws=300)
    hits.append(low <= 0.5 <= high)
  assert (
    0.88 < np.mean(hits) <= 1
  )  # a bootstrap of few clusters is a little narrow, drawing examples again a little wide


def test_over_clusters_where_drawing_again_says_nothing():
  assert mean_over_clusters(tallies([(7, 20)])) == wilson(7, 20)
  assert mean_over_clusters(tallies([(0, 10)], [(0, 20)])) == wilson(0, 30)
  assert mean_over_clusters(tallies([(10, 10)], [(20, 20)])) == wilson(30, 30)
  same = tuple(Tally(f"c{i}", (-1, 0, 1), (0, 15, 0)) for i in range(2))  # two ways that agree on every example
  assert mean_over_clusters(same) == (-wilson(0, 30)[1], wilson(0, 30)[1])
  above_chance = Tally("c", (-1 / 3, 1.0), (5, 5))
  assert mean_over_clusters((above_chance,)) == pytest.approx([(share - 0.25) / 0.75 for share in wilson(5, 10)])


def test_over_clusters_repeats_and_holds_what_it_is_of():
  some = tallies([(3, 10), (5, 10)], [(1, 8)], [(9, 9), (2, 12), (4, 7)])
  low, high = mean_over_clusters(some)
  assert (low, high) == mean_over_clusters.__wrapped__(some)
  assert low < sum(each.mean for each in some) / len(some) < high
