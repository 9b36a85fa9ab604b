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
from flan_jax.data.readers import generated, lines
from flan_jax.data.readers.rows import NoExample, Rows

__all__ = ["READERS", "NoExample", "Reader", "Rows", "needs", "open_rows"]


@dataclasses.dataclass(frozen=True)
class Reader:
  """How one kind of entry is read.

  Attributes:
    open: from the entry and the data folder to the records; what `needs` names is there.
    needs: the paths under the data folder without which there is nothing to open.
  """

  open: Callable[[Mapping[str, Any], pathlib.Path], Rows]
  needs: Callable[[Mapping[str, Any]], tuple[str, ...]]


def open_rows(entry: Mapping[str, Any], data_dir: pathlib.Path) -> Rows:
  """The records of an entry.

  Raises:
    FlanJaxError: the entry names no reader or several; the file cannot be read at all.
  """
  return READERS[_kind(entry)].open(entry, data_dir)


def needs(entry: Mapping[str, Any]) -> tuple[str, ...]:
  """The paths under the data folder that an entry needs; nothing is read. Raises FlanJaxError like `open_rows`."""
  return READERS[_kind(entry)].needs(entry)


def _kind(entry: Mapping[str, Any]) -> str:
  found = [kind for kind in READERS if kind in entry]
  if len(found) != 1:
    raise errors.FlanJaxError(f"the reader {dict(entry)} names not one of the readers {', '.join(READERS)}")
  return found[0]


def _file(kind: str) -> Callable[[Mapping[str, Any]], tuple[str, ...]]:
  return lambda entry: (str(entry[kind]),)


READERS: dict[str, Reader] = {
  "tsv": Reader(lines.tsv, _file("tsv")),
  "jsonl": Reader(lines.jsonl, _file("jsonl")),
  "generator": Reader(generated.GeneratedRows, lambda entry: ()),
}
