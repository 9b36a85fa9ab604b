"""Mixtures by name: which tasks together, how often each, in which formats. A task's name is the mixture of that one.

A mixture has parts, which may have shares of it; `rates` says how often each task comes. A name may carry arguments
that make another mixture of it, such as 'flan2022_b(tasks=89, max_per_task=1000)': see `mixture_functions`.
"""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Literal

from flan_jax import errors
from flan_jax.data import formats as formats_
from flan_jax.data import mixture_files, mixture_functions, sources, spec_files, specs


@dataclasses.dataclass(frozen=True)
class Part:
  """Tasks of a mixture that are asked alike.

  Attributes:
    tasks: full names, in catalogue order; none where all are to be found in files that are not there.
    share: of the mixture, in any unit, however many examples there are; None where the mixture has no shares.
    cap: the most examples of a task that its rate counts; None for each task's own.
    formats: (format, weight); each example draws one of those that its task has wordings for.
    shots: (fewest, most) exemplars of a few-shot prompt.
    options: how answer options are listed, one of formats.OPTIONS.
    instructions: one of formats.INSTRUCTIONS.
    lenders: the tasks whose instructions are shuffled.
    inverted: of a dataset's rate, the share of the task that asks the other way round.
    patterns: what the tasks were chosen by, for people.
  """

  name: str
  tasks: tuple[str, ...]
  share: float | None = None
  cap: int | None = None
  formats: tuple[tuple[str, int], ...] = formats_.DEFAULT_FORMATS
  shots: tuple[int, int] = formats_.DEFAULT_SHOTS
  options: str = "drawn"
  instructions: str = "given"
  lenders: tuple[str, ...] = ()
  inverted: float = 0.0
  patterns: tuple[str, ...] = ()

  @property
  def manner(self) -> formats_.Manner:
    """How its tasks are asked."""
    return formats_.Manner(self.formats, self.shots, self.options, self.instructions, self.lenders)


@dataclasses.dataclass(frozen=True)
class MixtureSpec:
  """Tasks that are trained on together.

  Attributes:
    name: as `mixture_functions` spells it.
    parts: no task is in two of them.
    max_per_task: so many examples of each task are used, at most; see `limits`. None for all.
    evaluation_only: whether it may be measured on, and not trained on.
    note: what its readers should know.
  """

  name: str
  parts: tuple[Part, ...]
  max_per_task: int | None = None
  evaluation_only: bool = False
  note: str = ""

  @property
  def tasks(self) -> tuple[str, ...]:
    """Full names, part after part."""
    return tuple(task for part in self.parts for task in part.tasks)

  def part_of(self, task: str) -> Part:
    """The part that a task of the mixture is in."""
    return next(part for part in self.parts if task in part.tasks)

  def only(self, tasks: Collection[str]) -> "MixtureSpec":
    """The mixture of those of its tasks that are asked for; parts that are left without any are gone."""
    wanted = frozenset(tasks)
    parts = (
      dataclasses.replace(part, tasks=tuple(task for task in part.tasks if task in wanted)) for part in self.parts
    )
    return dataclasses.replace(self, parts=tuple(part for part in parts if part.tasks))


def mixture_names() -> tuple[str, ...]:
  """The names of all declared mixtures (task names, which are mixtures too, apart)."""
  return tuple(mixture_files.declared())


def declared_mixtures(data_dir: str | os.PathLike | None = None) -> Iterator[MixtureSpec]:
  """All declared mixtures, also those whose tasks are all to be found in files that are not there."""
  known = None if data_dir is None else os.fspath(data_dir)
  return (_of_entry(entry, known) for entry in mixture_files.declared().values())


def get_mixture(name: str, data_dir: str | os.PathLike | None = None) -> MixtureSpec:
  """A declared mixture, or the mixture of the one task of that name; either changed by arguments behind the name.

  Args:
    data_dir: the user's data folder, in which some collections find their tasks.

  Raises:
    UsageError: there is neither, or no such argument; names the nearest.
    FlanJaxError: a mistake in a mixtures.yaml, or no task is left.
  """
  asked = mixture_functions.parse(name)
  known = None if data_dir is None else os.fspath(data_dir)
  return mixture_functions.applied(_named(asked.base, known), asked, known)


def rates(
  mixture: MixtureSpec, examples: Mapping[str, int], data_dir: str | os.PathLike | None = None
) -> dict[str, float]:
  """How often each task comes, in examples: the rates' proportions are the mixture, their unit is of no account.

  Within a part a task counts as its examples, at most its cap, and a task and its inversion share what the dataset
  counts for. Parts with shares are then scaled down to them, all but the one that has the fewest examples for its
  share. Those without any example count for nothing, whatever their share.

  Args:
    examples: how many training examples each task has; one that is not named here is not there.
  """
  parts = [(part, _part_rates(part, mixture.max_per_task, examples, data_dir)) for part in mixture.parts]
  there = [(part, within) for part, within in parts if sum(within.values())]
  scales = {part.name: 1.0 for part, _ in parts}
  if any(part.share is not None for part, _ in there):
    unit = {part.name: sum(within.values()) / part.share for part, within in there}
    scales.update({name: min(unit.values()) / each for name, each in unit.items()})
  return {task: rate * scales[part.name] for part, within in parts for task, rate in within.items()}


def looked_for(
  mixture: MixtureSpec, data_dir: str | os.PathLike | None
) -> tuple[tuple[str, ...], tuple[sources.MissingFile, ...]]:
  """The tasks of a mixture whose files are there, and the files that are not.

  A part whose tasks are to be found in a folder that is not there counts as one missing file.
  """
  absent = {}
  for task in mixture.tasks:
    file = sources.missing_file(specs.get_task(task, data_dir), data_dir)
    if file is not None:
      absent[task] = file
  empty = (part for part in mixture.parts if not part.tasks)
  folders = (
    folder
    for part in empty
    for folder in discovered_in(part.patterns, f"part {part.name} ({', '.join(part.patterns)})", data_dir)
  )
  return tuple(task for task in mixture.tasks if task not in absent), (*absent.values(), *folders)


def installed(
  mixture: MixtureSpec, data_dir: str | os.PathLike | None, missing: Literal["error", "skip"] = "error"
) -> tuple[tuple[str, ...], tuple[sources.MissingFile, ...]]:
  """What `looked_for` finds.

  Raises:
    MissingDataError: with missing='error', some file is not there; with 'skip', none of the tasks can be read.
  """
  present, files = looked_for(mixture, data_dir)
  if files and (missing == "error" or not present):
    told = "\n  ".join(some(files))
    hint = " --missing=skip goes on without them." if present else ""
    absent = len(mixture.tasks) - len(present)
    lacking = f"{absent} of the {len(mixture.tasks)} tasks of {mixture.name} lack their file"
    if folders := len(files) - absent:
      lacking += f", {folders} of its {len(mixture.parts)} parts all their tasks"
    raise sources.MissingDataError(f"{lacking}:{hint}\n  {told}")
  return present, files


def some(files: Sequence[sources.MissingFile]) -> list[str]:
  """A few missing files of each collection, told whole, and how many more there are."""
  lines = []
  by_collection: dict[str, list[sources.MissingFile]] = {}
  for file in files:
    by_collection.setdefault(file.task.partition(".")[0], []).append(file)
  for collection, each in by_collection.items():
    lines += map(str, each[:_TOLD_A_COLLECTION])
    if len(each) > _TOLD_A_COLLECTION:
      lines.append(
        f"... and {len(each) - _TOLD_A_COLLECTION} more of {collection} (all: flan-jax inspect --mixture NAME)"
      )
  return lines


_TOLD_A_COLLECTION = 2


def check_trainable(mixture: MixtureSpec, data_dir: str | os.PathLike | None = None) -> None:
  """Raises UsageError if a mixture, or one of its tasks, is for evaluation only."""
  if mixture.evaluation_only:
    raise errors.UsageError(
      f"{mixture.name} is for evaluation only: a model trained on it could not be measured on it any more. "
      f"flan-jax eval CHECKPOINT --mixture {mixture.name} measures on it"
    )
  for task in mixture.tasks:
    if specs.get_task(task, data_dir).evaluation_only:
      raise errors.UsageError(f"{task} is for evaluation only, so {mixture.name} cannot be trained on")


def _named(name: str, data_dir: str | None) -> MixtureSpec:
  declared = mixture_files.declared().get(name)
  if declared is not None:
    return _of_entry(declared, data_dir)
  if "." in name:
    spec = specs.get_task(name, data_dir)
    return MixtureSpec(name, (Part(name, (spec.name,), patterns=(name,)),), evaluation_only=spec.evaluation_only)
  known = (*mixture_names(), *specs.task_names(None, data_dir))
  raise errors.unknown_name("mixture or task", name, known, "flan-jax inspect --mixtures")


def _of_entry(entry: mixture_files.Entry, data_dir: str | None) -> MixtureSpec:
  parts = []
  for part in entry.parts:
    shape = {field.name: getattr(part, field.name) for field in dataclasses.fields(Part) if hasattr(part, field.name)}
    tasks = mixture_files.chosen(part, entry, data_dir)
    parts.append(Part(**{**shape, "tasks": tasks, "inverted": part.inverted or 0.0, "patterns": part.tasks}))
  mixture = MixtureSpec(entry.name, tuple(parts), entry.max_per_task, entry.evaluation_only, entry.note)
  for task, times in collections.Counter(mixture.tasks).items():
    if times > 1:
      raise errors.FlanJaxError(f"{entry.path}: mixture {entry.name!r}: task {task!r} is in two of its parts")
  return mixture


def _part_rates(
  part: Part, max_per_task: int | None, examples: Mapping[str, int], data_dir: str | os.PathLike | None
) -> dict[str, float]:
  there = [task for task in part.tasks if task in examples]
  originals = {task: specs.get_task(task, data_dir).inverted_of for task in there}
  paired = {original for original in originals.values() if examples.get(original) and original in part.tasks}
  return {
    task: float(min(examples[task], _cap(part, task, data_dir), max_per_task or examples[task]))
    * _direction(task, originals[task], paired, part.inverted, examples)
    for task in there
  }


def _cap(part: Part, task: str, data_dir: str | os.PathLike | None) -> int:
  return specs.get_task(task, data_dir).cap if part.cap is None else part.cap


def _direction(
  task: str, original: str, paired: Collection[str], inverted: float, examples: Mapping[str, int]
) -> float:
  """What share of its dataset a task has: all of it where there is no other direction."""
  if not inverted:
    return 1.0
  if original in paired:
    return inverted
  return 1.0 - inverted if task in paired and examples.get(f"{task}_inverted") else 1.0


def discovered_in(
  patterns: Iterable[str], wanting: str, data_dir: str | os.PathLike | None
) -> list[sources.MissingFile]:
  """Where tasks of these patterns' collections would be found, which `wanting` lacks; [] of those that are declared."""
  found = []
  for collection in dict.fromkeys(pattern.partition(".")[0] for pattern in patterns):
    for entry in spec_files.read(specs.collection_folder(collection) / "tasks.yaml"):
      if "discover" in entry:
        folder = pathlib.Path("DATA_DIR" if data_dir is None else data_dir)
        file = str(entry.get("folder", entry["discover"]))
        origin = str(entry.get("folder_origin", entry.get("origin", "")))
        found.append(sources.MissingFile(wanting, file, str(folder), origin))
  return found
