"""max_per_task: which examples are used, and that a stream draws these and no others, whatever its seed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.data import limits, mixing
from flan_jax.data.segments import EncoderDecoderRows
from flan_jax.data.store import open_store
from flan_jax.data.stream import Position, Stream
from tests.data.handmade import make_store, numbered

IDS = st.lists(st.text(max_size=4), max_size=60)


@given(ids=IDS, few=st.integers(1, 70), more=st.integers(0, 30))
def test_the_n_examples_are_among_those_of_more(ids, few, more):
  chosen = limits.chosen("t", ids, few).tolist()
  assert set(chosen) <= set(limits.chosen("t", ids, few + more).tolist())
  assert len({ids[i] for i in chosen}) == min(few, len(set(ids)))
  assert chosen == sorted(i for i, each in enumerate(ids) if each in {ids[j] for j in chosen})  # copies come together


@given(ids=IDS, limit=st.integers(1, 70), data=st.data())
def test_they_are_chosen_by_what_they_are_and_not_by_their_places(ids, limit, data):
  order = data.draw(st.permutations(range(len(ids))))
  chosen = {ids[i] for i in limits.chosen("t", ids, limit).tolist()}
  shuffled = [ids[i] for i in order]
  assert {shuffled[i] for i in limits.chosen("t", shuffled, limit).tolist()} == chosen


def test_tasks_choose_differently_and_not_the_first():
  ids = [str(i) for i in range(1_000)]
  one, other = (limits.chosen(task, ids, 100) for task in ("one", "other"))
  assert len(set(one.tolist()) & set(other.tolist())) < 30  # 10 are expected
  assert abs(one.mean() - 500) < 120  # four standard deviations


@given(
  variants=st.lists(st.integers(0, 30), min_size=1, max_size=3).filter(sum),
  share=st.floats(0.05, 1),
  seed=st.integers(0, 3),
)
def test_an_epoch_of_a_limited_task_holds_each_used_record_of_its_variant_once(variants, share, seed):
  ends = np.cumsum(variants)
  used = np.flatnonzero(np.random.default_rng(seed).random(ends[-1]) < share)
  sizes = np.diff(np.searchsorted(used, ends), prepend=0).tolist()
  if not sum(sizes):
    return
  whole = [7]
  drawn = mixing.Mixing(["a", "b"], [sizes, whole], [2.0, 1.0], seed, [used, None]).draw(0, 6 * len(used))
  examples, epochs = drawn.example[drawn.task == 0], drawn.epoch[drawn.task == 0]
  for epoch in range(len(variants)):
    wanted = {i for i in used.tolist() if np.searchsorted(ends, i, side="right") == epoch}
    assert set(examples[epochs == epoch].tolist()) == wanted
    assert (epochs == epoch).sum() == len(wanted)
  plain = mixing.Mixing(["a", "b"], [sizes, whole], [2.0, 1.0], seed).draw(0, 6 * len(used))
  assert drawn.task.tolist() == plain.task.tolist()
  assert drawn.example[drawn.task == 1].tolist() == plain.example[plain.task == 1].tolist()


def test_a_stream_draws_the_same_n_examples_in_any_order_seed(tmp_path):
  folder = make_store(tmp_path, "s", numbered(1, 40)).folder
  seen = {}
  for limit, seed in ((None, 0), (5, 0), (5, 1), (12, 0)):
    stream = Stream([open_store(folder, limit=limit)], [1], EncoderDecoderRows(24, 12), 4, seed, window=60)
    position, segments = Position(), []
    while position.window < 2:
      segments += stream.rows(position)
      _, position = stream.batch(position)
    seen[limit, seed] = {segment.origin.example_id for segment in segments}
  assert seen[5, 0] == seen[5, 1]
  assert len(seen[5, 0]) == 5
  assert seen[5, 0] < seen[12, 0]
