"""Suggested row lengths: FLOPs as the model spends them, the best of all candidates, and nothing lost unseen."""

import dataclasses
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.extend.core import jaxprs_in_params

from flan_jax.data.suggesting import Dims, measure, row_flops, suggest
from flan_jax.errors import FlanJaxError
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

TINY = Dims(emb_dim=16, attention_dim=12, mlp_dim=24, encoder_layers=2, decoder_layers=3, vocab_size=40)
BASE = Dims(emb_dim=768, attention_dim=768, mlp_dim=2048, encoder_layers=12, decoder_layers=12, vocab_size=32_128)
INPUTS, TARGETS = (16, 32, 64), (4, 8, 16)
SAMPLES = st.lists(st.tuples(st.integers(1, 64), st.integers(1, 16)), min_size=1, max_size=60).map(np.array)


def products(jaxpr):
  """FLOPs of all matrix products of a jaxpr and of those that it calls: two a multiply-add."""
  total = 0
  for equation in jaxpr.eqns:
    if equation.primitive.name == "dot_general":
      (contracted, _), _ = equation.params["dimension_numbers"]
      left = equation.invars[0].aval.shape
      total += 2 * int(np.prod(equation.outvars[0].aval.shape)) * int(np.prod([left[axis] for axis in contracted]))
    total += sum(products(inner) for inner in jaxprs_in_params(equation.params))
  return total


@pytest.mark.parametrize("activations", [("gelu", "linear"), ("relu",)])
def test_flops_are_those_of_the_models_matrix_products(activations):
  model = Model(T5Config(40, 16, 2, 6, 24, 2, 3, mlp_activations=activations))
  rows, source, target = 3, 20, 7
  batch = {
    f"{side}_{name}": jnp.ones((rows, length), jnp.int32)
    for side, length in (("encoder", source), ("decoder", target))
    for name in ("input_tokens", "segment_ids")
  }
  forward = jax.make_jaxpr(lambda params: model.logits(params, model.hidden(params, batch)))(model.shapes())
  dims = dataclasses.replace(TINY, mlp_branches=len(activations))
  assert products(forward.jaxpr) == rows * row_flops(dims, source, target)


@settings(max_examples=25, deadline=None)
@given(lengths=SAMPLES, min_kept=st.sampled_from([0.0, 0.5, 0.9, 1.0]))
def test_the_best_of_all_candidates_is_found_without_packing_all(lengths, min_kept):
  found = suggest(lengths, TINY, min_kept, INPUTS, TARGETS)
  every = [measure(lengths, TINY, *shape) for shape in itertools.product(INPUTS, TARGETS)]
  enough = [shape for shape in every if shape.rows and shape.kept >= min_kept]
  assert found.best in every
  assert found.best.kept >= min_kept
  assert found.best.tokens_per_gflop == max(shape.tokens_per_gflop for shape in enough)
  assert found.best in found.by_inputs
  assert [shape.inputs for shape in found.by_inputs] == [n for n in INPUTS if (lengths[:, 0] <= n).any()]


@settings(max_examples=25, deadline=None)
@given(lengths=SAMPLES, shares=st.tuples(st.floats(0, 1), st.floats(0, 1)))
def test_to_keep_more_examples_is_never_cheaper(lengths, shares):
  less, more = (suggest(lengths, TINY, share, INPUTS, TARGETS).best for share in sorted(shares))
  assert more.tokens_per_gflop <= less.tokens_per_gflop


@settings(max_examples=25, deadline=None)
@given(lengths=SAMPLES, shape=st.tuples(st.sampled_from(INPUTS), st.sampled_from(TARGETS)))
def test_a_measured_shape_accounts_for_every_token(lengths, shape):
  at = measure(lengths, TINY, *shape)
  kept = lengths[(lengths <= shape).all(axis=1)]
  assert at.kept == len(kept) / len(lengths)
  slots = at.rows * np.array(shape)
  assert np.allclose(slots * (at.fill_inputs, at.fill_targets), kept.sum(axis=0))
  assert np.isclose(at.tokens_per_gflop * at.rows * row_flops(TINY, *shape), 1e9 * kept.sum())


@pytest.mark.parametrize(("a", "b"), [(96, 24), (256, 32), (64, 16)])
def test_equal_examples_fill_their_rows(a, b):
  best = suggest(np.full((480, 2), (a, b)), BASE).best
  assert (best.inputs % a, best.targets % b) == (0, 0)
  assert (best.fill_inputs, best.fill_targets, best.kept) == (1, 1, 1)


def test_short_targets_ask_for_short_target_rows():
  """A tenth of the inputs' length: rows of 4 to 1 waste more than half of their targets."""
  rng = np.random.default_rng(0)
  inputs = rng.integers(50, 500, 2000)
  lengths = np.stack([inputs, inputs // 10], axis=1)
  best = suggest(lengths, BASE).best
  assert best.fill_inputs > 0.95
  assert best.fill_targets > 0.8
  assert best.tokens_per_gflop > 1.1 * measure(lengths, BASE, best.inputs, best.inputs // 4).tokens_per_gflop


def test_no_shape_that_keeps_enough_is_said():
  with pytest.raises(FlanJaxError, match=r"64/16, the longest that are tried, keep 50.00% of 2 examples; 99.00%"):
    suggest(np.array([[10, 3], [65, 3]]), TINY, inputs=INPUTS, targets=TARGETS)
