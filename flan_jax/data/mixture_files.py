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
from fractions import Fraction
from typing import Any

from flan_jax import errors
from flan_jax.data import formats as formats_
from flan_jax.data import related_clusters, spec_files, spec_values, specs
from flan_jax.data.value_shapes import (
  ABOVE_0,
  COUNT,
  FLAG,
  FRACTION,
  MAPPING,
  MAPPINGS,
  NUMBER,
  RANGE,
  TEXT,
  TEXTS,
  Shape,
)


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
  found: dict[str, Entry] = {}
  for entry in map(_Reading(path), (row for raw in spec_files.read(path) for row in spec_files.expanded(path, raw))):
    if entry.name in found:
      raise errors.FlanJaxError(f"{path}: two mixtures are called {entry.name!r}")
    found[entry.name] = entry
  return found


@dataclasses.dataclass(frozen=True)
class _Reading:
  """Makes entries of a file's content; what is wrong is told with the file and the mixture."""

  path: pathlib.Path

  def __call__(self, raw: dict[str, Any]) -> Entry:
    where = f"{self.path}: mixture {raw.get('name')!r}"
    of_entry = {field.name for field in dataclasses.fields(Entry)} - {"path"}
    own = {key: value for key, value in raw.items() if key in of_entry}
    spec_values.check(where, own, _SHAPES, _MAY_BE_NULL)
    if "parts" in raw:
      spec_files.checked(self.path, {**raw, "path": self.path}, Entry, "mixture")
      parts = tuple(self._part(f"{where}: part {part.get('name')!r}", part, "part") for part in raw["parts"])
    else:
      keys = {key: value for key, value in raw.items() if key == "name" or key not in own}
      parts = (self._part(where, keys, "mixture"),)
    self._check_shares(raw["name"], parts)
    return Entry(**{**own, "parts": parts}, path=self.path)

  def _part(self, where: str, raw: Mapping[str, Any], kind: str) -> PartEntry:
    spec_files.checked(self.path, raw, PartEntry, kind)
    spec_values.check(where, raw, _SHAPES, _MAY_BE_NULL)
    numbers = {key: float(raw[key]) for key in ("share", "inverted") if raw.get(key) is not None}
    formats = {"formats": _weights(where, raw["formats"])} if "formats" in raw else {}
    return PartEntry(**{**{key: _frozen(value) for key, value in raw.items()}, **numbers, **formats})

  def _check_shares(self, mixture: str, parts: Sequence[PartEntry]) -> None:
    names = [part.name for part in parts]
    if len({part.share is None for part in parts}) != 1 or len(set(names)) != len(names):
      raise errors.FlanJaxError(
        f"{self.path}: mixture {mixture!r}: parts have different names, and all of them a share or none"
      )


def _weights(where: str, formats: Mapping[str, float]) -> tuple[tuple[str, int], ...]:
  for name in formats:
    try:
      trained = formats_.get_format(name).trained
    except errors.UsageError as error:
      raise errors.FlanJaxError(f"{where}: {error}") from None
    if not trained:
      raise errors.FlanJaxError(f"{where}: prompts in the format {name} are never trained on")
  return formats_.ballot_weights({name: Fraction(str(weight)) for name, weight in formats.items()})


def _frozen(value: Any) -> Any:
  return tuple(value) if isinstance(value, list) else value


def _are_weights(value: Any) -> bool:
  return MAPPING.fits(value) and all(map(_is_weight, value.values())) and any(value.values())


def _is_weight(value: Any) -> bool:
  # Three decimals, as of `few_shot=s` behind a mixture's name: a ballot of a million of each format at the very most.
  return NUMBER.fits(value) and 0 <= value <= 1000 and round(value, 3) == value


_SHAPES: dict[str, Shape] = {
  **dict.fromkeys(("name", "note"), TEXT),
  **dict.fromkeys(("tasks", "clusters", "tags"), TEXTS),
  **dict.fromkeys(("without_tasks", "without_clusters", "held_out_clusters", "without_tags"), TEXTS),
  **{"parts": MAPPINGS, "evaluation_only": FLAG, "max_per_task": COUNT, "cap": COUNT},
  **{"share": ABOVE_0, "inverted": FRACTION, "shots": RANGE},
  "formats": Shape(
    "formats with weights from 0 to 1000 of at most three decimals, such as {zero_shot: 1, few_shot: 0.5}", _are_weights
  ),
  "options": Shape(f"one of {', '.join(formats_.OPTIONS)}", lambda value: value in formats_.OPTIONS),
}
_MAY_BE_NULL = ("share", "cap", "inverted", "max_per_task", "clusters", "tags")
