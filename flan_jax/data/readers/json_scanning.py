"""Finds the parts of a JSON file without parsing them: where each member of an object or element of an array lies.

A file is scanned once, as bytes (a mmap is as good), by regular expressions that know strings and brackets; what is
kept is three numbers an element. A part is parsed when it is asked for, and that is when it is found to be malformed.
"""

import array
import dataclasses
import json
import mmap
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Int64

from flan_jax import errors


@dataclasses.dataclass(frozen=True, slots=True)
class Span:
  """Where one JSON value lies in a file: bytes [start, end)."""

  start: int
  end: int


@dataclasses.dataclass(frozen=True, eq=False, slots=True)
class Elements:
  """Where the elements of an array lie: bytes [start, end) of each, and the line from 1 on which it starts."""

  starts: Int64[np.ndarray, " n"]
  ends: Int64[np.ndarray, " n"]
  lines: Int64[np.ndarray, " n"]

  def __len__(self) -> int:
    return len(self.starts)


class JsonFile:
  """A JSON file by its parts.

  file = JsonFile(pathlib.Path("tasks/task1.json"))           # {"Definition": [...], "Instances": [{...}, ...]}
  parts = file.members(file.root)                             # {"Definition": Span, "Instances": Span}
  instances = file.elements(parts["Instances"])               # scanned, not parsed
  file.value(parts["Definition"]), file.value(instances, 7)   # parsed
  """

  def __init__(self, path: pathlib.Path):
    """Opens it; nothing is read. Raises FlanJaxError for an empty or unreadable file."""
    self.file = str(path)
    self._counted = 0, 1  # an offset and its line
    try:
      with path.open("rb") as file:
        self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:  # mmap's word for it
      raise errors.FlanJaxError(f"{path}: the file is empty") from None
    except OSError as error:
      raise errors.FlanJaxError(f"{path}: {error.strerror or error}") from None

  @property
  def root(self) -> Span:
    """The value that the file is, as yet unscanned. Raises FlanJaxError for a file of white space."""
    end = len(self.bytes)
    while end and self.bytes[end - 1] in _SPACES:
      end -= 1
    start = len(_BYTE_ORDER_MARK) if self.bytes[:3] == _BYTE_ORDER_MARK else 0
    if start >= end:
      raise errors.FlanJaxError(f"{self.file}: the file is empty")
    return Span(self._skipped(start), end)

  def kind(self, span: Span) -> str:
    """'object', 'array', or 'value' for a string, number, true, false or null."""
    return {b"{": "object", b"[": "array"}.get(self.bytes[span.start : span.start + 1], "value")

  def members(self, span: Span) -> dict[str, Span]:
    """Where the value of each key of an object lies. Raises FlanJaxError if it is no object or not well formed."""
    if self.kind(span) != "object":
      raise self._error(span.start, f"a JSON object was expected, not {self._told(span)}")
    found, at = {}, span.start
    while (at := self._next(at, span, first=not found)) is not None:
      key = self._value_at(at)
      colon = self._skipped(key.end)
      if self._byte(at) != b'"' or self._byte(colon) != b":":
        raise self._error(at, "a key in quotes and a colon were expected")
      value = self._value_at(self._skipped(colon + 1))
      found[self._key(key)] = value
      at = value.end
    return found

  def elements(self, span: Span) -> Elements:
    """Where the elements of an array lie. Raises FlanJaxError if it is no array or not well formed."""
    if self.kind(span) != "array":
      raise self._error(span.start, f"a JSON array was expected, not {self._told(span)}")
    starts, ends, lines = (array.array("q") for _ in range(3))
    for element in self._each(span):
      starts.append(element.start)
      ends.append(element.end)
      lines.append(self.line(element.start))
    return Elements(*(np.frombuffer(numbers, np.int64) if numbers else _NONE for numbers in (starts, ends, lines)))

  def value(self, part: Span | Elements, index: int | None = None) -> Any:
    """One value, parsed: a span, or an element by its index. Raises ValueError with the reason if it is malformed."""
    if isinstance(part, Elements):
      part = Span(int(part.starts[index]), int(part.ends[index]))
    return parsed(self.bytes[part.start : part.end])

  def line(self, offset: int) -> int:
    """The line, from 1, of a byte."""
    counted, line = self._counted if self._counted[0] <= offset else (0, 1)
    for start in range(counted, offset, 1 << 20):
      line += self.bytes[start : min(start + (1 << 20), offset)].count(b"\n")
    self._counted = offset, line  # who asks in the order of the file counts each byte once
    return line

  def _each(self, span: Span) -> Iterator[Span]:
    at, first = span.start, True
    while (at := self._next(at, span, first)) is not None:
      element = self._value_at(at)
      yield element
      at, first = element.end, False

  def _next(self, at: int, span: Span, first: bool) -> int | None:
    """Where the next key or element of `span` starts, the last one ending at `at`; None if there is none."""
    bracket = b"}" if self.kind(span) == "object" else b"]"
    at = self._skipped(at + 1 if first else at)
    byte = self._byte(at)
    if byte == bracket:
      if at + 1 != span.end:
        raise self._error(self._skipped(at + 1), f"something follows the {self.kind(span)}'s end")
      return None
    if byte == b"":
      raise self._error(span.start, f"the {self.kind(span)} that starts here does not end")
    if first:
      return at
    if byte != b",":
      raise self._error(at, f"',' or '{bracket.decode()}' was expected")
    return self._skipped(at + 1)

  def _value_at(self, at: int) -> Span:
    """The value that starts here; of an object or array only the brackets are looked at."""
    first = self._byte(at)
    if first not in (b"{", b"["):
      match = _SCALAR.match(self.bytes, at)
      if match is None:
        raise self._error(at, "the file ends within a value" if first in (b"", b'"') else "a JSON value was expected")
      return Span(at, match.end())
    depth, end = 1, at + 1
    while depth:
      match = _TO_BRACKET.match(self.bytes, end)
      if match is None:
        raise self._error(at, f"the {self.kind(Span(at, at))} that starts here does not end")
      depth += 1 if match[1] in b"{[" else -1
      end = match.end()
    return Span(at, end)

  def _key(self, span: Span) -> str:
    try:
      return self.value(span)
    except ValueError as error:
      raise self._error(span.start, f"not a key: {error}") from None

  def _skipped(self, at: int) -> int:
    return _SPACE.match(self.bytes, at).end()

  def _byte(self, at: int) -> bytes:
    return self.bytes[at : at + 1]

  def _told(self, span: Span) -> str:
    kind = self.kind(span)
    return f"an {kind}" if kind != "value" else "a single value"

  def _error(self, at: int, reason: str) -> errors.FlanJaxError:
    return errors.FlanJaxError(f"{self.file}:{self.line(at)}: {reason}")


def parsed(content: bytes) -> Any:
  """The value of a piece of JSON, of at most 200 levels. Raises ValueError with the reason, whatever the bytes are."""
  try:
    value = json.loads(content.decode("utf-8"))
  except UnicodeDecodeError as error:
    raise ValueError(f"not UTF-8 (byte {error.start} of the record)") from None
  except RecursionError:
    raise ValueError("nested too deeply") from None
  # What is parsed here may be parsed or written again where less of the stack is left.
  if content.count(b"[") + content.count(b"{") > _LEVELS and _is_deep(value):
    raise ValueError(f"nested too deeply: {_LEVELS} levels are read")
  if b"\\u" in content:
    check_text(json.dumps(value, ensure_ascii=False))
  return value


def check_text(text: str) -> None:
  """Raises ValueError for half a surrogate pair: \\u can write it, but encoding it would fail far from here."""
  if _HALF_PAIR.search(text):
    raise ValueError("half a surrogate pair (\\ud800 to \\udfff alone) is no text")


def _is_deep(value: Any) -> bool:
  level = [value]
  for _ in range(_LEVELS):
    inner = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
    level = [one for values in inner for one in values]
  return any(isinstance(one, dict | list) for one in level)


_LEVELS = 200


_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SPACES = b" \t\r\n"
_NONE = np.zeros(0, np.int64)
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(rb"[ \t\r\n]*+")
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = re.compile(_STRING + rb'|[^\s"{}\[\],:]++', re.DOTALL)
# Strings whole, so that brackets in them do not count. Possessive (+): nothing is kept to go back to in a long element.
_TO_BRACKET = re.compile(rb'[^"{}\[\]]*+(?:' + _STRING + rb'[^"{}\[\]]*+)*+([{}\[\]])', re.DOTALL)
