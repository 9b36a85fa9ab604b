"""`flan-jax inspect --catalog`: every task, and our counts beside those that Flan 2022 publishes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from flan_jax import errors, terminal
from flan_jax.cli import listings
from flan_jax.data import catalogue, sources, specs
from flan_jax.progress import Progress, silently

_NAMED = 4  # tasks and rows that are named of a group; --json has all
_ON_TERMINAL = ("task", "category", "cluster", "cap", "examples", "available")  # it has 80 columns


def content(data_dir: Path | None, count: bool = False, progress: Progress = silently) -> dict[str, Any]:
  """{tasks: a line a task, reconciliation: see `catalogue.reconciled`}, as plain JSON values.

  Args:
    data_dir: the user's data folder, where some collections find their tasks, and the published catalogue may lie.
    count: whether the examples of what is installed are counted, which reads the files; else the published number is
      told, or None.
  """
  tasks = [specs.get_task(name, data_dir) for name in specs.task_names(None, data_dir)]
  published = None if data_dir is None else data_dir / catalogue.FILE
  rows = catalogue.read(published) if published and published.is_file() else None
  return {
    "tasks": _lines(tasks, data_dir, count, progress),
    "reconciliation": catalogue.reconciled(tasks, rows),
  }


def show(content: Mapping[str, Any]) -> None:
  """Prints the tasks, then the counts and what explains them."""
  console, found = terminal.console(), content["reconciliation"]
  listings.show_table(content["tasks"], on_terminal=_ON_TERMINAL)
  console.print("\n[bold]Our collections[/]")
  listings.show_table(found["collections"])
  console.print("\n[bold]The catalogue of Flan 2022 and its paper[/]")
  listings.show_table([line for one in found["submixtures"] for line in _compared(one)])
  console.print("\n[bold]Why the counts differ[/]")
  for note in found["notes"]:
    terminal.field(console, note["of"], Text(note["note"]))
  _show_names(console, "Rows of the catalogue without a task of ours", found["rows_without_a_task"])
  _show_names(console, "Tasks of ours that the catalogue does not have", found["tasks_without_a_row"])


def _lines(
  tasks: Sequence[specs.TaskSpec], data_dir: Path | None, count: bool, progress: Progress
) -> list[dict[str, Any]]:
  lines = []
  with progress("counting examples" if count else "listing", len(tasks), "tasks") as advance:
    for spec in tasks:
      available = listings.available(spec, data_dir)
      lines.append(
        {
          "task": spec.name,
          "collection": spec.collection,
          "dataset": spec.dataset,
          "category": spec.category,
          "cluster": spec.cluster,
          "cap": spec.cap,
          "examples": _counted(spec, data_dir) if count and available else spec.examples,
          "licence": spec.licence,
          "formats": list(specs.get_type(spec.type).wordings),
          "language": spec.language,
          "available": available,
        }
      )
      advance(1, spec.name)
  return lines


def _counted(spec: specs.TaskSpec, data_dir: Path | None) -> int | None:
  """The examples of an installed task; None where its file cannot be read, which `inspect --files` tells of."""
  try:
    return len(sources.open_source(spec, data_dir))
  except errors.FlanJaxError:
    return None


def _compared(one: Mapping[str, Any]) -> list[dict[str, Any]]:
  """A line of tasks; where the paper counts datasets and categories, one of each of these."""
  tasks = {"ours": one["tasks of ours"], "catalogue": one["rows"], "of these turned round": one["rows turned round"]}
  lines = [{"submixture": one["submixture"], "counted": "tasks", **tasks, "paper": one["paper's tasks"]}]
  for counted in ("datasets", "categories"):
    if one[f"paper's {counted}"] is not None:
      numbers = {"ours": one[f"{counted} of ours"], "catalogue": one[counted], "of these turned round": ""}
      lines.append({**lines[0], "counted": counted, **numbers, "paper": one[f"paper's {counted}"]})
  return lines


def _show_names(console: Any, heading: str, groups: Mapping[str, Sequence[str]]) -> None:
  if not groups:
    return
  console.print(f"\n[bold]{heading}[/] [dim](--json names all)[/]")
  for group, names in groups.items():
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    terminal.field(console, group, Text(f"{len(names):,}: {', '.join(names[:_NAMED])}{more}"))
