"""Writers: that a resumed run has each step once, and what each place gets."""

import json
import sys
import types

import pytest

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.training.writers import Writers, check_names


@pytest.mark.parametrize("cut", ["", '{"step": 5, "lo'])
def test_lines_behind_the_checkpoint_are_taken_out(tmp_path, cut):
  path = tmp_path / "metrics.jsonl"
  path.write_text("".join(f'{{"step": {step}}}\n' for step in (1, 2, 3, 4)) + cut)
  with Writers(("jsonl", "tensorboard"), tmp_path, step=2, about={}) as writers:
    writers.write({"step": 3, "loss": 0.5})
  assert [json.loads(line) for line in path.read_text().splitlines()] == [
    {"step": 1},
    {"step": 2},
    {"step": 3, "loss": 0.5},
  ]
  assert list((tmp_path / "tensorboard").iterdir())


def test_a_run_that_goes_back_writes_each_step_once(tmp_path):
  with Writers(("jsonl", "tensorboard"), tmp_path, step=0, about={}) as writers:
    for step in (1, 2, 3):
      writers.write({"step": step, "loss": 1.0})
    writers.rewind(1)
    writers.write({"step": 2, "loss": 0.5})
  lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
  assert lines == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]


def test_tensorboard_gets_numbers_and_texts(tmp_path):
  with Writers(("tensorboard",), tmp_path, step=4, about={}) as writers:
    writers.write({"step": 5, "loss": 0.25, "loss/cot": 0.5})
    writers.text(5, "held_out/samples", "target: yes\noutput: no")
  content = b"".join(file.read_bytes() for file in (tmp_path / "tensorboard").iterdir())
  for told in (b"loss/cot", b"held_out/samples", b"    target: yes\n    output: no"):
    assert told in content
  assert not (tmp_path / "metrics.jsonl").exists()


def test_an_unknown_writer_is_refused():
  with pytest.raises(UsageError, match="Nearest: tensorboard"):
    check_names(("jsonl", "tensorbord"))


class FakeRun:
  """What our writer calls of wandb's Run."""

  def __init__(self, **settings):
    self.settings, self.logged, self.metrics, self.finished = settings, [], {}, False

  def define_metric(self, name, step_metric=None):
    self.metrics[name] = step_metric

  def log(self, line):
    self.logged.append(line)

  def finish(self):
    self.finished = True


@pytest.fixture
def wandb_runs(monkeypatch):
  """A stand-in for the package, which the tests do not require; `test_wandb_itself` runs where it is installed."""
  runs: list[FakeRun] = []
  fake = types.ModuleType("wandb")
  fake.Error, fake.Html = RuntimeError, lambda text: ("html", text)
  fake.init = lambda **settings: runs.append(FakeRun(**settings)) or runs[-1]
  monkeypatch.setitem(sys.modules, "wandb", fake)
  return runs


def test_wandb_goes_on_with_the_run_of_the_folder(wandb_runs, tmp_path):
  for step in (0, 3):
    with Writers(("wandb",), tmp_path, step, about={"seed": 7}) as writers:
      writers.write({"step": step + 1, "loss": 0.5})
      writers.text(step + 1, "samples", "a < b")
  first, second = wandb_runs
  assert first.settings["id"] == second.settings["id"]
  assert (first.settings["resume"], first.settings["config"]) == ("allow", {"seed": 7})
  assert first.metrics == {"step": None, "*": "step"}  # its own counter would refuse the steps after a kill
  assert second.logged == [{"step": 4, "loss": 0.5}, {"step": 4, "samples": ("html", "<pre>a &lt; b</pre>")}]
  assert first.finished
  assert second.finished


def test_wandb_itself(tmp_path, monkeypatch):
  pytest.importorskip("wandb")
  monkeypatch.setenv("WANDB_MODE", "offline")
  for step in (0, 3):
    with Writers(("wandb",), tmp_path, step, about={"seed": 7}) as writers:
      writers.write({"step": step + 1, "loss": 0.5})
      writers.text(step + 1, "samples", "a < b")
  files = list((tmp_path / "wandb").glob(f"offline-run-*-{(tmp_path / 'wandb_id.txt').read_text()}/*.wandb"))
  assert len(files) == 2
  assert all(b"loss" in file.read_bytes() for file in files)


def test_a_missing_wandb_is_told(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, "wandb", None)
  with pytest.raises(FlanJaxError, match=r"pip install 'flan_jax\[wandb\]'"):
    Writers(("jsonl", "wandb"), tmp_path, 0, about={})
