"""Reads a Hugging Face T5 directory: config.json and safetensors, in one file or in shards with an index.

T5 1.0, T5 1.1, Flan-T5 and mT5 share the format; their differences (gated or not, tied or not) are in the config.
"""

import contextlib
import json
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import safetensors

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop.tensors import check_layers, check_shapes
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

CONFIG, GENERATION_CONFIG = "config.json", "generation_config.json"
WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
VOCABULARY, TOKENIZER_CONFIG = "spiece.model", "tokenizer_config.json"
EMBEDDING, HEAD = "shared.weight", "lm_head.weight"
FIXED = {  # what our T5 computes; a directory that says otherwise is another network
  "layer_norm_epsilon": 1e-6,
  "relative_attention_num_buckets": 32,
  "relative_attention_max_distance": 128,
  "decoder_start_token_id": 0,
}
_FLOATS = ("F32", "BF16", "F16", "F64")  # safetensors' names
ACTIVATIONS = {"relu": ("relu",), "gated-gelu": ("gelu", "linear"), "gated-silu": ("silu", "linear")}


class HuggingFaceTensors:
  """The parameters of a directory under our names and in our layout.

  Attributes:
    path: of the directory.
    model_type: 't5' or 'mt5'.
    config: of the network.
  """

  def __init__(self, path: pathlib.Path | str):
    """Raises FlanJaxError if the directory is no T5 that we compute, or a tensor is missing, unknown or misshapen."""
    self.path = pathlib.Path(path)
    values = _read_config(self.path)
    self.model_type = values["model_type"]
    self._stored = _stored(self.path)
    self.config = _config(self.path / CONFIG, values, self._is_tied(values))
    check_layers(self.path, self.config, (re.sub(r"\.block\.(\d+)", r".layers_\1", each) for each in self._stored))
    self._homes = {name: tensor_name(name) for name in Model(self.config).shapes()}
    homes = {home: name for name, home in self._homes.items()}
    copies = _COPIES | ({HEAD} if self.config.logits_via_embedding else set())
    found = {homes.get(each, each): self._shape(each) for each in self._stored if each in homes or each not in copies}
    check_shapes(f"{self.path} (PyTorch's tensors, turned over)", self.config, found)

  def shapes(self) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, in our layout; nothing is read."""
    return {name: self._shape(home) for name, home in self._homes.items()}

  def read(self, name: str) -> np.ndarray:
    """One parameter, of the dtype that it is stored in. Raises FlanJaxError where its file cannot be read."""
    home = self._homes[name]
    array = self._read(home)
    return array.T if _is_turned(home, array.ndim) else array

  def _shape(self, home: str) -> tuple[int, ...]:
    shape = self._stored[home].shape
    return shape[::-1] if _is_turned(home, len(shape)) else shape

  def _read(self, home: str) -> np.ndarray:
    # A file is opened for each tensor and closed after it: its pages are then nobody's.
    with _opened(self._stored[home].file) as file:
      return file.get_tensor(home)

  def _is_tied(self, values: Mapping[str, object]) -> bool:
    """Whether the head is the embedding, with the decoder's output scaled.

    transformers 4.x says so by tie_word_embeddings (T5: true where it is not said, mT5: false). 5.x ties unless the
    files hold both, writes true in either case, and says for T5 whether to scale by scale_decoder_outputs.
    """
    if not values.get("tie_word_embeddings", self.model_type == "t5"):
      return False
    own = HEAD in self._stored
    scaled = values.get("scale_decoder_outputs", self.model_type == "t5" or not own)
    if own and scaled and EMBEDDING in self._stored and not np.array_equal(self._read(EMBEDDING), self._read(HEAD)):
      raise FlanJaxError(f"{self.path}: {CONFIG} says that the head is the embedding, but there is another ({HEAD})")
    if not own and not scaled:
      raise FlanJaxError(f"{self.path}: {CONFIG} asks for a tied head without scaling, which is no T5's")
    return bool(scaled)


def _read_config(path: pathlib.Path) -> dict[str, object]:
  file = path / CONFIG
  try:
    values = json.loads(file.read_text(encoding="utf-8"))
    model_type = values.get("model_type")
  except (OSError, ValueError, AttributeError, RecursionError) as error:
    raise FlanJaxError(f"{file}: cannot be read as a Hugging Face config ({error})") from error
  if model_type not in ("t5", "mt5"):
    raise FlanJaxError(f"{file}: model_type is {model_type!r}; only t5 and mt5 can be read")
  return values


def _config(file: pathlib.Path, values: Mapping[str, object], tied: bool) -> T5Config:
  """The network that config.json describes. Raises FlanJaxError if it is none that our T5 computes."""
  for key, ours in FIXED.items():
    if values.get(key, ours) != ours:
      raise FlanJaxError(f"{file}: {key} is {values[key]!r}; flan_jax's T5 has {ours!r}")
  projection = values.get("feed_forward_proj", "relu")
  if not isinstance(projection, str) or projection not in ACTIVATIONS:
    raise FlanJaxError(f"{file}: feed_forward_proj is {projection!r}; known are {', '.join(ACTIVATIONS)}")
  try:
    return T5Config(
      vocab_size=values["vocab_size"],
      emb_dim=values["d_model"],
      num_heads=values["num_heads"],
      head_dim=values["d_kv"],
      mlp_dim=values["d_ff"],
      num_encoder_layers=values["num_layers"],
      num_decoder_layers=values.get("num_decoder_layers", values["num_layers"]),
      mlp_activations=ACTIVATIONS[projection],
      dropout_rate=values.get("dropout_rate", 0.1),
      logits_via_embedding=tied,
    )
  except KeyError as error:
    raise FlanJaxError(f"{file}: has no {error.args[0]}") from error
  except UsageError as error:
    raise FlanJaxError(f"{file}: {error}") from error


def tensor_name(name: str) -> str:
  """The name of one of our parameters in this format.

  >>> tensor_name("decoder.layers_3.encoder_decoder_attention.out.kernel")
  'decoder.block.3.layer.1.EncDecAttention.o.weight'
  """
  if name in _TOP:
    return _TOP[name]
  stack, layer, rest = name.split(".", 2)
  sublayer, part = _PARTS[stack][rest.removesuffix(".kernel").removesuffix(".scale")]
  return f"{stack}.block.{layer.removeprefix('layers_')}.layer.{sublayer}.{part}.weight"


_TOP = {
  "token_embedder.embedding": "shared.weight",
  "encoder.relpos_bias.rel_embedding": "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
  "decoder.relpos_bias.rel_embedding": "decoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
  "encoder.encoder_norm.scale": "encoder.final_layer_norm.weight",
  "decoder.decoder_norm.scale": "decoder.final_layer_norm.weight",
  "decoder.logits_dense.kernel": "lm_head.weight",
}


def _sublayer(index: int, norm: str, block: str, parts: Mapping[str, str]) -> dict[str, tuple[int, str]]:
  """One residual block's parts (without .kernel and .scale) and where they are: (layer index, path)."""
  return {norm: (index, "layer_norm")} | {ours: (index, f"{block}.{theirs}") for ours, theirs in parts.items()}


def _attention(name: str) -> dict[str, str]:
  return {f"{name}.query": "q", f"{name}.key": "k", f"{name}.value": "v", f"{name}.out": "o"}


_MLP = {f"mlp.{part}": part for part in ("wi", "wi_0", "wi_1", "wo")}
_PARTS = {
  "encoder": {
    **_sublayer(0, "pre_attention_layer_norm", "SelfAttention", _attention("attention")),
    **_sublayer(1, "pre_mlp_layer_norm", "DenseReluDense", _MLP),
  },
  "decoder": {
    **_sublayer(0, "pre_self_attention_layer_norm", "SelfAttention", _attention("self_attention")),
    **_sublayer(1, "pre_cross_attention_layer_norm", "EncDecAttention", _attention("encoder_decoder_attention")),
    **_sublayer(2, "pre_mlp_layer_norm", "DenseReluDense", _MLP),
  },
}
# Some files repeat the embedding under the names of its users.
_COPIES = {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"}


def _is_turned(home: str, rank: int) -> bool:
  """PyTorch keeps linear maps as [outputs, inputs] and the bias table as [buckets, heads]; the embedding agrees."""
  return rank == 2 and home != EMBEDDING


class _Stored(NamedTuple):
  file: pathlib.Path
  shape: tuple[int, ...]


def _stored(path: pathlib.Path) -> dict[str, _Stored]:
  """Where each tensor lies. Raises FlanJaxError where a file is missing or none, or tensors are no floats."""
  stored = {}
  for file, names in _files(path).items():
    with _opened(file) as opened:
      held = set(opened.keys())
      wanted = held if names is None else names
      if absent := sorted(wanted - held):
        raise FlanJaxError(f"{file}: does not hold {absent[0]}, which {INDEX} says is there")
      slices = {name: opened.get_slice(name) for name in wanted}
      kinds = {name: each.get_dtype() for name, each in slices.items()}
      stored |= {name: _Stored(file, tuple(each.get_shape())) for name, each in slices.items()}
    if others := sorted(name for name, kind in kinds.items() if kind not in _FLOATS):
      raise FlanJaxError(
        f"{file}: {others[0]} is of {kinds[others[0]]}; weights are of {', '.join(_FLOATS)} (quantized ones are not "
        "read: save the model without quantization)"
      )
  return stored


def _files(path: pathlib.Path) -> dict[pathlib.Path, set[str] | None]:
  """The files to read and the tensors to take from each (None: all), chosen as transformers chooses them."""
  whole, index = path / WEIGHTS, path / INDEX
  if whole.is_file():
    return {whole: None}
  if index.is_file():
    return _by_file(index)
  files = sorted(path.glob("*.safetensors"))
  if not files:
    pickles = " (.bin files can run code when they are read: save_pretrained of transformers makes safetensors of them)"
    raise FlanJaxError(f"{path}: holds no .safetensors file{pickles if any(path.glob('*.bin')) else ''}")
  if len(files) > 1:
    raise FlanJaxError(f"{path}: holds {len(files)} .safetensors files, and neither {WEIGHTS} nor {INDEX} to choose by")
  return {files[0]: None}


def _by_file(index: pathlib.Path) -> dict[pathlib.Path, set[str] | None]:
  try:
    weight_map = dict(json.loads(index.read_text(encoding="utf-8"))["weight_map"])
    files = {index.parent / pathlib.PurePath(file).name for file in weight_map.values()}
  except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
    raise FlanJaxError(f"{index}: cannot be read as an index of shards ({error!r})") from error
  return {
    file: {name for name, home in weight_map.items() if pathlib.PurePath(home).name == file.name}
    for file in sorted(files)
  }


@contextlib.contextmanager
def _opened(file: pathlib.Path) -> Iterator[safetensors.safe_open]:
  try:
    with safetensors.safe_open(file, framework="numpy") as opened:
      yield opened
  except (OSError, safetensors.SafetensorError, ValueError, TypeError) as error:
    raise FlanJaxError(f"{file}: cannot be read ({error})") from error
