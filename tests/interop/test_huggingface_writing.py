"""Exports to Hugging Face: transformers loads them and generates what we decode; arrays come back bit for bit."""

import dataclasses
import json

import jax
import ml_dtypes
import numpy as np
import pytest
import safetensors

from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.decoding.decode import generate
from flan_jax.errors import UsageError
from flan_jax.interop.huggingface_writing import write_hugging_face
from flan_jax.interop.loading import load, open_source
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

T5_1_1 = T5Config(32128, 32, 4, 12, 48, 3, 2, dropout_rate=0.1)  # more decoder layers than encoder's break 4.57's cache
T5_1_0 = dataclasses.replace(T5_1_1, mlp_activations=("relu",), logits_via_embedding=True)
TEXTS = ["Does the story say so? yes or no <extra_id_0> Größe", "What is 3 plus 4?\n\nThe answer is"]
# What transformers writes beside, and what it does not say where it is the default.
_THEIRS = {"transformers_version", "tokenizer_class", "tie_word_embeddings"}


class InMemory:
  """Random parameters of a network, layers apart."""

  def __init__(self, config, seed=0):
    self._params = jax.device_get(jax.jit(Model(config).init)(seed))

  def shapes(self):
    return {name: array.shape for name, array in self._params.items()}

  def read(self, name):
    return self._params[name]


@pytest.mark.parametrize("kind", ["t5_1_0", "t5_1_1", "mt5"])
def test_a_directory_of_transformers_comes_back_bit_for_bit(golden, kind, tmp_path):
  """Its config, and the name, type, shape and bits of each tensor; in shards where asked for."""
  source = open_source(golden / "hf" / kind)
  options = {"model_type": source.details["model_type"], "shard_bytes": 200_000 if kind == "mt5" else 10**9}
  write_hugging_face(tmp_path, source.config, source.tensors, **options)
  ours, theirs = (json.loads((folder / "config.json").read_text()) for folder in (tmp_path, golden / "hf" / kind))
  assert {k: x for k, x in ours.items() if k not in _THEIRS} == {k: x for k, x in theirs.items() if k not in _THEIRS}
  assert ours["tie_word_embeddings"] == theirs.get("tie_word_embeddings", True)
  assert _tensors(tmp_path) == _tensors(golden / "hf" / kind)
  if kind == "mt5":
    index, golden_index = (
      json.loads((folder / "model.safetensors.index.json").read_text()) for folder in (tmp_path, golden / "hf" / kind)
    )
    assert index["metadata"] == golden_index["metadata"]
    assert set(index["weight_map"]) == set(golden_index["weight_map"])
    assert len(set(index["weight_map"].values())) > 3


@pytest.mark.parametrize(("dtype", "expected"), [("bfloat16", ml_dtypes.bfloat16), ("float16", np.float16)])
def test_half_precision_rounds_each_parameter_once(dtype, expected, tmp_path):
  tensors = InMemory(T5_1_0)
  write_hugging_face(tmp_path, T5_1_0, tensors, dtype=dtype)
  source = open_source(tmp_path)
  for name in tensors.shapes():
    assert source.tensors.read(name).dtype == expected
    np.testing.assert_array_equal(source.tensors.read(name), tensors.read(name).astype(expected))
  assert json.loads((tmp_path / "config.json").read_text())["dtype"] == dtype


def test_a_network_that_transformers_has_not_is_refused(tmp_path):
  config = dataclasses.replace(T5_1_1, mlp_activations=("relu", "linear"))
  with pytest.raises(UsageError, match=r"no mlp_activations \('relu', 'linear'\); it has"):
    write_hugging_face(tmp_path, config, InMemory(config))


@pytest.mark.parametrize("config", [T5_1_1, T5_1_0], ids=["t5_1_1", "t5_1_0"])
def test_transformers_generates_the_same_text(config, shared_data, tmp_path, monkeypatch):
  """4.x and 5.x read tie_word_embeddings differently; neither may ask the network for anything."""
  vocabulary = load_vocabulary("t5", shared_data)
  transformers = pytest.importorskip("transformers")
  import torch

  monkeypatch.setenv("HF_HUB_OFFLINE", "1")
  write_hugging_face(tmp_path, config, InMemory(config), vocabulary=vocabulary.path)
  tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
  network = transformers.AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
  assert tokenizer(TEXTS)["input_ids"] == [[*vocabulary.encode([text])[0], 1] for text in TEXTS]

  inputs = tokenizer(TEXTS, return_tensors="pt", padding=True)
  loaded = load(tmp_path)
  prompts = vocabulary.encode(TEXTS)
  tokens = generate(Model(loaded.config), loaded.params, prompts, max_tokens=20)
  with torch.no_grad():
    outputs = network.generate(**inputs, max_new_tokens=20, do_sample=False)
    logits = network(**inputs, decoder_input_ids=outputs[:, :-1]).logits.numpy()
  found = [_until_end(row[1:]) for row in outputs.tolist()]
  assert found == tokens
  for row in tokens:  # spaces beside sentinels are each program's own
    assert "".join(tokenizer.decode(row).split()) == "".join(vocabulary.decode(row).split())

  batch = {"encoder_input_tokens": inputs["input_ids"].numpy(), "decoder_input_tokens": outputs[:, :-1].numpy()}
  model = Model(loaded.config)
  ours = model.logits(loaded.params, model.hidden(loaded.params, {k: x.astype(np.int32) for k, x in batch.items()}))
  np.testing.assert_allclose(logits, ours, atol=1e-4)


def _tensors(folder):
  tensors = {}
  for file in folder.glob("*.safetensors"):
    with safetensors.safe_open(file, framework="numpy") as opened:
      tensors |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no dict)
  return {name: (array.dtype, array.shape, array.tobytes()) for name, array in tensors.items()}


def _until_end(row):
  return row[: row.index(1)] if 1 in row else row
