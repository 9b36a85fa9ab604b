"""Intervals hold what they should, and as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.evaluation.intervals import mean_over_tasks, wilson

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
