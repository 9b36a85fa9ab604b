"""After a change around a user's SeqIO module: what is the same is used, what differs is refused with a diff."""

import dataclasses

import numpy as np
import pytest
from handmade import tokens_of
from hypothesis import given
from hypothesis import strategies as st
from user_module import RATES, TEXTS, RunHere, edited, export, requested, write_module

from flan_jax import errors
from flan_jax.data import seqio_export
from flan_jax.data.seqio_record import Record, Request, digests, read_record


@pytest.fixture(scope="module", autouse=True)
def _imported():
  """Not by who collects the tests: it takes TensorFlow's seconds in each worker."""
  global seqio_check
  seqio_check = pytest.importorskip("flan_jax.data.seqio_check", reason="SeqIO is not there", exc_type=ImportError)


# mine_eos and mine_bare share the texts; mine_drawn keeps their targets.
OTHERS = [TEXTS[0], ("green blue red", "plum"), TEXTS[2], ("red " * 2, "apple"), TEXTS[4]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  return tmp_path_factory.mktemp("module")


@pytest.fixture(scope="module")
def vocabulary(folder):
  return write_module(folder)


@pytest.fixture(autouse=True)
def _working_folder(folder, vocabulary, monkeypatch):
  monkeypatch.chdir(folder)


@pytest.fixture
def here(monkeypatch):
  monkeypatch.setattr(seqio_export, "_run", RunHere())
  return seqio_export._run


def folders(stores):
  return {task: store.folder for task, store in stores.items()}


def test_a_change_that_shows_in_no_example_is_checked_once(vocabulary, tmp_path, here, capsys):
  made = export("mine", vocabulary, tmp_path, variants=2)
  with edited(rates={**RATES, "mine_bare": 0.75}):
    for _ in range(2):
      again = export("mine", vocabulary, tmp_path, variants=2)
      assert folders(again) == folders(made)
      assert {task: store.rate for task, store in again.items()} == {**RATES, "mine_bare": 0.75}
    assert "mine: the rate of mine_bare is now 0.75, it was 0.5" in capsys.readouterr().err
  assert here.actions == ["prepare", "check"]


def test_long_texts_are_cut_under_an_objective_and_checked_whole(vocabulary, tmp_path, here):
  """A task with targets alone: 30 words are several records of at most 9 tokens and, for the check, one example."""

  def stores():
    return seqio_export.prepare_registered(
      "mine_targets", "my_tasks", vocabulary=vocabulary, lengths={"text": 9}, store_dir=tmp_path
    )

  (store,) = stores()
  ids = [origin.example_id for origin in store.origins(range(len(store)))]
  targets = tokens_of(store)["targets"]
  (whole,) = vocabulary.encode([TEXTS[4][1]])
  assert ids[:5] == ["0", "1", "2", "3", "4#0"]
  assert max(map(len, targets)) == 9
  assert [token for piece in targets[4:] for token in piece] == whole
  counts = store.manifest["counts"]
  assert counts == {"kept": 5, "kept in pieces": 1, "pieces": len(store) - 4}
  with edited([*TEXTS[:4], ("red", "pear " * 29 + "plum")]), pytest.raises(errors.FlanJaxError) as error:
    stores()
  assert "1 of 5 sampled examples differ" in str(error.value)
  assert "--text_length 9" in str(error.value)
  with edited(rates={**RATES, "mine_bare": 0.75}):
    assert stores()[0].folder == store.folder
  assert here.actions[-1] == "check"


@pytest.mark.slow
def test_changed_examples_are_refused_with_a_diff_and_nothing_is_written(folder, vocabulary, tmp_path, monkeypatch):
  """Checked in the subprocess, as a user has it."""
  with monkeypatch.context() as patch:
    patch.setattr(seqio_export, "_run", RunHere())
    export("mine_eos", vocabulary, tmp_path)
  before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
  with edited(texts=OTHERS), pytest.raises(errors.FlanJaxError) as refused:
    export("mine_eos", vocabulary, tmp_path)
  assert str(refused.value) == (
    f"mine_eos was prepared before the module my_tasks changed ({folder}/my_texts.py changed). "
    "2 of 5 sampled examples differ, prepared (-) and now (+):\n"
    "mine_eos, example 1:\n@@ -1,2 +1,2 @@\n inputs: green blue red\n-targets: pear\n+targets: plum\n"
    "mine_eos, example 3:\n@@ -1 +1,2 @@\n-(left out)\n+inputs: red red\n+targets: apple\n"
    "To train on the examples as they are now: flan-jax prepare mine_eos --module my_tasks "
    f"--vocabulary {vocabulary.path} --lengths 16,12 --store_dir {tmp_path} --render_seed 0 --variants 1 "
    "(the old stores stay). To train on those that were prepared, undo the change"
  )
  assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_changed_examples_are_prepared_on_demand_beside_the_old(vocabulary, tmp_path, here):
  made = export("mine", vocabulary, tmp_path)
  with edited(texts=OTHERS):
    anew = export("mine", vocabulary, tmp_path, on_change="prepare")
    assert tokens_of(anew["mine_bare"])["targets"] == vocabulary.encode(["apple", "plum", "plum pear"])
    assert len(anew["mine_eos"]) == 4
    assert folders(export("mine", vocabulary, tmp_path)) == folders(anew)
  assert folders(export("mine", vocabulary, tmp_path, on_change="prepare")) == folders(made)
  assert not set(folders(made).values()) & set(folders(anew).values())


def test_a_deleted_store_does_not_let_a_change_through(vocabulary, tmp_path, here):
  made = export("mine", vocabulary, tmp_path)
  made["mine_drawn"].folder.rename(tmp_path / "elsewhere")
  with edited(texts=OTHERS), pytest.raises(errors.FlanJaxError, match="mine_bare, example 1"):
    export("mine", vocabulary, tmp_path)
  with edited(rates={**RATES, "mine_bare": 0.75}):
    again = export("mine", vocabulary, tmp_path)
  assert {task: folder for task, folder in folders(again).items() if task != "mine_drawn"} == {
    task: folder for task, folder in folders(made).items() if task != "mine_drawn"
  }
  assert here.actions == ["prepare", "check", "check", "prepare"]


def test_fewer_examples_are_refused(vocabulary, tmp_path, here):
  export("mine_eos", vocabulary, tmp_path)
  message = r"example 3:\n@@ -1 \+1 @@\n-\(left out\)\n\+\(there is no such example\)"
  with edited(texts=TEXTS[:3]), pytest.raises(errors.FlanJaxError, match=message):
    export("mine_eos", vocabulary, tmp_path)


def test_other_tasks_are_refused(vocabulary, tmp_path, here):
  with edited(rates={"mine_eos": 1.0, "mine_bare": 1.0}):
    export("mine", vocabulary, tmp_path)
  message = "Its tasks are others now: mine_drawn is new; mine_bare is gone"
  with edited(rates={"mine_eos": 1.0, "mine_drawn": 1.0}), pytest.raises(errors.FlanJaxError, match=message):
    export("mine", vocabulary, tmp_path)


def test_draws_without_the_seed_are_told_from_a_change(vocabulary, tmp_path, here):
  export("mine_clock", vocabulary, tmp_path)
  with (
    edited(texts=[*TEXTS, TEXTS[0]]),
    pytest.raises(errors.FlanJaxError, match=r"mine_clock is different each time that it is read: .*num_seeds"),
  ):
    export("mine_clock", vocabulary, tmp_path)


def test_every_kind_of_change_is_found_without_the_module(tmp_path):
  paths = [str(tmp_path / name) for name in ("source.py", "gone.py", "v.model")]
  for path in paths:
    (tmp_path / path).write_text(path)
  record = Record(digests(paths[:2]), digests(paths[2:]), {"numpy": "1.0", "no-such-package": "2.0"}, ())
  (tmp_path / "source.py").write_text("other")
  (tmp_path / "gone.py").unlink()
  (tmp_path / "v.model").write_text("other")
  assert record.changes() == [
    f"{paths[0]} changed",
    f"{paths[1]} is gone",
    f"{paths[2]} changed",
    f"numpy 1.0 -> {np.__version__}",
    "no-such-package 2.0 -> none",
  ]


@pytest.mark.parametrize("field", [{"render_seed": 1}, {"variants": 2}, {"lengths": {"inputs": 9, "targets": 9}}])
def test_another_request_has_another_record(vocabulary, tmp_path, field):
  request = requested("mine", vocabulary, tmp_path)
  assert dataclasses.replace(request, **field).record_path() != request.record_path()
  assert read_record(request) is None


@given(sizes=st.lists(st.integers(0, 30_000), min_size=1, max_size=250), variants=st.integers(1, 3))
def test_samples_are_spread_over_the_tasks_and_near_their_front(sizes, variants):
  request = Request("mine", "my_tasks", "", 100, {}, "", variants=variants)
  samples = seqio_check.spread(request, {f"t{i}": [size] * variants for i, size in enumerate(sizes)})
  tasks = min(len(sizes), 200)
  share = max(1, 100 // tasks)
  assert len(samples) <= tasks
  for sample in samples:
    size = sizes[int(sample.task[1:])]
    assert list(sample.positions) == sorted(set(sample.positions))
    assert sample.positions[-1] < min(size, max(1, 20_000 // tasks))
    assert min(size, share) <= len(sample.positions) <= share + 1
    assert sample.variant < variants
  if len(sizes) <= 100 and min(sizes) >= 100:
    assert sum(len(sample.positions) for sample in samples) == 100
    assert len(samples) == len(sizes)


def test_texts_that_read_the_same_are_told_by_their_ids(vocabulary):
  unknown, other = (seqio_check.Example("kept", {"targets": np.array(ids)}) for ids in ([vocabulary.size], [2]))
  assert seqio_check._difference(unknown, other, vocabulary).splitlines()[1:] == [
    f"-targets: [{vocabulary.size}]",
    "+targets: [2]",
  ]
