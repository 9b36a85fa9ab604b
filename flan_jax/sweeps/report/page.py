"""A report in one HTML file: what was run, findings, a figure each with its numbers, samples, and the runs."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from flan_jax.atomic import write_atomically
from flan_jax.pages.document import document, readable
from flan_jax.sweeps.report import runs
from flan_jax.sweeps.report.figure import Figure, Panel, Point, Series
from flan_jax.sweeps.report.layout import laid_out
from flan_jax.sweeps.report.samples import Group
from flan_jax.sweeps.report.scales import measured, number

FILE = "index.html"
_SCRIPTS = ("elements.js", "data.js", "charts.js", "report.js")
_MOST_NUMBERS = 120  # in a table under a figure; of longer curves every so manieth point stands there


def write_page(
  figures: Sequence[Figure], table: pa.Table, about: Mapping[str, Any], path: Path, samples: Sequence[Group] = ()
) -> None:
  """Writes the page, atomically. It needs no other file and no network; the same content gives the same bytes.

  Args:
    figures: their pictures are linked as NAME.png and NAME.svg beside the page.
    table: of the sweeps, for the list of runs.
    about: title: of the page; sweeps: what the sweep.json of each says, as far as it is known.
    samples: prompts and outputs.
  """
  sweeps = about.get("sweeps", ())
  untuned = False in table["tuned"].to_pylist()
  scores = [score for score in table["score"].unique().to_pylist() if score]
  content = {
    "about": runs.told(table),
    "sweeps": [{"name": sweep["name"], "facts": facts(sweep)} for sweep in sweeps],
    "figures": [_shown(figure) for figure in figures],
    "samples": [dataclasses.asdict(group) for group in samples],
    "runs": {
      "about": "Scores and intervals of each run alone, over its tasks and their examples."
      + (f" Score: {', '.join(scores)}." if scores else "")
      + (" Untuned runs were asked so here, too, which may not suit them." if untuned else ""),
      **runs.runs_table(table),
    },
  }
  text = document(about["title"], "report.html", _SCRIPTS, {"report": readable(content)})
  write_atomically(path, text.encode("utf-8", "replace"))


def facts(sweep: Mapping[str, Any]) -> list[tuple[str, str]]:
  """[(name, text)] of what a sweep.json says that a reader should know."""
  found = [("Title", sweep.get("title") or "")]
  for axis in sweep.get("axes", ()):
    untuned = "" if axis.get("untuned") is None else f" ({axis['untuned']}: untuned)"
    found.append((f"Axis {axis['name']}", ", ".join(map(str, axis["values"])) + untuned))
  for evaluation in sweep.get("evaluations", ()):
    asked = evaluation.get("mixture") or ", ".join(evaluation.get("suites", ()))
    most = f", {evaluation['examples']} examples a task" if evaluation.get("examples") else ""
    found.append((f"Evaluation {evaluation['name']}", f"{asked}{most}"))
  budget = sweep.get("budget") or {}
  same = {"EqualSteps": "the same steps", "EqualExamples": f"the same {budget.get('examples', 0):,} examples"}
  found += [("Each run has", same.get(budget.get("kind"), "")), ("Score", sweep.get("score", ""))]
  return [(name, text) for name, text in found if text]


def _shown(figure: Figure) -> dict[str, Any]:
  """What report.js draws from."""
  return {
    "name": figure.name,
    "title": figure.title,
    "findings": [dataclasses.asdict(finding) for finding in figure.findings],
    "notes": list(figure.notes),
    "panels": [dataclasses.asdict(panel) for panel in laid_out(figure)],
    "tables": [_numbers(panel) for panel in figure.panels],
    "files": [f"{figure.name}.png", f"{figure.name}.svg"],
  }


def _numbers(panel: Panel) -> dict[str, Any]:
  """The numbers of a panel as a table, for who wants to read them or cannot see the chart."""
  heads = [("Series", False), (panel.x_label, False), (panel.y_label, True), ("95% interval", True), ("Source", False)]
  count = sum(len(series.points) for series in panel.series)
  every = -(-count // _MOST_NUMBERS)
  rows = [_number_cells(panel, series, point) for series in panel.series for point in _every(series.points, every)]
  return {"title": panel.title, "columns": [{"name": name, "figure": right} for name, right in heads], "rows": rows}


def _every(points: Sequence[Point], every: int) -> list[Point]:
  """Each so manieth one, and the last."""
  return [point for index, point in enumerate(reversed(points)) if index % every == 0][::-1]


def _number_cells(panel: Panel, series: Series, point: Point) -> list[runs.Cell]:
  x = point.x if isinstance(point.x, str) else number(point.x)
  order = panel.categories.index(point.x) if point.x in panel.categories else point.x
  if point.low is None or point.high is None:
    interval = (None, "–")
  else:
    ends = [measured(end, panel.y_unit).removesuffix("%") for end in (point.low, point.high)]
    interval = (point.low, f"{ends[0]} to {ends[1]}")
  name, source = (series.name, series.name), (series.source, "here" if series.source == "ours" else series.source)
  return [name, (order, x), (point.y, measured(point.y, panel.y_unit)), interval, source]
