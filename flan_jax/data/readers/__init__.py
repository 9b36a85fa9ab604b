"""Readers: from a spec's `reader` entry and the user's data folder to numbered raw records.

A module a family of formats; what may enter reads files and knows nothing of tasks, types or templates. The table at
the end names every reader. Paths in an entry are relative to the data folder. Libraries are imported when a file of
their format is opened.
"""

import dataclasses
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from flan_jax import errors
from flan_jax.data.readers import (
  comma,
  generated,
  huggingface,
  json_arrays,
  lines,
  natural_instructions,
  p3,
  parquet,
  promptsource,
  self_instruct,
  squad,
  tfds,
)
from flan_jax.data.readers.rows import NoExample, Rows

__all__ = ["READERS", "NoExample", "Reader", "Rows", "advice", "needs", "open_rows"]


@dataclasses.dataclass(frozen=True)
class Reader:
  """How one kind of entry is read.

  Attributes:
    open: from the entry and the data folder to the records; what `needs` names is there.
    needs: the paths under the data folder without which there is nothing to open.
    advice: what a user who lacks them is told, beside where the file belongs.
  """

  open: Callable[[Mapping[str, Any], pathlib.Path], Rows]
  needs: Callable[[Mapping[str, Any]], tuple[str, ...]]
  advice: Callable[[Mapping[str, Any], pathlib.Path], str] = lambda entry, data_dir: ""


def open_rows(entry: Mapping[str, Any], data_dir: pathlib.Path) -> Rows:
  """The records of an entry.

  Raises:
    FlanJaxError: the entry names no reader or several; the file cannot be read at all.
  """
  return READERS[_kind(entry)].open(entry, data_dir)


def needs(entry: Mapping[str, Any]) -> tuple[str, ...]:
  """The paths under the data folder that an entry needs; nothing is read. Raises FlanJaxError like `open_rows`."""
  return READERS[_kind(entry)].needs(entry)


def advice(entry: Mapping[str, Any], data_dir: pathlib.Path) -> str:
  """How a user comes by what an entry needs, where its reader knows; otherwise ''."""
  return READERS[_kind(entry)].advice(entry, data_dir)


def _kind(entry: Mapping[str, Any]) -> str:
  found = [kind for kind in READERS if kind in entry]
  if len(found) != 1:
    raise errors.FlanJaxError(f"the reader {dict(entry)} names not one of the readers {', '.join(READERS)}")
  return found[0]


def _file(kind: str) -> Callable[[Mapping[str, Any]], tuple[str, ...]]:
  return lambda entry: (str(entry[kind]),)


def _open_template(entry: Mapping[str, Any], data_dir: pathlib.Path) -> Rows:
  return promptsource.open_template(entry, data_dir, open_rows)


READERS: dict[str, Reader] = {
  "tsv": Reader(lines.tsv, _file("tsv")),
  "jsonl": Reader(lines.jsonl, _file("jsonl")),
  "csv": Reader(comma.open_csv, _file("csv")),
  "json": Reader(json_arrays.open_json, _file("json")),
  "squad": Reader(squad.open_squad, _file("squad")),
  "parquet": Reader(parquet.open_parquet, _file("parquet")),
  "tfds": Reader(tfds.open_tfds, tfds.needs_tfds, tfds.how_to_prepare),
  "huggingface": Reader(huggingface.open_huggingface, _file("huggingface")),
  "natural_instructions": Reader(natural_instructions.open_task, _file("natural_instructions")),
  "p3": Reader(p3.open_p3, _file("p3")),
  "promptsource": Reader(
    _open_template,
    lambda entry: (str(entry["promptsource"]), *needs(entry["rows"])),
    lambda entry, data_dir: advice(entry["rows"], data_dir),
  ),
  "self_instruct": Reader(self_instruct.open_instructions, _file("self_instruct")),
  "generator": Reader(generated.GeneratedRows, lambda entry: ()),
}
