"""Hugging Face directories: logits and greedy tokens as transformers has them, and errors that name the tensor."""

import json
import shutil

import jax
import numpy as np
import pytest
import safetensors.numpy

from flan_jax.decoding.decode import decode
from flan_jax.errors import FlanJaxError
from flan_jax.interop import huggingface
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

# A directory that the tests write themselves, where ../shared is absent.
TINY = T5Config(
  vocab_size=16, emb_dim=8, num_heads=2, head_dim=3, mlp_dim=10, num_encoder_layers=1, num_decoder_layers=2
)
TINY_JSON = {
  "model_type": "t5",
  "vocab_size": 16,
  "d_model": 8,
  "num_heads": 2,
  "d_kv": 3,
  "d_ff": 10,
  "num_layers": 1,
  "num_decoder_layers": 2,
  "feed_forward_proj": "gated-gelu",
  "dropout_rate": 0.0,
  "tie_word_embeddings": False,
}


@pytest.mark.parametrize("kind", ["t5_1_1", "t5_1_0", "mt5"])
def test_logits_and_greedy_tokens_are_those_of_transformers(golden, kind):
  folder = golden / "hf" / kind
  config, params = huggingface.load(folder)
  model, expected = Model(config), np.load(folder / "golden.npz")
  inputs = expected["input_ids"].astype(np.int32)
  batch = {"encoder_input_tokens": inputs, "decoder_input_tokens": expected["decoder_input_ids"].astype(np.int32)}

  logits = jax.jit(lambda params: model.logits(params, model.hidden(params, batch)))(params)
  np.testing.assert_allclose(logits, expected["logits"], atol=1e-4)

  greedy = expected["greedy"][:, 1:]  # without the start token
  np.testing.assert_array_equal(decode(model, params, inputs, max_tokens=greedy.shape[1]), greedy)


def test_a_directory_gives_back_the_parameters_that_were_written(tmp_path):
  params = _write(tmp_path)
  config, read = huggingface.load(tmp_path)
  assert config == TINY
  assert {name: x.shape for name, x in read.items()} == {n: s.shape for n, s in Model(TINY).shapes().items()}
  for name in params:
    np.testing.assert_array_equal(read[name], params[name])


def test_shards_are_read_through_their_index(tmp_path):
  params = _write(tmp_path)
  tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
  (tmp_path / "model.safetensors").unlink()
  names = sorted(tensors)
  weight_map = {name: f"model-0000{1 + i % 2}-of-00002.safetensors" for i, name in enumerate(names)}
  for file in set(weight_map.values()):
    safetensors.numpy.save_file({n: tensors[n] for n in names if weight_map[n] == file}, tmp_path / file)
  (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
  safetensors.numpy.save_file({"stray": np.zeros(1)}, tmp_path / "other.safetensors")  # not in the index, not read
  _, read = huggingface.load(tmp_path)
  for name in params:
    np.testing.assert_array_equal(read[name], params[name])


def test_a_missing_an_unknown_and_a_misshapen_tensor_are_named(tmp_path):
  _write(tmp_path)
  whole = safetensors.numpy.load_file(tmp_path / "model.safetensors")
  name = "decoder.block.1.layer.2.DenseReluDense.wo.weight"
  for tensors, message in (
    ({n: x for n, x in whole.items() if n != name}, f"1 tensors are missing: {name}"),
    (whole | {"visual.weight": np.zeros(1, np.float32)}, "no place in the network: visual.weight"),
    (whole | {name: whole[name].T.copy()}, rf"{name} has shape \[10, 8\].*decoder.layers_1.mlp.wo.kernel"),
  ):
    safetensors.numpy.save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(FlanJaxError, match=message):
      huggingface.load(tmp_path)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"model_type": "bart"}, "model_type is 'bart'"),
    ({"feed_forward_proj": "gated-tanh"}, "feed_forward_proj is 'gated-tanh'"),
    ({"relative_attention_max_distance": 64}, "relative_attention_max_distance is 64"),
    ({"d_ff": 0}, "mlp_dim = 0"),
  ],
)
def test_a_config_of_another_network_is_refused(tmp_path, change, message):
  _write(tmp_path)
  (tmp_path / "config.json").write_text(json.dumps(TINY_JSON | change))
  with pytest.raises(FlanJaxError, match=message):
    huggingface.load(tmp_path)


def test_what_cannot_be_read_is_named(tmp_path):
  with pytest.raises(FlanJaxError, match=r"config\.json"):
    huggingface.load(tmp_path)
  _write(tmp_path)
  (tmp_path / "model.safetensors").write_bytes(b"cut")
  with pytest.raises(FlanJaxError, match=r"model\.safetensors: cannot be read"):
    huggingface.load(tmp_path)
  (tmp_path / "model.safetensors").unlink()
  with pytest.raises(FlanJaxError, match=r"no \.safetensors file"):
    huggingface.load(tmp_path)


def test_bfloat16_tensors_become_float32(golden, tmp_path):
  import ml_dtypes

  params = _write(tmp_path)
  tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
  safetensors.numpy.save_file(
    {name: x.astype(ml_dtypes.bfloat16) for name, x in tensors.items()}, tmp_path / "model.safetensors"
  )
  _, read = huggingface.load(tmp_path)
  for name in params:
    assert read[name].dtype == np.float32
    np.testing.assert_allclose(read[name], params[name], rtol=1e-2)


def test_a_tied_model_may_repeat_its_embedding(golden, tmp_path):
  shutil.copytree(golden / "hf" / "t5_1_0", tmp_path, dirs_exist_ok=True)
  tensors = safetensors.numpy.load_file(tmp_path / "model.safetensors")
  copies = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")
  safetensors.numpy.save_file(
    tensors | {name: tensors["shared.weight"].copy() for name in copies}, tmp_path / "model.safetensors"
  )
  config, _ = huggingface.load(tmp_path)
  assert config.logits_via_embedding


def _write(folder):
  """A whole directory of TINY with random parameters, which are returned under our names."""
  random = np.random.default_rng(0)
  shapes = Model(TINY).shapes()
  params = {name: random.normal(size=shape.shape).astype(np.float32) for name, shape in shapes.items()}
  tensors = {
    huggingface.tensor_name(name): x.copy() if name == "token_embedder.embedding" else x.T.copy()
    for name, x in params.items()
  }
  (folder / "config.json").write_text(json.dumps(TINY_JSON))
  safetensors.numpy.save_file(tensors, folder / "model.safetensors")
  return params
