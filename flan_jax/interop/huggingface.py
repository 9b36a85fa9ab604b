"""Reads a Hugging Face T5 directory: config.json and safetensors, in one file or in shards with an index.

T5 1.0, T5 1.1, Flan-T5 and mT5 share the format; their differences (gated or not, tied or not) are in the config.
"""

import contextlib
import json
import pathlib
from collections.abc import Iterator, Mapping

import jax.numpy as jnp
import safetensors

from flan_jax.errors import FlanJaxError
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model, Params

_FIXED = {  # what our T5 computes; a directory that says otherwise is another network
  "layer_norm_epsilon": 1e-6,
  "relative_attention_num_buckets": 32,
  "relative_attention_max_distance": 128,
  "decoder_start_token_id": 0,
}
_ACTIVATIONS = {"relu": ("relu",), "gated-gelu": ("gelu", "linear"), "gated-silu": ("silu", "linear")}


def load(path: pathlib.Path | str) -> tuple[T5Config, Params]:
  """The config and the float32 parameters of a directory; one tensor at a time passes through host memory.

  Raises:
    FlanJaxError: the directory is no T5 that we compute, or a tensor is missing, unknown or of another shape; each is
      named.
  """
  path = pathlib.Path(path)
  config = read_config(path)
  wanted = Model(config).shapes()
  sources = {name: tensor_name(name) for name in wanted}
  params = {}
  with _open_tensors(path) as tensors:
    _check_names(path, set(sources.values()), set(tensors), config.logits_via_embedding)
    for name, source in sources.items():
      tensor = jnp.asarray(tensors[source].get_tensor(source), jnp.float32)
      # PyTorch keeps linear maps as [outputs, inputs] and the bias table as [buckets, heads]; the embedding agrees.
      params[name] = tensor if name == "token_embedder.embedding" or tensor.ndim < 2 else tensor.T
      if params[name].shape != wanted[name].shape:
        raise FlanJaxError(
          f"{path}: tensor {source} has shape {list(tensor.shape)}, where config.json makes {name}"
          f" {list(wanted[name].shape)} (here transposed)"
        )
  return config, params


def read_config(path: pathlib.Path) -> T5Config:
  """The T5Config that a directory's config.json describes.

  Raises:
    FlanJaxError: there is no config.json, or it describes what our T5 does not compute.
  """
  file = path / "config.json"
  try:
    values = json.loads(file.read_text(encoding="utf-8"))
  except (OSError, ValueError) as error:
    raise FlanJaxError(f"{file}: cannot be read as a Hugging Face config ({error})") from error
  if values.get("model_type") not in ("t5", "mt5"):
    raise FlanJaxError(f"{file}: model_type is {values.get('model_type')!r}; only t5 and mt5 can be read")
  for key, ours in _FIXED.items():
    if values.get(key, ours) != ours:
      raise FlanJaxError(f"{file}: {key} is {values[key]!r}; flan_jax's T5 has {ours!r}")
  projection = values.get("feed_forward_proj", "relu")
  if projection not in _ACTIVATIONS:
    raise FlanJaxError(f"{file}: feed_forward_proj is {projection!r}; known are {', '.join(_ACTIVATIONS)}")
  try:
    return T5Config(
      vocab_size=values["vocab_size"],
      emb_dim=values["d_model"],
      num_heads=values["num_heads"],
      head_dim=values["d_kv"],
      mlp_dim=values["d_ff"],
      num_encoder_layers=values["num_layers"],
      num_decoder_layers=values.get("num_decoder_layers", values["num_layers"]),
      mlp_activations=_ACTIVATIONS[projection],
      dropout_rate=values.get("dropout_rate", 0.1),
      # The format's default is tied; T5 1.1, Flan-T5 and mT5 say false.
      logits_via_embedding=values.get("tie_word_embeddings", True),
    )
  except KeyError as error:
    raise FlanJaxError(f"{file}: has no {error.args[0]}") from error


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


def _check_names(path: pathlib.Path, wanted: set[str], present: set[str], tied: bool) -> None:
  if missing := sorted(wanted - present):
    raise FlanJaxError(f"{path}: {len(missing)} tensors are missing: {_listed(missing)}")
  if unknown := sorted(present - wanted - _COPIES - ({"lm_head.weight"} if tied else set())):
    raise FlanJaxError(f"{path}: {len(unknown)} tensors have no place in the network: {_listed(unknown)}")


def _listed(names: list[str]) -> str:
  return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")


@contextlib.contextmanager
def _open_tensors(path: pathlib.Path) -> Iterator[dict[str, safetensors.safe_open]]:
  """The open file of each tensor; files are mapped, so that a tensor is read when it is asked for."""
  files = sorted(path.glob("*.safetensors"))
  index = path / "model.safetensors.index.json"
  if index.is_file():
    files = [path / name for name in sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))]
  if not files:
    raise FlanJaxError(f"{path}: holds no .safetensors file")
  with contextlib.ExitStack() as stack:
    tensors = {}
    for file in files:
      try:
        opened = stack.enter_context(safetensors.safe_open(file, framework="flax"))
      except (OSError, safetensors.SafetensorError) as error:
        raise FlanJaxError(f"{file}: cannot be read ({error})") from error
      tensors.update(dict.fromkeys(opened.keys(), opened))
    yield tensors
