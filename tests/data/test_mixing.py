"""The order of a run: shares, epochs, permutations, purity."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.data.mixing import Mixing, permute

RATES = st.lists(st.one_of(st.integers(1, 100_000), st.floats(1e-3, 1e3)), min_size=1, max_size=30)


def mixing_of(rates, sizes=None, seed=0):
  return Mixing(
    [f"task{i}" for i in range(len(rates))], [[size] for size in sizes or [7] * len(rates)], list(rates), seed
  )


@given(size=st.integers(1, 3_000), key=st.integers(0, 2**64 - 1))
def test_a_permutation_is_a_bijection(size, key):
  images = permute(np.arange(size), np.full(size, size), np.full(size, key, np.uint64))
  assert sorted(images.tolist()) == list(range(size))


def test_sizes_and_keys_are_elementwise():
  sizes, keys = np.array([5, 1000, 1, 64]), np.array([3, 9, 3, 7], np.uint64)
  together = permute(np.array([4, 999, 0, 10]), sizes, keys)
  alone = [permute(np.array([i]), sizes[k : k + 1], keys[k : k + 1])[0] for k, i in enumerate([4, 999, 0, 10])]
  assert together.tolist() == alone


def test_permutations_of_different_keys_look_unrelated():
  first, second = (permute(np.arange(5000), np.full(5000, 5000), np.full(5000, key, np.uint64)) for key in (1, 2))
  assert (first == second).sum() < 10  # about 1 is expected
  assert abs(np.corrcoef(first, second)[0, 1]) < 0.06  # 4 standard deviations
  assert abs(np.corrcoef(first, np.arange(5000))[0, 1]) < 0.06


@settings(max_examples=50)
@given(rates=RATES)
def test_quotas_follow_the_rates_at_every_prefix(rates):
  task = mixing_of(rates).draw(0, 2_000).task
  counts = np.cumsum(task[:, None] == np.arange(len(rates)), axis=0)
  ideal = np.arange(1, 2_001)[:, None] * (np.array(rates) / np.sum(rates))
  assert np.abs(counts - ideal).max() < 1.7  # the docstring's bound


def test_quotas_are_within_about_one_example_on_real_rates():
  rates = [7473, 7112, 6915, 6070, 2728, 2061, 1084]  # the chain-of-thought files
  task = mixing_of(rates).draw(0, 20_000).task
  counts = np.cumsum(task[:, None] == np.arange(7), axis=0)
  assert np.abs(counts - np.arange(1, 20_001)[:, None] * (np.array(rates) / sum(rates))).max() < 1.15


@given(start=st.integers(0, 10**12), cut=st.integers(0, 50))
def test_a_draw_depends_on_places_alone(start, cut):
  mixing = mixing_of([5, 3, 2], [11, 1, 1000])
  whole, first, rest = mixing.draw(start, 50), mixing.draw(start, cut), mixing.draw(start + cut, 50 - cut)
  for field in ("task", "example", "epoch", "key", "again"):
    assert getattr(whole, field).tolist() == [*getattr(first, field), *getattr(rest, field)]


def test_each_epoch_of_a_task_holds_each_example_once_and_nothing_ends():
  drawn = mixing_of([3, 1], [10, 4]).draw(0, 4_000)
  for task, size in ((0, 10), (1, 4)):
    examples, epochs = drawn.example[drawn.task == task], drawn.epoch[drawn.task == task]
    assert epochs.tolist() == [i // size for i in range(len(epochs))]
    whole = examples[: len(examples) // size * size].reshape(-1, size)
    assert (np.sort(whole, axis=1) == np.arange(size)).all()
    assert len({tuple(order) for order in whole.tolist()}) > 20  # epochs have orders of their own


def test_a_tasks_order_ignores_its_neighbours():
  alone = Mixing(["b"], [[50]], [1.0], seed=4).draw(0, 50)
  beside = Mixing(["a", "b"], [[9], [50]], [2.0, 1.0], seed=4).draw(0, 150)
  assert beside.example[beside.task == 1].tolist() == alone.example.tolist()


def test_the_seed_changes_the_order_and_not_the_shares():
  one, other = mixing_of([2, 1], [500, 500], 1).draw(0, 300), mixing_of([2, 1], [500, 500], 2).draw(0, 300)
  assert one.example.tolist() != other.example.tolist()
  assert one.task.tolist() == other.task.tolist()


@pytest.mark.parametrize(("sizes", "rates"), [([], []), ([[0]], [1]), ([[5]], [0]), ([[5], [5]], [1])])
def test_impossible_mixtures_are_refused(sizes, rates):
  with pytest.raises(ValueError, match="rate above 0"):
    Mixing([f"task{i}" for i in range(len(sizes))], sizes, rates, 0)


@given(
  sizes=st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(sum), min_size=1, max_size=4),
  rates=st.lists(st.integers(1, 5), min_size=4, max_size=4),
)
def test_epoch_e_goes_once_through_variant_e_mod_its_number(sizes, rates):
  names = [f"task{i}" for i in range(len(sizes))]
  drawn = Mixing(names, sizes, rates[: len(sizes)], 0).draw(0, 400)
  for task, variants in enumerate(sizes):
    begins = np.cumsum([0, *variants])
    here = drawn.task == task
    expected = [  # (epoch, the records of its variant) for more epochs than there can be
      (cycle * len(variants) + v, set(range(begins[v], begins[v + 1])))
      for cycle in range(401)
      for v in range(len(variants))
      if variants[v]
    ]
    examples, epochs, again = drawn.example[here].tolist(), drawn.epoch[here].tolist(), drawn.again[here].tolist()
    at = 0
    for epoch, records in expected:
      span = slice(at, at + len(records))
      if span.stop > len(examples):
        break
      assert set(examples[span]) == records
      assert set(epochs[span]) == {epoch}
      first_of_cycle = epoch >= len(variants) and not any(variants[: epoch % len(variants)])
      assert again[span] == [first_of_cycle] + [False] * (len(records) - 1)
      at = span.stop


def test_keys_differ_by_seed_task_epoch_and_example():
  one, other = mixing_of([1, 1], [50, 50], 0).draw(0, 400), mixing_of([1, 1], [50, 50], 1).draw(0, 400)
  assert len({*one.key.tolist(), *other.key.tolist()}) == 800
