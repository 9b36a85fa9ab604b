"""Rows: nothing lost, nothing over capacity, close to the provable bound. Speed is scripts/bench_packing.py's."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flan_jax.data.packing import pack
from flan_jax.data.packing_bound import bound_rows

ROOT = pathlib.Path(__file__).parents[2]
CAPACITY = (20, 8)
PAIRS = (
  st.integers(0, 200)
  .flatmap(
    lambda n: st.tuples(
      hnp.arrays(np.int32, n, elements=st.integers(0, 20)), hnp.arrays(np.int32, n, elements=st.integers(1, 8))
    )
  )
  .map(lambda sides: np.stack(sides, axis=1))
)


def row_sums(lengths, row_of):
  sums = np.zeros((row_of.max(initial=-1) + 1, lengths.shape[1]), np.int64)
  np.add.at(sums, row_of, lengths)
  return sums


def like_instructions(n, seed=0):
  """Log-normal prompts and short, skewed targets, like P3 and Super-NI: mean about 200 and 20 tokens."""
  rng = np.random.default_rng(seed)
  return np.stack([rng.lognormal(4.8, 0.9, n), rng.lognormal(2.3, 1.1, n)], axis=1).astype(np.int32) + 1


def fitting(lengths, capacity):
  return lengths[(lengths <= capacity).all(axis=1)]


@pytest.fixture(scope="module")
def real_lengths(shared_data, tmp_path_factory):
  """One window of P3, Super-NI and CoT, as the script draws it."""
  path = tmp_path_factory.mktemp("mix") / "lengths.npy"
  arguments = ["--data_dir", shared_data, "--out", path, "--examples", "16384"]
  subprocess.run([sys.executable, ROOT / "scripts/real_mix_lengths.py", *arguments], check=True)
  return np.load(path)


@given(lengths=PAIRS)
def test_rows_never_exceed_capacity_and_hold_every_example(lengths):
  row_of = pack(lengths, CAPACITY)
  assert row_of.shape == (len(lengths),)
  assert row_of.dtype == np.int32
  sums = row_sums(lengths, row_of)
  assert (sums <= CAPACITY).all()
  assert set(row_of.tolist()) == set(range(len(sums)))  # no row is empty
  assert sums.sum(axis=0).tolist() == lengths.sum(axis=0).tolist()  # no token is lost


@given(lengths=PAIRS)
def test_no_row_is_opened_while_an_example_fits_an_earlier_one(lengths):
  """A row takes while anything fits: an example of a later row would not have fitted any earlier row as it was left."""
  row_of = pack(lengths, CAPACITY)
  free = np.array(CAPACITY) - row_sums(lengths, row_of)
  for row in range(1, len(free)):
    assert not (lengths[row_of == row][:, None] <= free[:row]).all(axis=-1).any()


@given(lengths=PAIRS, order=st.randoms())
def test_the_number_of_rows_ignores_the_order_of_examples(lengths, order):
  shuffled = list(range(len(lengths)))
  order.shuffle(shuffled)
  assert pack(lengths[shuffled], CAPACITY).max(initial=-1) == pack(lengths, CAPACITY).max(initial=-1)


def test_any_number_of_sides():
  lengths = np.array([[3, 1, 2], [3, 2, 2], [4, 1, 1], [1, 1, 1]], np.int32)
  for sides in (1, 3):
    sums = row_sums(lengths[:, :sides], pack(lengths[:, :sides], (5, 3, 4)[:sides]))
    assert (sums <= (5, 3, 4)[:sides]).all()


def test_equal_examples_stand_in_rows_in_their_order():
  row_of = pack(np.full((11, 2), (5, 2), np.int32), CAPACITY)
  assert row_of.tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("capacity", [(2048, 512), (1024, 256), (512, 128)])
def test_rows_are_within_one_percent_of_the_bound(capacity):
  lengths = fitting(like_instructions(20_000), capacity)[:8192]
  assert pack(lengths, capacity).max() + 1 <= 1.01 * bound_rows(lengths, capacity)


@pytest.mark.parametrize("sides", [1, 2, 3])
def test_sides_that_bind_alike_are_filled_alike(sides):
  """Uniform lengths, so that every side is as scarce as the others; first-fit-decreasing is 21% above with two."""
  capacity = (1000, 500, 250)[:sides]
  rng = np.random.default_rng(0)
  lengths = np.stack([rng.integers(1, side // 10, 4000) for side in capacity], axis=1).astype(np.int32)
  assert pack(lengths, capacity).max() + 1 <= 1.02 * bound_rows(lengths, capacity)


@pytest.mark.parametrize("capacity", [(2048, 512), (1024, 256), (512, 128)])
def test_rows_of_the_real_mix_are_within_one_percent_of_the_bound(real_lengths, capacity):
  lengths = fitting(real_lengths, capacity)
  assert len(lengths) > 0.85 * len(real_lengths)
  for offered in (lengths, np.minimum(real_lengths, np.array(capacity, np.int32))):  # left out, as stores do, or cut
    assert pack(offered, capacity).max() + 1 <= 1.01 * bound_rows(offered, capacity)


@pytest.mark.parametrize("bad", [[21, 1], [1, 9], [0, 0], [-1, 3]])
def test_what_cannot_be_packed_is_named(bad):
  with pytest.raises(ValueError, match=rf"example 1 of lengths \[{bad[0]}, {bad[1]}\]"):
    pack(np.array([[1, 1], bad], np.int32), CAPACITY)
