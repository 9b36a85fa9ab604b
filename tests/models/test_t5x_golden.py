"""What T5X computes, we compute: logits plain and packed, and greedy tokens, from checkpoints that T5X wrote."""

import json

import jax
import numpy as np
import pytest
import tensorstore

from flan_jax.decoding.decode import decode
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

VARIANTS = ["t5_1_1_tiny", "t5_1_0_tied_tiny"]


@pytest.fixture(scope="module", params=VARIANTS)
def case(golden, request):
  """(model, parameters, what T5X computed) of one variant."""
  folder = golden / "t5x" / request.param
  settings = json.loads((folder / "meta.json").read_text())["config"]
  assert settings.pop("scan_layers") is False
  model = Model(T5Config(**settings))
  params = {name: _read(folder / f"legacy/checkpoint_400/target.{name}") for name in model.shapes()}
  assert {name: x.shape for name, x in params.items()} == {name: x.shape for name, x in model.shapes().items()}
  return model, params, dict(np.load(folder / "golden.npz"))


def test_logits(case):
  model, params, expected = case
  batch = {
    "encoder_input_tokens": expected["input_ids"],
    "decoder_input_tokens": expected["decoder_input_ids"],
  }
  real = expected["targets"] > 0
  np.testing.assert_allclose(_logits(model, params, batch)[real], expected["logits"][real], atol=1e-4)


def test_packed_logits(case):
  model, params, expected = case
  batch = {
    "encoder_input_tokens": expected["packed_input_ids"],
    "decoder_input_tokens": expected["packed_decoder_input_ids"],
    "encoder_segment_ids": expected["encoder_segment_ids"],
    "decoder_segment_ids": expected["decoder_segment_ids"],
  }
  real = expected["decoder_segment_ids"] > 0
  np.testing.assert_allclose(_logits(model, params, batch)[real], expected["packed_logits"][real], atol=1e-4)


def test_greedy(case):
  model, params, expected = case
  tokens = decode(model, params, expected["input_ids"].astype(np.int32), max_tokens=expected["greedy"].shape[1])
  np.testing.assert_array_equal(tokens, expected["greedy"])


def _logits(model, params, batch):
  batch = {name: feature.astype(np.int32) for name, feature in batch.items()}
  return np.asarray(jax.jit(lambda params, batch: model.logits(params, model.hidden(params, batch)))(params, batch))


def _read(folder):
  spec = {"driver": "zarr", "kvstore": {"driver": "file", "path": str(folder)}}
  return jax.numpy.asarray(tensorstore.open(spec).result().read().result())
