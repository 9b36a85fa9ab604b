"""`diff` tells what is not the same, and nothing where all is."""

import json
import shutil

import pytest

from flan_jax.cli.main import run
from flan_jax.training.feed import past_feed
from tests.training.toy_run import on_one_device, toy_run


@pytest.fixture
def diff(said, monkeypatch):
  """A function from a command line to the JSON of what differs."""
  monkeypatch.setattr("os.cpu_count", lambda: 1)
  return lambda *arguments: json.loads(said("diff", *arguments, "--json"))


def test_a_mixture_is_equal_to_itself(diff, toy):
  found = diff("toy", "toy", "--data_dir", toy.data_dir)
  assert (found["settings"], found["parts"], found["shares"], found["realised"]) == ([], [], [], None)
  assert found["tasks"]["in both"] == 4
  assert found["samples"]["rendered"] > 20
  assert found["samples"]["different"] == 0


def test_settings_tasks_and_shares_of_mixtures(diff, toy):
  found = diff("toy", "toy(tasks=2, max_per_task=10, few_shot=False)", "--data_dir", toy.data_dir)
  assert {line["setting"]: (line["A"], line["B"]) for line in found["settings"]} == {
    "max_per_task": (None, "10"),
    "toy.formats": ("zero_shot×3, few_shot×1", "zero_shot×1"),
  }
  assert found["tasks"]["only in A"] == ["toy.echo_a", "toy.echo_b"]
  assert found["tasks"]["only in B"] == []
  shares = {line["task"]: line for line in found["shares"]}
  assert shares["toy.capitals"]["B"] == pytest.approx(10 / 17)  # parity's cap is 7
  for side in "AB":
    assert sum(line[side] for line in found["shares"]) == pytest.approx(1)
  changes = [abs(line["change"]) for line in found["shares"]]
  assert changes == sorted(changes, reverse=True)


def test_renderings_that_differ_are_shown(diff, toy):
  found = diff("toy", "toy(few_shot=False)", "--data_dir", toy.data_dir, "--examples", "2")["samples"]
  assert 0 < found["different"] < found["rendered"]
  assert len(found["shown"]) == 2
  for sample in found["shown"]:
    assert sample["A"] != sample["B"]
    assert (sample["A"]["format"], sample["B"]["format"]) == ("few_shot", "zero_shot")


def test_without_files_the_published_numbers_are_compared(diff):
  found = diff("cot", "cot(tasks=3)")
  assert found["examples counted"] == "published"
  assert found["samples"]["rendered"] == 0
  assert len(found["tasks"]["only in A"]) == 6


def test_the_text_names_both_sides_and_has_no_colour_in_a_pipe(said, toy, monkeypatch):
  monkeypatch.setattr("os.cpu_count", lambda: 1)
  text = said("diff", "toy", "toy(few_shot=False)", "--data_dir", toy.data_dir)
  assert "B toy(few_shot=False)" in text
  assert "toy.formats" in text
  assert "Tasks: the same" in text
  assert "not rendered alike" in text
  assert "\x1b" not in text


@pytest.fixture(scope="module")
def trained(toy_files, tmp_path_factory):
  """Two runs of three updates that differ in seed, window and the formats of their mixture."""
  folder = tmp_path_factory.mktemp("runs")
  settings = {"data_dir": str(toy_files.data_dir)}
  with pytest.MonkeyPatch.context() as patch, on_one_device():
    patch.setattr("os.cpu_count", lambda: 1)
    patch.setenv("FLAN_JAX_COLLECTIONS", str(toy_files.collection.parent))
    toy_run(folder / "a", folder / "store", 3, mixture_or_task_name="toy(tasks=3)", **settings).run()
    other = {"mixture_or_task_name": "toy(tasks=2, few_shot=False)", "seed": 1, "window": 57}
    toy_run(folder / "b", folder / "store", 3, **settings, **other).run()
  return folder / "a", folder / "b"


@pytest.fixture
def runs(trained, toy):
  """The runs' folders, with the collection that they were trained on in place."""
  del toy
  return trained


def test_runs_are_compared_by_gin_rates_and_what_they_saw(diff, runs):
  found = diff(*runs)
  settings = {line["setting"]: (line["A"], line["B"]) for line in found["settings"]}
  assert settings["SEED"] == ("0", "1")
  assert settings["train.window"] == ("43", "57")
  assert settings["mixture: toy.formats"] == ("zero_shot×3, few_shot×1", "zero_shot×1")
  assert "LEARNING_RATE" not in settings
  assert "mixture: toy.shots" not in settings
  assert len(found["tasks"]["only in A"]) == 1
  assert found["realised"]["not counted"] == {"A": None, "B": None}
  for letter, model_dir in zip("AB", runs, strict=True):
    assert found["realised"]["examples"][letter] == len(segments(model_dir, steps=3))
    assert sum(line[letter] for line in found["realised"]["shares"]) == pytest.approx(1)
    assert found["realised"]["largest distance from the rates"][letter] < 0.05
  assert found["samples"]["different"] > 0


def segments(model_dir, steps):
  """The segments of a run's batches, one by one."""
  stream = past_feed(model_dir).stream
  position, found = past_feed(model_dir).beginning, []
  for _ in range(steps):
    found += stream.rows(position)
    position = stream.batch(position)[1]
  return found


def test_a_run_whose_stores_are_gone_is_compared_without_what_it_saw(said, runs, tmp_path):
  for model_dir in runs:
    shutil.copytree(model_dir, tmp_path / model_dir.name)
  (runs[0].parent / "store").rename(tmp_path / "elsewhere")
  try:
    text = said("diff", tmp_path / "a", tmp_path / "b")
  finally:
    (tmp_path / "elsewhere").rename(runs[0].parent / "store")
  assert "What A has seen cannot be counted: the stores of" in text
  assert "train.window" in text


def test_a_run_and_a_mixture_are_not_compared(runs, capsys):
  assert run(["diff", str(runs[0]), "demo"]) == 2
  assert "two mixtures or two runs" in capsys.readouterr().err


def test_a_folder_without_a_run_is_told(tmp_path, capsys):
  assert run(["diff", str(tmp_path), "demo"]) == 2
  assert "no config.gin" in capsys.readouterr().err


def test_an_unknown_name_is_told_the_nearest(toy, capsys):
  assert run(["diff", "toy", "tov"]) == 2
  assert "Nearest: toy" in capsys.readouterr().err


def test_contamination_reads_the_stores_of_a_run_as_those_of_its_mixture(said, runs, toy, tmp_path):
  """A suite's questions in what a run was trained on: the examples that its mixture was prepared to."""
  (tmp_path / "asked.jsonl").write_text(
    '{"input": "What is the capital of land 9 and of land 12?", "target": "city"}\n'
  )
  (tmp_path / "mine.yaml").write_text("tasks: asked.jsonl\n")
  asked = ["contamination", "--suite", tmp_path / "mine.yaml", "--json", "--n", "8", "--data_dir", toy.data_dir]
  whole, at_step = (json.loads(said(*asked, "--run", run)) for run in (runs[0], runs[0] / "checkpoints" / "3"))
  made = ["--lengths", "512,128", "--store_dir", runs[0].parent / "store", "--vocabulary", runs[0] / "vocabulary.model"]
  mixture = json.loads(said(*asked, "--mixture", "toy(tasks=3)", *made))
  assert whole["store"]["tasks"] == 3
  assert {**whole, "run": None} == {**at_step, "run": None} == {**mixture, "mixture": None}
