"""Axes worked out: where a value stands, from where to where, and which ticks. Picture and page draw the same ones."""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Sequence

from flan_jax.sweeps.report.figure import Panel

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_TICKS = 6  # about as many on an axis
_TICKS_AT_DATA = 9  # on a log axis up to so many values get their own ticks
_NARROWEST = {
  "percent": 0.05,
  "corrected": 0.05,
  "points": 0.02,
  "nats": 0.1,
}  # an axis of less would make noise look like an effect


@dataclasses.dataclass(frozen=True)
class Axis:
  """One axis. A place is where a value stands: places are evenly spaced on paper.

  Attributes:
    low, high: places of its ends.
    ticks: (place, label).
    log: whether places are base-10 logarithms.
    zero: of a log axis: the place of an x of 0, which has no logarithm; None where there is none.
    gap: where the axis is broken between that place and the smallest other; None where it is not.
    baseline: the place of a line to mark: no difference.
    categories: places are their numbers, from 0.
  """

  label: str
  low: float
  high: float
  ticks: tuple[tuple[float, str], ...]
  log: bool = False
  zero: float | None = None
  gap: float | None = None
  baseline: float | None = None
  categories: tuple[str, ...] = ()

  def place(self, value: float | str) -> float:
    """Where a value stands; of a value that cannot stand on this axis it is nan."""
    if self.categories:
      return float(self.categories.index(value)) if value in self.categories else math.nan
    if not self.log:
      return float(value)
    if value > 0:
      return math.log10(value)
    return self.zero if value == 0 and self.zero is not None else math.nan


def x_axis(panel: Panel) -> Axis:
  """The axis of what is varied."""
  values = [point.x for series in panel.series for point in series.points]
  if panel.x_scale == "category":
    return _categories(panel.x_label, [*panel.categories, *map(str, values)])
  if panel.x_scale == "log":
    return _log_axis(panel.x_label, values)
  return _linear_x(panel.x_label, values)


def y_axis(panels: Sequence[Panel]) -> Axis:
  """The axis of what is measured in panels alike: all points, their intervals and levels of chance are within it."""
  points = [point for panel in panels for series in panel.series for point in (*series.points, *series.fit)]
  values = [end for point in points for end in (point.y, point.low, point.high) if end is not None]
  values = [value for value in values if math.isfinite(value)]
  label, unit = panels[0].y_label, panels[0].y_unit
  if unit == "flops":
    return _decades(label, [value for value in values if value > 0])
  # Above the lower end, where the line of chance would hide.
  values += [max(0.0, panel.chance - 0.005) for panel in panels if panel.chance is not None]
  if unit == "points":
    values.append(0.0)
  shares = [point.y for panel in panels for series in panel.series for point in series.points]
  return _measured(label, values or [0.0], unit, shares)


def number(value: float) -> str:
  """A number on an axis.

  >>> [number(value) for value in (0, 0.25, 1836, 3_500_000, 11e9, 5.6e21)]
  ['0', '0.25', '1,836', '3.5M', '11B', '5.6×10²¹']
  """
  if abs(value) >= 1e15:
    return scientific(value)
  for size, name in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
    if abs(value) >= size:
      return f"{value / size:.3g}{name}"
  if value == int(value):
    return f"{int(value):,}".replace("-", "−")
  return f"{value:.3g}".replace("-", "−")


def scientific(value: float) -> str:
  """A number of many digits, such as FLOPs.

  >>> [scientific(value) for value in (0, 1e12, 1.92e14, 9.96e14)]
  ['0', '10¹²', '1.9×10¹⁴', '10¹⁵']
  """
  lead, _, power = f"{value:.1e}".partition("e")
  if not value:
    return "0"
  return ("" if lead == "1.0" else f"{lead.removesuffix('.0')}×") + f"10{str(int(power)).translate(_SUPERSCRIPTS)}"


def measured(value: float, unit: str, digits: int = 1) -> str:
  """A measured value in its unit.

  >>> measured(0.3125, "percent"), measured(-0.02, "points"), measured(2.5, "nats"), measured(5.6e21, "flops")
  ('31.2%', '−2.0', '2.500', '5.6×10²¹')
  """
  if unit in ("percent", "corrected"):
    return f"{100 * value:.{digits}f}%".replace("-", "−")
  if unit == "points":
    return f"{100 * value:+.{digits}f}".replace("-", "−") if value else "0"
  return scientific(value) if unit == "flops" else f"{value:.3f}".replace("-", "−")


def _categories(label: str, names: Iterable[str]) -> Axis:
  distinct = tuple(dict.fromkeys(names))
  ticks = tuple((float(index), name) for index, name in enumerate(distinct))
  return Axis(label, -0.5, len(distinct) - 0.5, ticks, categories=distinct)


def _log_axis(label: str, values: Sequence[float]) -> Axis:
  distinct = sorted({value for value in values if value > 0})
  if not distinct:
    return dataclasses.replace(_categories(label, ["0"]), categories=(), log=True, zero=0.0)
  first, last = math.log10(distinct[0]), math.log10(distinct[-1])
  span = max(last - first, 0.3)
  margin = 0.05 * span
  few = len(distinct) <= _TICKS_AT_DATA
  ticks = [(math.log10(value), number(value)) for value in (distinct if few else _round_numbers(first, last))]
  if not any(value == 0 for value in values):
    return Axis(label, first - margin, last + margin, tuple(ticks), log=True)
  zero = first - 0.16 * span
  ticks = [(zero, "0"), *ticks]
  return Axis(label, zero - margin, last + margin, tuple(ticks), log=True, zero=zero, gap=(zero + first) / 2)


def _round_numbers(first: float, last: float) -> list[float]:
  """1, 10, 100, ... between two logarithms; 1, 2, 5, 10, ... where there are few of those."""
  leads = (1, 2, 5) if last - first < 2.5 else (1,)
  numbers = [lead * 10.0**power for power in range(math.floor(first), math.ceil(last) + 1) for lead in leads]
  return [value for value in numbers if first - 1e-9 <= math.log10(value) <= last + 1e-9]


def _linear_x(label: str, values: Sequence[float]) -> Axis:
  low, high = (min(values), max(values)) if values else (0.0, 0.0)
  if high - low <= 1e-9 * abs(high):
    half = max(0.5, 0.1 * abs(high))
    return Axis(label, low - half, high + half, ((float(low), number(low)),))
  margin = 0.04 * (high - low)
  distinct = sorted(set(values))
  if len(distinct) <= _TICKS and min(b - a for a, b in itertools.pairwise(distinct)) > 0.1 * (high - low):
    ticks = [float(value) for value in distinct]
  else:
    step = _step((high - low) / _TICKS)
    ticks = [step * index for index in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
  return Axis(label, low - margin, high + margin, tuple((tick, number(round(tick, 10))) for tick in ticks))


def _measured(label: str, values: Sequence[float], unit: str, shares: Sequence[float]) -> Axis:
  low, high = min(values), max(values)
  if (lacking := _NARROWEST[unit] - (high - low)) > 0:
    low, high = low - lacking / 2, high + lacking / 2
  if unit == "percent":  # a whole is the most, and nothing the least but of normalised averages
    low, high = max(low, min([0.0, *shares])), min(high, 1.0)
  elif unit == "corrected":
    high = min(high, 1.0)
  step = _step((high - low) / _TICKS)
  if unit != "points" and 0 <= low < 0.2 * high:
    low = 0.0  # near enough: an axis from 0 shows proportions too
  first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
  decimals = max(0, -math.floor(math.log10(step * (1 if unit == "nats" else 100)) + 1e-9))
  ticks = []
  for index in range(first, last + 1):
    place = round(index * step, 12)
    ticks.append((place, f"{place:.{decimals}f}" if unit == "nats" else measured(place, unit, decimals)))
  baseline = 0.0 if unit == "points" or (unit == "corrected" and first < 0) else None
  return Axis(label, first * step, last * step, tuple(ticks), baseline=baseline)


def _decades(label: str, values: Sequence[float]) -> Axis:
  logs = [math.log10(value) for value in values] or [0.0]
  first, last = math.floor(min(logs) - 0.02), math.ceil(max(logs) + 0.02)
  every = max(1, math.ceil((last - first) / _TICKS))
  ticks = [(float(power), scientific(10.0**power)) for power in range(first, last + 1, every)]
  return Axis(label, float(first), float(last), tuple(ticks), log=True)


def _step(least: float) -> float:
  """The smallest of 1, 2, 5, 10, ... (at any scale) that is not below."""
  power = 10.0 ** math.floor(math.log10(least))
  return next(lead * power for lead in (1, 2, 5, 10) if lead * power >= least * (1 - 1e-9))
