"""The bound on rows: never above what is possible, never below the textbook bounds, exact where that is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.data.packing import pack
from flan_jax.data.packing_bound import bound_rows


@st.composite
def tiny_cases(draw):
  """(lengths, capacity) of at most 7 examples and 1 to 3 sides."""
  capacity = tuple(draw(st.lists(st.integers(1, 12), min_size=1, max_size=3)))
  one = st.tuples(*(st.integers(0, side) for side in capacity)).filter(any)
  return np.array(draw(st.lists(one, min_size=1, max_size=7)), np.int32), capacity


def fewest_rows(lengths, capacity):
  """The optimum, by trying every way to give each example one of the opened rows or a new one."""
  best = len(lengths)

  def place(example, free):
    nonlocal best
    if len(free) >= best:
      return
    if example == len(lengths):
      best = len(free)
      return
    for row, room in enumerate(free):
      if (room >= lengths[example]).all():
        place(example + 1, [*free[:row], room - lengths[example], *free[row + 1 :]])
    place(example + 1, [*free, np.array(capacity) - lengths[example]])

  place(0, [])
  return best


def l2(lengths, row):
  """Martello and Toth's bound of one side, as printed in their paper."""
  best = 0
  for p in range(row // 2 + 1):
    alone = lengths[lengths > row - p]
    over_half = lengths[(lengths <= row - p) & (2 * lengths > row)]
    rest = lengths[(2 * lengths <= row) & (lengths >= p)]
    spill = rest.sum() - (len(over_half) * row - over_half.sum())
    best = max(best, len(alone) + len(over_half) + max(0, -(-spill // row)))
  return best


@settings(max_examples=300, deadline=None)
@given(case=tiny_cases())
def test_no_packing_has_fewer_rows(case):
  assert bound_rows(*case) <= fewest_rows(*case) <= pack(*case).max() + 1


@given(case=tiny_cases())
def test_as_tight_as_volume_exclusivity_and_l2_of_each_side(case):
  lengths, capacity = case
  for side, row in enumerate(capacity):
    column = lengths[:, side].astype(np.int64)
    assert bound_rows(lengths, capacity) >= max(-(-column.sum() // row), (2 * column > row).sum(), l2(column, row))


@pytest.mark.parametrize(
  ("lengths", "capacity", "rows"),
  [
    ([[6], [6], [6], [4]], (10,), 3),  # exclusivity
    ([[3]] * 7, (10,), 3),  # volume
    ([[7], [7], [6], [6], [4], [4], [4]], (10,), 5),  # L2 at p = 4: 7s go alone, two of the 4s find a 6
    ([[1, 8]] * 3 + [[10, 1]] * 3, (20, 8), 5),  # a full target leaves its row's inputs empty
  ],
)
def test_known_cases(lengths, capacity, rows):
  assert bound_rows(np.array(lengths), capacity) == fewest_rows(np.array(lengths), capacity) == rows


def test_nothing_needs_no_rows():
  assert bound_rows(np.zeros((0, 2), np.int32), (20, 8)) == 0
