"""Each attention alone, under the masks of packed rows: what an output position can depend on, to the last bit.

There is one implementation, `Attention.attend`, for training, evaluation and decoding. It computes in either dtype,
with scores in either, and with or without a bias; the law holds for all of these.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax.models.attention import MASKED, Attention, masked_softmax
from flan_jax.models.configs import T5Config
from flan_jax.models.masks import segment_masks

CONFIG = T5Config(40, 8, num_heads=2, head_dim=4, mlp_dim=8, num_encoder_layers=1, num_decoder_layers=1)
# Segments 1 to 3 and padding; the third has no inputs (a task of targets only), the second more targets than inputs.
ENCODER = np.array([1, 1, 1, 2, 2, 0, 0, 0])
DECODER = np.array([1, 1, 2, 2, 2, 3, 3, 0, 0])
MASKS = segment_masks(jnp.array(ENCODER)[None], jnp.array(DECODER)[None])
# (mask, ids of queries, ids of keys, causal): self-attention reads the array that it is asked from.
KINDS = {
  "encoder": (MASKS.encoder, ENCODER, ENCODER, False),
  "decoder": (MASKS.decoder, DECODER, DECODER, True),
  "cross": (MASKS.cross, DECODER, ENCODER, False),
}


@pytest.fixture(params=[("float32", True), ("bfloat16", True), ("bfloat16", False)], ids=lambda p: f"{p[0]}-{p[1]}")
def attention(request) -> Attention:
  dtype, float32_scores = jnp.dtype(request.param[0]), request.param[1]
  module = Attention(dataclasses.replace(CONFIG, float32_attention_logits=float32_scores), dtype)
  for i, dense in enumerate((module.query, module.key, module.value, module.out)):
    shape = dense.kernel.get_value().shape
    dense.kernel.set_value(jax.random.normal(jax.random.key(i), shape) / shape[0] ** 0.5)
  return module


def flows(attention, kind, biased, of):
  """bool [queries, keys]: whether an output depends on a position of "memory" or, in cross-attention, of "queries"."""
  mask, queries, keys, _ = KINDS[kind]
  x, memory = _normal(attention, len(queries)), _normal(attention, len(keys))
  bias = jax.random.normal(jax.random.key(6), (1, CONFIG.num_heads, len(queries), len(keys))) if biased else None
  function, at = {
    "memory": (lambda read: attention(x if kind == "cross" else read, read, mask, bias), memory),
    "queries": (lambda asked: attention(asked, memory, mask, bias), x),
  }[of]
  jacobian = np.asarray(jax.jit(jax.jacobian(function))(at).astype(jnp.float32))[0, :, :, 0]
  assert np.isfinite(jacobian).all()
  return (jacobian != 0).any(axis=(1, 3))


@pytest.mark.parametrize("biased", [pytest.param(False, marks=pytest.mark.slow), True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_jacobian_is_zero_across_segments_and_not_within(attention, kind, biased):
  _, queries, keys, causal = KINDS[kind]
  flowing = flows(attention, kind, biased, "memory")
  same = queries[:, None] == keys
  if causal:
    same &= np.tri(len(queries), dtype=bool)
  np.testing.assert_array_equal(flowing, same)


def test_a_cross_attention_output_asks_for_itself_alone(attention):
  flowing = flows(attention, "cross", False, "queries")
  # The third segment's targets have no inputs to ask, and read nothing.
  np.testing.assert_array_equal(flowing, np.diag(np.isin(DECODER, ENCODER)))


def test_without_the_mask_it_all_flows(attention):
  """The law above is the masks' doing, not of inputs that make every gradient small."""
  x = _normal(attention, len(ENCODER))
  everything = jnp.ones_like(MASKS.encoder)
  jacobian = np.asarray(jax.jit(jax.jacobian(lambda x: attention(x, x, everything)))(x).astype(jnp.float32))[0, :, :, 0]
  assert (jacobian != 0).any(axis=(1, 3)).all()


@pytest.mark.parametrize("dtype", [pytest.param("float32", marks=pytest.mark.slow), "bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_softmax_that_keeps_its_weights_alone_is_jax_s_own(kind, dtype):
  """Values and gradients, those of a query that may see nothing (a target without inputs) included."""
  mask, queries, keys, _ = KINDS[kind]
  scores, wanted = (jax.random.normal(jax.random.key(i), (3, 2, len(queries), len(keys)), dtype) for i in (0, 1))
  plain = lambda scores: jax.nn.softmax(jnp.where(mask, scores, MASKED), axis=-1)  # noqa: E731
  values, gradients = zip(
    *(_value_and_pulled_back(f, scores, wanted) for f in (plain, lambda scores: masked_softmax(scores, mask))),
    strict=True,
  )
  np.testing.assert_array_equal(*values)
  np.testing.assert_allclose(*gradients, atol=1e-6 if dtype == "float32" else 2e-2)


def _value_and_pulled_back(function, at, cotangent):
  value, pull = jax.vjp(function, at)
  return value.astype(jnp.float32), pull(cotangent)[0].astype(jnp.float32)


def _normal(attention, length):
  return jax.random.normal(jax.random.key(length), (1, length, CONFIG.emb_dim)).astype(attention.query.dtype)
