"""The store of one task: clean tokens by feature, read at random, beside lengths and what made each example.

A store is a folder that nothing changes once it stands (`store_writing` puts it there whole or not at all):

    manifest.json                 what shaped the records, counts, what was left out and why, checksums; for people too
    index.npz                     lengths and origins of all examples, in order
    records-00000.array_record    the examples: int32 [features] lengths, then each feature's tokens without EOS
    records-00001.array_record    ...

Lengths alone plan a window of the stream, so a run over thousands of tasks holds 8 bytes an example and no tokens.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xxhash
from array_record.python import array_record_module
from jaxtyping import Int, Int32

from flan_jax import errors

MANIFEST, INDEX = "manifest.json", "index.npz"
_OPEN_FILES = 256  # of the 1,024 descriptors that a process usually may have; opening another costs 0.2 ms


class StoreError(errors.FlanJaxError):
  """A store is damaged; says which file and what to do."""


@dataclasses.dataclass(frozen=True)
class Origin:
  """What made one example of a store. A task of the user's SeqIO module has no wording ('') and the format 'seqio'."""

  example_id: str
  wording: str
  format: str
  shots: int


@dataclasses.dataclass(frozen=True, eq=False)
class TaskStore:
  """The prepared training examples of one task.

  Attributes:
    task: full name.
    folder: where the files are.
    rate: how often a mixture draws from it, in examples: min(its examples, its cap), or what a SeqIO mixture says.
    manifest: the content of manifest.json.
  """

  task: str
  folder: pathlib.Path
  rate: float
  manifest: dict[str, Any]

  def __len__(self) -> int:
    return self.manifest["examples"]

  @property
  def features(self) -> tuple[str, ...]:
    """Names of the features, in the order of `lengths`' columns."""
    return tuple(self.manifest["features"])

  @functools.cached_property
  def lengths(self) -> Int32[np.ndarray, "examples features"]:
    """Tokens of each example by feature, without EOS."""
    return self._index("lengths")["lengths"]

  def read(self, examples: Sequence[int] | Int[np.ndarray, "n"]) -> dict[str, list[np.ndarray]]:
    """The clean tokens of some examples, int32 by feature, in the order asked for; one batched read a file.

    Raises:
      StoreError: a file is damaged.
    """
    wanted = np.asarray(examples, np.int64)
    starts = np.cumsum([0, *(shard["examples"] for shard in self.manifest["records"])])
    shard_of = np.searchsorted(starts, wanted, side="right") - 1
    records: list[bytes] = [b""] * len(wanted)
    for shard in np.unique(shard_of).tolist():
      places = np.flatnonzero(shard_of == shard)
      found = self._records(shard, (wanted[places] - starts[shard]).tolist())
      for place, record in zip(places.tolist(), found, strict=True):
        records[place] = record
    return self._decoded(records)

  def origins(self, examples: Sequence[int] | Int[np.ndarray, "n"]) -> list[Origin]:
    """What made each of some examples."""
    columns = self._origins
    return [
      Origin(
        columns["example_id"][i].decode(),
        str(columns["wordings"][columns["wording"][i]]),
        str(columns["formats"][columns["format"][i]]),
        int(columns["shots"][i]),
      )
      for i in map(int, examples)
    ]

  @functools.cached_property
  def _origins(self) -> dict[str, np.ndarray]:
    return self._index("example_id", "wording", "wordings", "format", "formats", "shots")

  def _index(self, *names: str) -> dict[str, np.ndarray]:
    path = self.folder / INDEX
    try:
      with np.load(path, allow_pickle=False) as content:
        return {name: content[name] for name in names}
    except Exception as error:  # zipfile, zlib, numpy and the system each have errors of their own for a damaged file
      raise _damaged(path, str(error)) from None

  def _records(self, shard: int, indices: list[int]) -> list[bytes]:
    path = self.folder / self.manifest["records"][shard]["file"]
    try:
      return _reader(str(path)).read(indices)
    except Exception as error:  # ArrayRecord's C++ status comes as RuntimeError, ValueError or IndexError
      raise _damaged(path, str(error)) from None

  def _decoded(self, records: list[bytes]) -> dict[str, list[np.ndarray]]:
    features, dtype = self.features, np.dtype(self.manifest["token_dtype"])
    out: dict[str, list[np.ndarray]] = {feature: [] for feature in features}
    for record in records:
      tokens = np.frombuffer(record, dtype, offset=4 * len(features)).astype(np.int32)
      start = 0
      for feature, length in zip(features, np.frombuffer(record, np.int32, len(features)).tolist(), strict=True):
        out[feature].append(tokens[start : start + length])
        start += length
    return out


def open_store(folder: pathlib.Path, rate: float | None = None) -> TaskStore:
  """The store in a folder, after a look at its files' sizes (a cut file is found here, flipped bits by `damages`).

  Args:
    folder: of one task and key.
    rate: see `TaskStore`; None for as many as it has examples.

  Raises:
    StoreError: no whole store is there.
  """
  path = folder / MANIFEST
  try:
    manifest = json.loads(path.read_bytes())
    files = [manifest["index"], *manifest["records"]]
    rate = manifest["examples"] if rate is None else rate
    store = TaskStore(manifest["task"], folder, float(rate), manifest)
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise _damaged(path, str(error)) from None
  for entry in files:
    file = folder / entry["file"]
    size = file.stat().st_size if file.exists() else 0
    if size != entry["bytes"]:
      raise _damaged(file, f"{size} bytes where the manifest says {entry['bytes']}")
  return store


def damages(store: TaskStore) -> list[str]:
  """The files whose bytes are not those that were written, by checksum; reads everything."""
  entries = [store.manifest["index"], *store.manifest["records"]]
  return [entry["file"] for entry in entries if checksum(store.folder / entry["file"]) != entry["xxh3"]]


def checksum(path: pathlib.Path) -> str:
  """xxh3 of a file's bytes, 16 hexadecimal digits."""
  state = xxhash.xxh3_64()
  with path.open("rb") as file:
    while block := file.read(1 << 20):
      state.update(block)
  return state.hexdigest()


@functools.lru_cache(maxsize=_OPEN_FILES)
def _reader(path: str) -> array_record_module.ArrayRecordReader:
  return array_record_module.ArrayRecordReader(path)  # closes its file when the cache lets it go


def _damaged(path: pathlib.Path, reason: str) -> StoreError:
  return StoreError(f"{path}: {reason}. The store is damaged: delete {path.parent}, the next run prepares it again")
