"""A run on corrupted texts: trained, resumed, shown again, and not gone on with under another objective."""

import json

import pytest

from flan_jax.cli import row_view
from flan_jax.data import mixtures
from flan_jax.data.objectives import PrefixLM, SpanCorruption, Stages, longest_text
from flan_jax.data.prepare import prepare
from flan_jax.data.segments import row_shape
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop import loading
from flan_jax.training.feed import open_feed, past_feed
from tests.training.toy_run import LENGTHS, TASK, on_one_device, toy_run

STEPS = 3


@pytest.fixture(scope="module")
def store(tmp_path_factory):
  """The task of the toy runs, prepared in this process for what span corruption takes."""
  folder = tmp_path_factory.mktemp("store")
  vocabulary = load_vocabulary("demo")
  text = longest_text(SpanCorruption().for_vocabulary(vocabulary), row_shape(LENGTHS))
  usual = {"data_dir": None, "vocabulary": vocabulary, "store_dir": folder, "processes": 1}
  prepare(mixtures.get_mixture(TASK), lengths={"text": text}, **usual)
  return folder


@pytest.fixture(scope="module")
def trained(store, tmp_path_factory):
  model_dir = tmp_path_factory.mktemp("model")
  with on_one_device():
    outcome = toy_run(model_dir, store, STEPS, objective=SpanCorruption()).run()
  assert outcome.step == STEPS
  return model_dir


def test_a_run_learns_from_corrupted_texts_and_says_so(trained):
  lines = [json.loads(line) for line in (trained / "metrics.jsonl").read_text().splitlines()]
  assert [line["step"] for line in lines] == [1, 2, 3]
  assert all(line["loss"] > 0 for line in lines)
  told = loading.load(trained).extra["data"]["objective"]
  assert told == {
    "objective": "SpanCorruption", "noise_density": 0.15, "mean_noise_span_length": 3.0, "sentinels": [1535, 100],
  }  # fmt: skip
  assert "train.objective = @SpanCorruption()" in (trained / "config.gin").read_text()


def test_its_rows_can_be_made_again_from_its_folder(store, trained):
  """The past feed takes settings and vocabulary from the folder; the text of a row shows sentinels on both sides."""
  feed, past = (
    open_feed(toy_run(trained, store, STEPS, objective=SpanCorruption()), load_vocabulary("demo")), past_feed(trained)
  )  # fmt: skip
  position = feed.position(layout.read_record(layout.step_folder(trained))["position"])
  assert all(
    (past.stream.batch(position)[0][name] == array).all() for name, array in feed.stream.batch(position)[0].items()
  )
  for segment in row_view.content(trained, step=2, row=0)["segments"]:
    assert "<extra_id_0>" in segment["inputs"]
    assert segment["targets"].startswith("<extra_id_0>")


@pytest.mark.parametrize("objective", [None, PrefixLM(), SpanCorruption(noise_density=0.2)])
def test_another_objective_does_not_go_on_with_it(store, trained, objective, monkeypatch):
  monkeypatch.setattr("os.cpu_count", lambda: 1)  # starting workers takes longer than preparing
  monkeypatch.setattr("flan_jax.training.run.Trainer", None)  # refused before anything is made
  with pytest.raises(UsageError, match="objective was"):
    toy_run(trained, store, STEPS + 1, objective=objective).run()


@pytest.mark.usefixtures("one_device")
def test_a_run_in_stages_shows_rows_of_each_and_its_guard_begins_anew_where_they_change(store, tmp_path, monkeypatch):
  monkeypatch.setattr("os.cpu_count", lambda: 1)
  steps = 6
  staged = toy_run(tmp_path, store, steps, objective=Stages((SpanCorruption(), PrefixLM()), (1,)))
  assert staged.run().step == steps
  guard = layout.read_record(layout.step_folder(tmp_path))["guard"]
  feed = past_feed(tmp_path)
  rows = feed.stream.plan(0).rows
  assert guard["accepted"] == steps - rows // staged.batch_size
  before, after = (row_view.content(tmp_path, step, row)["segments"] for step, row in ((1, 0), (steps, 7)))
  assert all("<extra_id_0>" in segment["inputs"] for segment in before)
  assert not any("<extra_id_0>" in segment["inputs"] for segment in after)


def test_rows_that_hold_no_text_are_refused_before_anything_is_prepared(tmp_path):
  run = toy_run(
    tmp_path / "m", tmp_path / "s", 1, objective=SpanCorruption(), task_feature_lengths={"inputs": 2, "targets": 2}
  )
  with pytest.raises(UsageError, match=r"rows of \[2, 2\] tokens are too short"):
    open_feed(run, load_vocabulary("demo"))
  assert not (tmp_path / "s").exists()
