"""A figure laid out: marks in places on axes, hues and shapes. Both the picture and the page draw what stands here."""

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal

from flan_jax.sweeps.report.figure import Figure, Panel, Point, Series
from flan_jax.sweeps.report.scales import Axis, x_axis, y_axis

HUES = 8  # of the style sheet
SHAPES = ("circle", "square", "up", "down")  # of ours, so that colour is not all that tells series apart
OPEN = "diamond"  # of published points, never filled
_CURVE = 7  # so many points are the course of something: shifted sideways, it would seem to run ahead or behind
_DENSE = 24  # more points than these are a curve with a band, not marks with bars
_DODGE, _DODGES = 0.011, 0.05  # of the axis, between two series whose bars would lie on each other, and all of them


@dataclasses.dataclass(frozen=True)
class Mark:
  """A point: places on the two axes, those of the interval's ends, and what hovering tells."""

  x: float
  y: float
  low: float | None
  high: float | None
  text: str


@dataclasses.dataclass(frozen=True)
class Line:
  """A series: see `figure.Series`.

  Attributes:
    dense: so many points that a band shows their intervals and no mark shows each.
    fit: places of the fitted curve, within what was measured.
  """

  name: str
  hue: int
  shape: str
  published: bool
  source: str
  joined: bool
  dense: bool
  marks: tuple[Mark, ...]
  fit: tuple[tuple[float, float], ...]
  fit_text: str


@dataclasses.dataclass(frozen=True)
class LaidPanel:
  """A panel with its axes.

  Attributes:
    kind: 'columns': x runs to the right; 'rows': a row a category, what is measured runs to the right.
    chance: its place on the axis of what is measured.
  """

  title: str
  kind: Literal["columns", "rows"]
  x: Axis
  y: Axis
  chance: float | None
  lines: tuple[Line, ...]


def laid_out(figure: Figure) -> list[LaidPanel]:
  """The panels of a figure.

  A series of the same name has the same hue in all of them, and panels of the same measure have the same axis of it:
  side by side they are compared.
  """
  names = list(dict.fromkeys(series.name for panel in figure.panels for series in panel.series))
  alike: dict[tuple[str, ...], list[Panel]] = {}
  for panel in figure.panels:
    alike.setdefault(_measure(panel), []).append(panel)
  return [_laid(panel, y_axis(alike[_measure(panel)]), names) for panel in figure.panels]


def _measure(panel: Panel) -> tuple[str, ...]:
  """What panels must have in common: ours and published points are of different tasks, losses of different sets."""
  apart = panel.title if panel.y_unit == "nats" else ""
  return panel.y_label, panel.y_unit, str(all(series.published for series in panel.series)), apart


def in_rows(panel: Panel) -> bool:
  """Whether categories stand below each other: where no line joins them, so that long names are read easily."""
  joined = any(series.joined and len(series.points) > 1 for series in panel.series)
  return panel.x_scale == "category" and not joined


def _laid(panel: Panel, y: Axis, names: Sequence[str]) -> LaidPanel:
  x = x_axis(panel)
  kind = "rows" if in_rows(panel) else "columns"
  shifts = _shifts(panel, x, kind)
  lines = tuple(
    _line(series, x, y, shift, names.index(series.name)) for series, shift in zip(panel.series, shifts, strict=True)
  )
  return LaidPanel(panel.title, kind, x, y, None if panel.chance is None else y.place(panel.chance), lines)


def _shifts(panel: Panel, x: Axis, kind: str) -> list[float]:
  """How far each series stands beside its x, so that intervals of the same x do not hide each other."""
  count = len(panel.series)
  if kind == "rows":
    return [0.78 * ((index + 0.5) / count - 0.5) for index in range(count)]
  barred = [any(point.low is not None for point in series.points) for series in panel.series]
  if sum(barred) < 2 or any(len(series.points) >= _CURVE for series in panel.series):
    return [0.0] * count
  places = sorted({x.place(point.x) for series in panel.series for point in series.points})
  nearest = min((b - a for a, b in itertools.pairwise(places)), default=x.high - x.low)
  apart = min(min(_DODGE, _DODGES / sum(barred)) * (x.high - x.low), 0.6 * nearest / sum(barred))
  return [apart * (sum(barred[:index]) - (sum(barred) - 1) / 2) * barred[index] for index in range(count)]


def _line(series: Series, x: Axis, y: Axis, shift: float, number: int) -> Line:
  return Line(
    name=series.name,
    hue=number % HUES,
    # A ninth series has the first one's hue in another shape.
    shape=OPEN if series.published else SHAPES[(number + number // HUES) % len(SHAPES)],
    published=series.published,
    source=series.source,
    joined=series.joined,
    dense=_is_dense(series),
    marks=tuple(_marks(series.points, x, y, shift)),
    fit=tuple((mark.x, mark.y) for mark in _marks(_within(series), x, y, shift) if y.low <= mark.y <= y.high),
    fit_text=series.fit_text,
  )


def _marks(points: Sequence[Point], x: Axis, y: Axis, shift: float) -> Iterator[Mark]:
  """What can stand on the axes: a share of FLOPs of 0 has no place on a log axis."""
  for point in points:
    mark = Mark(
      x.place(point.x) + shift,
      y.place(point.y),
      _end(point.low, y),
      _end(point.high, y),
      point.text,
    )
    if math.isfinite(mark.x) and math.isfinite(mark.y):
      yield mark


def _end(value: float | None, y: Axis) -> float | None:
  """Of an interval, as far as the axis goes: what is above a whole is nobody's."""
  place = math.nan if value is None else y.place(value)
  return min(max(place, y.low), y.high) if math.isfinite(place) else None


def _within(series: Series) -> list[Point]:
  """The fitted curve between the first point and the last: it says nothing of the rest, nor of an x of 0."""
  known = [point.x for point in series.points if not isinstance(point.x, str)]
  above_zero = [x for x in known if x > 0] or known
  return [point for point in series.fit if above_zero and min(above_zero) <= point.x <= max(above_zero)]


def _is_dense(series: Series) -> bool:
  return len(series.points) > _DENSE
