"""The files of an export: rows to Parquet or JSONL, and a column added to all rows of a file that is written."""

import dataclasses
import json
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from flan_jax import errors

if TYPE_CHECKING:
  import pyarrow

COLUMNS = {
  "inputs": "string",
  "targets": "string",
  "task": "string",
  "template": "string",
  "format": "string",
  "shots": "int32",
  "variant": "int32",
  "example_id": "string",
  "split": "string",
  "cluster": "string",
  "licence": "string",
  "cap": "int64",
}
RATE = "rate"  # the last column: it is known when all rows of the task are counted
_ROW_GROUP = 4096  # rows in memory at once

Row = Mapping[str, Any]


class Writer(Protocol):
  """A context manager around a new file, whose rows have COLUMNS."""

  def __enter__(self) -> "Writer": ...

  def __exit__(self, *_: object) -> None: ...

  def write(self, rows: Sequence[Row]) -> None: ...


@dataclasses.dataclass(frozen=True)
class Kind:
  """A kind of file.

  Attributes:
    writer: opens a new file.
    with_rate: (file, new file, rate) -> the new file has the rows of the first and their rate.
  """

  writer: Callable[[pathlib.Path], Writer]
  with_rate: Callable[[pathlib.Path, pathlib.Path, int | None], None]


def kind(name: str) -> Kind:
  """'parquet' or 'jsonl'.

  Raises:
    UsageError: another name.
    FlanJaxError: Parquet's library is not installed.
  """
  if name not in _KINDS:
    raise errors.UsageError(f"--to {name}: an export is one of {', '.join(_KINDS)}")
  if name == "parquet":
    try:
      import pyarrow.parquet  # noqa: F401
    except ImportError as error:
      raise errors.FlanJaxError(f"--to parquet needs pyarrow ({error}): pip install pyarrow, or --to jsonl") from None
  return _KINDS[name]


class _JsonLines:
  """A JSON object a line, UTF-8."""

  def __init__(self, path: pathlib.Path):
    self._path = path

  def __enter__(self) -> "_JsonLines":
    self._file = self._path.open("w", encoding="utf-8", newline="\n")
    return self

  def __exit__(self, *_: object) -> None:
    self._file.close()

  def write(self, rows: Sequence[Row]) -> None:
    self._file.writelines(f"{json.dumps(row, ensure_ascii=False)}\n" for row in rows)


def _rated_lines(path: pathlib.Path, new: pathlib.Path, rate: int | None) -> None:
  end = f', "{RATE}": {json.dumps(rate)}}}\n'.encode()
  with path.open("rb") as lines, new.open("wb") as file:
    for line in lines:
      file.write(line[: -len("}\n")] + end)


class _Parquet:
  """Row groups of 4,096, compressed."""

  def __init__(self, path: pathlib.Path):
    import pyarrow

    self._path = path
    self._rows: list[Row] = []
    self._schema = pyarrow.schema([(name, getattr(pyarrow, type_)()) for name, type_ in COLUMNS.items()])

  def __enter__(self) -> "_Parquet":
    self._file = _parquet_writer(self._path, self._schema)
    return self

  def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
    if error is None:
      self._flush()
    self._file.close()

  def write(self, rows: Sequence[Row]) -> None:
    self._rows += rows
    if len(self._rows) >= _ROW_GROUP:
      self._flush()

  def _flush(self) -> None:
    import pyarrow

    if self._rows:
      self._file.write_table(pyarrow.Table.from_pylist(self._rows, self._schema))
    self._rows = []


def _rated_parquet(path: pathlib.Path, new: pathlib.Path, rate: int | None) -> None:
  import pyarrow
  import pyarrow.parquet

  field = pyarrow.field(RATE, pyarrow.int64())
  with pyarrow.parquet.ParquetFile(path) as source, _parquet_writer(new, source.schema_arrow.append(field)) as file:
    for group in range(source.num_row_groups):
      table = source.read_row_group(group)
      file.write_table(table.append_column(field, pyarrow.array([rate] * len(table), field.type)))


def _parquet_writer(path: pathlib.Path, schema: "pyarrow.Schema") -> "pyarrow.parquet.ParquetWriter":
  import pyarrow.parquet

  return pyarrow.parquet.ParquetWriter(path, schema, compression="zstd")


_KINDS = {"parquet": Kind(_Parquet, _rated_parquet), "jsonl": Kind(_JsonLines, _rated_lines)}
