"""Writes a Hugging Face T5 directory that transformers 4.x and 5.x load: config.json, safetensors, tokenizer files."""

import dataclasses
import json
import math
import pathlib
import shutil
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from flan_jax.atomic import write_atomically
from flan_jax.errors import UsageError
from flan_jax.interop.huggingface import (
  ACTIVATIONS,
  CONFIG,
  EMBEDDING,
  FIXED,
  GENERATION_CONFIG,
  INDEX,
  TOKENIZER_CONFIG,
  VOCABULARY,
  WEIGHTS,
  tensor_name,
)
from flan_jax.interop.tensors import DTYPES, Tensors, cast
from flan_jax.models.configs import T5Config
from flan_jax.models.stacking import split_name

SHARD_BYTES = 5 * 10**9
_FILE_DTYPES = {"float32": "F32", "bfloat16": "BF16", "float16": "F16"}  # safetensors' names
# What transformers makes of feed_forward_proj, and older versions read.
_DENSE = {"relu": "relu", "gated-gelu": "gelu_new", "gated-silu": "silu"}


@dataclasses.dataclass(frozen=True)
class _Shard:
  file: str
  names: tuple[str, ...]


def write_hugging_face(
  folder: pathlib.Path,
  config: T5Config,
  tensors: Tensors,
  *,
  model_type: str = "t5",
  dtype: str = "float32",
  vocabulary: pathlib.Path | None = None,
  extra_ids: int = 100,
  shard_bytes: int = SHARD_BYTES,
) -> list[str]:
  """Writes the directory, an array at a time, and gives the names of its files.

  Args:
    folder: exists.
    config: of the network, whose position bias must be shared by the layers of a stack.
    model_type: 't5' or 'mt5', which differ in name only.
    dtype: of the file: float32, bfloat16 or float16.
    vocabulary: a SentencePiece file, for AutoTokenizer.
    extra_ids: T5's sentinels after its pieces.
    shard_bytes: the most of a file, but for one tensor that is larger.

  Raises:
    UsageError: transformers has no such network, or a number is beyond the dtype's.
  """
  values = config_json(config, model_type, dtype)
  # The layers of a parameter one after the other: where they lie in one file, it is read once.
  shapes = sorted(tensors.shapes().items(), key=lambda item: split_name(item[0]))
  sizes = {name: math.prod(shape) * DTYPES[dtype].itemsize for name, shape in shapes}
  shards = _shards(sizes, shard_bytes)
  for shard in shards:
    _write_shard(folder / shard.file, shard.names, tensors, dtype)
  texts = {CONFIG: values, GENERATION_CONFIG: _generation_config()}
  if len(shards) > 1:
    texts[INDEX] = _index(shards, tensors, sum(sizes.values()))
  if vocabulary is not None:
    shutil.copyfile(vocabulary, folder / VOCABULARY)
    texts[TOKENIZER_CONFIG] = _tokenizer_config(extra_ids)
  for name, content in texts.items():
    write_atomically(folder / name, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())
  return [*(shard.file for shard in shards), *texts, *([VOCABULARY] if vocabulary else [])]


def config_json(config: T5Config, model_type: str, dtype: str) -> dict[str, Any]:
  """What config.json says of a network.

  Raises:
    UsageError: transformers has no such network.
  """
  projections = {branches: name for name, branches in ACTIVATIONS.items()}
  projection = projections.get(tuple(config.mlp_activations))
  if projection is None:
    known = ", ".join(map(str, projections))
    raise UsageError(f"transformers' T5 has no mlp_activations {config.mlp_activations}; it has {known}")
  architecture = {"t5": "T5ForConditionalGeneration", "mt5": "MT5ForConditionalGeneration"}[model_type]
  return {
    **FIXED,
    "architectures": [architecture],
    "model_type": model_type,
    "vocab_size": config.vocab_size,
    "d_model": config.emb_dim,
    "num_heads": config.num_heads,
    "d_kv": config.head_dim,
    "d_ff": config.mlp_dim,
    "num_layers": config.num_encoder_layers,
    "num_decoder_layers": config.num_decoder_layers,
    "feed_forward_proj": projection,
    "dense_act_fn": _DENSE[projection],
    "is_gated_act": projection != "relu",
    "dropout_rate": config.dropout_rate,
    "classifier_dropout": 0.0,
    "initializer_factor": 1.0,
    # 4.x: false keeps the head apart; 5.x: false leaves the decoder's output unscaled (and ties unless both are there).
    "tie_word_embeddings": config.logits_via_embedding,
    "is_encoder_decoder": True,
    "use_cache": True,
    "pad_token_id": 0,
    "eos_token_id": 1,
    "tokenizer_class": "T5Tokenizer",
    "dtype": dtype,
  }


def _generation_config() -> dict[str, Any]:
  return {"_from_model_config": True, "decoder_start_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}


def _tokenizer_config(extra_ids: int) -> dict[str, Any]:
  sentinels = [f"<extra_id_{i}>" for i in range(extra_ids)]
  return {
    "tokenizer_class": "T5Tokenizer",
    "extra_ids": extra_ids,
    "additional_special_tokens": sentinels,
    "eos_token": "</s>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "legacy": False,  # pieces after a sentinel as SentencePiece itself has them
    "clean_up_tokenization_spaces": False,
  }


def _shards(sizes: Mapping[str, int], most: int) -> list[_Shard]:
  groups: list[list[str]] = [[]]
  filled = 0
  for name, size in sizes.items():
    if groups[-1] and filled + size > most:
      groups.append([])
      filled = 0
    groups[-1].append(name)
    filled += size
  if len(groups) == 1:
    return [_Shard(WEIGHTS, tuple(groups[0]))]
  files = [f"model-{i:05d}-of-{len(groups):05d}.safetensors" for i in range(1, len(groups) + 1)]
  return [_Shard(file, tuple(names)) for file, names in zip(files, groups, strict=True)]


def _index(shards: Sequence[_Shard], tensors: Tensors, size: int) -> dict[str, Any]:
  weight_map = {tensor_name(name): shard.file for shard in shards for name in shard.names}
  metadata = {"total_parameters": sum(map(math.prod, tensors.shapes().values())), "total_size": size}
  return {"metadata": metadata, "weight_map": dict(sorted(weight_map.items()))}


def _write_shard(file: pathlib.Path, names: Sequence[str], tensors: Tensors, dtype: str) -> None:
  """A safetensors file: the header's length, the header, then the tensors in its order, one at a time."""
  shapes = tensors.shapes()
  header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
  end = 0
  for name in names:
    shape = shapes[name] if _keeps_order(name) else shapes[name][::-1]
    begin, end = end, end + math.prod(shape) * DTYPES[dtype].itemsize
    header[tensor_name(name)] = {"dtype": _FILE_DTYPES[dtype], "shape": list(shape), "data_offsets": [begin, end]}
  text = json.dumps(header, separators=(",", ":")).encode()
  text += b" " * (-len(text) % 8)  # the data begin at a multiple of 8
  with file.open("wb") as out:
    out.write(len(text).to_bytes(8, "little") + text)
    for name in names:
      array = cast(name, tensors.read(name), dtype)
      np.ascontiguousarray(array if _keeps_order(name) else array.T).tofile(out)


def _keeps_order(name: str) -> bool:
  """PyTorch's linear maps and bias tables are turned over; the embedding is not, and vectors cannot be."""
  return tensor_name(name) == EMBEDDING
