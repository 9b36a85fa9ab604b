"""Task specs and task types: what the YAML files of a collection say, as frozen dataclasses found by name.

Nothing is read before it is asked for, each file once, and no heavy library is imported: listing every task is cheap.
Collections lie in flan_jax/collections; FLAN_JAX_COLLECTIONS may name more folders of collections (separated by ':').
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any

import flan_jax.collections
from flan_jax import errors
from flan_jax.data import spec_files

DEFAULT_CAP = 100_000
DEFAULT_HELD_OUT_PERCENT = 5.0
OPTIONS_SHOWN = ("drawn", "always", "in_question")


@dataclasses.dataclass(frozen=True, eq=False)
class TaskSpec:
  """One dataset in one task category: where its records are and how they become a type's fields.

  Attributes:
    name: full name, 'collection.task'.
    reader: what reads the records, e.g. {'tsv': 'cot/gsm8k_train.tsv', 'columns': [...]}; see `sources`.
    type: name of the task type, which owns the wordings.
    fields: type's field -> the record's column; a field that is not here has its own name as column.
    constants: fields that are the same for every example.
    choices: the answer options of every example; None where a record gives its own (or the task has none).
    show_options: 'drawn' (half of the prompts list them), 'always', or 'in_question' (the question lists them itself).
    cap: the most examples that the task's rate in a mixture counts.
    held_out_percent: share of the examples, in percent, that no training run sees.
    origin: where the file comes from; told to a user who lacks it.
  """

  name: str
  collection: str
  reader: Mapping[str, Any]
  type: str
  cluster: str
  category: str = ""
  fields: Mapping[str, str] = dataclasses.field(default_factory=dict)
  constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
  choices: tuple[str, ...] | None = None
  show_options: str = "drawn"
  language: str = "en"
  metrics: tuple[str, ...] = ("exact_match",)
  cap: int = DEFAULT_CAP
  held_out_percent: float = DEFAULT_HELD_OUT_PERCENT
  origin: str = ""
  licence: str = ""
  citation: str = ""


@dataclasses.dataclass(frozen=True)
class Wording:
  """One way to ask: a Jinja template of a turn and, in few-shot prompts, what stands before and between the turns."""

  id: str
  turn: str
  head: str = ""
  join: str = "\n\n"


@dataclasses.dataclass(frozen=True, eq=False)
class TaskType:
  """The fields of a kind of task and its wordings by format name (see `formats`); absent format, no such prompts.

  Attributes:
    fields: what every example has.
    optional: what an example may have; 'rationale' and 'choices' are the fields that the renderer itself knows.
    target: template of the answer.
  """

  name: str
  collection: str
  fields: tuple[str, ...]
  optional: tuple[str, ...]
  target: str
  wordings: Mapping[str, tuple[Wording, ...]]


@dataclasses.dataclass(frozen=True)
class OptionStyle:
  """How a list of answer options is written: a head line, then one line an option with {marker} and {text}."""

  name: str
  head: str
  line: str
  markers: tuple[str, ...] = ()

  def block(self, choices: tuple[str, ...]) -> str:
    """The head and a line for each choice; with markers, at most as many choices as there are markers."""
    markers = self.markers or ("",) * len(choices)
    lines = (self.line.format(marker=m, text=c) for m, c in zip(markers, choices, strict=False))
    return "\n".join((self.head, *lines))

  def fits(self, choices: tuple[str, ...]) -> bool:
    """Whether there is a marker for every choice."""
    return not self.markers or len(choices) <= len(self.markers)


def collections() -> tuple[str, ...]:
  """The names of all collections, sorted."""
  return tuple(_folders(os.environ.get("FLAN_JAX_COLLECTIONS", "")))


def collection_folder(collection: str) -> pathlib.Path:
  """Where a collection's files lie. Raises UsageError with the nearest names for an unknown collection."""
  folders = _folders(os.environ.get("FLAN_JAX_COLLECTIONS", ""))
  if collection not in folders:
    raise errors.unknown_name("collection", collection, folders, "flan-jax inspect --collections")
  return folders[collection]


def task_names(collection: str | None = None) -> tuple[str, ...]:
  """The full names of all tasks, of one collection or of all, in the order of the files."""
  chosen = collections() if collection is None else (collection,)
  return tuple(name for c in chosen for name in _tasks(collection_folder(c)))


def get_task(name: str) -> TaskSpec:
  """The spec of a task by its full name; reads its collection only. Raises UsageError naming the nearest tasks."""
  collection = name.partition(".")[0]
  if collection not in collections():
    raise errors.unknown_name("task", name, task_names(), "flan-jax inspect --tasks")
  tasks = _tasks(collection_folder(collection))
  if name not in tasks:
    raise errors.unknown_name("task", name, tasks, f"flan-jax inspect --tasks {collection}")
  return tasks[name]


def get_type(name: str) -> TaskType:
  """A task type by its name, which is unique over the collections. Raises UsageError naming the nearest types."""
  for collection in collections():
    found = _types(collection_folder(collection)).get(name)
    if found is not None:
      return found
  raise errors.unknown_name("task type", name, type_names(), "the types.yaml files of the collections")


def type_names() -> tuple[str, ...]:
  """The names of all task types of all collections."""
  return tuple(name for c in collections() for name in _types(collection_folder(c)))


@functools.cache
def closers() -> tuple[str, ...]:
  """Templates of the sentence that gives the answer after a rationale; evaluation's extractor is built from these."""
  return tuple(spec_files.read(_ROOT / "closers.yaml"))


@functools.cache
def option_styles() -> tuple[OptionStyle, ...]:
  """The declared ways to write answer options."""
  path = _ROOT / "option_styles.yaml"
  styles = [spec_files.checked(path, entry, OptionStyle, "option style") for entry in spec_files.read(path)]
  return tuple(OptionStyle(**{**style, "markers": tuple(style.get("markers", ()))}) for style in styles)


_ROOT = pathlib.Path(flan_jax.collections.__file__).parent


@functools.lru_cache(maxsize=8)
def _folders(more: str) -> dict[str, pathlib.Path]:
  roots = [_ROOT, *(pathlib.Path(root) for root in more.split(os.pathsep) if root)]
  for root in roots:
    if not root.is_dir():
      raise errors.UsageError(f"FLAN_JAX_COLLECTIONS: there is no folder {root}")
  found = {path.parent.name: path.parent for root in roots for path in root.glob("*/tasks.yaml")}
  return dict(sorted(found.items()))


@functools.cache
def _tasks(folder: pathlib.Path) -> dict[str, TaskSpec]:
  path = folder / "tasks.yaml"
  tasks = {}
  for entry in spec_files.read(path):
    for expanded in spec_files.expanded(path, entry):
      spec = _task(path, spec_files.checked(path, expanded, TaskSpec, "task"))
      if spec.name in tasks:
        raise errors.FlanJaxError(f"{path}: two tasks are called {spec.name!r}")
      tasks[spec.name] = spec
  return tasks


def _task(path: pathlib.Path, entry: dict[str, Any]) -> TaskSpec:
  collection = path.parent.name
  choices = entry.get("choices")
  spec = TaskSpec(
    **{
      **entry,
      "name": f"{collection}.{entry['name']}",
      "collection": collection,
      "constants": {key: str(value) for key, value in entry.get("constants", {}).items()},
      "choices": None if choices is None else tuple(map(str, choices)),
      "metrics": tuple(entry.get("metrics", ("exact_match",))),
      "held_out_percent": float(entry.get("held_out_percent", DEFAULT_HELD_OUT_PERCENT)),
    }
  )
  if spec.show_options not in OPTIONS_SHOWN:
    raise errors.FlanJaxError(
      f"{path}: task {entry['name']!r}: show_options is {spec.show_options!r}, not one of {', '.join(OPTIONS_SHOWN)}"
    )
  return spec


@functools.cache
def _types(folder: pathlib.Path) -> dict[str, TaskType]:
  path = folder / "types.yaml"
  if not path.exists():
    return {}
  return {entry["name"]: _type(path, entry) for entry in spec_files.read(path)}


# The key of types.yaml that holds the wordings of each format, and how one entry of it becomes a Wording.
_WORDING_KEYS = {"zero_shot": "wordings", "cot": "cot_wordings", "few_shot": "few_shot", "few_shot_cot": "few_shot_cot"}


def _type(path: pathlib.Path, entry: dict[str, Any]) -> TaskType:
  wordings = {
    form: tuple(_wording(path, f"{entry['name']}/{form}/{i}", text) for i, text in enumerate(entry[key]))
    for form, key in _WORDING_KEYS.items()
    if entry.get(key)
  }
  others = {key: value for key, value in entry.items() if key not in _WORDING_KEYS.values()}
  spec_files.checked(path, {**others, "wordings": wordings}, TaskType, "type")
  return TaskType(
    name=entry["name"],
    collection=path.parent.name,
    fields=tuple(entry["fields"]),
    optional=tuple(entry.get("optional", ())),
    target=entry["target"],
    wordings=wordings,
  )


def _wording(path: pathlib.Path, identifier: str, text: str | dict[str, str]) -> Wording:
  if isinstance(text, str):
    return Wording(id=identifier, turn=text)
  return Wording(**spec_files.checked(path, {"id": identifier, **text}, Wording, "wording"))
