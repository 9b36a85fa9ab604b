"""What T0 and Flan 2022 say of P3's datasets: the tables of flan_jax/collections/p3 as tags, clusters and caps.

Tags: t0_train, t0_plus_train, t0_plus_plus_train (a model's training datasets); t0_held_out (what T0 is evaluated on);
bias_and_fairness; t0_excluded (templates that T0 left out, which then have no training tag); t0_sf (Flan 2022's).
"""

import fnmatch
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import flan_jax.collections
from flan_jax.data import spec_files
from flan_jax.data.discoveries.entries import TaskEntry, p3_name

# Above this a dataset's templates share the cap; below, each is capped at the dataset's size (as t-zero's mixtures).
LARGEST_DATASET = 500_000


def known(name: str) -> TaskEntry:
  """What the tables say of a P3 name: dataset, cluster, category, cap, examples, tags; a longest prefix finds its row.

  >>> known("glue_mrpc_equivalent")["tags"]
  ['t0_train', 't0_plus_train', 't0_plus_plus_train']
  """
  tables = _tables()
  prefix = next((part for part in _prefixes(name) if part in tables), None)
  entry = _of_dataset(tables[prefix], name[len(prefix) + 1 :]) if prefix else {"tags": []}
  category = t0_sf().get(name)
  if category is not None:
    entry = {**entry, "category": category, "tags": [*entry["tags"], "t0_sf"]}
  return entry


@functools.cache
def t0_sf() -> Mapping[str, str]:
  """The names of Flan 2022's 193 T0-SF subtasks -> the catalogue's category."""
  rows = spec_files.read(_FOLDER / "t0_sf.yaml")
  return {f"{row['dataset']}_{subtask}": row["category"] for row in rows for subtask in row["subtasks"]}


_FOLDER = pathlib.Path(flan_jax.collections.__file__).parent / "p3"
_TRAIN_TAGS = ("t0_train", "t0_plus_train", "t0_plus_plus_train")
_OTHER_TAGS = {"held_out": "t0_held_out", "bias_and_fairness": "bias_and_fairness"}
_FIRST_TAG = {"t0": 0, "t0_plus": 1, "t0_plus_plus": 2}  # a group is trained on by its model and the larger ones


@functools.cache
def _tables() -> dict[str, Mapping[str, Any]]:
  return {p3_name(row["dataset"], row.get("subset", "")): row for row in spec_files.read(_FOLDER / "datasets.yaml")}


def _prefixes(name: str) -> list[str]:
  parts = name.split("_")
  return ["_".join(parts[:end]) for end in range(len(parts) - 1, 0, -1)]


def _of_dataset(row: Mapping[str, Any], template: str) -> TaskEntry:
  excluded = any(fnmatch.fnmatchcase(template, pattern) for pattern in row.get("excluded", ()))
  tags = ["t0_excluded"] if excluded else list(_TRAIN_TAGS[_FIRST_TAG[row["group"]] :]) if "group" in row else []
  tags += [tag for key, tag in _OTHER_TAGS.items() if row.get(key)]
  entry = {
    "dataset": "/".join(str(row[key]) for key in ("dataset", "subset") if key in row),
    "cluster": row["cluster"],
    "category": row["cluster"],
    "tags": tags,
  }
  if "train" in row:
    train = row["train"]
    entry |= {"examples": train, "cap": train if train <= LARGEST_DATASET else LARGEST_DATASET // row["templates"]}
  return entry
