"""What `flan-jax inspect` lists: collections, clusters, mixtures, tasks, and one task."""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from flan_jax import terminal
from flan_jax.data import mixtures as mixtures_
from flan_jax.data import sources, specs
from flan_jax.errors import UsageError

Lines = list[dict[str, Any]]


def collections(data_dir: Path | None = None) -> Lines:
  """A line a collection, with the tasks that it finds in the data folder."""
  grouped = {name: _tasks(name, data_dir) for name in specs.collections()}
  return [
    {
      "collection": name,
      "tasks": len(tasks),
      "clusters": len({task.cluster for task in tasks}),
      "task types": len({task.type for task in tasks}),
      "licences": sorted({task.licence for task in tasks if task.licence}),
      "folder": str(specs.collection_folder(name)),
    }
    for name, tasks in grouped.items()
  ]


def clusters(data_dir: Path | None = None) -> Lines:
  """A line a cluster of a collection: the tasks that are held out together."""
  grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
  for task in _tasks(None, data_dir):
    grouped[task.collection, task.cluster].append(task.name)
  return [
    {"collection": collection, "cluster": cluster, "tasks": len(names), "names": names}
    for (collection, cluster), names in sorted(grouped.items())
  ]


def mixtures(data_dir: Path | None = None) -> Lines:
  """A line a part of a mixture."""
  return [
    {
      "mixture": mixture.name,
      "part": part.name,
      "share": part.share,
      "tasks": len(part.tasks),
      "clusters": len({specs.get_task(name, data_dir).cluster for name in part.tasks}),
      "formats": [f"{name}×{weight}" for name, weight in part.formats],
      "shots": "–".join(map(str, part.shots)),
      "note": mixture.note,
    }
    for mixture in mixtures_.declared_mixtures(data_dir)
    for part in mixture.parts
  ]


_ONLY_IN_JSON = ("folder", "category", "language", "note")  # a terminal has 80 columns

VIEWS = {"collections": collections, "clusters": clusters, "mixtures": mixtures}


def tasks(collection: str | None, data_dir: Path | None) -> Lines:
  """A line a task of one collection or of all.

  Raises:
    UsageError: no such collection.
  """
  return [
    {
      "task": spec.name,
      "cluster": spec.cluster,
      "category": spec.category,
      "type": spec.type,
      "language": spec.language,
      "cap": spec.cap,
      "licence": spec.licence,
      "available": available(spec, data_dir),
    }
    for spec in _tasks(collection, data_dir)
  ]


def task(name: str, data_dir: Path | None) -> dict[str, Any]:
  """One task: its spec, how many wordings each format has, how many examples there are (None: its file is missing).

  Raises:
    UsageError: no such task, naming the nearest.
  """
  spec = specs.get_task(name, data_dir)
  kind = specs.get_type(spec.type)
  missing = sources.missing_file(spec, data_dir)
  return {
    "task": spec.name,
    "cluster": spec.cluster,
    "category": spec.category,
    "language": spec.language,
    "reader": dict(spec.reader),
    "type": kind.name,
    "fields": {field: spec.fields.get(field, field) for field in (*kind.fields, *kind.optional)},
    "choices": list(spec.choices or ()),
    "wordings": {form: [wording.turn for wording in wordings] for form, wordings in kind.wordings.items()},
    "metrics": list(spec.metrics),
    "cap": spec.cap,
    "examples": None if missing else len(sources.open_source(spec, data_dir)),
    "missing": str(missing) if missing else None,
    "tags": list(spec.tags),
    "licence": spec.licence,
    "citation": spec.citation,
  }


def show_table(lines: Lines, on_terminal: Collection[str] | None = None) -> None:
  """Prints lines as a table on a terminal, and with tabs between the values in a pipe.

  Args:
    on_terminal: the headings that a terminal shows; a pipe then gets all.
  """
  if not lines:
    raise UsageError("there is nothing to list")
  console = terminal.console()
  if on_terminal is None:
    shown = [heading for heading in lines[0] if heading not in _ONLY_IN_JSON]
  else:
    shown = [heading for heading in lines[0] if heading in on_terminal or not console.is_terminal]
  if not console.is_terminal:
    for line in [dict(zip(shown, shown, strict=True)), *lines]:
      print("\t".join(_text(line[heading]) for heading in shown))
    return
  table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
  for heading in shown:
    number = all(_is_number(line[heading]) for line in lines)
    fixed = number or heading == shown[0]  # what cannot be read in pieces
    table.add_column(heading, justify="right" if number else "left", overflow="fold", no_wrap=fixed)
  for line in lines:
    table.add_row(*(escape(_text(line[heading])) for heading in shown))
  console.print(table)


def show_task(content: Mapping[str, Any]) -> None:
  """Prints a task: a line a property, then the wordings of each format."""
  console = terminal.console()
  for name, value in content.items():
    if name not in ("wordings", "missing") and value not in ("", []):
      console.print(f"[bold]{name:9}[/] {escape(_text(value))}")
  if content["missing"]:
    console.print(f"[yellow]missing[/]   {escape(content['missing'])}")
  for form, turns in content["wordings"].items():
    console.print(f"\n[bold]{form}[/]: {len(turns)} wordings")
    for turn in turns:
      console.print(f"  [cyan]│[/] {escape(turn.strip()).replace(chr(10), '[dim]⏎[/] ')}")
  console.print(f"\n[dim]One of its examples: flan-jax inspect --task {content['task']} --example 0[/]")


def _tasks(collection: str | None, data_dir: Path | None = None) -> list[specs.TaskSpec]:
  return [specs.get_task(name, data_dir) for name in specs.task_names(collection, data_dir)]


def available(spec: specs.TaskSpec, data_dir: Path | None) -> bool | None:
  """Whether the task's files are there; None where only a data folder could tell."""
  here = sources.missing_file(spec, data_dir) is None
  return here if here or data_dir is not None else None


def _is_number(value: Any) -> bool:
  return value in (None, "") or type(value) in (int, float) or (isinstance(value, str) and value.endswith("%"))


def _text(value: Any) -> str:
  if value is None:
    return "unknown"
  if isinstance(value, bool):
    return "yes" if value else "no"
  if isinstance(value, int):
    return f"{value:,}"
  if isinstance(value, Mapping):
    return ", ".join(f"{key}: {_text(inner)}" for key, inner in value.items())
  if isinstance(value, list | tuple):
    return ", ".join(f"{item} ×{count}" if count > 1 else str(item) for item, count in Counter(value).items())
  return str(value)
