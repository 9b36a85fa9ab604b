"""{json: FILE}, a JSON array of records, or {json: FILE, rows: PATH} where it is inside: `rows: data.examples`."""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import xxhash

from flan_jax import errors
from flan_jax.data.readers import json_scanning


class JsonArrayRows:
  """The elements of an array of a JSON file; memory holds 24 bytes an element, never the file or the records."""

  def __init__(self, path: pathlib.Path, rows: str | None = None):
    self.file = str(path)
    self._json = json_scanning.JsonFile(path)
    self._keys = rows.split(".") if rows else []

  @functools.cached_property
  def _elements(self) -> json_scanning.Elements:
    span = self._json.root
    for key in self._keys:
      members = self._json.members(span)
      if key not in members:
        raise errors.FlanJaxError(f"{self.file}: there is no key {key!r}; its keys: {', '.join(members) or 'none'}")
      span = members[key]
    if self._json.kind(span) == "object":
      arrays = [key for key, value in self._json.members(span).items() if self._json.kind(value) == "array"]
      where = ".".join(self._keys) or "the file"
      hint = ", ".join(".".join([*self._keys, key]) for key in arrays) or "none"
      raise errors.FlanJaxError(f"{self.file}: {where} is an object; `rows:` must name an array, here: {hint}")
    return self._json.elements(span)

  def __len__(self) -> int:
    return len(self._elements)

  def read(self, row: int) -> dict[str, Any]:
    record = self._json.value(self._elements, row)
    if not isinstance(record, dict):
      raise ValueError(f"a JSON object was expected, not {type(record).__name__}")
    return record

  def id(self, row: int) -> str:
    return str(row)  # an array may stand on one line

  def place(self, row: int) -> str:
    return f"{self.file}:{self._elements.lines[row]}"

  def fingerprint(self) -> str:
    return f"{xxhash.xxh3_64_intdigest(self._json.bytes, seed=len(self._json.bytes)):016x}"


def open_json(entry: Mapping[str, Any], data_dir: pathlib.Path) -> JsonArrayRows:
  """The rows of {json: FILE, rows: PATH}."""
  return JsonArrayRows(data_dir / entry["json"], entry.get("rows"))
