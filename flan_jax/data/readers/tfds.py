"""{tfds: "super_glue/rte:1.0.2", split: "train[:-200]"}: a prepared TensorFlow dataset, by name and version.

It is looked for in DATA_DIR/tfds, then where TFDS itself keeps datasets ($TFDS_DATA_DIR, or ~/tensorflow_datasets).
Nothing is downloaded, no code of a dataset is run, and TensorFlow is not imported: TFDS decodes with NumPy.
"""

import array
import bisect
import collections
import contextlib
import functools
import itertools
import json
import mmap
import os
import pathlib
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Int64

from flan_jax import errors
from flan_jax.data.readers import fingerprints
from flan_jax.data.readers.plain import plain

DEFAULT_SPLIT = "train"


class TfdsRows:
  """The examples of a split or a slice of one, in the order of the files; columns are the dataset's features.

  Texts are str, a ClassLabel is its number, a Sequence of features is a dict of lists (`answers.text.0` names one).
  """

  def __init__(self, folder: pathlib.Path, split: str):
    """Reads dataset_info.json and features.json.

    Raises:
      FlanJaxError: no such split, a format without random access, or a shard that is not there.
    """
    self.file = f"{folder}, {split}"
    self._folder = folder
    self._split = split
    info = _info(folder)
    self._features = info.features
    kind = str(info.file_format.value)
    if kind not in _SHARDS:
      raise errors.FlanJaxError(f"{folder}: it is prepared as {kind}; {' and '.join(_SHARDS)} are read")
    try:
      pieces = info.splits[split].file_instructions
    except (ValueError, KeyError) as error:
      raise errors.FlanJaxError(f"{folder}: split {split!r}: {_first_line(error)}") from None
    self._paths = [pathlib.Path(piece.filename) for piece in pieces]
    self._skips = [piece.skip for piece in pieces]
    self._ends = list(itertools.accumulate(piece.take for piece in pieces))
    absent = [path for path in self._paths if not path.is_file()]
    if absent:
      raise errors.FlanJaxError(f"{absent[0]}: the shard is not there; prepare the dataset again")
    starts: dict[pathlib.Path, np.ndarray] = {}
    # An open file is a file descriptor, so few are kept; where the records of a file start is, once it is known.
    self._shard = functools.lru_cache(maxsize=16)(lambda path: _SHARDS[kind](path, starts))

  def __len__(self) -> int:
    return self._ends[-1] if self._ends else 0

  def read(self, row: int) -> dict[str, Any]:
    piece, within = self._find(row)
    content = self._shard(self._paths[piece]).record(within)
    try:
      example = self._features.deserialize_example_np(content)
    except Exception as error:  # protobuf, NumPy and TFDS each raise their own for bytes that are not such an example
      raise ValueError(f"the example does not decode: {_first_line(error)}") from None
    return plain(example)

  def id(self, row: int) -> str:
    """'SHARD:NUMBER IN IT', which a slice does not change."""
    piece, within = self._find(row)
    return f"{_shard_number(self._paths[piece])}:{within}"

  def place(self, row: int) -> str:
    piece, within = self._find(row)
    return f"{self._paths[piece]}, row {within}"

  def fingerprint(self) -> str:
    """Of the split's name, the two descriptions, and each shard's size and ends; not of all bytes."""
    described = (self._folder / name for name in (_INFO, _FEATURES))
    return fingerprints.of_ends([*filter(pathlib.Path.is_file, described), *self._paths], self._split)

  def _find(self, row: int) -> tuple[int, int]:
    """The shard in which a row is, and its number there."""
    if not 0 <= row < len(self):
      raise IndexError(f"{self.file}: row {row} of {len(self)}")
    piece = bisect.bisect_right(self._ends, row)
    return piece, row - (self._ends[piece - 1] if piece else 0) + self._skips[piece]


def open_tfds(entry: Mapping[str, Any], data_dir: pathlib.Path) -> TfdsRows:
  """The rows of {tfds: NAME/CONFIG:VERSION, split: SPLIT}. Raises FlanJaxError where that version is not prepared."""
  wanted = _folder(entry)
  for root in (data_dir / "tfds", _own_root()):
    if (root / wanted / _INFO).is_file():
      return TfdsRows(root / wanted, str(entry.get("split", DEFAULT_SPLIT)))
  raise errors.FlanJaxError(f"{data_dir / 'tfds' / wanted}: not there. {how_to_prepare(entry, data_dir)}")


def needs_tfds(entry: Mapping[str, Any]) -> tuple[str, ...]:
  """The dataset's folder under the data folder, unless TFDS' own folder has it. Raises FlanJaxError for a bad name."""
  wanted = _folder(entry)
  return () if (_own_root() / wanted / _INFO).is_file() else (f"tfds/{wanted}/{_INFO}",)


def how_to_prepare(entry: Mapping[str, Any], data_dir: pathlib.Path) -> str:
  """The command that prepares the dataset, and which other versions are there: they are other data, so not taken."""
  wanted = _folder(entry)
  roots = (data_dir / "tfds", _own_root())
  other = sorted(path.parent.name for root in roots for path in root.glob(f"{wanted.parent}/*/{_INFO}"))
  there = f"There is version {', '.join(other)}, which the task does not ask for. " if other else ""
  load = f'tfds.load("{entry["tfds"]}", data_dir="{data_dir / "tfds"}")'
  return f"{there}To prepare it (this downloads): python -c 'import tensorflow_datasets as tfds; {load}'"


_INFO = "dataset_info.json"
_NAME = re.compile(r"(\w+)(/[\w.+-]+)?:(\d+\.\d+\.\d+)")


def _folder(entry: Mapping[str, Any]) -> pathlib.PurePath:
  match = _NAME.fullmatch(str(entry["tfds"]))
  if match is None:
    raise errors.FlanJaxError(
      f"tfds: {entry['tfds']!r} is not of the form NAME:VERSION or NAME/CONFIG:VERSION, such as super_glue/rte:1.0.2"
    )
  name, config, version = match.groups()
  return pathlib.PurePath(name, (config or "").lstrip("/"), version)


def _own_root() -> pathlib.Path:
  return pathlib.Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def _info(folder: pathlib.Path) -> Any:
  _refuse_foreign_classes(folder / _FEATURES)
  import tensorflow_datasets as tfds

  try:
    return tfds.builder_from_directory(folder).info
  except Exception as error:  # a damaged JSON file meets json, protobuf and TFDS' own errors
    raise errors.FlanJaxError(f"{folder}: not a prepared TensorFlow dataset: {_first_line(error)}") from None


def _refuse_foreign_classes(path: pathlib.Path) -> None:
  """TFDS imports the module of every class that features.json names: only its own may be, or a file would run code.

  Raises:
    FlanJaxError: naming the class, or why the file does not read.
  """
  try:
    foreign = next((name for name in _class_names(path) if not name.startswith(_OWN_CLASSES)), None)
  except (OSError, ValueError, RecursionError) as error:
    raise errors.FlanJaxError(f"{path}: not a prepared TensorFlow dataset: {_first_line(error)}") from None
  if foreign is not None:
    raise errors.FlanJaxError(
      f"{path}: refused: it names the class {foreign!r}, whose module would be imported; only features of "
      "tensorflow_datasets itself are read"
    )


def _class_names(path: pathlib.Path) -> Iterator[str]:
  """All texts that TFDS takes for a class, in what it writes now and wrote before; JSON within a text is JSON too."""
  waiting = [json.loads(path.read_text(encoding="utf-8"))]
  while waiting:
    value = waiting.pop()
    if isinstance(value, dict):
      yield from (value[key] for key in _CLASS_KEYS if isinstance(value.get(key), str))
      waiting.extend(value.values())
    elif isinstance(value, list):
      waiting.extend(value)
    elif isinstance(value, str) and value.lstrip()[:1] in ("{", "[", '"'):
      with contextlib.suppress(ValueError):  # a description in brackets
        waiting.append(json.loads(value))


_FEATURES = "features.json"
_CLASS_KEYS = ("pythonClassName", "python_class_name", "type")
_OWN_CLASSES = "tensorflow_datasets."


def _first_line(error: Exception) -> str:
  return str(error).strip().partition("\n")[0] or type(error).__name__


def _shard_number(path: pathlib.Path) -> str:
  numbers = re.findall(r"(\d{5,})-of-\d{5,}", path.name)
  return str(int(numbers[-1])) if numbers else path.name


class _Shard(Protocol):
  """One file of records by number; `record` raises ValueError with the reason."""

  def record(self, number: int) -> bytes: ...


class _TfRecordShard:
  """Records framed by their lengths: length (8 bytes), its CRC (4), bytes, their CRC (4). 8 bytes a record are held."""

  def __init__(self, path: pathlib.Path, starts: dict[pathlib.Path, Int64[np.ndarray, " records"]]):
    with path.open("rb") as file:
      empty = os.fstat(file.fileno()).st_size == 0
      self._bytes = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    if path not in starts:
      starts[path] = self._found_starts()
    self._starts = starts[path]

  def record(self, number: int) -> bytes:
    if number >= len(self._starts):
      raise ValueError(f"the shard is cut short: it ends, or is no longer readable, after {len(self._starts)} records")
    start = int(self._starts[number])
    (length,) = _LENGTH.unpack_from(self._bytes, start)
    return self._bytes[start + _HEAD : start + _HEAD + length]

  def _found_starts(self) -> Int64[np.ndarray, " records"]:
    starts, at = array.array("q"), 0
    while at + _HEAD <= len(self._bytes):
      (length,) = _LENGTH.unpack_from(self._bytes, at)
      end = at + _HEAD + length + _CRC
      if end > len(self._bytes):
        break
      starts.append(at)
      at = end
    return np.array(starts, np.int64)


_LENGTH = struct.Struct("<Q")
_CRC = 4
_HEAD = _LENGTH.size + _CRC


class _ArrayRecordShard:
  """ArrayRecord has an index of its own, but a call a record is slow: blocks are read, and a few of them held."""

  def __init__(self, path: pathlib.Path, starts: object):
    del starts  # the file says itself
    from array_record.python import array_record_module

    self._reader = array_record_module.ArrayRecordReader(str(path))
    self._blocks: collections.OrderedDict[int, list[bytes]] = collections.OrderedDict()

  def record(self, number: int) -> bytes:
    block = number // _BLOCK
    records = self._blocks.get(block)
    if records is None:
      count = self._reader.num_records()
      if number >= count:
        raise ValueError(f"the shard is cut short or has lost its index: {count} records are found in it")
      records = self._read(range(block * _BLOCK, min((block + 1) * _BLOCK, count)))
      if records is None:  # one damaged record is no reason to lose those beside it
        (record,) = self._read([number]) or [None]
        if record is None:
          raise ValueError("the shard is damaged here: ArrayRecord's checksums do not match")
        return record
      self._blocks[block] = records
      if len(self._blocks) > _BLOCKS:
        self._blocks.popitem(last=False)
    return records[number % _BLOCK]

  def _read(self, numbers: Sequence[int]) -> list[bytes] | None:
    try:
      return self._reader.read(numbers)
    except Exception:  # the library's own, and its texts are about Riegeli's chunks
      return None


_BLOCK, _BLOCKS = 32, 8  # records a block, blocks a shard
_SHARDS = {"tfrecord": _TfRecordShard, "array_record": _ArrayRecordShard}
