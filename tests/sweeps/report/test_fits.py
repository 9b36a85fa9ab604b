"""Fits find planted slopes with intervals that hold them, and refuse to be drawn through too little."""

import numpy as np
import pytest

from flan_jax.sweeps.report import fits
from flan_jax.sweeps.report.axes import KINDS, placed
from flan_jax.sweeps.report.cells import Grid, grid
from flan_jax.sweeps.report.reading import read
from tests.sweeps.made_up_sweep import Effects, made_up_table

TASKS = KINDS[0]
# Few and small effects in logits around 50%, where ten times the tasks are 0.25 points a tenth of a logit.
STRAIGHT = Effects(base=0.0, tasks=0.4, model=0.4, task=0.2, seeds=0.05)


def grid_of(axes, effects=STRAIGHT) -> Grid:
  reading = read(made_up_table(axes, effects, losses=False))
  return grid(reading, reading.measures[0], placed(TASKS, reading.runs))


def slope_of(made: Grid) -> float:
  """By numpy, from the means."""
  places = made.places(made.series[0])
  return np.polyfit(np.log10([x for _, x in places]), [made.mean(place).value for place in places], 1)[0]


def test_the_line_is_least_squares_within_what_was_measured():
  made = grid_of({"tasks": [0, 5, 20, 80, 160], "seed": [0, 1, 2]})
  fit = fits.line(made, made.places(made.series[0]))
  assert fit.slope.value == pytest.approx(slope_of(made))
  assert fit.slope.low < fit.slope.value < fit.slope.high
  assert fit.cells == 4
  assert [fit.points[0].x, fit.points[-1].x] == pytest.approx([5, 160])
  rise = (fit.points[-1].y - fit.points[0].y) / np.log10(160 / 5)
  assert rise == pytest.approx(fit.slope.value)
  assert all(point.low < point.y < point.high for point in fit.points)


@pytest.mark.parametrize("tasks", [[0, 160], [0, 10, 160], [10, 160]])
def test_never_through_fewer_than_three_values(tasks):
  made = grid_of({"tasks": tasks, "seed": [0, 1]})
  assert fits.line(made, made.places(made.series[0])) is None


def test_tasks_and_parameters_together():
  made = grid_of({"tasks": [5, 20, 160], "model": ["t5_demo_small", "t5_demo", "t5_demo_large"], "seed": [0, 1]})
  places = list(made.runs)
  sizes = [made.runs[place][0].facts["parameters"] for place in places]
  of_tasks, of_size = fits.plane(made, places, sizes)
  # Equal effects are planted for both, in logits of which 0.4 is some 8 points between chance and all.
  assert of_tasks.low < 0.08 < of_tasks.high
  assert of_size.low < 0.08 < of_size.high
  assert fits.plane(made, [], []) is None


def test_no_plane_through_what_does_not_tell_the_two_apart():
  made = grid_of({"tasks": [5, 20, 160], "model": ["t5_demo_small", "t5_demo", "t5_demo_large"], "seed": [0]})
  places = list(made.runs)
  sizes = [made.runs[place][0].facts["parameters"] for place in places]
  cells = dict(zip(places, sizes, strict=True))
  assert fits.plane(made, places, sizes) is not None

  def plane(*kept):
    some = [place for i, place in enumerate(cells) if i in kept]
    return fits.plane(made, some, [cells[place] for place in some])

  assert [(x, size) for (_, x), size in cells.items()][::4] == [(5, 420_000), (20, 1_050_368), (160, 3_300_000)]
  assert plane(0, 4, 8) is None  # three cells, which a plane meets whatever they are
  assert plane(0, 4, 8, 1) is not None
  assert plane(0, 1, 3, 4, 6, 7) is None  # two sizes, three numbers of tasks; and the other way
  assert plane(0, 1, 2, 3, 4, 5) is None
  assert fits.plane(made, places, [10 * x for _, x in places]) is None  # the second is the first


def test_the_interval_of_a_slope_holds_zero_where_nothing_is_planted():
  flat = Effects(base=0.0, tasks=0.0, task=0.5, seeds=0.2)
  slopes = []
  for first in range(0, 30, 3):  # other seeds of the made-up runs
    made = grid_of({"tasks": [5, 20, 80], "seed": [first, first + 1, first + 2]}, flat)
    slopes.append(fits.line(made, made.places(made.series[0])).slope)
  assert sum(slope.low <= 0 <= slope.high for slope in slopes) >= 8
