"""Damage to a step's folder: found by the sums of its files, and told by file and by array.

Reads files as they lie, on the host, one array at a time: no device is needed, no other process, no file need be whole.
"""

import json
import os
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import tensorstore
import xxhash

from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError
from flan_jax.interop.fingerprints import fingerprints
from flan_jax.interop.small_arrays import BUNDLE, unbundled
from flan_jax.setting_types import fits

FILES = "files.json"  # {'files': {name: [size, xxh3]} of every other file in the folder, 'sum': xxh3 of that}
_TOLD = 5  # arrays named; one damaged file may hold hundreds

# Orbax's: when it began and ended. Written behind everything else, and read by nobody here.
_UNWATCHED = "_CHECKPOINT_METADATA"


class DamagedError(FlanJaxError):
  """A checkpoint is damaged.

  Attributes:
    faults: what is wrong, each naming a file or arrays.
  """

  def __init__(self, folder: pathlib.Path, faults: list[str], way_out: str):
    super().__init__(f"checkpoint {folder} is damaged: {'; '.join(faults)}. {way_out}")
    self.faults = faults


def write_file_sums(folder: pathlib.Path) -> None:
  """Writes files.json of a folder that is complete but for it."""
  sums = {name: list(_sum(folder / name)) for name in _files(folder)}
  write_atomically(folder / FILES, json.dumps({"files": sums, "sum": _sum_of(sums)}, indent=1).encode())


def damaged_files(folder: pathlib.Path, within: Collection[str] | None = None) -> list[str]:
  """The files that are not as files.json says, each with what is wrong.

  Args:
    within: names of files and folders directly in the folder, where only these are of interest.
  """
  try:
    content = json.loads((folder / FILES).read_text(encoding="utf-8"))
    expected = content["files"]
    if content["sum"] != _sum_of(expected):
      return [f"file {FILES} has changed"]
    if not fits(expected, dict[str, tuple[int, str]]):
      return [f"file {FILES} cannot be read (it has no size and sum for each file)"]
  except FileNotFoundError:
    return [f"file {FILES} is missing"]
  except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
    return [f"file {FILES} cannot be read ({error})"]
  of_interest = [name for name in expected if within is None or name.partition("/")[0] in within]
  differences = {name: _difference(expected[name], folder / name) for name in of_interest}
  return [f"file {name} {difference}" for name, difference in differences.items() if difference]


def damaged_arrays(folder: pathlib.Path, record: Mapping[str, Any], items: Collection[str]) -> list[str]:
  """The arrays that are not as their fingerprints say, or cannot be read; each item in one phrase."""
  told = []
  for item in items:
    expected = record["fingerprints"].get(item, {})  # a converted checkpoint may have no optimizer
    damaged = [name for name, digits in _found(folder / item, record, item).items() if digits != expected[name]]
    told += [strange_arrays(item, damaged)] if damaged else []
  return told


def strange_arrays(item: str, names: list[str]) -> str:
  """'arrays params/a, params/b and 3 more are not what was saved'."""
  more = f" and {len(names) - _TOLD} more" if len(names) > _TOLD else ""
  listed = ", ".join(f"{item}/{name}" for name in names[:_TOLD])
  return f"array{'s' * (len(names) > 1)} {listed}{more} {'are' if len(names) > 1 else 'is'} not what was saved"


def _found(folder: pathlib.Path, record: Mapping[str, Any], item: str) -> dict[str, str | None]:
  """Name to fingerprint as it is now; None where the array cannot be read."""
  expected, small = record["fingerprints"].get(item, {}), record.get("small_arrays", {}).get(item, [])
  found = {name: _fingerprint_of(folder, name) for name in expected if name not in set(small)}
  if small and (bundle := read_array(folder, BUNDLE)) is not None:
    return {**found, **fingerprints(unbundled(bundle, small, record["arrays"][item]))}
  return {**found, **dict.fromkeys(small)}


def _fingerprint_of(folder: pathlib.Path, name: str) -> str | None:
  array = read_array(folder, name)
  return None if array is None else fingerprints({name: array})[name]


def read_array(folder: pathlib.Path, name: str) -> np.ndarray | None:
  """An array of an item's folder as Orbax lays it down, Zarr in TensorStore's OCDBT; None where it cannot be read."""
  base = {"driver": "file", "path": f"{os.path.abspath(folder)}/"}
  store = {"driver": "ocdbt", "base": base, "path": f"{name}/"}
  try:
    return np.asarray(tensorstore.open({"driver": "zarr", "kvstore": store}, open=True).result().read().result())
  except Exception:  # whatever TensorStore says of a broken file; that it cannot be read is all that matters here
    return None


def _files(folder: pathlib.Path) -> list[str]:
  files = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
  return sorted(name for name in files if name != _UNWATCHED and FILES not in name)


def _difference(expected: list, path: pathlib.Path) -> str:
  """What is wrong with a file, or nothing."""
  try:
    size, digest = _sum(path)
  except FileNotFoundError:
    return "is missing"
  except OSError as error:
    return f"cannot be read ({error.strerror})"
  if size != expected[0]:
    return f"has {size:,} bytes instead of {expected[0]:,}"
  return "" if digest == expected[1] else "has changed"


def _sum_of(sums: dict[str, list]) -> str:
  return xxhash.xxh3_64_hexdigest(json.dumps(sums, sort_keys=True).encode())


def _sum(path: pathlib.Path) -> tuple[int, str]:
  """(size in bytes, xxh3) of a file."""
  digest, size = xxhash.xxh3_64(), 0
  with path.open("rb") as file:
    while block := file.read(1 << 22):
      digest.update(block)
      size += len(block)
  return size, digest.hexdigest()
