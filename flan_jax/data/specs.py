"""Task specs and task types: what the YAML files of a collection say, as frozen dataclasses found by name.

Nothing is read before it is asked for, each file once, and no heavy library is imported: listing every task is cheap.
Collections lie in flan_jax/collections; FLAN_JAX_COLLECTIONS may name more folders of collections (separated by ':').
A collection may leave its tasks to be found in the user's data folder (`discovery`); types that several collections
share lie in flan_jax/collections/types.
"""

import dataclasses
import functools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import flan_jax.collections
from flan_jax import errors
from flan_jax.data import discovery, frames, spec_files, spec_values

DEFAULT_CAP = 100_000
DEFAULT_HELD_OUT_PERCENT = 5.0
OPTIONS_SHOWN = ("drawn", "always", "in_question")
OPTION_TARGETS = ("drawn", "text", "marker")


@dataclasses.dataclass(frozen=True, eq=False)
class TaskSpec:
  """One dataset in one task category: where its records are and how they become a type's fields.

  Attributes:
    name: full name, 'collection.task'.
    reader: what reads the records, e.g. {'tsv': 'cot/gsm8k_train.tsv', 'columns': [...]}; see `readers`.
    type: name of the task type, which owns the wordings.
    fields: type's field -> what of the record it is, see `mapping`; a field that is not here is the column of its name.
    constants: fields that are the same for every example.
    choices: the answer options of every example; None where a record gives its own (or the task has none).
    show_options: 'drawn' (half of the prompts list them), 'always', or 'in_question' (the question lists them itself).
    option_target: whether the answer is an option's 'text', its 'marker' (where options are listed), or 'drawn'.
    cap: the most examples that the task's rate in a mixture counts.
    held_out_percent: share of the examples, in percent, that no training run sees.
    evaluation_only: whether no mixture may train on it; all of its examples are held out.
    category: as the collection says; by default its type's.
    dataset: what the task was made of; by default its name.
    inverted: whether a second task asks the other way round, where its type has an inverted type.
    inverted_of: the task that this one asks the other way round.
    tags: what mixtures choose by, e.g. 't0_train'.
    examples: the published number of training examples, told where the task is not installed.
    origin: where the file comes from; told to a user who lacks it.
  """

  name: str
  collection: str
  reader: Mapping[str, Any]
  type: str
  cluster: str
  category: str = ""
  dataset: str = ""
  fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  constants: Mapping[str, str] = dataclasses.field(default_factory=dict)
  choices: tuple[str, ...] | None = None
  show_options: str = "drawn"
  option_target: str = "drawn"
  language: str = "English"
  metrics: tuple[str, ...] = ()
  cap: int = DEFAULT_CAP
  held_out_percent: float = DEFAULT_HELD_OUT_PERCENT
  evaluation_only: bool = False
  inverted: bool = True
  inverted_of: str = ""
  tags: tuple[str, ...] = ()
  examples: int | None = None
  origin: str = ""
  licence: str = ""
  citation: str = ""


@dataclasses.dataclass(frozen=True)
class Wording:
  """One way to ask: a Jinja template of a turn and, in few-shot prompts, what stands before and between the turns.

  Attributes:
    after: template of what follows the target of an exemplar, such as its explanation.
    negative: template of a wrongly solved example, which then stands before the query.
  """

  id: str
  turn: str
  head: str = ""
  join: str = "\n\n"
  after: str = ""
  negative: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class TaskType:
  """The fields of a kind of task and its wordings by format name (see `formats`); absent format, no such prompts.

  Attributes:
    fields: what every example has.
    optional: what an example may have; 'rationale' and 'choices' are the fields that the renderer itself knows.
    context: fields that may be shortened where a query is too long for its row.
    target: template of the answer.
    category, metrics: of its tasks, unless they say otherwise.
    inverted: the type that asks the other way round; '' for none.
    bare: template of the fields alone, without a word of instruction.
    instruction: those of the fields that are the instruction, where it is not in the wordings alone.
    wordings: what is trained on.
    evaluation_wordings: zero-shot, never trained on.
  """

  name: str
  collection: str
  fields: tuple[str, ...]
  optional: tuple[str, ...]
  target: str
  wordings: Mapping[str, tuple[Wording, ...]]
  evaluation_wordings: tuple[Wording, ...] = ()
  context: tuple[str, ...] = ()
  category: str = ""
  metrics: tuple[str, ...] = ("exact_match",)
  inverted: str = ""
  bare: str = ""
  instruction: tuple[str, ...] = ()

  @property
  def asks(self) -> bool:
    """Whether its tasks ask anything: a text to learn from has targets alone."""
    return any(wording.turn for wording in self.wordings.get("zero_shot", ()))


@dataclasses.dataclass(frozen=True)
class OptionStyle:
  """How a list of answer options is written: a head line, then one line an option with {marker} and {text}.

  Attributes:
    answer: how the answer is written, from {marker}; '' where it is the option's text.
    request: the last line of the list, which says so.
  """

  name: str
  head: str
  line: str
  markers: tuple[str, ...] = ()
  answer: str = ""
  request: str = ""

  def block(self, choices: Sequence[str]) -> str:
    """The head, a line for each choice and the request. The style fits the choices."""
    markers = self.markers[: len(choices)] or ("",) * len(choices)
    lines = [self.line.format(marker=m, text=c) for m, c in zip(markers, choices, strict=True)]
    return "\n".join((self.head, *lines, self.request) if self.request else (self.head, *lines))

  def fits(self, choices: int) -> bool:
    """Whether there is a marker for each of so many choices."""
    return not self.markers or choices <= len(self.markers)

  def written(self, answer: str, choices: Sequence[str]) -> str:
    """The answer as targets of this style have it: one of the choices, or its marker."""
    return self.answer.format(marker=self.markers[choices.index(answer)]) if self.answer else answer


def collections() -> tuple[str, ...]:
  """The names of all collections, sorted."""
  return tuple(_folders(os.environ.get("FLAN_JAX_COLLECTIONS", "")))


def collection_roots() -> tuple[pathlib.Path, ...]:
  """The folders that collections lie in; mixtures over several collections lie there too."""
  return _roots(os.environ.get("FLAN_JAX_COLLECTIONS", ""))


def collection_folder(collection: str) -> pathlib.Path:
  """Where a collection's files lie. Raises UsageError with the nearest names for an unknown collection."""
  folders = _folders(os.environ.get("FLAN_JAX_COLLECTIONS", ""))
  if collection not in folders:
    raise errors.unknown_name("collection", collection, folders, "flan-jax inspect --collections")
  return folders[collection]


def task_names(collection: str | None = None, data_dir: str | os.PathLike | None = None) -> tuple[str, ...]:
  """The full names of all tasks, of one collection or of all, in the order of the files.

  Args:
    data_dir: the user's data folder, in which some collections find their tasks.
  """
  chosen = collections() if collection is None else (collection,)
  return tuple(name for c in chosen for name in _tasks(collection_folder(c), _known(data_dir)))


def get_task(name: str, data_dir: str | os.PathLike | None = None) -> TaskSpec:
  """The spec of a task by its full name; reads its collection only. Raises UsageError naming the nearest tasks."""
  collection = name.partition(".")[0]
  if collection not in collections():
    raise errors.unknown_name("task", name, task_names(None, data_dir), "flan-jax inspect --tasks")
  tasks = _tasks(collection_folder(collection), _known(data_dir))
  if name not in tasks:
    found = " --data_dir D (its tasks are found in files)" if discovers(collection) else ""
    raise errors.unknown_name("task", name, tasks, f"flan-jax inspect --tasks {collection}{found}")
  return tasks[name]


def discovers(collection: str) -> bool:
  """Whether a collection has tasks that are found in the user's data folder."""
  return any("discover" in entry for entry in spec_files.read(collection_folder(collection) / "tasks.yaml"))


def get_type(name: str) -> TaskType:
  """A task type by its name, which is unique over the collections. Raises UsageError naming the nearest types."""
  if name in _common_types():
    return _common_types()[name]
  for collection in collections():
    found = _own_types(collection).get(name)
    if found is not None:
      return found
  raise errors.unknown_name("task type", name, type_names(), "flan_jax/collections/types, the collections' types.yaml")


def type_names() -> tuple[str, ...]:
  """The names of all task types: the common ones, then those of the collections."""
  own = (name for c in collections() for name in _own_types(c))
  return (*_common_types(), *own)


@functools.cache
def closers() -> tuple[str, ...]:
  """Templates of the sentence that gives the answer after a rationale; evaluation's extractor is built from these."""
  return tuple(spec_files.read(_ROOT / "closers.yaml"))


@dataclasses.dataclass(frozen=True)
class AnswerSigns:
  """How published outputs of one language say that the answer comes; see collections/answer_signs.yaml.

  Attributes:
    signs: templates like closers.
    headers: what announces the reasoning, though it looks like a sign.
    questions: what the next question begins with, before a colon.
    spaced: whether spaces part the words.
    groups: '.' where it stands between thousands; '' otherwise.
  """

  language: str
  signs: tuple[str, ...]
  headers: tuple[str, ...] = ()
  questions: tuple[str, ...] = ()
  spaced: bool = True
  groups: str = ""


@functools.cache
def answer_signs() -> tuple[AnswerSigns, ...]:
  """The signs of published outputs, which evaluation's extractor reads beside the closers."""
  path = _ROOT / "answer_signs.yaml"
  entries = [spec_files.checked(path, entry, AnswerSigns, "language's signs") for entry in spec_files.read(path)]
  return tuple(
    AnswerSigns(**{key: tuple(value) if isinstance(value, list) else value for key, value in entry.items()})
    for entry in entries
  )


@functools.cache
def option_styles() -> tuple[OptionStyle, ...]:
  """The declared ways to write answer options."""
  path = _ROOT / "option_styles.yaml"
  styles = [spec_files.checked(path, entry, OptionStyle, "option style") for entry in spec_files.read(path)]
  return tuple(OptionStyle(**{**style, "markers": tuple(style.get("markers", ()))}) for style in styles)


_ROOT = pathlib.Path(flan_jax.collections.__file__).parent


@functools.lru_cache(maxsize=8)
def _folders(more: str) -> dict[str, pathlib.Path]:
  found = {path.parent.name: path.parent for root in _roots(more) for path in root.glob("*/tasks.yaml")}
  return dict(sorted(found.items()))


@functools.lru_cache(maxsize=8)
def _roots(more: str) -> tuple[pathlib.Path, ...]:
  roots = (_ROOT, *(pathlib.Path(root) for root in more.split(os.pathsep) if root))
  for root in roots:
    if not root.is_dir():
      raise errors.UsageError(f"FLAN_JAX_COLLECTIONS: there is no folder {root}")
  return roots


@functools.lru_cache(maxsize=64)
def _tasks(folder: pathlib.Path, data_dir: str | None) -> dict[str, TaskSpec]:
  path = folder / "tasks.yaml"
  tasks: dict[str, TaskSpec] = {}
  for entry in _entries(path, data_dir):
    for spec in _directions(_task(path, spec_files.checked(path, entry, TaskSpec, "task"))):
      if spec.name in tasks:
        raise errors.FlanJaxError(f"{path}: two tasks are called {spec.name!r}")
      tasks[spec.name] = spec
  return tasks


def _known(data_dir: str | os.PathLike | None) -> str | None:
  return None if data_dir is None else os.fspath(data_dir)


def _entries(path: pathlib.Path, data_dir: str | None) -> Iterator[dict[str, Any]]:
  """The entries of a tasks.yaml: as they stand, as tables of them, or as what is found in the data folder."""
  for entry in spec_files.read(path):
    if isinstance(entry, dict) and "discover" in entry:
      yield from discovery.discovered(path, entry, data_dir)
    else:
      yield from spec_files.expanded(path, entry)


def _task(path: pathlib.Path, entry: dict[str, Any]) -> TaskSpec:
  collection = path.parent.name
  choices = entry.get("choices")
  spec_values.check_task(path, entry)
  kind = _type_of(path, entry)
  spec_values.check_fields(path, entry, (*kind.fields, *kind.optional))
  name = f"{collection}.{entry['name']}"
  spec = TaskSpec(
    **{
      **entry,
      "name": name,
      "collection": collection,
      "category": entry.get("category", kind.category),
      "dataset": str(entry.get("dataset", entry["name"])),
      "reader": {"series": name, **entry["reader"]} if "generator" in entry["reader"] else entry["reader"],
      "constants": {key: str(value) for key, value in entry.get("constants", {}).items()},
      "choices": None if choices is None else tuple(map(str, choices)),
      "metrics": tuple(entry.get("metrics", kind.metrics)),
      "tags": tuple(entry.get("tags", ())),
      "held_out_percent": float(entry.get("held_out_percent", DEFAULT_HELD_OUT_PERCENT)),
    }
  )
  for key, declared in (("show_options", OPTIONS_SHOWN), ("option_target", OPTION_TARGETS)):
    if getattr(spec, key) not in declared:
      raise errors.FlanJaxError(
        f"{path}: task {entry['name']!r}: {key} is {getattr(spec, key)!r}, not one of {', '.join(declared)}"
      )
  return spec


def _type_of(path: pathlib.Path, entry: dict[str, Any]) -> TaskType:
  try:
    return get_type(entry["type"])
  except errors.UsageError as error:
    raise errors.FlanJaxError(f"{path}: task {entry['name']!r}: {error}") from None


def _directions(spec: TaskSpec) -> Iterator[TaskSpec]:
  """The task, and the one that asks the other way round."""
  yield spec
  kind = get_type(spec.type)
  if kind.inverted and spec.inverted:
    inverted = get_type(kind.inverted)
    yield dataclasses.replace(
      spec,
      name=f"{spec.name}_inverted",
      type=inverted.name,
      category=inverted.category,
      metrics=inverted.metrics,
      inverted_of=spec.name,
    )


@functools.cache
def _common_types() -> dict[str, TaskType]:
  return {name: kind for path in sorted((_ROOT / "types").glob("*.yaml")) for name, kind in _types(path).items()}


def _own_types(collection: str) -> dict[str, TaskType]:
  path = collection_folder(collection) / "types.yaml"
  types = _types(path)
  if taken := sorted(types.keys() & _common_types().keys()):
    raise errors.FlanJaxError(f"{path}: {', '.join(taken)}: a common type has that name (flan_jax/collections/types)")
  return types


@functools.cache
def _types(path: pathlib.Path) -> dict[str, TaskType]:
  return {entry["name"]: _type(path, entry) for entry in spec_files.read(path)} if path.exists() else {}


# The key of types.yaml that holds the wordings of each format, and how one entry of it becomes a Wording.
_WORDING_KEYS = {
  "zero_shot": "wordings",
  "cot": "cot_wordings",
  "few_shot": "few_shot",
  "few_shot_bare": "few_shot_bare",
  "few_shot_cot": "few_shot_cot",
  "continuation": "continuation",
}
_FORMS = (*_WORDING_KEYS, "bare")  # `bare` is the text that a type's key of that name gives, and no list of wordings


def _type(path: pathlib.Path, entry: dict[str, Any]) -> TaskType:
  wordings = {}
  for form in _FORMS:
    texts = entry.get(_WORDING_KEYS.get(form)) or frames.derived(form, entry)
    if texts:
      wordings[form] = tuple(_wording(path, f"{entry['name']}/{form}/{i}", text) for i, text in enumerate(texts))
  kept = entry.get("evaluation_wordings", ())
  others = {key: value for key, value in entry.items() if key not in _WORDING_KEYS.values()}
  spec_files.checked(path, {**others, "wordings": wordings}, TaskType, "type")
  lists = {key: tuple(entry[key]) for key in ("context", "metrics", "instruction") if key in entry}
  return TaskType(
    **{
      **others,
      **lists,
      "collection": path.parent.name,
      "fields": tuple(entry["fields"]),
      "optional": tuple(entry.get("optional", ())),
      "wordings": wordings,
      "evaluation_wordings": tuple(
        _wording(path, f"{entry['name']}/evaluation/{i}", text) for i, text in enumerate(kept)
      ),
    }
  )


def _wording(path: pathlib.Path, identifier: str, text: str | dict[str, str]) -> Wording:
  if isinstance(text, str):
    return Wording(id=identifier, turn=text)
  return Wording(**spec_files.checked(path, {"id": identifier, **text}, Wording, "wording"))
