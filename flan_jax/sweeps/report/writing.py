"""The report of sweeps' folders: their tables as figures, pictures, a page, and findings as JSON."""

import contextlib
import dataclasses
import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.sweeps.plan import RECORD, RUNS, STATE
from flan_jax.sweeps.report import drawing, page, runs, samples
from flan_jax.sweeps.report.figure import Figure
from flan_jax.sweeps.report.figures import figures as figures_of
from flan_jax.sweeps.report.samples import Group
from flan_jax.sweeps.results import table as tables

FINDINGS = "findings.json"


@dataclasses.dataclass(frozen=True)
class Written:
  """A report that stands in a folder.

  Attributes:
    about: how many runs there were, in words.
    page: path of it.
    json: text of findings.json.
  """

  about: str
  figures: Sequence[Figure]
  page: Path
  json: str


def write(folders: Sequence[Path], output: Path, title: str | None = None) -> Written:
  """Writes index.html, NAME.png and NAME.svg of each figure, and findings.json, each whole or not at all.

  Args:
    folders: of sweeps, finished or not, or of their tables alone.
    output: made where it does not exist.
    title: of the page; None: the titles of the sweeps.

  Raises:
    FlanJaxError: a folder has neither.
    UsageError: two of them have the same run.
  """
  table = _together(folders)
  sweeps = [found for folder in folders if (found := _sweep(folder))]
  figures = figures_of(table)
  about = {"title": title or _title(table, sweeps), "sweeps": sweeps}
  pictures = {figure.name: [path.name for path in drawing.draw(figure, output)] for figure in figures}
  findings = json.dumps(_findings(about["title"], figures, pictures), indent=2, ensure_ascii=False, allow_nan=False)
  write_atomically(output / FINDINGS, f"{findings}\n".encode())
  page.write_page(figures, table, about, output / page.FILE, _samples(folders))
  return Written(runs.told(table), figures, output / page.FILE, findings)


def lines(written: Written) -> list[str]:
  """What a terminal shows: each figure's findings with their verdicts, notes, and where the page is."""
  shown = [written.about]
  for figure in written.figures:
    shown += ["", figure.title]
    for finding in figure.findings:
      shown += _wrapped(f"[{finding.verdict}] {finding.sentence}")
    for note in figure.notes:
      shown += _wrapped(f"Beware: {note}")
  if not written.figures:
    shown += ["", "No figure: nothing was measured yet of which two values could be compared"]
  return [*shown, "", f"{written.page} and {2 * len(written.figures)} pictures beside it"]


def _wrapped(text: str) -> list[str]:
  return textwrap.wrap(text, 100, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _findings(title: str, figures: Sequence[Figure], pictures: dict[str, list[str]]) -> dict[str, Any]:
  return {
    "title": title,
    "figures": [
      {
        "name": figure.name,
        "title": figure.title,
        "findings": [dataclasses.asdict(finding) for finding in figure.findings],
        "notes": list(figure.notes),
        "fits": [
          {"panel": panel.title, "series": series.name, "text": series.fit_text}
          for panel in figure.panels
          for series in panel.series
          if series.fit_text
        ],
        "files": pictures[figure.name],
      }
      for figure in figures
    ],
  }


def _table(folder: Path) -> pa.Table:
  """Of a sweep as it is now: where a run has gone on since its table was written, or another version of flan_jax wrote
  it, the table is written again."""
  written = folder / tables.PARQUET
  if not (folder / RECORD).exists():
    return tables.read(folder)
  states = [path.stat().st_mtime_ns for path in (folder / RUNS).glob(f"*/{STATE}")]
  if written.exists() and written.stat().st_mtime_ns >= max(states, default=0):
    with contextlib.suppress(FlanJaxError):
      return tables.read(folder)
  from flan_jax.sweeps import folder as sweep_folder
  from flan_jax.sweeps.results import collecting  # these two import jax, and most reports need neither

  return collecting.write(sweep_folder.read(folder))


def _together(folders: Sequence[Path]) -> pa.Table:
  """Their tables; a run that stood in two of them would be one run whose scores are the last one's."""
  found, where = [_table(folder) for folder in folders], {}
  for folder, table in zip(folders, found, strict=True):
    for run in table.select(["sweep", "run"]).group_by(["sweep", "run"]).aggregate([]).to_pylist():
      before = where.setdefault((run["sweep"], run["run"]), folder)
      if before is not folder:
        raise UsageError(f"{before} and {folder} both have the run {run['run']} of a sweep {run['sweep']}: give one")
  return tables.together(found)


def _sweep(folder: Path) -> dict[str, Any] | None:
  """What sweep.json says; None where a table stands alone."""
  try:
    found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
  except FileNotFoundError:
    return None
  except ValueError as error:
    raise FlanJaxError(f"{folder / RECORD} is no JSON ({error}); the sweep's own command writes it again") from None
  if not isinstance(found, dict) or not {"name", "score"} <= found.keys():
    raise FlanJaxError(f"{folder / RECORD}: not what a sweep says of itself; the sweep's own command writes it again")
  return found


def _samples(folders: Sequence[Path]) -> list[Group]:
  """Of all sweeps; answers of a run that is under way, or that are damaged, are left out."""
  found = []
  for folder in folders:
    sweep = _sweep(folder)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
      found += samples.samples(folder, sweep) if sweep else []
  return found


def _title(table: pa.Table, sweeps: Sequence[dict[str, Any]]) -> str:
  titles = [sweep.get("title") or sweep["name"] for sweep in sweeps]
  return " · ".join(titles or sorted({name for name in table["sweep"].to_pylist() if name})) or "Report"
