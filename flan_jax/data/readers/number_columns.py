"""Numbers in CSV and TSV files, whose cells are all texts: templates compare labels with numbers and count by them."""

import functools
import re
from collections.abc import Callable
from typing import Any

from flan_jax.data.readers.rows import NoExample, Rows


class NumberColumns:
  """The same rows, with numbers in those columns in which every record has one (empty cells are None there).

  That is how Hugging Face `datasets`, for which PromptSource's templates were written, reads CSV. All records are
  looked through once, when the first is asked for.
  """

  def __init__(self, rows: Rows):
    self.file = rows.file
    self._rows = rows

  def __len__(self) -> int:
    return len(self._rows)

  def read(self, row: int) -> dict[str, Any]:
    """The record of the inner rows, with numbers."""
    record = self._rows.read(row)
    for column, parse in self._columns.items():
      if column in record:
        record[column] = parse(record[column]) if record[column] != "" else None
    return record

  def id(self, row: int) -> str:
    """The inner rows'."""
    return self._rows.id(row)

  def place(self, row: int) -> str:
    """The inner rows'."""
    return self._rows.place(row)

  def fingerprint(self) -> str:
    """The inner rows'."""
    return self._rows.fingerprint()

  @functools.cached_property
  def _columns(self) -> dict[str, Callable[[str], int | float]]:
    seen: dict[str, set[str]] = {}
    for row in range(len(self)):
      try:
        record = self._rows.read(row)
      except (ValueError, NoExample):
        continue
      for column, value in record.items():
        kinds = seen.setdefault(column, set())
        if "text" not in kinds and value != "":
          kinds.add(_kind(value))
    return {column: _PARSERS[frozenset(kinds)] for column, kinds in seen.items() if frozenset(kinds) in _PARSERS}


_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?[0-9]{1,17}\.[0-9]{1,17}")
_PARSERS: dict[frozenset[str], Callable[[str], int | float]] = {
  frozenset(["integer"]): int,
  frozenset(["float"]): float,
  frozenset(["integer", "float"]): float,
}


def _kind(value: Any) -> str:
  if not isinstance(value, str):
    return "text"  # or a number already: as it is
  return "integer" if _INTEGER.fullmatch(value) else "float" if _FLOAT.fullmatch(value) else "text"
