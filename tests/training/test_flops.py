"""The formula of model FLOPs: against a hand count, parameter counts and XLA; and the counts that it takes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.training import flops
from flan_jax.training.counts import Counts, batch_counts
from tests.training.tiny import batch_of

SMALL = T5Config(
  vocab_size=32128,
  emb_dim=512,
  num_heads=6,
  head_dim=64,
  mlp_dim=1024,
  num_encoder_layers=8,
  num_decoder_layers=8,
)
# Wide enough that matrix products are nearly all of the work, small enough to trace in a moment.
TRACED = T5Config(
  vocab_size=512,
  emb_dim=128,
  num_heads=2,
  head_dim=32,
  mlp_dim=256,
  num_encoder_layers=2,
  num_decoder_layers=3,
)


def _full_rows(rows: int, inputs: int, targets: int) -> Counts:
  """As a network computes rows without padding or packing: no pair is left out, causal or not."""
  pairs = (rows * inputs**2, rows * targets**2, rows * inputs * targets)
  return Counts(rows, rows * inputs, rows * targets, rows * (inputs + targets), *map(float, pairs))


def test_the_example_of_the_docstring():
  counts = Counts(1.0, 256.0, 64.0, 320.0, 256.0**2, 64 * 65 / 2, 256.0 * 64)
  encoder_layer = 2 * (4 * 512 * 384 + 3 * 512 * 1024)
  decoder_layer = 2 * (6 * 512 * 384 + 3 * 512 * 1024)
  keys_and_values = 2 * 2 * 512 * 384
  by_hand = 256 * 8 * (encoder_layer + keys_and_values) + 64 * (8 * decoder_layer + 2 * 512 * 32128)
  by_hand += 8 * 4 * 384 * (256 * 256 + 64 * 65 // 2 + 256 * 64)
  assert flops.forward_flops(SMALL, counts) == by_hand
  assert flops.training_flops(SMALL, counts) / 1e9 == pytest.approx(51.7, abs=0.05)


@pytest.mark.parametrize("activations", [("relu",), ("gelu", "linear")])
def test_without_attention_it_is_two_a_parameter_and_token(activations):
  """Of the matrices that the token passes; the embedding is looked up, and the cross-attention's keys and values are
  made of encoder tokens."""
  config = T5Config(**{**vars(TRACED), "mlp_activations": activations})
  sizes = {name: np.prod(shape.shape) for name, shape in Model(config).shapes().items() if len(shape.shape) == 2}
  sizes = {name: size for name, size in sizes.items() if "relpos" not in name and "token_embedder" not in name}
  crossing = [name for name in sizes if ".encoder_decoder_attention.key" in name or "decoder_attention.value" in name]
  of_encoder = sum(size for name, size in sizes.items() if name.startswith("encoder.") or name in crossing)
  counts = Counts(1.0, 7.0, 5.0, 12.0, 0.0, 0.0, 0.0)
  expected = 2 * (7 * of_encoder + 5 * (sum(sizes.values()) - of_encoder))
  assert flops.forward_flops(config, counts) == expected


@pytest.mark.parametrize(("of_gradient", "formula"), [(False, flops.forward_flops), (True, flops.training_flops)])
def test_xla_counts_as_much_within_three_percent(of_gradient, formula):
  """On unrolled layers, before remat; it also counts norms, softmax and activations, which the formula leaves out."""
  rows, inputs, targets = 2, 64, 32
  model = Model(TRACED)
  batch = {
    "encoder_input_tokens": jnp.ones((rows, inputs), jnp.int32),
    "decoder_input_tokens": jnp.ones((rows, targets), jnp.int32),
  }

  def scored(params):
    return jnp.sum(model.logits(params, model.hidden(params, batch)))

  traced = jax.jit(jax.grad(scored) if of_gradient else scored).lower(model.shapes())
  ratio = traced.cost_analysis()["flops"] / formula(TRACED, _full_rows(rows, inputs, targets))
  assert 0.97 < ratio < 1.03


@settings(max_examples=8, deadline=None)
@given(
  lengths=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=9),
  per_row=st.integers(1, 3),
  padding_rows=st.integers(0, 2),
)
def test_counts_of_packed_rows_are_those_of_the_examples(lengths, per_row, padding_rows):
  pairs = [(np.full(n, 7, np.int32), np.full(m, 9, np.int32)) for n, m in lengths]
  rows = -(-len(pairs) // per_row) + padding_rows
  counts = jax.jit(batch_counts)(batch_of(pairs, per_row, rows))
  real = [(n + 1, m + 1) for n, m in lengths]  # EOS
  assert counts == Counts(
    examples=len(real),
    encoder_tokens=sum(n for n, _ in real),
    decoder_tokens=sum(m for _, m in real),
    slots=rows * per_row * (6 + 4),
    encoder_pairs=sum(n * n for n, _ in real),
    decoder_pairs=sum(m * (m + 1) / 2 for _, m in real),
    cross_pairs=sum(n * m for n, m in real),
  )
  assert counts.tokens == sum(itertools.chain.from_iterable(real))
