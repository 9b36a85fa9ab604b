"""Numbers out of text cells, a column at a time, as the templates of PromptSource expect them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.data.readers.number_columns import NumberColumns


class Cells:
  """Rows of text cells, the None among them malformed."""

  file = "cells"

  def __init__(self, rows):
    self._rows = rows

  def __len__(self):
    return len(self._rows)

  def read(self, row):
    if self._rows[row] is None:
      raise ValueError("malformed")
    return dict(self._rows[row])

  def id(self, row):
    return str(row)

  def place(self, row):
    return f"cells, row {row}"

  def fingerprint(self):
    return "0" * 16


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1))
def test_a_column_of_integers_is_integers(numbers):
  rows = NumberColumns(Cells([{"label": str(number), "text": f"t{number}"} for number in numbers]))
  assert [rows.read(row) for row in range(len(rows))] == [{"label": n, "text": f"t{n}"} for n in numbers]


def test_one_text_keeps_the_column_text_and_empty_cells_are_none():
  rows = NumberColumns(Cells([{"a": "1", "b": "2", "c": "1.5"}, None, {"a": "x", "b": "", "c": "2"}]))
  assert rows.read(0) == {"a": "1", "b": 2, "c": 1.5}
  assert rows.read(2) == {"a": "x", "b": None, "c": 2.0}
  with pytest.raises(ValueError, match="malformed"):
    rows.read(1)


@pytest.mark.parametrize("cell", ["007", "1e5", "0x1", "١", "--1", " 1", "nan", "9" * 40])
def test_what_only_looks_like_a_number_stays_text(cell):
  assert NumberColumns(Cells([{"a": cell}])).read(0) == {"a": cell}
