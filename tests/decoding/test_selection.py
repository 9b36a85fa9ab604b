"""Draws have the distribution that is asked for, and of the likeliest alone where that is asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.decoding.selection import Sample, drawn
from flan_jax.errors import UsageError

DRAWS = 20_000


def frequencies(search: Sample, logits: np.ndarray, index: int = 3) -> np.ndarray:
  """How often each token is drawn by as many branches as DRAWS."""
  keys = np.random.default_rng(0).integers(0, 2**32, (DRAWS // 100, 100, 2), np.uint32)
  rows = jnp.broadcast_to(jnp.asarray(logits, jnp.float32), (*keys.shape[:2], len(logits)))
  tokens = jax.jit(search.select)(rows, jnp.full(len(keys), index), keys)
  return np.bincount(np.asarray(tokens).reshape(-1), minlength=len(logits))


def reference(logits, temperature=1.0, top_k=0, top_p=1.0) -> np.ndarray:
  """The distribution, by sorting."""
  probabilities = scipy.special.softmax(np.asarray(logits, np.float64) / temperature)
  order = np.argsort(-probabilities, kind="stable")
  kept = order[: top_k or None]
  if top_p < 1:
    sums = np.cumsum(probabilities[kept]) / probabilities[kept].sum()
    kept = kept[: np.searchsorted(sums, top_p) + 1]
  found = np.zeros_like(probabilities)
  found[kept] = probabilities[kept] / probabilities[kept].sum()
  return found


@pytest.mark.parametrize(
  "settings_",
  [
    {},
    *(pytest.param(alone, marks=pytest.mark.slow) for alone in ({"temperature": 0.7}, {"top_k": 5}, {"top_p": 0.8})),
    {"temperature": 1.5, "top_k": 150, "top_p": 0.9},
  ],
)
def test_draws_have_the_distribution(settings_):
  """300 tokens: three blocks of the sum, the last of which is not full."""
  logits = np.random.default_rng(1).normal(0, 1.5, 300)
  expected = reference(logits, **settings_)
  found = frequencies(Sample(**settings_), logits)
  assert not found[expected == 0].any()
  rare = expected * DRAWS < 10
  observed = np.append(found[~rare], found[rare].sum())
  wanted = np.append(expected[~rare], expected[rare].sum()) * DRAWS
  assert scipy.stats.chisquare(observed[wanted > 0], wanted[wanted > 0]).pvalue > 1e-3


@settings(max_examples=30)
@given(
  weights=st.lists(st.sampled_from([0.0, 0.0, 1e-30, 1e-7, 0.3, 1.0]), min_size=300, max_size=300).filter(any),
  uniform=st.sampled_from([0.0, 0.25, 0.5, 1 - 2**-24]),
)
def test_what_weighs_nothing_is_never_drawn(weights, uniform):
  (token,) = _drawn(np.array([weights], np.float32), np.array([uniform], np.float32))
  assert weights[int(token)] > 0


_drawn = jax.jit(drawn)


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), top_k=st.integers(0, 70), top_p=st.sampled_from([0.01, 0.5, 0.95, 0.999, 1.0]))
def test_the_likeliest_are_those_of_a_sort(seed, top_k, top_p):
  logits = np.random.default_rng(seed).normal(0, 3, (1, 60)).astype(np.float32)
  weights = np.asarray(Sample(top_k=top_k, top_p=top_p).weights(jnp.asarray(logits)))[0]
  expected = reference(logits[0], top_k=top_k, top_p=top_p)
  np.testing.assert_array_equal(weights > 0, expected > 0)


def test_as_likely_as_the_last_that_stays_is_as_good():
  weights = np.asarray(Sample(top_k=2).weights(jnp.array([[0.0, 1.0, 0.0, -1.0]])))
  assert (weights > 0).tolist() == [[True, True, True, False]]


@pytest.mark.parametrize("least", [{"temperature": 1e-38}, {"temperature": 1e-60}, {"top_p": 1e-40}, {"top_p": 1e-60}])
def test_what_float32_has_no_number_for_draws_the_likeliest(least):
  weights = np.asarray(Sample(**least).weights(jnp.array([[0.5, 1.0, 0.9, -1.0]])))
  assert weights.tolist() == [[0, 1, 0, 0]]


def test_where_no_weight_is_a_number_a_token_is_drawn_all_the_same():
  (token,) = drawn(jnp.full((1, 24), jnp.nan), jnp.array([0.5]))
  assert 0 <= token < 24


def test_draws_differ_between_positions_and_keys():
  logits = np.zeros(50)
  assert not np.array_equal(frequencies(Sample(), logits, 3), frequencies(Sample(), logits, 4))


@pytest.mark.parametrize(
  "wrong", [{"temperature": 0.0}, {"temperature": -1.0}, {"top_k": -1}, {"top_p": 0.0}, {"top_p": 2.0}]
)
def test_settings_out_of_range_are_refused(wrong):
  with pytest.raises(UsageError, match=next(iter(wrong))):
    Sample(**wrong)
