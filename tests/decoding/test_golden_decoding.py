"""What T5X and transformers decode and score with their checkpoints we decode and score."""

import numpy as np
import pytest

from flan_jax.decoding.beam import Beam
from flan_jax.decoding.decode import continuations, generate
from flan_jax.decoding.scoring import log_probabilities
from flan_jax.interop.loading import load
from flan_jax.models.model import Model

# The slow ones differ from a quick one, here or in the tests of logits, in one way each.
SLOW = [pytest.param(each, marks=pytest.mark.slow) for each in ("t5_1_1_tiny", "t5_1_1_factored", "t5_1_0_tied_tiny")]
VARIANTS = ["t5_1_1_tiny_scan", *SLOW]


def without_padding(rows: np.ndarray) -> list[list[int]]:
  return [row[row != 0].tolist() for row in rows]


def before_eos(rows: np.ndarray) -> list[list[int]]:
  return [row[: row.index(1)] if 1 in row else row for row in rows.tolist()]


@pytest.mark.parametrize("variant", VARIANTS)
def test_greedy_beams_and_scores_are_those_of_t5x(golden, variant):
  """T5X gives beams the best last, with its length penalty of 0.6; `scores` are sums over targets with EOS."""
  folder = golden / "t5x" / variant
  expected = np.load(folder / "golden.npz")
  loaded = load(folder / "orbax/checkpoint_400")
  network = Model(loaded.config), loaded.params, without_padding(expected["input_ids"])
  most = expected["greedy"].shape[1]

  assert generate(*network, max_tokens=most) == before_eos(expected["greedy"])

  beams = dict(continuations(*network, search=Beam(4), samples=4, max_tokens=most))
  for index, (tokens, scores) in enumerate(zip(expected["beam4"], expected["beam4_scores"], strict=True)):
    assert [each.tokens for each in beams[index]] == before_eos(tokens[::-1])
    np.testing.assert_allclose([each.score for each in beams[index]], scores[::-1], atol=1e-5)

  targets = [[target] for target in without_padding(expected["targets"])]
  scores = dict(log_probabilities(*network, targets))
  np.testing.assert_allclose([scores[index][0] for index in range(4)], expected["scores"], rtol=1e-6, atol=1e-5)


@pytest.mark.parametrize("kind", ["t5_1_1", "t5_1_0", "mt5"])
def test_greedy_tokens_are_those_of_transformers(golden, kind):
  expected = np.load(golden / "hf" / kind / "golden.npz")
  loaded = load(golden / "hf" / kind)
  greedy = expected["greedy"][:, 1:]  # without the start token
  inputs = without_padding(expected["input_ids"])
  assert generate(Model(loaded.config), loaded.params, inputs, max_tokens=greedy.shape[1]) == before_eos(greedy)
