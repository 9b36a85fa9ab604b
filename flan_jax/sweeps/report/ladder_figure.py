"""The ladder of new examples, wordings, compositions, clusters: what is lost from rung to rung is the result."""

import dataclasses
from collections.abc import Sequence

from flan_jax.evaluation.held_out.rows import FORMATS
from flan_jax.sweeps.report.axis_findings import judged
from flan_jax.sweeps.report.cells import Grid
from flan_jax.sweeps.report.claims import claim
from flan_jax.sweeps.report.figure import Figure, Finding, Panel, Point, Series
from flan_jax.sweeps.report.ladder import BASE, CEILING, Gap, Ladder, Rung, ladder
from flan_jax.sweeps.report.notes import of_bases, of_intervals, of_missing_runs
from flan_jax.sweeps.report.reading import Reading
from flan_jax.sweeps.report.statistics import Estimate
from flan_jax.sweeps.report.words import counted, finding, listed, percent, with_interval

_CHANCE = "chance"
_FEW = 2  # series whose gaps stand among the first findings


def ladder_figure(reading: Reading) -> Figure | None:
  """The figure of a sweep's ladder; None where it has none, or fewer than two rungs with scores."""
  found = ladder(reading)
  if not found:
    return None
  names = tuple(rung.name for rung in found.rungs)
  at_best = ", the base at its best" if any(rung.accuracy.as_asked for rung in found.rungs) else ""
  panels = [
    Panel(
      [*_series(found, [getattr(rung, kind) for rung in found.rungs]), *more],
      "rung",
      label,
      f"{label[0].upper()}{label[1:]}, {FORMATS.get(found.variant, found.variant)} prompts{at_best}",
      x_scale="category",
      y_unit=unit,
      categories=names,
    )
    for kind, label, unit, more in (
      ("accuracy", "accuracy", "percent", _chance(found)),
      ("corrected", "chance-corrected accuracy", "corrected", []),
    )
  ]
  return Figure("ladder", "The ladder, from new examples up", panels, _findings(found), _notes(found, reading))


def _series(found: Ladder, grids: Sequence[Grid]) -> list[Series]:
  series = []
  for name in found.series:
    marks = [_point(grid, rung, name) for grid, rung in zip(grids, found.rungs, strict=True) if rung.has(name)]
    series.append(Series(name, marks, joined=len(marks) > 2))
  return series


def _point(grid: Grid, rung: Rung, series: str) -> Point:
  mean, runs = grid.mean(rung.place(series)), grid.runs[rung.place(series)]
  interval = "" if mean.low is None else f" ({percent(mean.low)} to {percent(mean.high)})"
  asked = f"\nasked {rung.base_asked}" if series == BASE else ""
  of = f"{counted(len(grid.tasks), 'task')} of {counted(len(grid.clusters), 'cluster')}, {counted(len(runs), 'run')}"
  return Point(
    rung.name, mean.value, mean.low, mean.high, f"{series}, {rung.name}: {percent(mean.value)}{interval}\n{of}{asked}"
  )


def _chance(found: Ladder) -> list[Series]:
  known = [(rung.name, rung.accuracy.chance) for rung in found.rungs if rung.accuracy.chance]
  marks = [Point(name, chance, text=f"chance, {name}: {percent(chance)}") for name, chance in known]
  return [Series(_CHANCE, marks, joined=len(marks) > 2)] if marks else []


def _findings(found: Ladder) -> list[Finding]:
  tuned = [name for name in found.series if name not in (BASE, CEILING)]
  gaps = [_gap(found, before, after, name) for name in tuned for before, after in found.steps]
  gaps = [dataclasses.replace(gap, main=len(tuned) <= _FEW) for gap in gaps if gap]
  gains = [_gain(found, rung, name) for name in tuned for rung in found.rungs]
  return [*gaps, *(gain for gain in gains if gain)]


def _gap(found: Ladder, before: Rung, after: Rung, series: str) -> Finding | None:
  """What the tuned lose from one rung to another, and what others do, whose loss is of the tasks themselves."""
  gap = found.gap(before, after, series)
  if not gap:
    return None
  ends = f"from {percent(gap.before)} to {percent(gap.after)}, {with_interval(gap.accuracy)}"
  if gap.tasks:
    over = f"over the {counted(gap.tasks, 'task')} of both"
    told = f"the accuracy of {series} changes {ends}, {over}; corrected for chance by {with_interval(gap.corrected)}"
  else:
    guessing = " to ".join(percent(rung.accuracy.chance or 0.0) for rung in (before, after))
    told = f"over other tasks, the accuracy of {series} corrected for chance changes by {with_interval(gap.corrected)};"
    told = f"{told} uncorrected {ends}, where guessing changes from {guessing}"
  others = [(name, found.gap(before, after, name)) for name in (BASE, CEILING) if name in found.series]
  beside = [f"the {name} changes by {with_interval(_effect(other))}" for name, other in others if other]
  beside = f" There {'' if gap.tasks else 'corrected for chance '}{listed(beside)}." if beside else ""
  return finding(f"From {before.name} to {after.name}, {told}.{beside}", _effect(gap), None)


def _effect(gap: Gap) -> Estimate:
  """Other tasks are easier or harder to guess, and the change of accuracy has that in it."""
  return gap.accuracy if gap.tasks else gap.corrected


def _gain(found: Ladder, rung: Rung, series: str) -> Finding | None:
  """Tuned against the base on one rung, and what is left to the ceiling; of the last rung the paper's claim."""
  if not (rung.has(series) and rung.has(BASE)):
    return None
  mine, base, ceiling = (rung.place(name) for name in (series, BASE, CEILING))
  made = rung.accuracy
  gain = made.estimate({mine: 1.0, base: -1.0}).within(-1.0, 1.0)
  scores = [percent(made.mean(place).value) for place in (base, mine)]
  text = f"On {rung.name} ({counted(len(made.tasks), 'task')}), the base asked {rung.base_asked}"
  text = f"{text} scores {scores[0]} and {series} {scores[1]}, {with_interval(gain)}."
  if rung.has(CEILING) and made.split != "seen":
    left = made.estimate({ceiling: 1.0, mine: -1.0}).within(-1.0, 1.0)
    text = f"{text} Tuned with these tasks included it is {percent(made.mean(ceiling).value)}, {with_interval(left)}."
  text = f"{text} Corrected for chance {series} has {_corrected(rung, mine)}."
  of = claim("ladder", "unseen_clusters") if rung is found.rungs[-1] else None
  return judged(made, [base, mine], text, gain, of)


def _corrected(rung: Rung, place: int) -> str:
  """What is left above guessing, which is what an accuracy beside a high chance does not tell."""
  mean = rung.corrected.mean(place)
  interval = "" if mean.low is None else f" (95% interval {percent(mean.low)} to {percent(mean.high)})"
  return f"{percent(mean.value)}{interval}"


def _notes(found: Ladder, reading: Reading) -> list[str]:
  last = found.rungs[-1].accuracy
  cells = {tuple(run.key for run in some): some for some in last.runs.values()}
  notes = [
    f"Of the last rung: {note}" if index == 0 else note
    for index, note in enumerate(of_intervals(last, [*cells.values()]))
  ]
  if found.left_out:
    why = "without a score, or of tasks that some of the runs were trained on and others not"
    notes.append(f"Rungs left out, {why}: {listed(list(found.left_out))}.")
  return [*notes, *of_bases(found.runs, reading), *of_missing_runs(found.runs, reading)]
