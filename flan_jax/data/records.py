"""The records of many stores as one array of examples, read in batches.

Lengths alone plan a window of the stream, so a run over thousands of tasks holds 20 bytes an example (two lengths, a
checksum, a place) and no tokens. A record is one read, straight to its place among the rows, of a file that is open no
longer than its turn; it is compared with its CRC on the way, so that no flipped bit reaches the model.
"""

import itertools
import os
import pathlib
import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from flan_jax import errors
from flan_jax.data.segments import Sequences
from flan_jax.data.store import TaskStore, damaged


class Records:
  """Record i is example i - first[t] of store t, where first[t] <= i < first[t + 1].

  Attributes:
    first: int64 [stores + 1].
    lengths: int32 [records, features], tokens without EOS.
  """

  def __init__(self, stores: Sequence[TaskStore]):
    """Reads the index of each store, and none of its tokens.

    Raises:
      StoreError: an index is damaged.
      FlanJaxError: the stores have different types of tokens.
    """
    self._dtype = _token_dtype(stores)
    index = [store.index() for store in stores]
    self.first = np.cumsum([0, *map(len, index)])
    together = np.concatenate(index)
    self.lengths = together[:, :-1].copy()  # not a view, which would keep the checksums twice
    self._crc = together[:, -1].view(np.uint32).copy()
    sizes = self.lengths.sum(axis=1, dtype=np.int64) * self._dtype.itemsize
    self._begin = np.cumsum(sizes) - sizes  # of each record, in bytes, were all files one
    shards = [(store.folder / shard["file"], shard["examples"]) for store in stores for shard in _shards(store)]
    self._files = [path for path, _ in shards]
    self._first_of_file = np.cumsum([0, *(examples for _, examples in shards)])

  def read(self, records: Int64[np.ndarray, " n"]) -> list[Sequences]:
    """The tokens of some records, in the order asked for: one `Sequences` a feature, an EOS put behind each.

    The files are visited one after another, each from its front to its end.

    Raises:
      StoreError: a file is damaged.
    """
    lengths = self.lengths[records].astype(np.int64)
    sides = [Sequences.empty(column + 1, self._dtype) for column in lengths.T]
    order = np.argsort(records)
    lengths, records = lengths[order], records[order]
    views = [_pieces(side.tokens, side.starts[order], column) for side, column in zip(sides, lengths.T, strict=True)]
    parts = list(zip(*views, strict=True))
    sizes = (lengths.sum(axis=1) * self._dtype.itemsize).tolist()
    file = np.searchsorted(self._first_of_file, records, side="right") - 1
    offsets = (self._begin[records] - self._begin[self._first_of_file[file]]).tolist()
    crcs = self._crc[records].tolist()
    cuts = np.flatnonzero(np.diff(file, prepend=-1, append=-1)).tolist()
    for a, b in itertools.pairwise(cuts):
      _read_file(self._files[file[a]], offsets[a:b], sizes[a:b], crcs[a:b], parts[a:b])
    return sides


def record_crc(features: Sequence[np.ndarray]) -> int:
  """CRC-32 of a record's bytes; any one changed bit changes it."""
  return _crc([_bytes(tokens) for tokens in features])


def _shards(store: TaskStore) -> list[dict]:
  return [shard for shard in store.manifest["records"] if shard["examples"]]


def _token_dtype(stores: Sequence[TaskStore]) -> np.dtype:
  dtypes = {store.token_dtype: store for store in stores}
  if len(dtypes) > 1:
    told = ", ".join(f"{store.task} has {dtype}" for dtype, store in dtypes.items())
    raise errors.FlanJaxError(f"the stores were prepared with different vocabularies: the tokens of {told}")
  return next(iter(dtypes), np.dtype(np.int32))


def _pieces(tokens: np.ndarray, starts: Int64[np.ndarray, " n"], lengths: Int64[np.ndarray, " n"]) -> list[memoryview]:
  """The bytes of each stretch of tokens."""
  view, size = _bytes(tokens), tokens.itemsize
  return [view[a:b] for a, b in zip((starts * size).tolist(), ((starts + lengths) * size).tolist(), strict=True)]


def _read_file(
  path: pathlib.Path, offsets: list[int], sizes: list[int], crcs: list[int], parts: list[tuple[memoryview, ...]]
) -> None:
  try:
    file = os.open(path, os.O_RDONLY)
  except OSError as error:
    raise damaged(path, error.strerror or str(error)) from None
  try:
    for offset, size, crc, part in zip(offsets, sizes, crcs, parts, strict=True):
      if os.preadv(file, part, offset) != size:
        _read_on(file, offset, part)
      if _crc(part) != crc:
        raise damaged(path, f"the record at byte {offset} is not what was written")
  except OSError as error:
    raise damaged(path, error.strerror or str(error)) from None
  finally:
    os.close(file)


def _read_on(file: int, offset: int, parts: Sequence[memoryview]) -> None:
  """A file system may give less than was asked for: piece by piece, until all is there or the file ends."""
  for part in parts:
    done = 0
    while done < len(part):
      found = os.preadv(file, [part[done:]], offset + done)
      if not found:
        raise OSError(0, f"the file ends within the record at byte {offset}")
      done += found
    offset += len(part)


def _crc(parts: Sequence[memoryview]) -> int:
  crc = 0
  for part in parts:
    crc = zlib.crc32(part, crc)
  return crc


def _bytes(array: np.ndarray) -> memoryview:
  return array.view(np.uint8).data  # memoryview's own cast refuses empty arrays
