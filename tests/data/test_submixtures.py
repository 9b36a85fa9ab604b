"""Which names a run's losses get."""

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.data import specs
from flan_jax.data.mixtures import MixtureSpec, Part, get_mixture
from flan_jax.data.store import TaskStore
from flan_jax.data.submixtures import MOST, OTHER, submixtures


def _stores(rates):
  return [TaskStore(task, pathlib.Path(), rate, {}) for task, rate in rates.items()]


def test_parts_are_told_apart_where_there_are_several():
  mixture = MixtureSpec("two", (Part("sums", ("demo.number_smallest",)), Part("rest", ("demo.step_reverse",))))
  told = submixtures(_stores({"demo.step_reverse": 1.0, "demo.number_smallest": 1.0}), mixture)
  assert (told.names, told.of_store) == (("rest", "sums"), (0, 1))


def test_clusters_of_a_part_with_many_tasks():
  mixture = get_mixture("demo")
  told = submixtures(_stores(dict.fromkeys(mixture.tasks, 1.0)), mixture)
  assert set(told.names) == {specs.get_task(task).cluster for task in mixture.tasks}


def test_tasks_where_there_are_few():
  tasks = get_mixture("demo").tasks[:3]
  assert submixtures(_stores(dict.fromkeys(tasks, 1.0)), get_mixture("demo")).names == tasks


@pytest.mark.parametrize("mixture", [get_mixture("demo.number_smallest"), None])
def test_one_task_has_no_submixtures(mixture):
  told = submixtures(_stores({"demo.number_smallest": 1.0}), mixture)
  assert (told.names, told.of_store) == ((), ())


@given(st.lists(st.floats(0.0, 1e6), min_size=2, max_size=60))
def test_at_most_so_many_names_and_the_largest_have_their_own(rates):
  stores = _stores({f"mine.{i}": rate for i, rate in enumerate(rates)})
  told = submixtures(stores)
  named = [told.names[index] for index in told.of_store]
  assert len(named) == len(stores)
  assert len(told.names) == min(len(stores), MOST) == len(set(told.names))
  alone = [store.rate for store, name in zip(stores, named, strict=True) if name == store.task]
  together = [store.rate for store, name in zip(stores, named, strict=True) if name == OTHER]
  assert min(alone) >= max(together, default=0.0)
