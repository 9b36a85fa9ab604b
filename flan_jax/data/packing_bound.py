"""How few rows any packing of given examples could have: what a packing is measured against."""

import numpy as np
from jaxtyping import Int


def bound_rows(lengths: Int[np.ndarray, "n features"], capacity: tuple[int, ...]) -> int:
  """A number of rows that no packing goes below, proved by volume and exclusivity; exact packing is NP-hard.

  Take a side g of c tokens and a whole p with 0 <= p <= c / 2. By their length y on that side, examples are

    large, y > c - p: two of them exceed a row (2 (c - p) >= c), so each has a row to itself among the large;
    small, y < p;
    medium, all others, p <= y <= c - p: with a large one they exceed a row, so they stand in other rows.

  That makes as many rows as there are large examples, and besides, on each side f (which may be g), at least

    volume: the tokens of the medium examples, and of the small ones what does not fit beside the large ones, divided
      by the row, rounded up;
    exclusivity: one row for each medium example that takes over half of the row on f.

  The bound is the best over g, p and f. p = 0 has no large ones: plain volume and plain exclusivity. With f = g it is
  never below Martello and Toth's L2 (Discrete Applied Mathematics 28, 1990), which drops the small examples. With f and
  g apart it sees that a row which one long target fills is lost to the inputs.

  Args:
    lengths: as for `packing.pack`: tokens on each side, none above the capacity.
    capacity: tokens on each side of a row.
  """
  best = 0
  for side in range(len(capacity)):
    order = np.argsort(lengths[:, side], kind="stable")
    by_length = lengths[order].astype(np.int64)
    p = np.arange(capacity[side] // 2 + 1)
    small = np.searchsorted(by_length[:, side], p)  # examples [0, small), [small, large), [large, n)
    large = np.searchsorted(by_length[:, side], capacity[side] - p, side="right")
    for other, row in enumerate(capacity):
      tokens = np.r_[0, np.cumsum(by_length[:, other])]
      halves = np.r_[0, np.cumsum(2 * by_length[:, other] > row)]
      beside = (len(order) - large) * row - (tokens[-1] - tokens[large])
      volume = tokens[large] - tokens[small] + np.maximum(0, tokens[small] - beside)
      besides = np.maximum(-(-volume // row), halves[large] - halves[small])
      best = max(best, int((len(order) - large + besides).max()))
  return best
