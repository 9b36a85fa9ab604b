"""What a reader gives: raw records by random access, each with a stable id and a place that a person can look at."""

import dataclasses
import functools
import mmap
import pathlib
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import numpy as np
import xxhash

from flan_jax import errors


class NoExample(Exception):  # noqa: N818 (no error: the file is as it should be)
  """The record is sound but gives no example; `str()` is the reason, and how often it was met is counted."""


@dataclasses.dataclass(frozen=True)
class Problem:
  """A malformed record, or a file that gives nothing, told rather than dropped: `str()` gives 'file:line: reason'."""

  place: str
  reason: str

  def __str__(self) -> str:
    return f"{self.place}: {self.reason}"


@runtime_checkable
class Rows(Protocol):
  """Numbered raw records. Opening is cheap; a record is read when it is asked for.

  Publishers who give solved examples have them in two more methods, `exemplars()` and `negatives()`, lists of records.
  Where other readers make other records of the same file, `original(row)` is a text that is the same in all of them.

  Attributes:
    file: the path, for people.
  """

  file: str

  def __len__(self) -> int: ...

  def read(self, row: int) -> dict[str, Any]:
    """Columns of texts, numbers, booleans, None, and lists or dicts of these.

    Raises:
      ValueError: the record is malformed, with the reason.
      NoExample: it is sound but gives no example.
    """
    ...

  def id(self, row: int) -> str:
    """Stable while the file is, unique in it: the record's own id where it has one, else its line or number."""
    ...

  def place(self, row: int) -> str:
    """'FILE:118' (a line, from 1), or 'FILE, row 17' (from 0) where there are no lines."""
    ...

  def fingerprint(self) -> str:
    """16 hexadecimal digits that change when the content does."""
    ...


class LineRows:
  """Lines of a UTF-8 file through mmap: memory holds two numbers a line (16 bytes), never the file."""

  def __init__(self, path: pathlib.Path, parse: Callable[[str], dict[str, Any]], first_line: int = 0):
    """A row a line that is not blank.

    Args:
      parse: from a line to its record; raises ValueError or NoExample.
      first_line: the lines before this one, counted from 0, are no records.

    Raises:
      FlanJaxError: the file is empty.
    """
    self.file = str(path)
    self._parse = parse
    if path.stat().st_size == 0:
      raise errors.FlanJaxError(f"{path}: the file is empty")
    with path.open("rb") as file:
      self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    self._first_line = first_line
    self._start = 3 if self._bytes[:3] == b"\xef\xbb\xbf" else 0  # the byte order mark of Windows' editors

  @functools.cached_property
  def _ends(self) -> np.ndarray:
    """Where each line ends."""
    content = np.frombuffer(self._bytes, np.uint8)
    blocks = range(0, len(content), _BLOCK)  # so that no mask as long as the file is made
    ends = np.concatenate([at + np.flatnonzero(content[at : at + _BLOCK] == ord("\n")) for at in blocks])
    if len(ends) == 0 or ends[-1] != len(self._bytes) - 1:
      ends = np.append(ends, len(self._bytes))  # the last line may lack its line break
    return ends

  @functools.cached_property
  def _lines(self) -> np.ndarray:
    """The lines that are records, from 0."""
    starts = np.concatenate([[0], self._ends[:-1] + 1])
    starts[0] = self._start
    # Blank lines are no records (files end with them), so they are neither examples nor problems.
    lines = np.flatnonzero(self._ends > starts)
    lines = lines[lines >= self._first_line]
    first_bytes = np.frombuffer(self._bytes, np.uint8)[starts[lines]]
    may_be_blank = lines[first_bytes == ord("\r")]  # few: the line breaks of Windows after no text
    blank = [line for line in may_be_blank.tolist() if not self._bytes[starts[line] : self._ends[line]].strip(b"\r")]
    return np.setdiff1d(lines, blank, assume_unique=True) if blank else lines

  def __len__(self) -> int:
    return len(self._lines)

  def read(self, row: int) -> dict[str, Any]:
    """The record of a line; see Rows."""
    line = int(self._lines[row])
    start = int(self._ends[line - 1]) + 1 if line else self._start
    return self._parse(self._bytes[start : int(self._ends[line])].decode("utf-8").rstrip("\r"))

  def id(self, row: int) -> str:
    """The line in the file, from 1."""
    return str(int(self._lines[row]) + 1)

  def place(self, row: int) -> str:
    """'FILE:LINE'."""
    return f"{self.file}:{self.id(row)}"

  def fingerprint(self) -> str:
    """Of all bytes."""
    return f"{xxhash.xxh3_64_intdigest(self._bytes, seed=len(self._bytes)):016x}"


_BLOCK = 1 << 22
