"""Records that a module of a collection makes: random tasks that need no file."""

import functools
import importlib
import json
import pathlib
import random
import types
from collections.abc import Mapping
from typing import Any

from flan_jax import draws, errors


class GeneratedRows:
  """{generator: demo.lists, examples: 2000, params: {...}}: generate() of flan_jax.collections.demo.generators.lists.

  Each record comes from a random state of its own: row i is found without making the others. `seed` names the series
  (specs gives the task's name), so that two tasks of one generator differ.
  """

  def __init__(self, entry: Mapping[str, Any], data_dir: pathlib.Path):
    del data_dir
    self.file = f"generator {entry['generator']}"
    self._series = str(entry.get("series", ""))
    self._size = int(entry.get("examples", 1000))
    self._params = entry.get("params") or {}
    self._module = _module(entry)

  def __len__(self) -> int:
    return self._size

  def read(self, row: int) -> dict[str, Any]:
    """The row-th record of the series."""
    return self._module.generate(random.Random(draws.hash64("generate", self._series, row)), **self._params)

  def id(self, row: int) -> str:
    """The row."""
    return str(row)

  def place(self, row: int) -> str:
    """'generator NAME, row 17'."""
    return f"{self.file}, row {row}"

  def fingerprint(self) -> str:
    """Of the generators' code and the parameters."""
    code = _code(pathlib.Path(self._module.__file__).parent)
    return f"{draws.hash64(self._series, self._size, json.dumps(self._params, sort_keys=True), code):016x}"


@functools.cache
def _code(folder: pathlib.Path) -> int:
  """A hash of all modules of a folder: generators share vocabularies and grammar."""
  return draws.hash64(*(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))))


def _module(entry: Mapping[str, Any]) -> types.ModuleType:
  collection, _, module = str(entry["generator"]).partition(".")
  if not (collection.isidentifier() and module.isidentifier()):
    raise errors.FlanJaxError(f"the generator {entry['generator']!r} is not of the form COLLECTION.MODULE")
  full = f"flan_jax.collections.{collection}.generators.{module}"
  try:
    return importlib.import_module(full)
  except ModuleNotFoundError as error:
    raise errors.FlanJaxError(f"there is no generator module {full} ({error})") from None
