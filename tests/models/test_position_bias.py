"""T5's relative position bias: the published buckets, and a matrix and its gradient that need no large gather."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.models.position_bias import RelativePositionBias, bias_of_ages, buckets_of


@pytest.mark.parametrize(("bidirectional", "exact"), [(True, 8), (False, 16)])
def test_near_offsets_have_buckets_of_their_own_and_far_ones_share(bidirectional, exact):
  back = buckets_of(-np.arange(300), bidirectional)
  assert back[:exact].tolist() == list(range(exact))
  assert np.all(np.diff(back) >= 0)
  assert back[128:].tolist() == [2 * exact - 1] * 172  # MAX_DISTANCE and beyond
  # Half of the buckets lie evenly on the logarithm from `exact` to 128.
  starts = [int(np.flatnonzero(back == bucket)[0]) for bucket in range(exact, 2 * exact)]
  assert starts == [int(np.ceil(exact * (128 / exact) ** (i / exact) - 1e-6)) for i in range(exact)]


def test_ahead_is_another_half_in_the_encoder_and_one_bucket_in_the_decoder():
  ahead = np.arange(1, 300)
  np.testing.assert_array_equal(buckets_of(ahead, True), 16 + buckets_of(-ahead, True))
  assert not buckets_of(ahead, False).any()


@settings(deadline=None, max_examples=4)
@given(length=st.integers(1, 40), bidirectional=st.booleans())
def test_the_matrix_is_the_table_at_each_pairs_bucket(length, bidirectional):
  bias, table = _bias(bidirectional)
  offsets = np.arange(length)[None, :] - np.arange(length)[:, None]
  expected = np.asarray(table)[:, buckets_of(offsets, bidirectional)]
  np.testing.assert_array_equal(bias(length)[0], expected)
  for index in (0, length // 2, length - 1):
    row = bias_of_ages(bias.by_offset(length), index - jnp.arange(index + 1))
    np.testing.assert_array_equal(row[0, :, 0], expected[:, index, : index + 1])


def test_the_gradient_counts_each_bucket_by_its_pairs():
  bias, table = _bias(True)
  graph, state = nnx.split(bias)

  def total(table, weights):
    state["rel_embedding"] = table
    return jnp.sum(nnx.merge(graph, state)(20)[0] * weights)

  weights = jax.random.normal(jax.random.key(3), (2, 20, 20))
  gradient = jax.grad(total)(table, weights)
  buckets = buckets_of(np.arange(20)[None, :] - np.arange(20)[:, None], True)
  expected = np.zeros((2, 32))
  for head in range(2):
    np.add.at(expected[head], buckets, np.asarray(weights[head]))
  np.testing.assert_allclose(gradient, expected, atol=1e-5)


def _bias(bidirectional):
  bias = RelativePositionBias(2, bidirectional)
  table = jax.random.normal(jax.random.key(0), (2, 32))
  graph, _ = nnx.split(bias)
  return nnx.merge(graph, nnx.State({"rel_embedding": table})), table
