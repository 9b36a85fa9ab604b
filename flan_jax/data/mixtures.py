"""Mixtures by name: which tasks together, in which formats. A task's name is also the mixture of that one task."""

import dataclasses
import fnmatch
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from flan_jax import errors
from flan_jax.data import formats as formats_
from flan_jax.data import sources, spec_files, specs


@dataclasses.dataclass(frozen=True)
class MixtureSpec:
  """Tasks that are trained on together; the rate of each is min(its training examples, its cap).

  Attributes:
    tasks: full names, in catalogue order.
    formats: (format, weight); each example draws one of those that its task has wordings for.
    shots: (fewest, most) exemplars of a few-shot prompt.
  """

  name: str
  tasks: tuple[str, ...]
  formats: tuple[tuple[str, int], ...] = formats_.DEFAULT_FORMATS
  shots: tuple[int, int] = formats_.DEFAULT_SHOTS


def mixture_names() -> tuple[str, ...]:
  """The names of all declared mixtures (task names, which are mixtures too, apart)."""
  return tuple(name for collection in specs.collections() for name in _declared(specs.collection_folder(collection)))


def get_mixture(name: str) -> MixtureSpec:
  """A declared mixture, or the mixture of the one task of that name.

  Raises:
    UsageError: there is neither; names the nearest.
  """
  for collection in specs.collections():
    declared = _declared(specs.collection_folder(collection))
    if name in declared:
      return declared[name].spec()
  if "." in name:
    return MixtureSpec(name, (specs.get_task(name).name,))
  known = (*mixture_names(), *specs.task_names())
  raise errors.unknown_name("mixture or task", name, known, "flan-jax inspect --mixtures")


def installed(
  mixture: MixtureSpec, data_dir: str | pathlib.Path | None, missing: Literal["error", "skip"] = "error"
) -> tuple[tuple[str, ...], tuple[sources.MissingFile, ...]]:
  """The tasks of a mixture whose files are there, and the files that are not.

  Raises:
    MissingDataError: with missing='error', some file is not there; with 'skip', none of the tasks can be read.
  """
  absent = {}
  for task in mixture.tasks:
    file = sources.missing_file(specs.get_task(task, data_dir), data_dir)
    if file is not None:
      absent[task] = file
  present = tuple(task for task in mixture.tasks if task not in absent)
  if absent and (missing == "error" or not present):
    told = "\n  ".join(str(file) for file in absent.values())
    hint = " --missing=skip goes on without them." if present else ""
    raise sources.MissingDataError(
      f"{len(absent)} of the {len(mixture.tasks)} tasks of {mixture.name} lack their file:{hint}\n  {told}"
    )
  return present, tuple(absent.values())


@dataclasses.dataclass(frozen=True)
class _Entry:
  """An entry of mixtures.yaml, its tasks not looked up yet; `checked` compares the file's keys with these fields."""

  name: str
  tasks: Sequence[str]
  formats: Mapping[str, int] = dataclasses.field(default_factory=lambda: dict(formats_.DEFAULT_FORMATS))
  shots: Sequence[int] = formats_.DEFAULT_SHOTS
  clusters: Sequence[str] | None = None
  without_clusters: Sequence[str] = ()

  def spec(self) -> MixtureSpec:
    tasks = tuple(
      task
      for task in _matching(self.name, self.tasks)
      if _wanted(specs.get_task(task).cluster, self.clusters, self.without_clusters)
    )
    if not tasks:
      raise errors.FlanJaxError(f"mixture {self.name}: its clusters leave no task of {', '.join(self.tasks)}")
    formats = tuple((formats_.get_format(form).name, int(weight)) for form, weight in self.formats.items())
    fewest, most = self.shots
    return MixtureSpec(self.name, tasks, formats, (int(fewest), int(most)))


@functools.cache
def _declared(folder: pathlib.Path) -> dict[str, _Entry]:
  path = folder / "mixtures.yaml"
  if not path.exists():
    return {}
  entries: list[dict[str, Any]] = spec_files.read(path)
  return {entry["name"]: _Entry(**spec_files.checked(path, entry, _Entry, "mixture")) for entry in entries}


def _matching(mixture: str, patterns: Sequence[str]) -> list[str]:
  """The tasks of the patterns ('demo.*', 'cot.gsm8k'), each once; only the collections that they name are read."""
  found: dict[str, None] = {}
  for pattern in patterns:
    collection = pattern.partition(".")[0]
    names = specs.task_names(collection if collection in specs.collections() else None)
    matched = fnmatch.filter(names, pattern)
    if not matched:
      raise errors.unknown_name(f"task of mixture {mixture}", pattern, names, "flan-jax inspect --tasks")
    found.update(dict.fromkeys(matched))
  return list(found)


def _wanted(cluster: str, only: Sequence[str] | None, without: Sequence[str]) -> bool:
  return cluster not in without and (only is None or cluster in only)
