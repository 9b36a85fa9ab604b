"""The store of one task: clean tokens by feature, read at random, beside lengths and what made each example.

A store is a folder that nothing changes once it stands (`store_writing` puts it there whole or not at all):

    manifest.json       what shaped the records, counts, what was left out and why, checksums; for people too
    tokens-00000.bin    the records, one after another: each feature's tokens without EOS, little-endian
    tokens-00001.bin    ...
    index.npy           int32 [examples, features + 1]: the length of each feature, and the record's CRC-32
    origins.npz         what made each example

Records are ordered by variant: all examples of variant 0, then all of variant 1. `records` reads them.
"""

import dataclasses
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import xxhash
from jaxtyping import Int, Int32

from flan_jax import errors

MANIFEST, INDEX, ORIGINS = "manifest.json", "index.npy", "origins.npz"
# The arrays of origins.npz, see `origins.Origins`; the variant is told by a record's place.
ORIGIN_COLUMNS = ("example_id", "wordings", "wording", "formats", "format", "shots")


class StoreError(errors.FlanJaxError):
  """A store is damaged; says which file and what to do."""


@dataclasses.dataclass(frozen=True)
class Origin:
  """What made one example of a store. A task of the user's SeqIO module has no wording ('') and the format 'seqio'."""

  example_id: str
  wording: str
  format: str
  shots: int
  variant: int = 0


@dataclasses.dataclass(frozen=True, eq=False)
class TaskStore:
  """The prepared training examples of one task.

  Attributes:
    task: full name.
    folder: where the files are.
    rate: how often a mixture draws from it, in examples: see `mixtures.rates`, or what a SeqIO mixture says.
    manifest: the content of manifest.json.
    limit: how many examples are used, at most; see `limits`. None for all.
  """

  task: str
  folder: pathlib.Path
  rate: float
  manifest: dict[str, Any]
  limit: int | None = None

  def __len__(self) -> int:
    """Records, those of all variants."""
    return self.manifest["examples"]

  @property
  def features(self) -> tuple[str, ...]:
    """Names of the features, in the order of `lengths`' columns."""
    return tuple(self.manifest["features"])

  @property
  def variants(self) -> tuple[int, ...]:
    """How many examples each variant has; a rendering that fits no row may be missing from one and not from another."""
    return tuple(self.manifest["variants"])

  @property
  def token_dtype(self) -> np.dtype:
    return np.dtype(self.manifest["token_dtype"])

  @property
  def lengths(self) -> Int32[np.ndarray, "examples features"]:
    """Tokens of each record by feature, without EOS."""
    return self.index()[:, :-1]

  def index(self) -> Int32[np.ndarray, "examples columns"]:
    """The content of index.npy, read anew at each call."""
    return _loaded(self.folder / INDEX)

  def origins(self, examples: Sequence[int] | Int[np.ndarray, " n"]) -> list[Origin]:
    """What made each of some records."""
    columns = self._origins
    return [
      Origin(
        columns["example_id"][i].decode(),
        str(columns["wordings"][columns["wording"][i]]),
        str(columns["formats"][columns["format"][i]]),
        int(columns["shots"][i]),
        int(np.searchsorted(np.cumsum(self.variants), i, side="right")),
      )
      for i in map(int, examples)
    ]

  def example_ids(self) -> list[str]:
    """The example of each record, read anew at each call."""
    with _loaded(self.folder / ORIGINS) as content:
      return [each.decode() for each in content["example_id"].tolist()]

  def formats(self) -> tuple[list[str], Int32[np.ndarray, " examples"]]:
    """Names of formats, and the index of each record's among them; read anew at each call."""
    with _loaded(self.folder / ORIGINS) as content:
      return content["formats"].tolist(), content["format"].astype(np.int32)

  @functools.cached_property
  def _origins(self) -> dict[str, np.ndarray]:
    with _loaded(self.folder / ORIGINS) as content:
      return dict(content)


def open_store(folder: pathlib.Path, rate: float | None = None, limit: int | None = None) -> TaskStore:
  """The store in a folder, after a look at its files' sizes (a cut file is found here, a flipped bit when it is read).

  Args:
    folder: of one task and key.
    rate: see `TaskStore`; None for as many as the task has examples.
    limit: see `TaskStore`.

  Raises:
    StoreError: no whole store is there.
  """
  path = folder / MANIFEST
  try:
    manifest = json.loads(path.read_bytes())
    if manifest.pop("xxh3") != digest(manifest):
      raise ValueError("it is not what was written")
    store = TaskStore(
      manifest["task"], folder, float(manifest["variants"][0] if rate is None else rate), manifest, limit
    )
  except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
    raise damaged(path, str(error)) from None
  for entry in _files(manifest):
    file = folder / entry["file"]
    size = file.stat().st_size if file.exists() else 0
    if size != entry["bytes"]:
      raise damaged(file, f"{size} bytes where the manifest says {entry['bytes']}")
  return store


def digest(manifest: dict[str, Any]) -> str:
  """xxh3 of a manifest's content, which its last entry, `xxh3`, is not part of."""
  return xxhash.xxh3_64_hexdigest(json.dumps(manifest, sort_keys=True).encode())


def damages(store: TaskStore) -> list[str]:
  """The files whose bytes are not those that were written, by checksum; reads everything."""
  return [entry["file"] for entry in _files(store.manifest) if checksum(store.folder / entry["file"]) != entry["xxh3"]]


def checksum(path: pathlib.Path) -> str:
  """xxh3 of a file's bytes, 16 hexadecimal digits."""
  state = xxhash.xxh3_64()
  with path.open("rb") as file:
    while block := file.read(1 << 20):
      state.update(block)
  return state.hexdigest()


def _files(manifest: dict[str, Any]) -> list[dict[str, Any]]:
  return [manifest["index"], manifest["origins"], *manifest["records"]]


def _loaded(path: pathlib.Path) -> Any:
  try:
    return np.load(path, allow_pickle=False)
  except Exception as error:  # zipfile, zlib, numpy and the system each have errors of their own for a damaged file
    raise damaged(path, str(error)) from None


def damaged(path: pathlib.Path, reason: str) -> StoreError:
  """The error for a file that is not as it was written."""
  return StoreError(
    f"{path}: {reason}. The store is damaged: 'flan-jax prepare MIXTURE --verify' repairs it, or delete {path.parent} "
    "and the next run prepares it again"
  )
