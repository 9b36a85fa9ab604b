"""The arrays of a T5X checkpoint by name, in both of its layouts, read and written one at a time through TensorStore.

legacy: the msgpack file `checkpoint` holds the tree, with small arrays in it and TensorStore specs in the place of the
  others, which are zarr folders beside it (T5X's checkpoints.py, version 3, since 2021).
orbax: the item `state`, whose zarr arrays lie in one OCDBT database (or, before 2023, in folders).

Names are T5X's paths with dots: `target.encoder.layers_0.mlp.wo.kernel`, `state.step`. Nothing of a file is executed.
"""

import dataclasses
import json
import math
import os
import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

import ml_dtypes
import msgpack
import numpy as np
import tensorstore

from flan_jax.errors import FlanJaxError

LEGACY, ORBAX = "legacy", "orbax"
LAYOUTS = (LEGACY, ORBAX)
TREE_FILE = "checkpoint"  # of the legacy layout
ITEM = "state"  # of the Orbax layout
_STEP = "state.step"  # updates done
_MANIFEST = "manifest.ocdbt"
VERSION = 3  # of the legacy layout; 2 differs in that bfloat16 is stored as uint16
_DTYPES = {name: np.dtype(name) for name in ("float16", "float32", "float64", "int32", "int64", "uint32", "bool")}
_DTYPES["bfloat16"] = np.dtype(ml_dtypes.bfloat16)
_EXT_ARRAY, _EXT_SCALAR = 1, 3  # flax.serialization's extension types of msgpack


@dataclasses.dataclass(frozen=True)
class _Stored:
  """An array in a zarr folder: where it is, what it is, and whether T5X wrote bfloat16 as uint16."""

  path: str
  shape: tuple[int, ...]
  chunks: tuple[int, ...]
  dtype: np.dtype


class Arrays:
  """The arrays of one checkpoint; `read` fetches one."""

  def __init__(self, url: str, layout: str, store: tensorstore.KvStore, arrays: Mapping[str, np.ndarray | _Stored]):
    self.url = url
    self.layout = layout
    self._store = store
    self._arrays = dict(arrays)
    self._keys: set[str] | None = None

  def __iter__(self) -> Iterator[str]:
    return iter(self._arrays)

  def __contains__(self, name: object) -> bool:
    return name in self._arrays

  def shape(self, name: str) -> tuple[int, ...]:
    """Without reading the array."""
    return self._arrays[name].shape

  def dtype(self, name: str) -> np.dtype:
    """Without reading the array."""
    return self._arrays[name].dtype

  def read(self, name: str) -> np.ndarray:
    """The whole array.

    Raises:
      FlanJaxError: a chunk of it is missing or damaged.
    """
    array = self._arrays[name]
    if isinstance(array, np.ndarray):
      return array
    self._check_chunks(name, array)
    spec = {"driver": "zarr", "kvstore": {**self._store.spec().to_json(), "path": self._path(array)}}
    try:
      opened = tensorstore.open(spec, read=True).result()
      _check_stored(array, opened.spec().to_json()["metadata"])
      found = opened.read().result()
    except (ValueError, OSError) as error:
      raise _damaged(f"{self.url}/{array.path}", error) from error
    return found.view(array.dtype) if found.dtype == np.uint16 else found

  def _path(self, array: _Stored) -> str:
    return posixpath.join(self._store.spec().to_json().get("path", ""), array.path) + "/"

  def _check_chunks(self, name: str, array: _Stored) -> None:
    """TensorStore reads a missing chunk as zeros, which is right for what stands in for no array (of shape [1]) and for
    the second moments of step 0 only."""
    if not name.startswith("target.") and (array.shape in ((), (1,)) or not self._updated()):
      return
    if self._keys is None:
      self._keys = {key.decode() for key in self._store.list().result()}
    counts = [math.ceil(size / chunk) for size, chunk in zip(array.shape, array.chunks, strict=True)]
    if math.prod(counts) > len(self._keys):  # before a name is made of each
      raise FlanJaxError(f"{self.url}: {array.path} wants {math.prod(counts):,} chunks, more than there are files")
    wanted = {f"{array.path}/{'.'.join(map(str, index)) or '0'}" for index in np.ndindex(*counts)}
    if missing := sorted(wanted - {key.replace("//", "/") for key in self._keys}):
      raise FlanJaxError(f"{self.url}: {len(missing)} of {len(wanted)} chunks are missing: {missing[0]}")

  def _updated(self) -> bool:
    """Whether the optimizer has done a step, after which no second moment is zero."""
    return _STEP in self and bool(self.read(_STEP))


def open_arrays(url: str | os.PathLike) -> Arrays | None:
  """The arrays of a checkpoint folder; None where the folder is no T5X checkpoint.

  Args:
    url: a local path, or gs://bucket/path/checkpoint_1000.

  Raises:
    FlanJaxError: it is one, but cannot be read; says which file and why.
  """
  url = os.fspath(url).rstrip("/")
  store = _key_value_store(url)
  tree = _get(store, TREE_FILE, url)
  if tree is not None and not _is_aggregate(tree):
    return Arrays(url, LEGACY, store, _legacy_arrays(f"{url}/{TREE_FILE}", tree))
  for folder in (f"{url}/{ITEM}", url):
    store = _key_value_store(folder)
    if _get(store, _MANIFEST, folder) is not None:
      store = tensorstore.KvStore.open({"driver": "ocdbt", "base": store.spec().to_json()}).result()
    # Every T5 has it; a folder without it is not listed, which could take as long as the disk is large.
    if _get(store, "target.token_embedder.embedding/.zarray", folder) is not None:
      return Arrays(folder, ORBAX, store, _zarr_arrays(folder, store))
  return None


def _key_value_store(url: str) -> tensorstore.KvStore:
  try:
    if "://" in url:
      return tensorstore.KvStore.open(f"{url}/").result()
    return tensorstore.KvStore.open({"driver": "file", "path": f"{os.path.abspath(url)}/"}).result()
  except (ValueError, OSError) as error:
    raise _damaged(url, error) from error


def _get(store: tensorstore.KvStore, key: str, url: str) -> bytes | None:
  try:
    found = store.read(key).result()
  except (ValueError, OSError) as error:
    raise _damaged(f"{url}/{key}", error) from error
  return found.value if found.state == "value" else None


def _is_aggregate(content: bytes) -> bool:
  """Whether a file `checkpoint` is early Orbax's, which says where arrays are and holds none."""
  return b"PLACEHOLDER://" in content


# --- legacy: a msgpack tree ---


def _legacy_arrays(file: str, content: bytes) -> dict[str, np.ndarray | _Stored]:
  try:
    # Arrays in the tree are short lists of sizes; the limit keeps a broken length from allocating anything.
    tree = msgpack.unpackb(content, ext_hook=_extension, raw=False, max_array_len=64, strict_map_key=True)
    version = tree["version"]
    if version not in (2, VERSION):
      raise ValueError(f"version {version!r} of T5X's layout is not known (2 and 3 are)")
    leaves = dict(_leaves(tree["optimizer"]))
  except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError, msgpack.UnpackException) as e:
    raise _damaged(file, e) from e
  if not any(name.startswith("target.") for name in leaves):
    raise FlanJaxError(f"{file}: holds no parameters (optimizer/target)")
  return leaves


def _leaves(tree: Any, name: str = "") -> Iterator[tuple[str, np.ndarray | _Stored]]:
  if isinstance(tree, np.ndarray):
    yield name, tree
  elif not isinstance(tree, dict):
    if tree is not None and not isinstance(tree, int | float):
      raise ValueError(f"{name} is a {type(tree).__name__}, not an array")
    if tree is not None:
      yield name, np.asarray(tree)
  elif "__msgpack_chunked_array__" in tree:
    yield name, _joined(tree)
  elif "driver" in tree and "metadata" in tree:
    yield name, _of_spec(tree, name)
  else:
    for key, value in tree.items():
      yield from _leaves(value, f"{name}.{key}" if name else str(key))


def _of_spec(spec: Mapping[str, Any], name: str) -> _Stored:
  if spec["driver"] != "zarr":
    raise ValueError(f"{name} is kept by the driver {spec['driver']!r}, not zarr")
  # Only the folder's name is taken: drivers and buckets are those of where it was written.
  path = posixpath.normpath(spec["path"] if "path" in spec else spec["kvstore"]["path"])
  if path.startswith(("/", "..")):
    raise ValueError(f"{name} points out of the checkpoint: {path}")
  return _stored(path, spec["metadata"], spec.get("dtype") or spec["metadata"]["dtype"])


def _stored(path: str, metadata: Mapping[str, Any], dtype: str) -> _Stored:
  """Raises ValueError where the sizes of an array are none."""
  shape = metadata["shape"]
  chunks = metadata.get("chunks", shape)
  for sizes in (shape, chunks):
    if not isinstance(sizes, list) or not all(type(size) is int and size > 0 for size in sizes):
      raise ValueError(f"{path} has shape {shape!r:.80} in chunks of {chunks!r:.80}: wanted are whole numbers above 0")
  if len(shape) != len(chunks):
    raise ValueError(f"{path} has shape {shape!r:.80} in chunks of {chunks!r:.80}, of another number of axes")
  return _Stored(path, tuple(shape), tuple(chunks), _dtype(dtype))


def _extension(code: int, data: bytes) -> np.ndarray:
  if code not in (_EXT_ARRAY, _EXT_SCALAR):
    raise ValueError(f"msgpack extension {code} is not known")
  shape, dtype, buffer = msgpack.unpackb(data, raw=False, max_array_len=64)
  return np.frombuffer(buffer, _dtype(dtype)).reshape(shape)


def _joined(tree: Mapping[str, Any]) -> np.ndarray:
  """flax splits what is above 1 GiB into flat chunks."""
  shape = tuple(tree["shape"][str(i)] for i in range(len(tree["shape"])))
  return np.concatenate([tree["chunks"][str(i)] for i in range(len(tree["chunks"]))]).reshape(shape)


def _dtype(name: str) -> np.dtype:
  """The dtype of a name such as 'float32' or '<f4'; uint16 is what bfloat16 was stored as before version 3."""
  if name in ("uint16", "<u2"):
    return _DTYPES["bfloat16"]
  if name in _DTYPES:
    return _DTYPES[name]
  for dtype in _DTYPES.values():
    if name == dtype.str:
      return dtype
  raise ValueError(f"dtype {name!r} is not known")


# --- Orbax: zarr arrays in a database ---


def _zarr_arrays(url: str, store: tensorstore.KvStore) -> dict[str, np.ndarray | _Stored]:
  try:
    keys = [key.decode() for key in store.list().result()]
    names = sorted(key.removesuffix("/.zarray") for key in keys if key.endswith("/.zarray"))
    names = [name for name in names if name.startswith(("target.", "state."))]
    reading = [store.read(f"{name}/.zarray") for name in names]
    metadata = [json.loads(each.result().value) for each in reading]
    return {name: _stored(name, each, each["dtype"]) for name, each in zip(names, metadata, strict=True)}
  except (ValueError, OSError, KeyError, TypeError, AttributeError, RecursionError) as error:
    raise _damaged(url, error) from error


def _check_stored(array: _Stored, metadata: Mapping[str, Any]) -> None:
  """Raises ValueError where an array's own .zarray is of another array than the tree's, or not as T5X writes any."""
  dtype = "bfloat16" if array.dtype == ml_dtypes.bfloat16 else array.dtype.newbyteorder("<").str
  dtypes = ("bfloat16", "<u2") if dtype == "bfloat16" else (dtype,)
  faults = [
    f"{field} is {metadata[field]!r} where {wanted[0]!r} was written"
    for field, wanted in (
      ("dtype", dtypes),
      ("shape", (list(array.shape),)),
      ("chunks", (list(array.chunks),)),
      ("order", ("C",)),
    )
    if metadata[field] not in wanted
  ]
  if faults:
    raise ValueError(f".zarray: {', '.join(faults)}")


def _damaged(file: str, error: Exception) -> FlanJaxError:
  reason = str(error).splitlines()[0][:300] if str(error) else type(error).__name__
  return FlanJaxError(f"{file}: cannot be read as a T5X checkpoint ({reason})")
