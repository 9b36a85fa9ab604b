"""The runs of a table as a reader of a report wants them: a row each, that can be sorted, and how many there are."""

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa

from flan_jax.sweeps.report.reading import BESIDE
from flan_jax.sweeps.report.scales import number, scientific
from flan_jax.sweeps.results import columns

Row = dict[str, Any]
Cell = tuple[Any, str]  # what a column is sorted by, and what is shown
_NONE = "–"


def of_runs(table: pa.Table) -> list[tuple[Row, list[Row]]]:
  """Each run's columns with the rows of its averages over tasks, in the order of the table."""
  shown = [name for name in table.column_names if name in columns.RUN or name.startswith("axis.")]
  runs: dict[tuple, tuple[Row, list[Row]]] = {}
  for row in table.to_pylist():
    _, averages = runs.setdefault((row["sweep"], row["run"]), ({name: row[name] for name in shown}, []))
    if row["quantity"] == "score" and not row["task"] and not row["cluster"]:
      averages.append(row)
  return list(runs.values())


def runs_table(table: pa.Table) -> dict[str, Any]:
  """The runs for `tableOf` of report.js; a column that no run has anything in is left out.

  Returns:
    columns: {name, figure: whether it stands at the right}; rows: of cells.
  """
  runs = of_runs(table)
  several = len({run["sweep"] for run, _ in runs}) > 1
  varied = "axis.tasks" in table.column_names  # and so shown already
  makers: list[tuple[str, bool, Callable[[Row, Sequence[Row]], Cell]]] = [
    ("Sweep", False, lambda run, _: _text(run["sweep"] if several else None)),
    *((name[5:].replace("_", " "), *_of_axis(name)) for name in table.column_names if name.startswith("axis.")),
    ("State", False, lambda run, _: _text(run["state"])),
    ("Score", True, lambda run, averages: _score(averages, run["score"])),
    ("95% interval", True, lambda run, averages: _interval(averages, run["score"])),
    ("Parameters", True, lambda run, _: _count(run["parameters"])),
    ("Tasks", True, lambda run, _: _count(None if varied else run["tasks"])),
    ("Examples", True, lambda run, _: _count(run["trained_examples"])),
    ("Tokens", True, lambda run, _: _count(run["trained_tokens"])),
    ("Steps", True, lambda run, _: _steps(run)),
    ("FLOPs", True, lambda run, _: _flops(run["flops"])),
    ("Training", True, lambda run, _: _time(run["train_seconds"])),
    ("Device", False, lambda run, _: _text(_device(run))),
    ("Run", False, lambda run, _: _text(run["run"])),
  ]
  cells = [[maker(run, averages) for run, averages in runs] for _, _, maker in makers]
  kept = [index for index, column in enumerate(cells) if any(value is not None for value, _ in column)]
  return {
    "columns": [{"name": makers[index][0], "figure": makers[index][1]} for index in kept],
    "rows": [[cells[index][row] for index in kept] for row in range(len(runs))],
  }


def told(table: pa.Table) -> str:
  """How many runs there are and what they took, in a sentence or two."""
  runs = [run for run, _ in of_runs(table)]
  states = Counter(run["state"] for run in runs)
  parts = [f"{count} {state}" for state, count in sorted(states.items(), key=lambda each: -each[1])]
  sentences = [f"{len(runs)} run{'' if len(runs) == 1 else 's'}: {', '.join(parts)}."]
  flops = sum(run["flops"] or 0 for run in runs)
  seconds = sum((run["train_seconds"] or 0) + (run["evaluate_seconds"] or 0) for run in runs)
  devices = sorted({_device(run) for run in runs} - {None})
  if flops and seconds:
    on = f" on {', '.join(devices)}" if devices else ""
    took = f"all runs with their evaluations, added up, {duration(seconds)}{on}"
    sentences.append(f"Training took {scientific(flops)} FLOPs; {took}.")
  return " ".join(sentences)


def duration(seconds: float) -> str:
  """
  >>> [duration(seconds) for seconds in (9.4, 200, 9000)]
  ['9 s', '3.3 min', '2.5 h']
  """
  if seconds < 60:
    return f"{seconds:.0f} s"
  return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"


def headline(averages: Sequence[Row], score: str | None) -> list[Row]:
  """The averages that a sweep's score names (without one the first there is), a suite each; see `headline.py`."""
  beside = ("normalised", *BESIDE)
  known = [row for row in averages if row["metric"] not in beside and row["value"] is not None]
  score = score or next(map(_name_of, known), None)
  found = [row for row in known if _name_of(row) == score]
  found = [row for row in found if row["split"] == "held_out"] or found
  one_a_suite: dict[str, Row] = {}
  for row in found:
    one_a_suite.setdefault(row["suite"], row)
  return list(one_a_suite.values())


def _name_of(row: Row) -> str:
  overall = row["metric"] == "normalised_average"  # of all suites, in no mode of theirs
  return f"{row['evaluation']}/{row['metric'] if overall else row['variant']}"


def _score(averages: Sequence[Row], score: str | None) -> Cell:
  values = [row["value"] for row in headline(averages, score)]
  if not values:
    return None, _NONE
  return statistics.fmean(values), f"{100 * statistics.fmean(values):.1f}%"


def _interval(averages: Sequence[Row], score: str | None) -> Cell:
  """Of a run alone, over its tasks and their examples; of a mean over suites it is not known."""
  rows = headline(averages, score)
  if len(rows) != 1 or rows[0]["low"] is None or rows[0]["high"] is None:
    return None, _NONE
  low, high = rows[0]["low"], rows[0]["high"]
  return low, f"{100 * low:.1f} to {100 * high:.1f}".replace("-", "−")


def _of_axis(name: str) -> tuple[bool, Callable[[Row, Sequence[Row]], Cell]]:
  def cell(run: Row, _: Sequence[Row]) -> Cell:
    value = run.get(name)
    if value is None or isinstance(value, (bool, str)):
      return _text(None if value is None else str(value))
    return value, number(value)

  return False, cell


def _steps(run: Row) -> Cell:
  done, asked = run["steps"], run["train_steps"]
  if done is None:
    return None, _NONE
  return done, f"{done:,}" if asked in (None, done) else f"{done:,} of {asked:,}"


def _count(value: float | None) -> Cell:
  return (None, _NONE) if value is None else (value, number(value))


def _flops(value: float | None) -> Cell:
  return (None, _NONE) if value is None else (value, scientific(value))


def _time(seconds: float | None) -> Cell:
  return (None, _NONE) if seconds is None else (seconds, duration(seconds))


def _text(value: str | None) -> Cell:
  return (None, _NONE) if value is None else (value, value)


def _device(run: Row) -> str | None:
  return f"{run['devices']} × {run['device']}" if (run["devices"] or 1) > 1 else run["device"]
