"""Writes the folder of a T5X checkpoint, an array at a time, in the layouts that t5x_storage reads."""

import base64
import json
import pathlib
import time
from typing import Any

import numpy as np
import tensorstore
from flax import serialization

from flan_jax.atomic import write_atomically
from flan_jax.interop.t5x_storage import ITEM, LEGACY, ORBAX, TREE_FILE, VERSION

_CHUNK_BYTES = 64 << 20  # the most of a chunk, as T5X has it
_HANDLER = "orbax.checkpoint._src.handlers.pytree_checkpoint_handler.PyTreeCheckpointHandler"
_COMMITTED = "commit_success.txt"  # what Orbax looks for where folders cannot be renamed, as in a bucket


class LegacyWriter:
  """A folder with one msgpack file and a zarr folder for each array that T5X would partition."""

  def __init__(self, folder: pathlib.Path):
    self._folder = folder.absolute()
    self._tree: dict[str, Any] = {}

  def write(self, name: str, array: np.ndarray) -> None:
    """Adds an array under T5X's dotted name."""
    if _is_inline(name, array.shape):
      self._tree[name] = array
      return
    spec = {
      "driver": "zarr",
      "dtype": array.dtype.name,
      "kvstore": {"driver": "file", "path": f"{name}/"},
      "metadata": {
        "chunks": chunk_shape(array.shape, array.dtype.itemsize),
        "compressor": {"id": "gzip", "level": 1},
        "shape": list(array.shape),
      },
    }
    _write_array({**spec, "kvstore": {"driver": "file", "path": f"{self._folder}/{name}/"}}, array)
    self._tree[name] = spec

  def finish(self) -> None:
    """Writes the tree; before this the folder is no checkpoint."""
    tree = {"version": VERSION, "optimizer": _nested(self._tree)}
    write_atomically(self._folder / TREE_FILE, serialization.msgpack_serialize(tree, in_place=True))


class OrbaxWriter:
  """A folder with the item `state`: arrays in one OCDBT database, and what Orbax says of them beside it."""

  def __init__(self, folder: pathlib.Path):
    self._folder = folder.absolute()
    self._item = self._folder / ITEM
    self._item.mkdir(parents=True)
    self._shapes: dict[str, list[int]] = {}
    self._chunks: dict[str, list[int]] = {}
    self._began = time.time_ns()

  def write(self, name: str, array: np.ndarray) -> None:
    """Adds an array under T5X's dotted name."""
    chunks = chunk_shape(array.shape, array.dtype.itemsize)
    spec = {
      "driver": "zarr",
      "dtype": array.dtype.name,
      "kvstore": {"driver": "ocdbt", "base": {"driver": "file", "path": f"{self._item}/"}, "path": f"{name}/"},
      "metadata": {"chunks": chunks, "compressor": {"id": "zstd", "level": 1}, "shape": list(array.shape)},
      "store_data_equal_to_fill_value": True,  # otherwise zeros could not be told from what is missing
    }
    _write_array(spec, array)
    self._shapes[name], self._chunks[name] = list(array.shape), chunks

  def finish(self) -> None:
    """Writes the descriptions; before this the folder is no checkpoint for Orbax."""
    self._write("state/_METADATA", self._tree_metadata())
    self._write("state/array_metadatas/process_0", self._array_metadata())
    self._write("state/_sharding", {_base64(name): json.dumps(_ON_ONE_DEVICE) for name in self._shapes})
    handlers = {ITEM: _HANDLER}
    times = {"init_timestamp_nsecs": self._began, "commit_timestamp_nsecs": time.time_ns()}
    rest = {"metrics": {}, "performance_metrics": {}, "custom_metadata": {}}
    self._write("_CHECKPOINT_METADATA", {"item_handlers": handlers, **times, **rest})
    for folder in (self._item, self._folder):
      write_atomically(folder / _COMMITTED, f"Checkpoint commit was successful to {folder}".encode())

  def _tree_metadata(self) -> dict[str, Any]:
    tree = {}
    for name in sorted(self._shapes, key=lambda name: name.split(".")):
      path = tuple(name.split("."))
      keys = [{"key": key, "key_type": 2} for key in path]  # 2 is a dict's key
      value = {"value_type": "jax.Array", "skip_deserialize": False, "write_shape": self._shapes[name]}
      tree[str(path)] = {"key_metadata": keys, "value_metadata": value}
    rest = {"use_zarr3": False, "store_array_data_equal_to_fill_value": True, "custom_metadata": None}
    return {"tree_metadata": tree, "use_ocdbt": True, **rest}

  def _array_metadata(self) -> dict[str, Any]:
    of_each = [
      {"param_name": name, "write_shape": shape, "chunk_shape": self._chunks[name], "ext_metadata": None}
      for name, shape in sorted(self._shapes.items())
    ]
    return {"array_metadatas": [{"array_metadata": each} for each in of_each]}

  def _write(self, file: str, content: dict[str, Any]) -> None:
    write_atomically(self._folder / file, json.dumps(content).encode())


# Orbax asks for where an array lay where the reader does not say where it shall lie.
_ON_ONE_DEVICE = {
  "sharding_type": "NamedSharding",
  "shape": [1, 1],
  "axis_names": ["data", "model"],
  "axis_types": ["AxisType.Auto", "AxisType.Auto"],
  "partition_spec": [],
  "device_mesh": {"mesh": [[{"id": 0}]]},
}
WRITERS = {LEGACY: LegacyWriter, ORBAX: OrbaxWriter}


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> list[int]:
  """A chunk of at most 64 MiB whose sides divide those of the array; the longest side is cut first.

  >>> chunk_shape((32128, 4096), 4)  # XXL's embedding: 526 MB in chunks of 66 MB
  [4016, 4096]
  """
  chunks = list(shape)
  while np.prod(chunks, dtype=np.int64) * itemsize > _CHUNK_BYTES:
    longest = max(range(len(chunks)), key=chunks.__getitem__)
    chunks[longest] = max(i for i in range(1, chunks[longest]) if shape[longest] % i == 0)
  return chunks


def _base64(name: str) -> str:
  return base64.b64encode(name.encode()).decode()


def _is_inline(name: str, shape: tuple[int, ...]) -> bool:
  """T5X writes into the tree what has no partition: the step, Adafactor's factors and what stands in for no array."""
  return name == "state.step" or name.endswith((".v_row", ".v_col")) or (name.startswith("state.") and shape == (1,))


def _write_array(spec: dict[str, Any], array: np.ndarray) -> None:
  """Chunks are compressed side by side, so that the array's compressed copy stands beside it for a while."""
  tensorstore.open(spec, create=True).result().write(array).result()


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
  tree: dict[str, Any] = {}
  for name, leaf in sorted(flat.items(), key=lambda item: item[0].split(".")):
    *path, last = name.split(".")
    node = tree
    for key in path:
      node = node.setdefault(key, {})
    node[last] = leaf
  return tree
