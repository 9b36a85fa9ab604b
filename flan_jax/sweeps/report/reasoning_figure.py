"""Reasoning first minus answering directly: the same runs on the same examples, asked in both ways."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence

from flan_jax.evaluation.held_out.differences import REASONING
from flan_jax.sweeps.report import derived
from flan_jax.sweeps.report.axes import CONTROL_AXIS, COT_AXIS, WITH, names_of
from flan_jax.sweeps.report.axis_findings import judged
from flan_jax.sweeps.report.cells import Grid, Place, grid
from flan_jax.sweeps.report.claims import claim
from flan_jax.sweeps.report.control_figure import CEILING, LABELS, TUNED
from flan_jax.sweeps.report.figure import Figure, Finding, Panel, Point, Series
from flan_jax.sweeps.report.notes import of_intervals, of_missing_runs
from flan_jax.sweeps.report.reading import Key, Reading, Run, evaluation_in_words
from flan_jax.sweeps.report.words import counted, percent, points, with_interval

_FIRST, _DIRECTLY = REASONING[0]


@dataclasses.dataclass(frozen=True)
class _Asked:
  """An evaluation that was asked both ways: the levels and their difference, over the tasks that have rationales."""

  name: str
  first: Grid
  directly: Grid
  difference: Grid


def reasoning_figure(reading: Reading) -> Figure | None:
  """The figure of sweeps about rationales, or with controls; None where no evaluation was asked both ways."""
  runs = [run for run in reading.runs if run.tuned and not run.axes.keys().isdisjoint((COT_AXIS, CONTROL_AXIS))]
  names = _names(runs)
  evaluations = dict.fromkeys(measure.evaluation for measure in reading.of_mixtures)
  found = [each for name in evaluations if (each := _asked(reading, name, runs, names))]
  if not found:
    return None
  kinds = list(dict.fromkeys(names.values()))
  main = next((kind for kind in kinds if kind.startswith((LABELS[TUNED], WITH))), kinds[-1])
  cells = {tuple(run.key for run in some): some for some in found[0].difference.runs.values()}
  return Figure(
    "reasoning",
    "Reasoning first minus answering directly",
    [_differences(found, kinds), _levels(found, main)],
    [*_findings(found, main)],
    [*of_intervals(found[0].difference, [*cells.values()]), *of_missing_runs(runs, reading)],
  )


def _names(runs: Sequence[Run]) -> dict[Key, str]:
  names = names_of(runs)
  return {run.key: LABELS.get(run.axes.get(CONTROL_AXIS), names[run.key]) for run in runs}


def _asked(reading: Reading, evaluation: str, runs: Sequence[Run], names: Mapping[Key, str]) -> _Asked | None:
  first, directly = (derived.found(reading, evaluation, variant) for variant in (_FIRST, _DIRECTLY))
  if not (first and directly):
    return None
  reading, difference = derived.minus(reading, first, directly)
  placed = [((names[run.key], evaluation_in_words(evaluation)), run) for run in runs]
  apart = {run.key for run in runs if run.axes.get(CONTROL_AXIS) == CEILING}
  made = grid(reading, difference, placed, apart=apart)
  if not made:
    return None
  for measure in (first, directly):
    reading = derived.of_tasks(reading, measure, made.tasks)
  levels = [grid(reading, measure, placed, apart=apart) for measure in (first, directly)]
  return _Asked(evaluation_in_words(evaluation), *levels, made)


def _place(made: Grid, kind: str) -> Place | None:
  return next((place for place in made.runs if place[0] == kind), None)


def _differences(found: Sequence[_Asked], kinds: Sequence[str]) -> Panel:
  series = [_series(kind, [(each.name, each.difference) for each in found], kind, points) for kind in kinds]
  series = [each for each in series if each.points]
  title = "Reasoning first minus answering directly, rationale less zero-shot prompts"
  names = tuple(each.name for each in found)
  return Panel(series, "asked", "points", title, x_scale="category", y_unit="points", categories=names)


def _levels(found: Sequence[_Asked], kind: str) -> Panel:
  """What the difference is one of."""
  directly, first = ([(each.name, getattr(each, of)) for each in found] for of in ("directly", "first"))
  series = [
    _series("answering directly", directly, kind, percent),
    _series("reasoning first", first, kind, percent),
  ]
  names = tuple(each.name for each in found)
  return Panel(series, "asked", "accuracy", f"Accuracy of {kind}", x_scale="category", categories=names)


def _series(name: str, grids: Sequence[tuple[str, Grid]], kind: str, told: Callable[[float], str]) -> Series:
  marks = []
  for at, made in grids:
    if place := _place(made, kind):
      mean = made.mean(place)
      of = f"{counted(len(made.tasks), 'task')}, {counted(len(made.runs[place]), 'run')}"
      marks.append(Point(at, mean.value, mean.low, mean.high, f"{name}, {at}: {told(mean.value)}\n{of}"))
  return Series(name, marks, joined=False)


def _findings(found: Sequence[_Asked], kind: str) -> Iterator[Finding]:
  """Of each evaluation; the paper's claim is about tasks that were held out."""
  for each in found:
    place = _place(each.difference, kind)
    if not place:
      continue
    effect = each.difference.mean(place)
    ends = [percent(made.mean(place).value) for made in (each.directly, each.first)]
    text = f"Asked for its reasoning first instead of the answer alone, {kind} changes on {each.name}"
    text = f"{text} ({counted(len(each.difference.tasks), 'task')} that have rationales) from {ends[0]} to {ends[1]},"
    of = None if each.directly.split == "seen" else claim("reasoning", "reasoning_first_helps")
    yield judged(each.first, [place], f"{text} {with_interval(effect)}.", effect, of)
