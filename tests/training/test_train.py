"""Whole runs: what they leave behind, that a stop costs nothing, and that what does not fit is refused early."""

import dataclasses
import json
import pathlib
import shutil

import jax
import numpy as np
import pytest

from flan_jax import configuration
from flan_jax.cli import row_view
from flan_jax.cli.main import run
from flan_jax.data.rendering import Renderer
from flan_jax.data.stream import Position
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop import loading
from flan_jax.interop.damage import write_file_sums
from flan_jax.training.feed import past_feed
from flan_jax.training.optimizers import AdamW
from tests.training.launching import KILLED, check_same_run, metrics_of, randomly, steps_after_mid_windows
from tests.training.toy_run import MODEL, STEPS, TASK, on_one_device, toy_run

PERIOD = 4  # of checkpoints, in the runs that are killed


def test_a_run_leaves_what_explains_it(whole):
  names = {path.name for path in whole.iterdir()}
  assert names >= {"config.gin", "model-info.txt", "versions.json", "metrics.jsonl", "tensorboard", "vocabulary.model"}
  assert layout.saved_steps(whole) == [0, STEPS]
  assert list((whole / "tensorboard").iterdir())
  record = loading.load(whole).extra
  assert record["tasks"] == [TASK]
  assert record["mixture"] == TASK
  assert record["vocabulary"]["extra_ids"] == 100
  configuration.parse((whole / "config.gin").read_text().splitlines())
  assert configuration.build().model == MODEL


def test_metrics_have_step_and_falling_loss(whole):
  lines = metrics_of(whole)
  assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
  assert np.mean([line["loss"] for line in lines[-4:]]) < np.mean([line["loss"] for line in lines[:4]])
  assert all(0 <= line["input_wait"] <= 1 and 0 < line["packing"] <= 1 for line in lines[1:])


@pytest.mark.slow
def test_no_steps_save_what_a_run_begins_with(whole, store, tmp_path):
  """It is trained on nothing; more steps go on from there, and are the run that they would have been."""
  with on_one_device():
    assert toy_run(tmp_path, store, 0).run().step == 0
  assert layout.saved_steps(tmp_path) == [0]
  record = layout.read_record(layout.step_folder(tmp_path))
  assert (record["step"], record["tasks"]) == (0, [])
  before = layout.read_record(whole / "checkpoints" / "0")
  assert (record["fingerprints"], record["data"]) == (before["fingerprints"], before["data"])
  with on_one_device():
    toy_run(tmp_path, store, 2).run()
  assert layout.read_record(layout.step_folder(tmp_path))["tasks"] == [TASK]
  assert [line["loss"] for line in metrics_of(tmp_path)] == [line["loss"] for line in metrics_of(whole)[:2]]


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.slow)])
def test_a_stopped_and_resumed_run_equals_an_uninterrupted_one(name, launch, whole, tmp_path):
  """The signal comes at a random step, in the middle of which it is heard."""
  draw = randomly(name)
  at = draw.randint(1, STEPS // 2)
  said = launch.finish(tmp_path, signals={0: f"{at}:{name}:{draw.uniform(0, 0.01)}"})
  stopped = layout.saved_steps(tmp_path)[-1]
  assert f"stopped by {name} at step {stopped} of {STEPS}" in said, f"{name} in step {at}: {said}"
  assert at < stopped < STEPS
  launch.finish(tmp_path)
  check_same_run(tmp_path, whole)


def test_a_killed_run_goes_on_from_its_last_checkpoint(launch, whole, tmp_path):
  """SIGKILL in a random step leaves lines behind the last checkpoint, which are not there twice afterwards; that one is
  in the middle of a window."""
  draw = randomly("SIGKILL")
  at = draw.choice(steps_after_mid_windows(whole, PERIOD))
  period = ("--checkpoint_period", str(PERIOD))
  (ended,) = launch.run(tmp_path, *period, signals={0: f"{at}:SIGKILL:{draw.uniform(0, 0.01)}"})
  assert ended.code == KILLED, f"killed in step {at}: {ended.said}"
  folder = layout.step_folder(tmp_path)
  assert 0 < int(folder.name) < STEPS, f"killed in step {at}"
  assert layout.read_record(folder)["position"]["row"] > 0, f"killed in step {at}: not in the middle of a window"
  launch.finish(tmp_path, *period)
  check_same_run(tmp_path, whole)


def test_any_past_row_can_be_shown(whole, store):
  """Each row of each step, found by the log of windows, is the row that walking the stream gives; its text is what the
  renderer makes of the examples that it names."""
  stream, position = past_feed(whole).stream, Position()
  renderer = Renderer(TASK)
  by_id = {renderer.source[i].id: renderer.source[i] for i in range(len(renderer.source))}
  for step in range(1, STEPS + 1):
    batch, position = stream.batch(position)
    for row in (0, 7) if step in (1, 7, STEPS) else ():
      shown = row_view.content(whole, step, row)
      assert shown["arrays"] == {name: values[row].tolist() for name, values in batch.items()}
      assert len(shown["segments"]) == batch["decoder_segment_ids"][row].max()
      for segment in shown["segments"]:
        made = renderer.render(
          by_id[segment["example_id"]], segment["variant"], format=segment["format"], shots=segment["shots"]
        )
        assert (segment["targets"], segment["template"]) == (made.targets, made.wording)
        assert segment["inputs"].split() == made.inputs.split()


@pytest.mark.parametrize(("step", "row"), [(0, 0), (1, 8), (1, -1), (STEPS + 1, 0)])
def test_a_row_that_is_not_there_is_refused(whole, step, row):
  with pytest.raises(UsageError, match=r"is saved up to step .* from 1, and a batch has rows 0 to 7"):
    row_view.content(whole, step, row)


def test_a_row_is_found_from_any_folder_and_by_a_checkpoint(whole, tmp_path, monkeypatch):
  noted = (whole / "windows.jsonl").read_text()
  expected = row_view.content(whole, 2, 1)
  monkeypatch.chdir(tmp_path)
  assert row_view.content(whole / "checkpoints" / str(STEPS), 2, 1) == expected
  copied = shutil.copytree(whole, tmp_path / "copied")
  (copied / "windows.jsonl").unlink()
  assert row_view.content(copied, 2, 1)["segments"] == expected["segments"]
  assert not (copied / "windows.jsonl").exists()  # whoever looks writes nothing
  assert (whole / "windows.jsonl").read_text() == noted


def test_the_row_command_prints_text_and_json(whole, capsys):
  assert run(["inspect", "--run", str(whole), "--step", "3", "--row", "2"]) == 0
  said = capsys.readouterr().out
  assert "Row 2 of step 3" in said
  assert f"[1] {TASK}, example" in said
  assert run(["inspect", "--run", str(whole), "--step", "3", "--row", "2", "--json"]) == 0
  assert json.loads(capsys.readouterr().out)["segments"][0]["task"] == TASK
  assert run(["inspect", "--run", str(whole), "--step", "3"]) == 2


# --- refusals: all before anything is compiled, so each takes a moment ---


@pytest.fixture
def _nothing_is_compiled(monkeypatch):
  monkeypatch.setattr("flan_jax.training.run.Trainer", _fail)


def _fail(*_, **__):
  raise AssertionError("a trainer was made")


@pytest.mark.usefixtures("_nothing_is_compiled")
@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"model": dataclasses.replace(MODEL, vocab_size=1000)}, "has 1,536 ids, the model 1,000 rows"),
    ({"mixture_or_task_name": "demo.number_smalest"}, "Nearest: demo.number_smallest"),
    ({"batch_size": 7}, "BATCH_SIZE = 7 does not divide"),
    ({"initial_checkpoint_path": "/nowhere"}, "/nowhere is not there"),
  ],
)
def test_what_does_not_fit_is_refused(settings, message, store, tmp_path):
  with pytest.raises(UsageError, match=message):
    toy_run(tmp_path, store, 3, **settings).run()


@pytest.mark.usefixtures("_nothing_is_compiled")
@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"model": dataclasses.replace(MODEL, mlp_dim=24)}, r"another model: mlp_dim 16 \(here 24\)"),
    ({"seed": 1}, "seed was 0, is 1"),
    ({"batch_size": 16}, "batch_size was 8, is 16"),
    ({"mixture_or_task_name": f"{TASK}(max_per_task=50)"}, "max_per_task was None, is 50"),
    ({"mixture_or_task_name": f"{TASK}(few_shot=False)"}, r"of 1 tasks 1 are made otherwise \(.*\), 0 are new, 0 gone"),
  ],
)
def test_a_folder_of_another_run_is_refused(settings, message, store, whole):
  with pytest.raises(UsageError, match=message):
    toy_run(whole, store, STEPS + 1, **settings).run()


@pytest.mark.usefixtures("_nothing_is_compiled")
def test_an_unwritable_folder_is_found_first(store, tmp_path):
  (tmp_path / "file").write_text("")
  with pytest.raises(FlanJaxError, match="cannot be written"):
    toy_run(tmp_path / "file" / "model", store, 3).run()


@pytest.mark.usefixtures("_nothing_is_compiled")
def test_another_vocabulary_is_refused(store, whole, tmp_path):
  other = tmp_path / "other.model"
  _other_vocabulary(other)
  with pytest.raises(UsageError, match="has another vocabulary"):
    toy_run(tmp_path / "model", store, 3, vocabulary=str(other), initial_checkpoint_path=str(whole)).run()


@pytest.mark.slow
def test_a_run_starts_from_the_parameters_of_another(store, whole, tmp_path):
  """With another optimizer and seed; step 0 holds the parameters, and their tasks are remembered, resumed too."""
  before = shutil.copytree(whole, tmp_path / "before")
  _say_tasks(before, [TASK, "demo.earlier"])
  settings = {"initial_checkpoint_path": str(before), "optimizer": AdamW(), "seed": 5}
  for steps in (1, 2):
    with on_one_device():
      assert toy_run(tmp_path / "after", store, steps, **settings).run().step == steps
    assert loading.load(tmp_path / "after").extra["tasks"] == ["demo.earlier", TASK]
  first = loading.load(tmp_path / "after" / "checkpoints" / "0").params
  jax.tree.map(np.testing.assert_array_equal, first, loading.load(whole).params)


def _say_tasks(model_dir: pathlib.Path, tasks: list[str]) -> None:
  folder = layout.step_folder(model_dir)
  record = json.loads((folder / "record" / "metadata").read_text())
  (folder / "record" / "metadata").write_text(json.dumps({**record, "tasks": tasks}))
  write_file_sums(folder)


def test_a_finished_run_is_left_as_it_is(store, tmp_path, whole):
  lines = (whole / "metrics.jsonl").read_text()
  assert toy_run(whole, store, STEPS).run().step == STEPS
  assert (whole / "metrics.jsonl").read_text() == lines


def _other_vocabulary(path: pathlib.Path) -> None:
  """The demo's, with a piece renamed: the same size and another hash."""
  from sentencepiece import sentencepiece_model_pb2

  from flan_jax.data.vocabularies import DEMO_PATH

  model = sentencepiece_model_pb2.ModelProto.FromString(DEMO_PATH.read_bytes())
  model.pieces[900].piece += "x"
  path.write_bytes(model.SerializeToString())
