"""What becomes of each file of a data folder: which tasks claim it, what they read of it, or why nobody does.

Nothing is passed over in silence: a file is `read`, `compiled` (templates whose rows are not there), `refused` (perhaps
`in part`) with the reason, `not read` because it is known to hold no examples, or `unknown`.
"""

import collections
import dataclasses
import fnmatch
import functools
import os
import pathlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import flan_jax.collections
from flan_jax import errors
from flan_jax.data import discovery, readers, sources, spec_files, specs, workers
from flan_jax.progress import Progress, silently

_TOLD = 3  # malformed records of a task that are told


@dataclasses.dataclass(frozen=True)
class TaskCount:
  """What one task reads of its file.

  Attributes:
    records: all of them.
    examples: those that become examples; None where nothing could be opened.
    malformed: how many are not what the reader or the task wants; the first stand in `problems` with line and reason.
    skipped: sound records that give no example, by reason.
    error: why the file cannot be read at all.
    lacking: the file that the task needs beside this one.
  """

  task: str
  records: int = 0
  examples: int | None = None
  malformed: int = 0
  problems: tuple[str, ...] = ()
  skipped: Mapping[str, int] = dataclasses.field(default_factory=dict)
  error: str = ""
  lacking: str = ""


@dataclasses.dataclass(frozen=True)
class FileReport:
  """A file of the data folder (`file` is relative to it), its reader's kind, and what its tasks read of it."""

  file: str
  kind: str
  status: str
  why: str = ""
  tasks: tuple[TaskCount, ...] = ()

  def total(self, name: str) -> int:
    """Records, examples, malformed: of the first task alone, for several read the same records in other ways."""
    if self.kind == "promptsource":
      return sum(getattr(task, name) or 0 for task in self.tasks)
    return max((getattr(task, name) or 0 for task in self.tasks), default=0)


def census(
  data_dir: str | os.PathLike, *, processes: int | None = None, progress: Progress = silently
) -> list[FileReport]:
  """Every file of a data folder, in the order of their paths; reads all that tasks claim.

  Raises:
    UsageError: there is no such folder.
  """
  folder = pathlib.Path(data_dir)
  if not folder.is_dir():
    raise errors.UsageError(f"{folder}: there is no such folder (--data_dir)")
  paths = sorted(_files(folder))
  claims, parts = _claims(folder, paths)
  tickets = [_Ticket(str(folder), tuple(task.name for task in tasks)) for tasks in set(map(tuple, claims.values()))]
  counts: dict[str, TaskCount] = {}
  with progress("reading", len(tickets), "files") as advance:
    for ticket, found in workers.results(_counted, tickets, min(processes or os.cpu_count() or 1, len(tickets) or 1)):
      counts.update((count.task, count) for count in found)
      advance(1, ticket.tasks[0])
  problems = list(_discovery_problems(folder))
  reports = {path: _report(path, claims.get(path, ()), counts, problems) for path in paths}
  for path, first in parts.items():
    if path not in claims:
      reports[path] = FileReport(path, reports[first].kind, reports[first].status, f"with {first}")
  return list(reports.values())


@dataclasses.dataclass(frozen=True)
class _Ticket:
  """The tasks of one file, which are read by one process."""

  data_dir: str
  tasks: tuple[str, ...]


def _files(folder: pathlib.Path) -> Iterator[str]:
  for root, folders, names in os.walk(folder):
    folders[:] = [name for name in folders if not name.startswith(".")]
    for name in names:
      if not name.startswith("."):
        yield (pathlib.Path(root) / name).relative_to(folder).as_posix()


def _claims(folder: pathlib.Path, paths: Sequence[str]) -> tuple[dict[str, list[specs.TaskSpec]], dict[str, str]]:
  """(files that tasks read -> these tasks, files that are read together with another one -> that one)."""
  known = set(paths)
  claims: dict[str, list[specs.TaskSpec]] = collections.defaultdict(list)
  parts: dict[str, str] = {}
  for name in specs.task_names(None, folder):
    spec = specs.get_task(name, folder)
    mine = [_files_of(needed, spec, known, paths) for needed in readers.needs(spec.reader)]
    if first := next((found[0] for found in mine if found), None):
      claims[first].append(spec)
      parts.update({file: first for found in mine for file in found if file != first})
  return claims, parts


def _files_of(needed: str, spec: specs.TaskSpec, known: Collection[str], paths: Sequence[str]) -> list[str]:
  """The files that a path which a reader needs stands for: itself, all of a folder, or none."""
  path = pathlib.PurePosixPath(needed)
  # A dataset that TFDS prepared is known by its description; the records lie beside it.
  whole = path.parent.as_posix() if "tfds" in spec.reader else path.as_posix()
  return [whole] if whole in known else [file for file in paths if file.startswith(f"{whole}/")]


def _counted(ticket: _Ticket) -> list[TaskCount]:
  return [_task_count(specs.get_task(task, ticket.data_dir), pathlib.Path(ticket.data_dir)) for task in ticket.tasks]


def _task_count(spec: specs.TaskSpec, folder: pathlib.Path) -> TaskCount:
  missing = sources.missing_file(spec, folder)
  try:
    if missing is not None:
      _open_without_rows(spec.reader, folder)
      return TaskCount(spec.name, lacking=os.path.relpath(os.path.join(missing.folder, missing.file), folder))
    source = sources.open_source(spec, folder)
    return TaskCount(
      spec.name,
      records=source.records,
      examples=len(source),
      malformed=len(source.problems),
      problems=tuple(map(str, source.problems[:_TOLD])),
      skipped=dict(source.lost.skipped),
    )
  except (errors.FlanJaxError, ImportError) as error:
    return TaskCount(spec.name, error=str(error).removeprefix(f"task {spec.name}: "))


def _open_without_rows(entry: Mapping[str, Any], folder: pathlib.Path) -> None:
  """Opens a reader over other rows, which are not there, so that what it has itself is looked at (a template)."""
  if "rows" in entry and isinstance(entry["rows"], Mapping):
    readers.open_rows({**entry, "rows": _NO_ROWS}, folder)


# Any rows will do: there are none.
_NO_ROWS = {"generator": "demo.lists", "examples": 0}


def _report(
  path: str,
  tasks: Iterable[specs.TaskSpec],
  counts: Mapping[str, TaskCount],
  problems: Iterable[tuple[str, str]],
) -> FileReport:
  found = tuple(counts[spec.name] for spec in tasks)
  kind = next((kind for spec in tasks for kind in readers.READERS if kind in spec.reader), "")
  refused = [reason for place, reason in problems if place == path] + [task.error for task in found if task.error]
  if refused:
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    part = any(task.examples is not None or task.lacking for task in found)
    return FileReport(path, kind, "refused in part" if part else "refused", refused[0] + more, found)
  if found:
    lacking = sorted({task.lacking for task in found if task.lacking})
    if len([task for task in found if task.lacking]) == len(found):
      return FileReport(path, kind, "compiled", f"rows missing: {lacking[0]}", found)
    return FileReport(path, kind, "read", "", found)
  why = _known_other(path)
  return FileReport(path, "", "not read" if why else "unknown", why or "no task claims it", ())


def _discovery_problems(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
  """(file relative to the folder, reason) of what the discoveries could not use."""
  for collection in specs.collections():
    path = specs.collection_folder(collection) / "tasks.yaml"
    for entry in spec_files.read(path):
      if isinstance(entry, dict) and "discover" in entry:
        for problem in discovery.problems(path, entry, str(folder)):
          file, _, line = problem.place.partition(":")
          yield pathlib.Path(os.path.relpath(file, folder)).as_posix(), f"{line}: {problem.reason}".removeprefix(": ")


def _known_other(path: str) -> str:
  """What a file without a task is known to be; '' for nothing."""
  return next((why for pattern, why in _others() if _matches(path, pattern)), "")


@functools.cache
def _others() -> tuple[tuple[str, str], ...]:
  path = pathlib.Path(flan_jax.collections.__file__).parent / "other_files.yaml"
  return tuple((entry["files"], entry["why"]) for entry in spec_files.read(path))


def _matches(path: str, pattern: str) -> bool:
  if pattern.startswith("**/"):
    return fnmatch.fnmatchcase(pathlib.PurePosixPath(path).name, pattern[3:])
  if pattern.endswith("/**"):
    return path.startswith(pattern[:-2])
  return fnmatch.fnmatchcase(path, pattern) and path.count("/") == pattern.count("/")
