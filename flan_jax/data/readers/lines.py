"""Files with a record a line: tab-separated values and JSON lines."""

import pathlib
from collections.abc import Mapping
from typing import Any

from flan_jax import errors
from flan_jax.data.readers.json_scanning import parsed
from flan_jax.data.readers.rows import LineRows


def tsv(entry: Mapping[str, Any], data_dir: pathlib.Path) -> LineRows:
  """{tsv: FILE, columns: [...]}: a line a record, without quotes.

  `header: true` takes the columns from the first line instead; `escaped_newlines: true` reads a written \\n as a line
  break.

  Raises:
    FlanJaxError: neither `columns` nor `header`, or a header that is not UTF-8.
  """
  path = data_dir / entry["tsv"]
  header = bool(entry.get("header", False))
  columns = _header_columns(path) if header else list(entry.get("columns", ()))
  if not columns:
    raise errors.FlanJaxError(f"{path}: its tsv reader has neither `columns: [...]` nor `header: true`")
  escaped = bool(entry.get("escaped_newlines", False))

  def parse(line: str) -> dict[str, str]:
    cells = line.split("\t")
    if len(cells) != len(columns):
      raise ValueError(f"{len(cells)} columns instead of {len(columns)} ({', '.join(columns)})")
    if escaped:
      cells = [cell.replace("\\n", "\n") for cell in cells]
    return dict(zip(columns, cells, strict=True))

  return LineRows(path, parse, first_line=int(header))


def jsonl(entry: Mapping[str, Any], data_dir: pathlib.Path) -> LineRows:
  """{jsonl: FILE}: a JSON object a line."""
  return LineRows(data_dir / entry["jsonl"], json_object)


def json_object(line: str) -> dict[str, Any]:
  """The object that a line holds. Raises ValueError for anything else."""
  record = parsed(line.encode())
  if not isinstance(record, dict):
    raise ValueError(f"a JSON object was expected, not {type(record).__name__}")
  return record


def _header_columns(path: pathlib.Path) -> list[str]:
  with path.open("rb") as file:
    written = file.readline()
  try:
    return written.decode("utf-8-sig").rstrip("\r\n").split("\t")
  except UnicodeDecodeError as error:
    raise errors.FlanJaxError(f"{path}:1: the header is not UTF-8 ({error}); save the file as UTF-8") from None
