"""`flan-jax inspect --files`: what becomes of every file of a data folder."""

import collections
import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from rich.markup import escape

from flan_jax import terminal
from flan_jax.cli import listings
from flan_jax.data import census
from flan_jax.progress import Progress, silently

_TOLD = 12  # refused files, malformed records and reasons that are printed; --json has all that were kept
_DEPTH = 2  # folders that a line of the table names
_ON_TERMINAL = ("files in", "status", "files", "records", "examples", "malformed", "no example")  # it has 80 columns


def content(data_dir: Path, progress: Progress = silently) -> dict[str, Any]:
  """{folders: a line a folder and format with totals, files: every file}, as plain JSON values.

  Raises:
    UsageError: there is no such folder.
  """
  reports = census.census(data_dir, progress=progress)
  return {
    "data_dir": str(data_dir),
    "folders": _folders(reports),
    "files": [dataclasses.asdict(report) for report in reports],
  }


def show(content: Mapping[str, Any]) -> None:
  """Prints a line a folder and format, then what was refused, malformed or skipped."""
  console, files = terminal.console(), content["files"]
  lines, total = content["folders"], _sum(content["folders"])
  listings.show_table([*lines, total], on_terminal=_ON_TERMINAL)
  refused = [f"{file['file']}: {file['why']}" for file in files if file["status"].startswith(("refused", "unknown"))]
  _list(console, "Refused or unknown", refused)
  malformed = [problem for file in files for task in file["tasks"] for problem in task["problems"]]
  _list(console, "Malformed, the first of each file", list(dict.fromkeys(malformed)))
  _list(console, "Records that give no example", _reasons(files))
  _list(console, "Not read", _not_read(files))


def _folders(reports: Sequence[census.FileReport]) -> list[dict[str, Any]]:
  grouped: dict[tuple[str, str, str], list[census.FileReport]] = collections.defaultdict(list)
  for report in reports:
    grouped[_folder(report), report.kind, report.status].append(report)
  return [
    {
      "files in": folder,
      "reader": kind or "none",
      "status": status,
      "files": len(group),
      "tasks": len({task.task for report in group for task in report.tasks}),
      **{name: sum(report.total(name) for report in group) for name in ("records", "examples", "malformed")},
      "no example": sum(_skipped(report) for report in group),
    }
    for (folder, kind, status), group in sorted(grouped.items())
  ]


def _folder(report: census.FileReport) -> str:
  """Where the file lies, and its ending where somebody reads it."""
  path = PurePosixPath(report.file)
  folders = path.parent.parts
  if not folders:
    return report.file
  shown = "/".join(folders[:_DEPTH]) + ("/**" if len(folders) > _DEPTH else "")
  return f"{shown}/*{path.suffix if report.kind else ''}"


def _skipped(report: census.FileReport) -> int:
  return max((sum(task.skipped.values()) for task in report.tasks), default=0)


def _sum(lines: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  words = {"files in": "all", "reader": "", "status": ""}
  return {**words, **{name: sum(line[name] for line in lines) for name in lines[0] if name not in words}}


def _reasons(files: Sequence[Mapping[str, Any]]) -> list[str]:
  counts: collections.Counter[str] = collections.Counter()
  for file in files:
    for task in file["tasks"][:1]:
      counts.update(task["skipped"])
  return [f"{count:,}: {reason}" for reason, count in counts.most_common()]


def _not_read(files: Sequence[Mapping[str, Any]]) -> list[str]:
  whys = collections.Counter(file["why"] for file in files if file["status"] == "not read")
  compiled = [file for file in files if file["status"] == "compiled"]
  templates = sum(len(file["tasks"]) for file in compiled)
  rows = f"{len(compiled):,} files: {templates:,} templates compile; their rows are missing, such as"
  return [f"{count:,} files: {why}" for why, count in whys.most_common()] + (
    [f"{rows} {compiled[0]['why'].partition(': ')[2]}"] if compiled else []
  )


def _list(console: Any, heading: str, lines: Sequence[str]) -> None:
  if not lines:
    return
  console.print(f"\n[bold]{heading}[/]")
  for line in lines[:_TOLD]:
    console.print(f"  {escape(line)}")
  if len(lines) > _TOLD:
    console.print(f"  [dim]and {len(lines) - _TOLD:,} more; --json has them[/]")
