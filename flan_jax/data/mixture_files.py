"""What mixtures.yaml says: entries of one part or several, and the tasks that patterns, clusters and tags choose.

    - name: flan2022
      note: what a reader should know
      max_per_task: 30000                     # so many examples of each task are used
      parts:
        - name: muffin
          share: 52                           # all parts have one, or none
          cap: 30000                          # instead of each task's own
          tasks: [flan2021.*]                 # patterns of full names
          without_clusters: [entailment]      # or clusters, tags, without_tags, without_tasks
          held_out_clusters: [sentiment]      # with the clusters that are related to it, over all collections
          inverted: 0.3                       # of a dataset's rate; without it inverted tasks are left out
          formats: {zero_shot: 1, few_shot: 1}
          options: drawn

A mixture with one part may have the part's keys beside its own. Mixtures of one collection lie in the collection's
folder, those over several collections beside the collections' folders.
"""

import dataclasses
import fnmatch
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from flan_jax import errors
from flan_jax.data import formats as formats_
from flan_jax.data import related_clusters, spec_files, specs


@dataclasses.dataclass(frozen=True)
class PartEntry:
  """A part as a file says it; `chosen` finds its tasks. Keys are as in `mixtures.Part`."""

  name: str
  tasks: tuple[str, ...]
  share: float | None = None
  cap: int | None = None
  formats: tuple[tuple[str, int], ...] = formats_.DEFAULT_FORMATS
  shots: tuple[int, int] = formats_.DEFAULT_SHOTS
  options: str = "drawn"
  inverted: float | None = None
  without_tasks: tuple[str, ...] = ()
  clusters: tuple[str, ...] | None = None
  without_clusters: tuple[str, ...] = ()
  held_out_clusters: tuple[str, ...] = ()
  tags: tuple[str, ...] | None = None
  without_tags: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Entry:
  """A mixture as a file says it."""

  name: str
  parts: tuple[PartEntry, ...]
  path: pathlib.Path
  max_per_task: int | None = None
  evaluation_only: bool = False
  note: str = ""


def declared() -> dict[str, Entry]:
  """All declared mixtures by name: those over several collections first, then each collection's."""
  found: dict[str, Entry] = {}
  folders = (*specs.collection_roots(), *map(specs.collection_folder, specs.collections()))
  for folder in folders:
    for name, entry in _entries(folder / "mixtures.yaml").items():
      if name in found:
        raise errors.FlanJaxError(f"{entry.path}: a mixture called {name!r} is also in {found[name].path}")
      found[name] = entry
  return found


def chosen(part: PartEntry, entry: Entry, data_dir: str | None) -> tuple[str, ...]:
  """The tasks of a part in catalogue order, patterns one after another; none only where files would have to be found.

  Raises:
    FlanJaxError: a pattern that nothing has, nothing is left, or a task for evaluation only in a training mixture.
  """
  tasks = [spec for spec in _matching(part, entry, data_dir) if _wanted(part, spec)]
  if not tasks and not any(specs.discovers(pattern.partition(".")[0]) for pattern in part.tasks):
    raise errors.FlanJaxError(
      f"mixture {entry.name}: its clusters leave no task of {', '.join(part.tasks)} (or its tags, or without_tasks)"
    )
  return tuple(spec.name for spec in tasks)


def _matching(part: PartEntry, entry: Entry, data_dir: str | None) -> list[specs.TaskSpec]:
  """The tasks of the patterns, each once; only the collections that they name are read."""
  found: dict[str, specs.TaskSpec] = {}
  for pattern in part.tasks:
    collection = pattern.partition(".")[0]
    there = collection in specs.collections()
    names = specs.task_names(collection if there else None, data_dir)
    matched = [specs.get_task(name, data_dir) for name in fnmatch.filter(names, pattern)]
    if not matched and not (there and specs.discovers(collection)):
      raise errors.unknown_name(f"task of mixture {entry.name}", pattern, names, "flan-jax inspect --tasks")
    for spec in matched:
      if pattern == spec.name:
        _check_named(spec, entry)
      elif (
        (spec.evaluation_only and not entry.evaluation_only)
        or (spec.inverted_of and not part.inverted)
        or (_WHERE_ASKED.intersection(spec.tags) and not _WHERE_ASKED.intersection(part.tags or ()))
      ):
        continue
      found[spec.name] = spec
  return list(found.values())


# Tags of tasks that are trained on only where they are asked for, by tag or by name: those made of a suite, and the
# texts of a base model, which are no instructions.
_WHERE_ASKED = frozenset(["mmlu", "pretraining"])


def _check_named(spec: specs.TaskSpec, entry: Entry) -> None:
  if spec.evaluation_only and not entry.evaluation_only:
    raise errors.FlanJaxError(
      f"{entry.path}: mixture {entry.name!r}: {spec.name} is for evaluation only, never trained on; a mixture to "
      "measure on says evaluation_only: true"
    )


def _wanted(part: PartEntry, spec: specs.TaskSpec) -> bool:
  return (
    not any(fnmatch.fnmatchcase(spec.name, pattern) for pattern in part.without_tasks)
    and (part.clusters is None or spec.cluster in part.clusters)
    and spec.cluster not in part.without_clusters
    and not related_clusters.held_out(spec, part.held_out_clusters)
    and (part.tags is None or any(tag in spec.tags for tag in part.tags))
    and not any(tag in spec.tags for tag in part.without_tags)
  )


@functools.cache
def _entries(path: pathlib.Path) -> dict[str, Entry]:
  if not path.exists():
    return {}
  raw = (row for entry in spec_files.read(path) for row in spec_files.expanded(path, entry))
  return {entry.name: entry for entry in map(_Reading(path), raw)}


@dataclasses.dataclass(frozen=True)
class _Reading:
  """Makes entries of a file's content; what is wrong is told with the file and the mixture."""

  path: pathlib.Path

  def __call__(self, raw: dict[str, Any]) -> Entry:
    own = {field.name for field in dataclasses.fields(Entry)} - {"parts", "path"}
    if "parts" in raw:
      spec_files.checked(self.path, {**raw, "path": self.path}, Entry, "mixture")
      parts = tuple(self._part(raw["name"], part) for part in raw["parts"])
    else:
      keys = {key: value for key, value in raw.items() if key not in own - {"name"}}
      parts = (self._part(raw.get("name", "?"), keys),)
    self._check_shares(raw["name"], parts)
    return Entry(**{key: value for key, value in raw.items() if key in own}, parts=parts, path=self.path)

  def _part(self, mixture: str, raw: dict[str, Any]) -> PartEntry:
    spec_files.checked(self.path, raw, PartEntry, "mixture" if raw.get("name") == mixture else "part")
    shares = {key: float(raw[key]) for key in ("share", "inverted") if raw.get(key) is not None}
    part = PartEntry(**{**{key: _frozen(value) for key, value in raw.items()}, **shares})
    where = f"{self.path}: mixture {mixture!r}"
    if part.options not in formats_.OPTIONS:
      raise errors.FlanJaxError(f"{where}: options is {part.options!r}, not one of {', '.join(formats_.OPTIONS)}")
    if (part.share is not None and part.share <= 0) or (part.cap is not None and part.cap < 1):
      raise errors.FlanJaxError(f"{where}: part {part.name!r}: share and cap are above 0")
    if part.inverted is not None and not 0 < part.inverted < 1:
      raise errors.FlanJaxError(f"{where}: part {part.name!r}: inverted is {part.inverted}, not between 0 and 1")
    formats = tuple((formats_.get_format(name).name, int(weight)) for name, weight in part.formats)
    for name, _ in formats:
      if not formats_.FORMATS[name].trained:
        raise errors.FlanJaxError(f"{where}: part {part.name!r}: prompts in the format {name} are never trained on")
    return dataclasses.replace(part, formats=formats)

  def _check_shares(self, mixture: str, parts: Sequence[PartEntry]) -> None:
    names = [part.name for part in parts]
    if len({part.share is None for part in parts}) != 1 or len(set(names)) != len(names):
      raise errors.FlanJaxError(
        f"{self.path}: mixture {mixture!r}: parts have different names, and all of them a share or none"
      )


def _frozen(value: Any) -> Any:
  if isinstance(value, Mapping):
    return tuple(value.items())
  return tuple(value) if isinstance(value, list) else value
