"""{self_instruct: FILE}: Self-Instruct's seed tasks and generated instances, and Alpaca's.

Columns: instruction, input, output.

A record is {instruction, input, output}, or {instruction, instances: [{input, output}, ...]}, which gives a row an
instance. The file has one record a line, or is one JSON array of them, as Alpaca was published.
"""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from flan_jax.data.readers.json_arrays import JsonArrayRows
from flan_jax.data.readers.lines import json_object
from flan_jax.data.readers.rows import LineRows, Rows


class InstructionRows:
  """A row an instance; see readers.rows.Rows. Memory holds 8 bytes a record beside what the file's own rows hold."""

  def __init__(self, path: pathlib.Path):
    with path.open("rb") as file:
      is_array = file.read(_ENOUGH).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"[")
    self._records: Rows = JsonArrayRows(path) if is_array else LineRows(path, json_object)
    self.file = self._records.file

  def __len__(self) -> int:
    return int(self._ends[-1]) if len(self._ends) else 0

  def read(self, row: int) -> dict[str, Any]:
    """{instruction, input, output}; the input may be empty. Raises ValueError naming what a record lacks."""
    record_row, index = self._found(row)
    record = self._records.read(record_row)
    instance = record
    if "instances" in record:
      instances = record["instances"]
      if not isinstance(instances, list) or not instances:
        raise ValueError("its instances are not a list of at least one")
      instance = instances[index]
      if not isinstance(instance, dict):
        raise ValueError(f"instance {index} is not an object")
    given = instance.get("input", "")
    texts = {"instruction": record.get("instruction"), "input": given, "output": instance.get("output")}
    for name, text in texts.items():
      if not isinstance(text, str):
        raise ValueError(f"its {name} is not a text" if text is not None else f"it has no {name}")
      if name != "input" and not text.strip():
        raise ValueError(f"its {name} is empty")
    return {**texts, "input": "" if given.strip().lower() in _NO_INPUT else given}

  def id(self, row: int) -> str:
    """The record's line (its number in a JSON array), and after a slash the instance's number if there are several."""
    record_row, index = self._found(row)
    several = self._count(record_row) > 1
    return self._records.id(record_row) + (f"/{index}" if several else "")

  def place(self, row: int) -> str:
    """Where the record is."""
    return self._records.place(self._found(row)[0])

  def fingerprint(self) -> str:
    """Of all bytes."""
    return self._records.fingerprint()

  @functools.cached_property
  def _ends(self) -> np.ndarray:
    """How many rows there are up to and with each record."""
    counts = np.ones(len(self._records), np.int64)
    for row in range(len(counts)):
      try:
        instances = self._records.read(row).get("instances")
      except ValueError:
        continue  # one row, which tells it
      if isinstance(instances, list) and len(instances) > 1:
        counts[row] = len(instances)
    return np.cumsum(counts)

  def _found(self, row: int) -> tuple[int, int]:
    """(the record, the number of the instance in it) of a row."""
    record = int(np.searchsorted(self._ends, row, side="right"))
    return record, row - (int(self._ends[record - 1]) if record else 0)

  def _count(self, record: int) -> int:
    return int(self._ends[record]) - (int(self._ends[record - 1]) if record else 0)


def open_instructions(entry: Mapping[str, Any], data_dir: pathlib.Path) -> InstructionRows:
  """The rows of {self_instruct: FILE}."""
  return InstructionRows(data_dir / entry["self_instruct"])


_ENOUGH = 4096  # bytes to find the first that is no space
_NO_INPUT = ("<noinput>", "<no input>", "noinput")  # what the generators write
