"""Runs beside each other by the value of one axis that has a figure of its own: a panel of rows for each measure.

What was trained on the tasks themselves stands there too; of tasks some of which it had, the others are compared.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from flan_jax.sweeps.report import derived
from flan_jax.sweeps.report.cells import Grid, Place, grid
from flan_jax.sweeps.report.figure import Figure, Finding, Panel, Point, Series
from flan_jax.sweeps.report.notes import of_bases, of_intervals, of_missing_runs
from flan_jax.sweeps.report.reading import RANK, SWAP, VALID, Reading, Run, evaluation_in_words
from flan_jax.sweeps.report.words import counted, percent, with_interval

_SERIES = "mean over tasks"


@dataclasses.dataclass(frozen=True)
class Axis:
  """What is compared.

  Attributes:
    name: of the axis.
    labels: of its values, in the order of rows; values that are not among them come after, by their own names.
    own_tasks: values whose runs were trained on what the others are asked as unseen, if there is nothing else to ask.
  """

  name: str
  labels: Mapping[str, str]
  own_tasks: Collection[str] = ()

  def label(self, run: Run) -> str:
    """What the row of a run is called."""
    return self.labels.get(self.value(run), self.value(run).replace("_", " "))

  def value(self, run: Run) -> str:
    """Of a run on the axis."""
    return str(run.axes[self.name])


@dataclasses.dataclass(frozen=True)
class Compared:
  """The runs of an axis, measure by measure.

  Attributes:
    grids: by (evaluation, format, measure beside accuracy or ''); cells are (series, label).
    runs: all of them.
  """

  axis: Axis
  grids: Mapping[tuple[str, str, str], Grid]
  runs: Sequence[Run]
  reading: Reading

  def of(self, evaluation: str, variant: str, metric: str = "") -> Grid | None:
    """The cells of a measure, if anything was measured."""
    return self.grids.get((evaluation, variant, metric))

  def place(self, value: str) -> Place:
    """The cell of a value of the axis."""
    return _SERIES, self.axis.labels.get(value, value)

  def has(self, made: Grid | None, *values: str) -> bool:
    """Whether all of these have a score there."""
    return made is not None and all(self.place(value) in made.runs for value in values)


def compared(reading: Reading, axis: Axis) -> Compared | None:
  """The runs of the sweeps that have the axis; None where nothing was measured of them."""
  runs = [run for run in reading.runs if axis.name in run.axes]
  placed = [((_SERIES, axis.label(run)), run) for run in sorted(runs, key=lambda run: _rank(axis, run))]
  apart = {run.key for run in runs if axis.value(run) in axis.own_tasks}
  grids = {}
  for measure in reading.of_mixtures:
    for metric in ("", SWAP, VALID, RANK):
      mine = derived.found(reading, measure.evaluation, measure.variant, metric)
      made = grid(reading, mine, placed) if mine else None
      if made and not made.fair:  # no task is left that all or none were trained on
        made = grid(reading, mine, placed, apart=apart)
      if made:
        grids[measure.evaluation, measure.variant, metric] = made
  return Compared(axis, grids, runs, reading) if grids else None


def figure_of(found: Compared, name: str, title: str, keys: Sequence[tuple[str, str, str]], findings: list[Finding]):
  """The figure with a panel for each of these measures, as far as they were taken."""
  shown = [found.grids[key] for key in keys if key in found.grids]
  return Figure(name, title, [_panel(found, made) for made in shown], findings, _notes(found, shown))


def elsewhere(found: Compared, before: str, after: str, keys: Sequence[tuple[str, str, str]]) -> str:
  """The same change in other measures, as a sentence to come after another; '' where there is none."""
  change = {found.place(after): 1.0, found.place(before): -1.0}
  told = [
    f"{evaluation_in_words(key[0])} {with_interval(made.estimate(change))}"
    for key in keys
    if found.has(made := found.grids.get(key), before, after)
  ]
  return f" Elsewhere: {'; '.join(told)}." if told else ""


def _rank(axis: Axis, run: Run) -> int:
  values = [*axis.labels]
  return values.index(axis.value(run)) if axis.value(run) in values else len(values)


def _panel(found: Compared, made: Grid) -> Panel:
  measure = made.measure
  title = f"{measure.score[0].upper()}{measure.score[1:]}, {made.title[0].lower()}{made.title[1:]}"
  if made.as_asked:
    title = f"{title}; base: {found.reading.base_formats(measure.evaluation)}"
  points = [_point(made, place) for place in made.runs]
  series = [Series(_SERIES, points, joined=False)]
  categories = tuple(str(point.x) for point in points)
  return Panel(
    series, found.axis.name, measure.score, title, x_scale="category", categories=categories, chance=made.chance
  )


def _point(made: Grid, place: Place) -> Point:
  mean, runs = made.mean(place), made.runs[place]
  interval = "" if mean.low is None else f" ({percent(mean.low)} to {percent(mean.high)})"
  told = f"{place[1]}: {percent(mean.value)}{interval}\n{counted(len(made.tasks), 'task')}, {counted(len(runs), 'run')}"
  return Point(place[1], mean.value, mean.low, mean.high, told)


def _notes(found: Compared, shown: Sequence[Grid]) -> list[str]:
  first = shown[0]
  cells = {tuple(run.key for run in some): some for some in first.runs.values()}
  notes = [*of_intervals(first, [*cells.values()]), *of_bases(found.runs, found.reading)]
  return [*notes, *of_missing_runs(found.runs, found.reading)]
