"""{csv: FILE}: RFC 4180, so cells in quotes may hold delimiters, line breaks and, doubled, quotes.

The columns are those of the first record, or `columns: [...]` where the file has no header. `delimiter: ";"` reads
files with semicolons.
"""

import array
import csv
import functools
import mmap
import pathlib
import re
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import xxhash
from jaxtyping import Int64

from flan_jax import errors


class CsvRows:
  """Records through mmap: memory holds two numbers a record (16 bytes), never the file."""

  def __init__(self, path: pathlib.Path, columns: tuple[str, ...], delimiter: str):
    """Opens the file; without `columns` its first record is the header.

    Raises:
      FlanJaxError: the file is empty, its header is malformed, or the delimiter is no single character.
    """
    self.file = str(path)
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '"\r\n':
      raise errors.FlanJaxError(f"{path}: the delimiter is {delimiter!r}, not one ASCII character such as ',' or ';'")
    if path.stat().st_size == 0:
      raise errors.FlanJaxError(f"{path}: the file is empty")
    with path.open("rb") as file:
      self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    self._delimiter = delimiter
    self._record = _record_pattern(delimiter)
    # The limit of a cell's length is one of the whole process; 128 KiB, the default, is less than a long article.
    csv.field_size_limit(sys.maxsize)
    self._start = 3 if self._bytes[:3] == b"\xef\xbb\xbf" else 0
    self._columns = columns or self._header()

  def __len__(self) -> int:
    return len(self._starts)

  def read(self, row: int) -> dict[str, Any]:
    cells = self._cells(int(self._starts[row]))
    if len(cells) != len(self._columns):
      raise ValueError(f"{len(cells)} columns instead of {len(self._columns)} ({', '.join(self._columns)})")
    return dict(zip(self._columns, cells, strict=True))

  def id(self, row: int) -> str:
    """The line, from 1, on which the record starts."""
    return str(self._lines[row])

  def place(self, row: int) -> str:
    return f"{self.file}:{self._lines[row]}"

  def fingerprint(self) -> str:
    """Of all bytes."""
    return f"{xxhash.xxh3_64_intdigest(self._bytes, seed=len(self._bytes)):016x}"

  def _header(self) -> tuple[str, ...]:
    try:
      columns = tuple(self._cells(self._start))
    except ValueError as error:
      raise errors.FlanJaxError(f"{self.file}:1: the header: {error}") from None
    self._start = self._record.match(self._bytes, self._start).end()
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice or not any(columns):
      what = f"names {', '.join(map(repr, twice))} twice" if twice else "is blank"
      raise errors.FlanJaxError(f"{self.file}:1: the header {what}; a file without one needs `columns: [...]`")
    return columns

  def _cells(self, start: int) -> list[str]:
    text = self._record.match(self._bytes, start)[0].decode("utf-8")
    try:
      (cells,) = csv.reader([text], delimiter=self._delimiter, strict=True)
    except csv.Error as error:
      raise ValueError(_REASONS.get(str(error), str(error))) from None
    return cells

  @property
  def _starts(self) -> Int64[np.ndarray, " records"]:
    return self._scanned[0]

  @property
  def _lines(self) -> Int64[np.ndarray, " records"]:
    return self._scanned[1]

  @functools.cached_property
  def _scanned(self) -> tuple[Int64[np.ndarray, " records"], Int64[np.ndarray, " records"]]:
    """Where each record starts, and on which line. Blank lines are no records, like in files of lines."""
    starts, lines = array.array("q"), array.array("q")
    at, line = self._start, 1 + self._bytes[: self._start].count(b"\n")
    while at < len(self._bytes):
      record = self._record.match(self._bytes, at)[0]
      if record not in (b"\n", b"\r\n"):
        starts.append(at)
        lines.append(line)
      at, line = at + len(record), line + record.count(b"\n")
    return np.array(starts, np.int64), np.array(lines, np.int64)


def open_csv(entry: Mapping[str, Any], data_dir: pathlib.Path) -> CsvRows:
  """The rows of {csv: FILE, columns: [...], delimiter: ","}."""
  columns = tuple(map(str, entry.get("columns", ())))
  return CsvRows(data_dir / entry["csv"], columns, str(entry.get("delimiter", ",")))


def _record_pattern(delimiter: str) -> re.Pattern[bytes]:
  # A quote opens only at a cell's start. One that never closes takes the rest of the file, and is told as malformed.
  comma = re.escape(delimiter).encode()
  cell = rb'(?:"[^"]*+(?:""[^"]*+)*+"?+)?+[^' + comma + rb"\n]*+"
  return re.compile(cell + rb"(?:" + comma + cell + rb")*+\n?+")


_REASONS = {"unexpected end of data": "a cell's closing quote is missing, and the rest of the file is taken for it"}
