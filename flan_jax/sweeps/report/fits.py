"""Straight lines through scores against the logarithm of tasks or parameters, with what they may be off by.

A fit is least squares over the means of trained cells; slope and height at any x are weighted sums of these means, so
their intervals come from the same draws as all others. Nothing is fitted through fewer than three values of x, and
nothing is drawn beyond them.
"""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from flan_jax.sweeps.report.cells import Grid, Place
from flan_jax.sweeps.report.figure import Point
from flan_jax.sweeps.report.statistics import Estimate

FEWEST = 3  # values of x
_DRAWN = 25  # points of a drawn line


@dataclasses.dataclass(frozen=True)
class Fit:
  """A line: `slope` is the change of the score for ten times x, in shares of 1; `points` go from first x to last.

  `weights` of the cells' means give the slope; `left` is the root mean square of what the line leaves of these means.
  """

  slope: Estimate
  weights: Mapping[Place, float]
  points: Sequence[Point]
  cells: int
  left: float


def line(grid: Grid, places: Sequence[Place]) -> Fit | None:
  """The line through the cells of a series whose x is a number above 0; None through fewer than three."""
  usable = [place for place in places if isinstance(place[1], int | float) and place[1] > 0]
  logs = np.log10([float(x) for _, x in usable])
  if len(set(logs)) < FEWEST:
    return None
  solution = _solution(np.stack([np.ones_like(logs), logs], axis=1))
  xs = np.linspace(logs.min(), logs.max(), _DRAWN)
  rows = [solution[1], *(solution[0] + x * solution[1] for x in (*logs, *xs))]
  slope, *heights = grid.estimates([dict(zip(usable, row, strict=True)) for row in rows])
  left = [grid.mean(place).value - height.value for place, height in zip(usable, heights, strict=False)]
  drawn = zip(xs, heights[len(usable) :], strict=True)
  points = [Point(float(10**x), height.value, height.low, height.high) for x, height in drawn]
  weights = dict(zip(usable, solution[1], strict=True))
  return Fit(slope, weights, points, len(usable), float(np.sqrt(np.mean(np.square(left)))))


def plane(grid: Grid, places: Sequence[Place], second: Sequence[float]) -> tuple[Estimate, Estimate] | None:
  """The change of the score for ten times x and for ten times a second number, fitted together.

  Args:
    places: cells whose x is a number above 0.
    second: of each cell, above 0.

  Returns:
    (of x, of the second); None where there are fewer than three values of either, no more cells than the plane has
    coefficients (which it would meet all), or the two do not vary freely.
  """
  first = np.log10([float(x) for _, x in places]) if places else np.zeros(0)
  other = np.log10(np.asarray(second, dtype=float)) if places else np.zeros(0)
  design = np.stack([np.ones_like(first), first, other], axis=1)
  too_few = min(len(set(first)), len(set(other))) < FEWEST or len(places) <= design.shape[1]
  if too_few or np.linalg.matrix_rank(design) < design.shape[1]:
    return None
  solution = _solution(design)
  of_x, of_second = grid.estimates([dict(zip(places, row, strict=True)) for row in solution[1:]])
  return of_x, of_second


def _solution(design: Float[np.ndarray, "cells terms"]) -> Float[np.ndarray, "terms cells"]:
  """The weights of the cells' means that give each coefficient of least squares."""
  return np.linalg.pinv(design)
