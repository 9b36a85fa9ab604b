"""The published catalogue of Flan 2022 beside our tasks: which of its rows a task of ours covers, why counts differ.

A row of the catalogue is a dataset in one category. What is published of its size, and how its names are ours, stands
in flan_jax/collections/published_counts.yaml.
"""

import csv
import dataclasses
import functools
import pathlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import flan_jax.collections
from flan_jax import errors
from flan_jax.data import spec_files, specs

FILE = "flan_collection_info.csv"  # in the data folder; google-research/FLAN has it as flan/v2/flan_collection_info.csv


@dataclasses.dataclass(frozen=True)
class Row:
  """A line of the catalogue.

  Attributes:
    title: what it calls the task; in FLAN's own sources, the category.
    category: its generic task category.
  """

  source: str
  dataset: str
  title: str
  category: str


@dataclasses.dataclass(frozen=True)
class Source:
  """What is published of one of the catalogue's sources, and how its rows name tasks of ours.

  Attributes:
    rows: how many the catalogue has.
    collection: of ours; '' where there is none.
    by: 'name' where a row's title is the name of its task; else 'dataset' and direction.
    prefixes: before the names of datasets, which ours do not have.
    turned: category that turns a task round -> the type of the task that does ('' for any).
  """

  rows: int
  collection: str
  by: str = "dataset"
  prefixes: Sequence[str] = ()
  turned: Mapping[str, str] = dataclasses.field(default_factory=dict)

  def is_turned(self, row: Row) -> bool:
    """Whether a row asks the other way round."""
    return row.category in self.turned or row.category.startswith("Inverted ")


@dataclasses.dataclass(frozen=True)
class Submixture:
  """What the paper counts of a submixture ('all' is the whole), and what is known of the difference."""

  submixture: str
  tasks: int
  datasets: int | None = None
  categories: int | None = None
  sources: Mapping[str, Source] = dataclasses.field(default_factory=dict)
  notes: Sequence[str] = ()


@functools.cache
def published() -> tuple[Submixture, ...]:
  """What is published, a submixture an entry; the last is the whole."""
  path = pathlib.Path(flan_jax.collections.__file__).parent / "published_counts.yaml"
  found = []
  for entry in spec_files.read(path):
    spec_files.checked(path, entry, Submixture, "submixture")
    listed = entry.get("sources", {}).items()
    sources = {name: Source(**spec_files.checked(path, told, Source, "source")) for name, told in listed}
    found.append(Submixture(**{**entry, "sources": sources}))
  return tuple(found)


def read(path: pathlib.Path) -> tuple[Row, ...]:
  """The rows of a catalogue file. Raises FlanJaxError where its columns are others."""
  with path.open(encoding="utf-8", newline="") as file:
    reader = csv.DictReader(file)
    if missing := [name for name in _COLUMNS if name not in (reader.fieldnames or ())]:
      raise errors.FlanJaxError(f"{path}:1: no column {missing[0]!r}; the catalogue has {', '.join(_COLUMNS)}")
    return tuple(Row(*(str(line[name] or "") for name in _COLUMNS)) for line in reader)


def covered(rows: Iterable[Row], tasks: Iterable[specs.TaskSpec]) -> dict[str, Row]:
  """The names of the tasks that the catalogue has -> their rows; each task and each row at most once."""
  by_source: dict[str, list[Row]] = defaultdict(list)
  for row in rows:
    by_source[row.source].append(row)
  by_collection: dict[str, list[specs.TaskSpec]] = defaultdict(list)
  for task in tasks:
    by_collection[task.collection].append(task)
  found: dict[str, Row] = {}
  for submixture in published():
    for name, source in submixture.sources.items():
      ours = [task for task in by_collection[source.collection] if task.name not in found]
      found.update(_matched(source, by_source[name], ours))
  return found


def reconciled(tasks: Sequence[specs.TaskSpec], rows: Sequence[Row] | None) -> dict[str, Any]:
  """Our counts beside the catalogue's and the paper's, with every difference explained, as plain JSON values.

  Args:
    tasks: all that there are.
    rows: of the catalogue; None where its file is not there, and only what is published can be told.
  """
  matched = covered(rows or (), tasks)
  left = _uncovered(rows or (), matched)
  of_submixture = [_submixture_line(one, tasks, rows, matched) for one in published()]
  return {
    "catalogue": None if rows is None else {**_counts(rows), "rows": len(rows)},
    "submixtures": of_submixture,
    "collections": _collection_lines(tasks, None if rows is None else matched),
    "notes": [
      *({"of": one.submixture, "note": note} for one in published() for note in one.notes),
      *({"of": "all", "note": note} for note in _spelling_notes(rows)),
      *_missing_notes(left),
    ],
    "rows_without_a_task": left,
    "tasks_without_a_row": _unlisted(tasks, matched) if rows is not None else {},
  }


_COLUMNS = ("Source", "Dataset", "Specific Task Category", "Generic Task Category")


def _matched(source: Source, rows: Sequence[Row], tasks: Sequence[specs.TaskSpec]) -> dict[str, Row]:
  """Tasks and rows with the same key, in their order; then, of those that name their tasks, with the same number."""
  found: dict[str, Row] = {}
  row_keys, task_key = (_by_name if source.by == "name" else _by_direction)(source)
  for keys_of_row, key_of_task in ((row_keys, task_key), (_row_number, _task_number)):
    left = set(found.values())
    waiting: dict[Any, list[Row]] = defaultdict(list)
    for row in rows:
      if (key := keys_of_row(row)) is not None and row not in left:
        waiting[key].append(row)
    for task in tasks:
      if task.name not in found and waiting.get(key_of_task(task)):
        found[task.name] = waiting[key_of_task(task)].pop(0)
  return found


def _by_name(source: Source) -> tuple[Any, Any]:
  del source
  return (lambda row: _plain(row.title)), (lambda task: _plain(task.name.partition(".")[2]))


def _by_direction(source: Source) -> tuple[Any, Any]:
  types = set(source.turned.values())

  def of_row(row: Row) -> tuple[str, str | None]:
    dataset = next((row.dataset[len(p) :] for p in source.prefixes if row.dataset.startswith(p)), row.dataset)
    return dataset, source.turned.get(row.category, "") if source.is_turned(row) else None

  def of_task(task: specs.TaskSpec) -> tuple[str, str | None]:
    return task.dataset, (task.type if task.type in types else "") if task.inverted_of else None

  return of_row, of_task


def _plain(name: str) -> str:
  return re.sub(r"\W+", "_", name).lower()


def _row_number(row: Row) -> str | None:
  """The catalogue cuts some names of Super-NaturalInstructions short ('task1640_aqa1'), never their number."""
  return _number(row.title)


def _task_number(task: specs.TaskSpec) -> str | None:
  return _number(task.name.partition(".")[2])


def _number(name: str) -> str | None:
  number = re.match(r"task(\d+)_", name)
  return number and number[1]


def _counts(rows: Iterable[Row]) -> dict[str, int]:
  rows = list(rows)
  return {"datasets": len({row.dataset for row in rows}), "categories": len({row.category for row in rows})}


def _submixture_line(
  one: Submixture, tasks: Sequence[specs.TaskSpec], rows: Sequence[Row] | None, matched: Mapping[str, Row]
) -> dict[str, Any]:
  """A submixture, ours beside the others; of the whole, all that the submixtures have. None is what only rows tell."""
  sources = one.sources or {name: source for other in published() for name, source in other.sources.items()}
  listed = [row for row in rows or () if row.source in sources]
  ours = [task for task in tasks if task.name in matched and matched[task.name].source in sources]
  line = {
    "submixture": one.submixture,
    "tasks of ours": len(ours),
    "rows": len(listed),
    "rows turned round": sum(sources[row.source].is_turned(row) for row in listed),
    "datasets of ours": len({task.dataset for task in ours}),
    "datasets": _counts(listed)["datasets"],
    "categories of ours": len({task.category for task in ours}),
    "categories": _counts(listed)["categories"],
  }
  if rows is None:
    line = {**dict.fromkeys(line), "submixture": one.submixture, "rows": sum(each.rows for each in sources.values())}
  return {
    **line,
    "paper's tasks": one.tasks,
    "paper's datasets": one.datasets,
    "paper's categories": one.categories,
  }


def _collection_lines(tasks: Iterable[specs.TaskSpec], matched: Mapping[str, Row] | None) -> list[dict[str, Any]]:
  grouped: dict[str, list[specs.TaskSpec]] = defaultdict(list)
  for task in tasks:
    grouped[task.collection].append(task)
  return [
    {
      "collection": name,
      "tasks": len(ours),
      "in the catalogue": None if matched is None else sum(task.name in matched for task in ours),
      "datasets": len({task.dataset for task in ours}),
      "categories": len({task.category for task in ours}),
      "turned round": sum(bool(task.inverted_of) for task in ours),
      "evaluation only": sum(task.evaluation_only for task in ours),
    }
    for name, ours in grouped.items()
  ]


def _spelling_notes(rows: Sequence[Row] | None) -> list[str]:
  """What can be seen of the paper's counts of datasets and categories in the catalogue's names."""
  if rows is None:
    return [f"{FILE} is not in the data folder (--data_dir): what is said of its rows is what is published"]
  whole, counts = published()[-1], _counts(rows)
  prefixes = sorted({prefix for one in published() for source in one.sources.values() for prefix in source.prefixes})
  folded = {_folded(row.dataset, prefixes) for row in rows}
  sources = {name: source for one in published() for name, source in one.sources.items()}
  straight = {row.category for row in rows if row.source in sources and not sources[row.source].is_turned(row)}
  return [
    f"{counts['datasets']} names of datasets against the paper's {whole.datasets}: some datasets have several "
    f"names (bool_q and boolq, aqua and stream_aqua); without case, '_' and prefixes {len(folded)} are left. "
    f"How the paper folds them is not published",
    f"{counts['categories']} categories against the paper's {whole.categories}: {len(straight)} without those "
    f"that only turned tasks have. Which of these the paper counts is not published",
  ]


def _missing_notes(left: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
  """Why rows have no task of ours, a line a source."""
  sources = {name: source for one in published() for name, source in one.sources.items()}
  notes = []
  for name, rows in left.items():
    collection = sources[name].collection if name in sources else ""
    if collection not in specs.collections():
      why = "no collection of ours has these tasks"
    elif specs.discovers(collection):
      why = f"the tasks of {collection} are found in files, and these are not in the data folder"
    else:
      why = f"they are not declared in {collection} (yet, or not in this direction)"
    notes.append({"of": name, "note": f"{len(rows):,} rows have no task of ours: {why}"})
  return notes


def _folded(name: str, prefixes: Iterable[str]) -> str:
  for prefix in prefixes:
    name = name.removeprefix(prefix)
  return re.sub(r"[\W_]+", "", name).lower()


def _uncovered(rows: Iterable[Row], matched: Mapping[str, Row]) -> dict[str, list[str]]:
  """The rows that no task of ours covers, by source."""
  taken: dict[Row, int] = defaultdict(int)
  for row in matched.values():
    taken[row] += 1
  left: dict[str, list[str]] = defaultdict(list)
  for row in rows:
    if taken[row]:
      taken[row] -= 1
    else:
      left[row.source].append(row.title if row.title != row.category else f"{row.dataset}: {row.category}")
  return dict(left)


def _unlisted(tasks: Iterable[specs.TaskSpec], matched: Mapping[str, Row]) -> dict[str, list[str]]:
  """The tasks that the catalogue does not have, by collection."""
  left: dict[str, list[str]] = defaultdict(list)
  for task in tasks:
    if task.name not in matched:
      left[task.collection].append(task.name)
  return dict(left)
