"""Axes hold what is drawn on them, with ticks that a reader can use."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.sweeps.report.figure import Panel, Point, Series
from flan_jax.sweeps.report.scales import x_axis, y_axis

UNITS = ("percent", "points", "nats", "flops")


def panel(points, **options) -> Panel:
  return Panel([Series("ours", points)], "x", "y", **options)


@st.composite
def measured(draw):
  unit = draw(st.sampled_from(UNITS))
  low, high = {"percent": (0, 1), "points": (-1, 1), "nats": (0, 20), "flops": (1e9, 1e25)}[unit]
  values = draw(st.lists(st.floats(low, high), min_size=1, max_size=6))
  half = 0 if unit == "flops" else draw(st.floats(0, 0.1))
  points = [Point(index, y, max(low, y - half), min(high, y + half)) for index, y in enumerate(values)]
  return panel(points, y_unit=unit, chance=draw(st.sampled_from([None, 0.25])) if unit == "percent" else None)


@given(measured())
def test_everything_measured_is_within_its_axis(drawn):
  axis = y_axis([drawn])
  slack = 1e-9 * (axis.high - axis.low)
  ends = [end for point in drawn.series[0].points for end in (point.low, point.y, point.high)]
  for end in [*ends, *([drawn.chance] if drawn.chance else [])]:
    assert axis.low - slack <= axis.place(end) <= axis.high + slack
  if drawn.y_unit == "percent":
    assert axis.low >= -1e-9
    assert axis.high <= 1 + 1e-9


def _check_ticks(axis):
  places, labels = zip(*axis.ticks, strict=True)
  assert list(places) == sorted(set(places))
  assert len(set(labels)) == len(labels) <= 12
  assert axis.low - 1e-9 <= places[0]
  assert places[-1] <= axis.high + 1e-9


@given(measured())
def test_ticks_of_what_is_measured_are_few_ordered_and_distinct(drawn):
  axis = y_axis([drawn])
  _check_ticks(axis)
  assert len(axis.ticks) >= 2


@given(
  values=st.sets(st.floats(1, 1e22) | st.integers(1, 2000).map(float), min_size=1, max_size=15),
  scale=st.sampled_from(["log", "linear"]),
  zero=st.booleans(),
)
def test_what_varies_is_within_its_axis_in_its_order(values, scale, zero):
  values = sorted(values | {0.0}) if zero else sorted(values)
  axis = x_axis(panel([Point(x, 0.5) for x in values], x_scale=scale))
  places = [axis.place(x) for x in values]
  assert places == sorted(places)
  assert axis.low < places[0] <= places[-1] < axis.high


@given(st.sets(st.integers(1, 2000), min_size=2, max_size=9))
def test_a_log_axis_has_ticks_at_its_values_and_a_place_for_none(values):
  values = sorted(values)
  axis = x_axis(panel([Point(x, 0.5) for x in (0, *values)], x_scale="log"))
  assert [label for _, label in axis.ticks] == ["0", *(f"{x:,}" for x in values)]
  assert axis.zero < axis.gap < math.log10(values[0])
  assert x_axis(panel([Point(x, 0.5) for x in values], x_scale="log")).zero is None


def test_a_few_values_far_apart_are_the_ticks_of_a_linear_axis():
  def labels(*values):
    return [label for _, label in x_axis(panel([Point(x, 0.5) for x in values])).ticks]

  assert labels(500, 1000, 1500) == ["500", "1,000", "1,500"]
  assert labels(0, 1, 500, 1000) == ["0", "200", "400", "600", "800", "1,000"]


def test_many_values_get_round_ticks():
  axis = x_axis(panel([Point(float(x), 0.5) for x in range(3, 2000, 40)], x_scale="log"))
  assert [label for _, label in axis.ticks] == ["10", "100", "1,000"]


@pytest.mark.parametrize("scale", ["log", "linear"])
def test_one_value_or_none_still_has_an_axis(scale):
  for points in ([Point(0, 0.5)], [Point(9, 0.5)], []):
    axis = x_axis(panel(points, x_scale=scale))
    assert axis.low < axis.high
    assert y_axis([panel(points)]).low < y_axis([panel(points)]).high


def test_a_normalised_average_below_zero_is_on_its_axis():
  axis = y_axis([panel([Point(0, -0.08), Point(1, 0.5)])])
  assert axis.low <= -0.08
  assert (0.0, "0%") in axis.ticks


def test_differences_have_a_line_at_none():
  axis = y_axis([panel([Point(0, 0.3, 0.2, 0.4)], y_unit="points")])
  assert axis.baseline == 0.0
  assert (0.0, "0") in axis.ticks


def test_a_small_difference_does_not_fill_the_panel():
  axis = y_axis([panel([Point(0, 0.5), Point(1, 0.501)])])
  assert axis.high - axis.low >= 0.05 - 1e-9


def test_categories_are_in_their_order_and_those_that_are_not_named_follow():
  drawn = panel(
    [Point("xl", 0.5), Point("small", 0.4), Point("other", 0.4)], x_scale="category", categories=["small", "xl"]
  )
  axis = x_axis(drawn)
  assert [axis.place(name) for name in ("small", "xl", "other")] == [0, 1, 2]
  assert math.isnan(axis.place("nobody"))
