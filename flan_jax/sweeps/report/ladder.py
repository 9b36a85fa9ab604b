"""The rungs of a sweep's ladder as cells: what the base, the tuned and those tuned on all of it score on each, and from
rung to rung. Each rung is further from the training data than the one before."""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from flan_jax.sweeps.report import derived
from flan_jax.sweeps.report.axes import CONTROL_AXIS, UNTUNED, names_of
from flan_jax.sweeps.report.cells import Grid, Place, grid
from flan_jax.sweeps.report.reading import CLUSTERS, CORRECTED, Key, Measure, Reading, Run, evaluation_in_words
from flan_jax.sweeps.report.statistics import Estimate

BASE, TUNED, CEILING = "base", "tuned", "ceiling"
_OF_CONTROLS = {UNTUNED: BASE, TUNED: TUNED, CEILING: CEILING}
_MOST_SERIES = 8


@dataclasses.dataclass(frozen=True)
class Rung:
  """One of them.

  Attributes:
    name: in words.
    accuracy, corrected: its cells over the same tasks, (series, name) each.
    of_clusters: whether it is of clusters that were held out: of several such rungs none is further than another.
    base_asked: how the base was asked whose scores are shown, in words.
  """

  name: str
  accuracy: Grid
  corrected: Grid
  of_clusters: bool
  base_asked: str

  def place(self, series: str) -> Place:
    """The cell of a series."""
    return series, self.name

  def has(self, series: str) -> bool:
    """Whether that cell has a score."""
    return self.place(series) in self.accuracy.runs


@dataclasses.dataclass(frozen=True)
class Gap:
  """From a rung to the next one, of one series.

  Attributes:
    before, after: the means on the two rungs.
    accuracy, corrected: the change, in shares of 1.
    tasks: how many tasks both have: the gap is over these, task by task; 0: they have others.
  """

  before: float
  after: float
  accuracy: Estimate
  corrected: Estimate
  tasks: int


@dataclasses.dataclass(frozen=True)
class Ladder:
  """Of one sweep, or of several that have the same.

  Attributes:
    series: the runs of each.
    rungs: those of which something was measured, in order.
    left_out: names of the others: without a score, or of tasks that some runs were trained on and others not.
    variant: the format in which all but the base are asked.
    runs: of all series, those without a score too.
  """

  series: Mapping[str, Sequence[Run]]
  rungs: Sequence[Rung]
  left_out: Sequence[str]
  variant: str
  runs: Sequence[Run]
  _reading: Reading

  @property
  def steps(self) -> list[tuple[Rung, Rung]]:
    """From which rung to which one it is further: to each one of clusters from the last one that is of none."""
    found, start = [], None
    for rung in self.rungs:
      found += [(start, rung)] if start else []
      start = start if rung.of_clusters else rung
    return found

  def gap(self, before: Rung, after: Rung, series: str) -> Gap | None:
    """From a rung to another; None where the series lacks either, or the base was asked otherwise on the two."""
    if series == BASE and before.base_asked != after.base_asked:
      return None
    if not (before.has(series) and after.has(series)):
      return None
    common = set(before.accuracy.tasks) & set(after.accuracy.tasks)
    if common:
      return self._over(before, after, common, series)
    ends = after.place(series), before.place(series)
    changes = [
      getattr(after, name).minus(ends[0], getattr(before, name), ends[1]) for name in ("accuracy", "corrected")
    ]
    return Gap(before.accuracy.mean(ends[1]).value, after.accuracy.mean(ends[0]).value, *changes, tasks=0)

  def _over(self, before: Rung, after: Rung, common: Collection[str], series: str) -> Gap:
    """Over tasks that both rungs have, by the differences of each."""
    placed = [((series, ""), run) for run in self.series[series]]
    changes, means = [], []
    for name in ("accuracy", "corrected"):
      first, second = (getattr(rung, name).measure for rung in (before, after))
      reading, change = derived.minus(derived.of_tasks(self._reading, second, common), second, first)
      changes.append(grid(reading, change, placed, apart=_all(self.series)).mean((series, "")))
      means.append(grid(derived.of_tasks(reading, first, common), first, placed, apart=_all(self.series)))
    start = means[0].mean((series, "")).value
    return Gap(start, start + changes[0].value, *changes, tasks=len(common))


def ladder(reading: Reading) -> Ladder | None:
  """The first ladder of the table; None where fewer than two rungs have a score."""
  if not reading.ladders:
    return None
  names = next(iter(reading.ladders.values()))
  series = _series([run for run in reading.runs if reading.ladders.get(run.sweep) == names])
  variant = _variant(reading, names)
  rungs = []
  for index, evaluation in enumerate(names):
    measure = derived.found(reading, evaluation, variant)
    if measure and derived.found(reading, evaluation, variant, CORRECTED):
      rung = _rung(reading, measure, series, index)
      rungs += [rung] if rung else []
  if len(rungs) < 2:
    return None
  measured = {rung.name for rung in rungs}
  left_out = [name for name in map(evaluation_in_words, names) if name not in measured]
  shown = {name: runs for name, runs in series.items() if any(rung.has(name) for rung in rungs)}
  runs = [run for runs in series.values() for run in runs]
  return Ladder(shown, rungs, left_out, variant, runs, reading)


def _variant(reading: Reading, names: Collection[str]) -> str:
  """The format that the sweep's score is of, or the first one that a rung was asked in."""
  variants = [each.variant for each in reading.measures if each.evaluation in names and each.mixture]
  return variants[0] if variants else ""


def _series(runs: Sequence[Run]) -> dict[str, list[Run]]:
  """Base, tuned and ceiling, where the sweep has controls; else a series for each combination of its axes."""
  if any(CONTROL_AXIS in run.axes for run in runs):
    names = {run.key: _OF_CONTROLS.get(run.axes.get(CONTROL_AXIS) if run.tuned else UNTUNED) for run in runs}
  else:
    names = {key: BASE if name == UNTUNED else name for key, name in names_of(runs).items()}
  order = [BASE, *(name for name in names.values() if name not in (None, BASE, CEILING)), CEILING]
  found = {name: [run for run in runs if names[run.key] == name] for name in dict.fromkeys(order)}
  return {name: of for name, of in list(found.items())[:_MOST_SERIES] if of}


def _rung(reading: Reading, measure: Measure, series: Mapping[str, Sequence[Run]], index: int) -> Rung | None:
  name = evaluation_in_words(measure.evaluation)
  corrected = derived.found(reading, measure.evaluation, measure.variant, CORRECTED)
  placed = [((each, name), run) for each, runs in series.items() for run in runs]
  apart = {run.key for run in series.get(CEILING, ())}
  made = [grid(reading, each, placed, apart=apart, seen_first=True, seed=index) for each in (measure, corrected)]
  if None in made or made[0].split == "" or (made[0].split == "held_out" and _has_seen(reading, measure, series)):
    return None  # tasks that happened to be in no run's training are not new examples of any
  formats, alone = reading.base_formats(measure.evaluation), reading.base_alone(measure.evaluation)
  asked = f"in {formats} prompts alone" if alone else f"as suits it best ({formats})"
  return Rung(name, *made, measure.evaluation in CLUSTERS, asked)


def _has_seen(reading: Reading, measure: Measure, series: Mapping[str, Sequence[Run]]) -> bool:
  """Whether a run that is no ceiling was trained on any task of a measure."""
  scores = [
    reading.scores[measure].get(run.key, {}) for name, runs in series.items() if name != CEILING for run in runs
  ]
  return any(score.split == "seen" for of_run in scores for score in of_run.values())


def _all(series: Mapping[str, Sequence[Run]]) -> set[Key]:
  return {run.key for runs in series.values() for run in runs}
