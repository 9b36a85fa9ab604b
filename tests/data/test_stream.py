"""The stream's laws, on small stores made by hand."""

import pickle
from collections import Counter

import numpy as np
import pytest
from handmade import make_store, numbered, tokens_of
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data.objectives import Denoisers, PrefixLM, SpanCorruption, Stages
from flan_jax.data.segments import DecoderRows, EncoderDecoderRows
from flan_jax.data.stream import Position, Stream

SHAPE = EncoderDecoderRows(24, 12)
ROWS = 8


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
  root = tmp_path_factory.mktemp("stores")
  return [make_store(root, f"t.{i}", numbered(i, n), shards=1 + i % 2) for i, n in enumerate((30, 7, 50))]


@pytest.fixture(scope="module")
def stream(stores):
  return stream_of(stores)


def stream_of(stores, seed=3, window=60):
  return Stream(stores, [store.rate for store in stores], SHAPE, ROWS, seed, window)


WIDER = EncoderDecoderRows(24, 16)  # a prefix LM's targets may be nearly all of an example's 13 tokens
SPANS = SpanCorruption(sentinels=(999, 9))
CORRUPTED = {
  "span_corruption": (SPANS, WIDER),
  "prefix_lm": (PrefixLM(), WIDER),
  "denoisers": (Denoisers((SPANS, PrefixLM()), modes=((900,), (901,))), WIDER),
  "stages": (Stages((SPANS, PrefixLM()), (1,)), WIDER),
  "prefix_lm_in_decoder_rows": (PrefixLM(), DecoderRows(24)),
  "span_corruption_in_decoder_rows": (SPANS, DecoderRows(24)),
}
with_objectives = pytest.mark.parametrize(("objective", "shape"), CORRUPTED.values(), ids=CORRUPTED)


def corrupting(stores, objective, shape, seed=3):
  return Stream(stores, [store.rate for store in stores], shape, ROWS, seed, 60, objective)


def take(stream, batches, position=Position()):  # noqa: B008 (frozen)
  taken = []
  for _ in range(batches):
    batch, position = stream.batch(position)
    taken.append(batch)
  return taken, position


def assert_equal(one, other):
  assert one.keys() == other.keys()
  assert all(np.array_equal(one[name], other[name]) for name in one)


def examples_in(batch):
  """(task, example) of each segment, read off its tokens; inputs and targets must tell the same."""
  found = []
  for row in range(ROWS):
    for segment in range(1, batch["encoder_segment_ids"][row].max() + 1):
      read = batch["encoder_input_tokens"][row][batch["encoder_segment_ids"][row] == segment]
      said = batch["decoder_target_tokens"][row][batch["decoder_segment_ids"][row] == segment]
      assert read[:2].tolist() == said[:2].tolist()
      assert read[-1] == said[-1] == 1
      found.append((int(read[0]) - 100, int(read[1]) - 200))
  return found


def test_a_window_comes_once_whole_and_in_one_piece(stream, stores):
  """Nothing is lost or doubled between the order of the mixture and the rows of batches."""
  plan = stream.plan(0)
  planned = Counter(zip(plan.task.tolist(), plan.example.tolist(), strict=True))
  drawn = stream._mixing.draw(0, 60)
  assert planned == Counter(zip(drawn.task.tolist(), drawn.example.tolist(), strict=True))
  rows = plan.rows + stream.plan(1).rows
  seen = [example for batch in take(stream, rows // ROWS)[0] for example in examples_in(batch)]
  both = planned + Counter(zip(stream.plan(1).task.tolist(), stream.plan(1).example.tolist(), strict=True))
  assert Counter(seen) <= both
  assert sum(both.values()) - len(seen) < 2 * ROWS * 3  # the rest waits in the batch that goes on into window 2


def test_the_tokens_of_a_segment_are_the_stores(stream, stores):
  batch, _ = stream.batch(Position())
  for segment in stream.rows(Position()):
    store = next(store for store in stores if store.task == segment.task)
    read = tokens_of(store, [segment.example])
    row, ids = segment.row, segment.segment
    inputs = batch["encoder_input_tokens"][row][batch["encoder_segment_ids"][row] == ids]
    targets = batch["decoder_target_tokens"][row][batch["decoder_segment_ids"][row] == ids]
    assert inputs.tolist() == [*read["inputs"][0], 1]
    assert targets.tolist() == [*read["targets"][0], 1]
    assert segment.origin.example_id == f"x{segment.example}"


def test_the_stream_is_a_function_of_stores_seed_and_position(stores, stream):
  expected, _ = take(stream, 30)
  again, _ = take(stream_of(stores), 30)
  for one, other in zip(expected, again, strict=True):
    assert_equal(one, other)
  assert any(not np.array_equal(a["encoder_input_tokens"], b["encoder_input_tokens"])
             for a, b in zip(expected, take(stream_of(stores, seed=4), 30)[0], strict=True))  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(before=st.integers(0, 40), after=st.integers(1, 5))
def test_resuming_mid_window_is_going_on(stores, stream, before, after):
  _, position = take(stream, before)
  expected, _ = take(stream, after, position)
  resumed, _ = take(stream_of(stores), after, Position.from_json(position.to_json()))
  for one, other in zip(expected, resumed, strict=True):
    assert_equal(one, other)


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_shards_concatenate_to_the_batch(stores, stream, count):
  hosts = [stream_of(stores) for _ in range(count)]
  position = Position()
  for _ in range(12):  # over the ends of several windows
    batch, after = stream.batch(position)
    parts = [host.batch(position, (index, count)) for index, host in enumerate(hosts)]
    assert all(part_after == after for _, part_after in parts)
    assert_equal(batch, {name: np.concatenate([part[name] for part, _ in parts]) for name in batch})
    position = after


@with_objectives
def test_a_corrupting_stream_resumes_and_shards_as_any_other(stores, objective, shape):
  stream = corrupting(stores, objective, shape)
  hosts = [corrupting(stores, objective, shape) for _ in range(4)]
  position = Position()
  for _ in range(10):  # over the ends of several windows
    batch, after = stream.batch(position)
    parts = [host.batch(Position.from_json(position.to_json()), (i, 4))[0] for i, host in enumerate(hosts)]
    assert_equal(batch, {name: np.concatenate([part[name] for part in parts]) for name in batch})
    assert_equal(batch, corrupting(stores, objective, shape).batch(position)[0])
    position = after
  assert position.window >= 2
  other = corrupting(stores, objective, shape, seed=4).batch(Position())[0]
  assert not np.array_equal(other["decoder_target_tokens"], stream.batch(Position())[0]["decoder_target_tokens"])


@with_objectives
def test_a_segment_is_what_its_key_makes_of_its_example(stores, objective, shape):
  """Wherever it is packed, and in rows that are filled as well as others."""
  stream = corrupting(stores, objective, shape)
  plan, seen = stream.plan(0), 0
  entries = zip(plan.task.tolist(), plan.example.tolist(), plan.epoch.tolist(), strict=True)
  keys = dict(zip(entries, plan.key, strict=True))
  tasks = [store.task for store in stream.stores]
  batch = stream.batch(Position())[0]
  assert max((batch[name] > 0).mean() for name in batch if name.endswith("segment_ids")) > 0.6
  for segment in stream.rows(Position()):
    task = tasks.index(segment.task)
    record = np.array([stream._records.first[task] + segment.example])
    key = np.array([keys[task, segment.example, segment.epoch]])
    alone = shape.batch(1, np.array([0]), *objective.at(0).made(*stream._records.read(record), key))
    for name in alone:
      ids = f"{name.partition('_')[0]}_segment_ids"
      if name != ids:
        here, there = batch[ids][segment.row] == segment.segment, alone[ids][0] == 1
        assert batch[name][segment.row][here].tolist() == alone[name][0][there].tolist()
    seen += 1
  assert seen > ROWS


def test_stages_change_where_a_window_ends(stores):
  """Before it the rows are those of a run of the first stage alone, from it on those of a run of the second."""
  staged, first, second = (
    corrupting(stores, objective, WIDER) for objective in (Stages((SPANS, PrefixLM()), (2,)), SPANS, PrefixLM())
  )
  for window, alone in enumerate((first, first, second, second)):
    plan, other = staged.plan(window), alone.plan(window)
    assert plan.rows == other.rows
    assert_equal(staged.batch(Position(window, 0))[0], alone.batch(Position(window, 0))[0])
    assert np.array_equal(staged.taken(window), alone.taken(window))
  across, after = staged.batch(Position(1, staged.plan(1).rows - 3))
  assert after == Position(2, ROWS - 3)
  expected = first.batch(Position(1, staged.plan(1).rows - 3))[0], second.batch(Position(2, 0))[0]
  assert_equal(
    across, {name: np.concatenate([expected[0][name][:3], expected[1][name][: ROWS - 3]]) for name in across}
  )


def test_the_objective_is_another_from_the_first_batch_with_a_row_of_the_next_stage(stores):
  staged = corrupting(stores, Stages((SPANS, PrefixLM()), (1,)), WIDER)
  rows = staged.plan(0).rows
  assert staged.same_objective(Position(), Position(0, 1))
  assert staged.same_objective(Position(0, rows - 1), Position(1, 0))  # to the last row of the first window
  for before in (Position(0, rows - 1), Position(1, 0)):
    assert not staged.same_objective(before, Position(1, 1))
  assert staged.same_objective(Position(1, 1), Position(2, 0))


def test_another_epoch_corrupts_an_example_differently(stores):
  """Task 1 has 7 examples, all of which come again and again."""
  stream = corrupting(stores, PrefixLM(), WIDER)
  plans = [stream.plan(window) for window in range(12)]
  entries = {
    (example, epoch): key
    for plan in plans
    for task, example, epoch, key in zip(plan.task, plan.example, plan.epoch, plan.key, strict=True)
    if task == 1
  }
  lengths = np.tile([[9, 4]], (len(entries), 1))
  splits = PrefixLM().lengths(lengths, np.array(list(entries.values())))[:, 0]
  by_example = {example: set() for example, _ in entries}
  for (example, _), read in zip(entries, splits.tolist(), strict=True):
    by_example[example].add(read)
  assert max(epoch for _, epoch in entries) >= 5
  assert min(len(found) for found in by_example.values()) >= 3


def test_a_batch_may_be_larger_than_a_window(stores):
  small = stream_of(stores, window=5)
  batch, after = small.batch(Position())
  assert after.window >= 2
  assert len(examples_in(batch)) >= ROWS
  assert (batch["encoder_segment_ids"].max(axis=1) > 0).all()  # no row is empty


def test_rows_hold_no_more_than_they_may_and_are_filled_well(stream):
  for batch in take(stream, 20)[0]:
    assert batch["encoder_input_tokens"].shape == (ROWS, 24)
    assert batch["decoder_target_tokens"].shape == (ROWS, 12)
    assert max((batch["encoder_segment_ids"] > 0).mean(), (batch["decoder_segment_ids"] > 0).mean()) > 0.75


def test_shares_follow_the_rates_and_nothing_ends(stores):
  rated = Stream(stores, [1, 1, 2], SHAPE, ROWS, 0, 64)
  counts = Counter(task for window in range(20) for task in rated.plan(window).task.tolist())
  assert counts == {0: 320, 1: 320, 2: 640}  # task 1 has 7 examples, and goes round
  assert rated.plan(19).epoch.max() >= 40


def test_rows_are_not_in_the_order_of_packing(stores):
  """First fit decreasing puts the longest examples into the first rows; a run must not see them first."""
  stream = stream_of(stores, window=2000)
  plan = stream.plan(0)
  inputs = stream._records.lengths[stream._records.first[plan.task] + plan.example, 0]
  longest = np.maximum.reduceat(inputs, plan.starts[:-1])
  assert abs(np.corrcoef(longest, np.arange(plan.rows))[0, 1]) < 0.2


def test_inner_zeros_and_empty_inputs_survive(tmp_path):
  store = make_store(tmp_path, "t.zero", [([], [5, 0, 6]), ([0, 0], [0])])
  batch, _ = Stream([store], [1], SHAPE, 1, 0, 2).batch(Position())
  segments = {
    tuple(
      tuple(batch[tokens][0][batch[ids][0] == segment].tolist())
      for tokens, ids in (
        ("encoder_input_tokens", "encoder_segment_ids"),
        ("decoder_target_tokens", "decoder_segment_ids"),
      )
    )
    for segment in (1, 2)
  }
  assert segments == {((1,), (5, 0, 6, 1)), ((0, 0, 1), (0, 1))}


def test_tasks_without_examples_or_rate_are_passed_over(tmp_path, stores):
  empty = make_store(tmp_path, "t.empty", [])
  mixed = Stream([empty, *stores], [1, 1, 0, 1], SHAPE, ROWS, 0, 60)
  assert [store.task for store in mixed.stores] == ["t.0", "t.2"]
  with pytest.raises(errors.FlanJaxError, match=r"no example to train on in t\.empty$"):
    Stream([empty], [1], SHAPE, ROWS, 0)


def test_rows_shorter_than_the_stores_examples_are_refused(stores):
  with pytest.raises(errors.FlanJaxError, match=r"t.0.*longer than a row of \[8, 12\]"):
    Stream(stores, [1, 1, 1], EncoderDecoderRows(8, 12), ROWS, 0)


def test_rows_too_short_for_what_an_objective_may_make_are_refused(stores):
  with pytest.raises(errors.FlanJaxError, match=r"longer than a row of \[24, 12\]"):
    Stream(stores, [1, 1, 1], SHAPE, ROWS, 0, objective=Denoisers((PrefixLM(),), modes=((5,) * 20,)))


def test_impossible_shards_and_positions_are_refused(stream):
  with pytest.raises(ValueError, match="8 rows are not 3 equal shards"):
    stream.batch(Position(), (0, 3))
  with pytest.raises(ValueError, match="of another stream"):
    stream.batch(Position(0, 10_000))


@pytest.mark.parametrize(
  ("rate", "told"),
  [
    (float("inf"), r"^t\.1: the mixture gives it the rate inf, not a finite number"),
    (float("nan"), r"^t\.1: .* rate nan"),
    (-1.0, r"^t\.1: .* rate -1\.0"),
    (1e308, "no finite sum"),
  ],
)
def test_rates_that_are_no_proportions_are_refused(stores, rate, told):
  with pytest.raises(errors.FlanJaxError, match=told):
    Stream(stores, [1e308, rate, 1.0], SHAPE, ROWS, 0)


@pytest.mark.parametrize("kind", [None, *CORRUPTED])
def test_each_target_token_has_the_submixture_of_its_task(stores, kind):
  """And the batch is otherwise the one without; batches that go on into another window, shards and pickled streams
  too."""
  objective, shape = CORRUPTED[kind] if kind else (None, SHAPE)
  rates = [store.rate for store in stores]
  plain = corrupting(stores, objective, shape)
  told = Stream(stores, rates, shape, ROWS, 3, 60, objective, submixtures=[5, 0, 2])
  of_task = {"t.0": 5, "t.1": 0, "t.2": 2}
  position, seen = Position(), set()
  for _ in range(8):
    batch, after = told.batch(position)
    labels = batch["decoder_submixtures"]
    expected = np.zeros_like(labels)
    for segment in plain.rows(position):
      here = batch["decoder_segment_ids"][segment.row] == segment.segment
      expected[segment.row][here] = of_task[segment.task]
      seen.add(segment.task)
    assert_equal({"labels": labels}, {"labels": expected})
    parts = [pickle.loads(pickle.dumps(told)).batch(position, (i, 2))[0] for i in range(2)]
    assert_equal(batch, {name: np.concatenate([part[name] for part in parts]) for name in batch})
    assert_equal({name: batch[name] for name in batch if name != "decoder_submixtures"}, plain.batch(position)[0])
    position = after
  assert seen == set(of_task)
