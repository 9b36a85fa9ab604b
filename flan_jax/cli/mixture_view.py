"""`flan-jax inspect --mixture`: what a run on a mixture would see of what is installed, and what is missing."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from flan_jax import terminal
from flan_jax.cli import listings
from flan_jax.cli.arguments import default_vocabulary
from flan_jax.data import expected_shares, length_sample, mixtures, sources
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.progress import Progress, silently

_NAMED = 3  # tasks and origins that are named of those whose files belong in one folder; --json names all
_ON_TERMINAL = ("task", "examples", "rate", "share of examples", "share of inputs", "share of targets")


def content(name: str, vocabulary: str | None, data_dir: Path | None, progress: Progress = silently) -> dict[str, Any]:
  """The mixture as it would be trained on with this data folder, as plain JSON values.

  Args:
    name: a mixture, a task, or a mixture with arguments such as 'flan2022_b(tasks=9)'.
    vocabulary: that tokens are counted in; None for `demo` or `t5`, whichever the tasks are written for.

  Raises:
    UsageError: no such mixture or task.
  """
  mixture = mixtures.get_mixture(name, data_dir)
  present, missing = mixtures.looked_for(mixture, data_dir)
  found = {"tasks": [], **{group: [] for group in expected_shares.GROUPS}}
  if present:
    words = load_vocabulary(vocabulary or default_vocabulary(present, data_dir), data_dir)
    there = mixture.only(present)
    pools = length_sample.sampled(there, data_dir=data_dir, vocabulary=words, progress=progress)
    found = expected_shares.expected(there, pools, data_dir)
  return {
    "mixture": mixture.name,
    "note": mixture.note,
    "tasks in all": len(mixture.tasks),
    "installed": len(present),
    "parts": _parts(mixture, present),
    "expected": found,
    "missing": _missing(missing, data_dir),
  }


def show(content: Mapping[str, Any]) -> None:
  """Prints the tasks with their rates, the parts, the shares, and what is missing."""
  console, found = terminal.console(), content["expected"]
  if found["tasks"]:
    listings.show_table(_percentages(found["tasks"]), on_terminal=_ON_TERMINAL)
  examples = sum(line["examples"] for line in found["tasks"])
  console.print(
    f"\n[bold]{escape(content['mixture'])}[/]: {content['installed']:,} of {content['tasks in all']:,} tasks are "
    f"installed, {examples:,} training examples"
  )
  if content["note"]:
    console.print(f"[dim]{escape(content['note'])}[/]")
  listings.show_table(content["parts"])
  if found["tasks"]:
    console.print("[dim]Tokens are counted as rendered, before a row's length drops or shortens anything.[/]")
  for group in expected_shares.GROUPS:
    if found[group]:
      console.print(f"\n[bold]Expected shares by {group}[/]")
      listings.show_table(_percentages(found[group]), on_terminal=found[group][0])
  _show_missing(console, content["missing"])


def _parts(mixture: mixtures.MixtureSpec, present: Sequence[str]) -> list[dict[str, Any]]:
  here = frozenset(present)
  return [
    {
      "part": part.name,
      "tasks": len(part.tasks),
      "installed": sum(task in here for task in part.tasks),
      "share": "by rates" if part.share is None else f"{part.share:g}",
      "cap": "each task's" if part.cap is None else f"{part.cap:,}",
      "formats": [f"{form}×{weight}" for form, weight in part.formats],
      "shots": "–".join(map(str, part.shots)),
      "options": part.options,
      "instructions": part.instructions,
    }
    for part in mixture.parts
  ]


def _missing(files: Sequence[sources.MissingFile], data_dir: Path | None) -> list[dict[str, Any]]:
  """A line a folder of the data folder, with what lacks a file there and where such files come from."""
  grouped: dict[str, list[sources.MissingFile]] = defaultdict(list)
  for file in files:
    within = os.path.relpath(os.path.join(file.folder, file.file), data_dir or "DATA_DIR")
    grouped[str(Path(data_dir or "DATA_DIR", Path(within).parts[0]))].append(file)
  return [
    {
      "folder": folder,
      "tasks": len(group),
      "origins": list(dict.fromkeys(file.origin for file in group if file.origin)),
      "files": {file.task: os.path.join(file.folder, file.file) for file in group},
    }
    for folder, group in sorted(grouped.items(), key=lambda item: -len(item[1]))
  ]


def _show_missing(console: Any, missing: Sequence[Mapping[str, Any]]) -> None:
  if not missing:
    return
  lacking = sum(line["tasks"] for line in missing)
  console.print(f"\n[bold yellow]Missing[/]: the files of {lacking:,} [dim](--json names all)[/]")
  for line in missing:
    console.print(f"  {line['tasks']:,} belong in {escape(line['folder'])}: {escape(_some(list(line['files'])))}")
    if line["origins"]:
      console.print(f"    from {escape(_some(line['origins']))}")


def _some(names: Sequence[str]) -> str:
  return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else "")


def _percentages(lines: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
  return [
    {name: f"{value:.2%}" if name.startswith("share of") else value for name, value in line.items()} for line in lines
  ]
