"""- discover: p3: a task a file of rendered P3 (DATASET_SUBSET_TEMPLATE.jsonl), and those of T0-SF that lack theirs."""

import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from flan_jax.data.discoveries import t0
from flan_jax.data.discoveries.entries import Problem, TaskEntry, defaults, files, once_each, p3_name


def discover(data_dir: pathlib.Path | None, entry: Mapping[str, Any]) -> Iterator[TaskEntry | Problem]:
  """The tasks of DATA_DIR/FOLDER (`folder`, p3 by default); a dataset that T0 does not know has the cluster 'other'."""
  folder = str(entry.get("folder", "p3"))
  there = [] if data_dir is None else files(data_dir / folder, ".jsonl")
  found = [(file.path, _checked(file, folder, entry)) for file in there]
  yield from once_each(found)
  names = {p3_name(file.name.removesuffix(".jsonl")) for file in there}
  for name in t0.t0_sf():
    if name not in names:
      yield _task(name, f"{folder}/{name}.jsonl", entry)


def _checked(file: os.DirEntry, folder: str, entry: Mapping[str, Any]) -> TaskEntry | Problem:
  # A template that applies to no record of the sample leaves an empty file.
  if file.stat().st_size == 0:
    return Problem(file.path, "the file is empty")
  return _task(p3_name(file.name.removesuffix(".jsonl")), f"{folder}/{file.name}", entry)


def _task(name: str, relative: str, entry: Mapping[str, Any]) -> TaskEntry:
  return {**_UNKNOWN, "dataset": name, **defaults(entry), **t0.known(name), "name": name, "reader": {"p3": relative}}


_UNKNOWN = {"cluster": "other", "category": "other"}
