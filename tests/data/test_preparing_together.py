"""Several mixtures prepared at once: afterwards each of them finds all its stores."""

import contextlib

from flan_jax.data.preparation import Preparation, prepare_together
from flan_jax.data.store import damages
from flan_jax.data.vocabularies import load_vocabulary


def test_each_mixture_finds_its_stores(tmp_path):
  """Tasks that two have in the same formats are made once; in other formats they are other stores."""
  told = []

  @contextlib.contextmanager
  def progress(what, total, unit):
    told.append(what)
    yield lambda done, note="": None

  names = ["demo(tasks=2)", "demo(tasks=1)", "demo(tasks=1, cot=False)", "demo(tasks=1, max_per_task=9)"]
  several = [
    Preparation(
      mixture=name,
      vocabulary=load_vocabulary("demo"),
      lengths={"inputs": 128, "targets": 32},
      store_dir=tmp_path,
      processes=1,
    )
    for name in names
  ]
  prepare_together(several, "all", progress)
  assert told == ["preparing all (3 tasks)"]
  stores = [each.stores(progress=progress) for each in several]
  assert len(told) == 1
  assert [len(each) for each in stores] == [2, 1, 1, 1]
  assert stores[0][0].folder == stores[1][0].folder != stores[2][0].folder
  prepare_together(several, "again", progress)
  assert len(told) == 1


def test_a_task_in_two_manners_is_made_in_both_at_one_time(toy, tmp_path):
  several = [
    Preparation(
      mixture=name,
      vocabulary=load_vocabulary("demo"),
      lengths={"inputs": 64, "targets": 64},
      data_dir=toy.data_dir,
      store_dir=tmp_path,
      processes=2,
    )
    for name in ("toy", "toy_reasoned")
  ]
  prepare_together(several, "all")
  usual, reasoned = ({store.task: store for store in each.stores()} for each in several)
  assert set(usual["toy.capitals"].formats()[0]) == {"zero_shot", "few_shot"}
  assert reasoned["toy.capitals"].formats()[0] == ["cot"]
  assert [damages(store) for store in (*usual.values(), *reasoned.values())] == [[]] * 5
