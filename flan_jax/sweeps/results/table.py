"""The table of a sweep, as Parquet and CSV and back. Its columns: see `columns`; how it is made: see `collecting`."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError
from flan_jax.sweeps.results import columns
from flan_jax.sweeps.sweep import Value

PARQUET, CSV = "table.parquet", "table.csv"
_AXES_AFTER = "state"  # where they stand among the columns of the run: first what it is called, then what it is
_TYPES = {"string": pa.string(), "bool": pa.bool_(), "int64": pa.int64(), "double": pa.float64()}


def from_rows(rows: Sequence[Mapping[str, Any]], axes: Mapping[str, Sequence[Value]]) -> pa.Table:
  """Rows as a table.

  Args:
    rows: values by column, those of axes as 'axis.NAME'; what is left out is null.
    axes: all values of each axis, which give its column's type; where they are of several kinds it is text.
  """
  as_text = {f"axis.{name}" for name, values in axes.items() if type_of(values) == pa.string()}
  schema = schema_of(axes)

  def cell(row: Mapping[str, Any], column: str) -> Any:
    value = row.get(column)
    return str(value) if column in as_text and value is not None else value

  return pa.table({field.name: pa.array([cell(row, field.name) for row in rows], field.type) for field in schema})


def schema_of(axes: Mapping[str, Sequence[Value]]) -> pa.Schema:
  """The columns of a sweep with these axes, in their order."""
  fields = []
  for name, kind in columns.RUN.items():
    fields.append(pa.field(name, _TYPES[kind]))
    if name == _AXES_AFTER:
      fields += [pa.field(f"axis.{axis}", type_of(values)) for axis, values in axes.items()]
  return pa.schema([*fields, *(pa.field(name, _TYPES[kind]) for name, kind in columns.OBSERVATION.items())])


def type_of(values: Iterable[Value]) -> pa.DataType:
  """Of a column that holds all of them: whole numbers, numbers, truth values, else text. None fits each."""
  kinds = {type(value) for value in values if value is not None}
  if kinds == {bool}:
    return pa.bool_()
  if kinds == {int}:
    return pa.int64()
  return pa.float64() if kinds and kinds <= {int, float} else pa.string()


def save(table: pa.Table, folder: Path) -> None:
  """Writes table.parquet and table.csv, each whole or not at all. An empty cell of the CSV is a null."""
  buffer = io.BytesIO()
  pyarrow.parquet.write_table(table, buffer, compression="zstd")
  write_atomically(folder / PARQUET, buffer.getvalue())
  buffer = io.BytesIO()
  pyarrow.csv.write_csv(table, buffer)
  write_atomically(folder / CSV, buffer.getvalue())


def read(folder: Path) -> pa.Table:
  """The table of a sweep's folder.

  Raises:
    FlanJaxError: there is none, or it is something else.
  """
  path = folder / PARQUET
  try:
    table = pyarrow.parquet.read_table(path)
  except FileNotFoundError:
    raise FlanJaxError(f"{path}: no such file; 'flan-jax sweep {folder} --table' writes it") from None
  except (pa.ArrowException, OSError) as error:
    raise FlanJaxError(f"{path}: not the table of a sweep ({error})") from None
  lacking = [name for name in (*columns.RUN, *columns.OBSERVATION) if name not in table.column_names]
  if lacking:
    raise FlanJaxError(
      f"{path}: not the table of a sweep as this version writes it: no column {', '.join(lacking)}. "
      f"'flan-jax sweep {folder} --table' writes it again"
    )
  return table


def together(tables: Sequence[pa.Table]) -> pa.Table:
  """Tables of several sweeps under each other; an axis that one of them does not have is null in its rows."""
  names = dict.fromkeys(name for table in tables for name in table.column_names)
  kinds = {name: {table.schema.field(name).type for table in tables if name in table.column_names} for name in names}
  mixed = [name for name, each in kinds.items() if len(each) > 1]
  return pa.concat_tables([_unified(table, mixed, kinds) for table in tables], promote_options="default")


def _unified(table: pa.Table, mixed: Iterable[str], kinds: Mapping[str, set[pa.DataType]]) -> pa.Table:
  """With axes that are numbers here and whole numbers there as numbers, and such as are texts somewhere as texts."""
  for name in set(mixed) & set(table.column_names):
    index = table.column_names.index(name)
    numbers = kinds[name] <= {pa.int64(), pa.float64()}
    values = table[name].cast(pa.float64()) if numbers else _texts(table[name])
    table = table.set_column(index, name, values)
  return table


def _texts(column: pa.ChunkedArray) -> pa.Array:
  """As Python writes them, True and not true: as `from_rows` writes values of several kinds."""
  return pa.array([None if value is None else str(value) for value in column.to_pylist()], pa.string())
