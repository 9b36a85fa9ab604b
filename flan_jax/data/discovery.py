"""Tasks that are found in the user's data folder rather than declared one by one: an entry `- discover: KIND`."""

import pathlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from flan_jax import errors

# KIND -> from (the data folder or None, the entry) to entries of tasks.yaml.
DISCOVERIES: dict[str, Callable[[pathlib.Path | None, Mapping[str, Any]], Iterator[dict[str, Any]]]] = {}


def discovered(path: pathlib.Path, entry: Mapping[str, Any], data_dir: str | None) -> Iterator[dict[str, Any]]:
  """The task entries that one `discover` entry of the file `path` stands for.

  Raises:
    FlanJaxError: there is no such kind.
  """
  if entry["discover"] not in DISCOVERIES:
    raise errors.FlanJaxError(f"{path}: discover: {entry['discover']!r} is none of {', '.join(DISCOVERIES)}")
  return DISCOVERIES[entry["discover"]](None if data_dir is None else pathlib.Path(data_dir), entry)
