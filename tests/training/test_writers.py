"""Writers: that a resumed run has each step once, and what each place gets."""

import json
import pathlib
import struct
import sys
import time
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


def test_a_line_of_an_evaluation_that_is_made_again_goes(tmp_path):
  """Its step's others stay."""
  path = tmp_path / "metrics.jsonl"
  lines = [{"step": 2, "held_out/loss": 2.0}, {"step": 4, "went_back_from": 6}, {"step": 4, "loss": 1.0}]
  path.write_text("".join(json.dumps(line) + "\n" for line in [*lines, {"step": 4, "held_out/loss": 1.5}]))
  for owed, kept in ((False, 4), (True, 3)):
    with Writers(("jsonl",), tmp_path, 4, {}, owed=owed):
      assert len(path.read_text().splitlines()) == kept
  assert list(map(json.loads, path.read_text().splitlines())) == lines


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


def shown_by_tensorboard(folder: pathlib.Path) -> list[tuple[int, float]]:
  """(step, loss) of what TensorBoard shows: it reads files in the order of their names, and where one starts a session
  drops what is of its step and later ones."""
  from tensorboardX.proto import event_pb2

  shown = []
  for path in sorted(folder.iterdir()):
    content = path.read_bytes()
    while content:
      (length,) = struct.unpack("<Q", content[:8])  # then 4 bytes of checksum, before and after
      event = event_pb2.Event.FromString(content[12 : 12 + length])
      content = content[16 + length :]
      if event.HasField("session_log"):
        shown = [(step, loss) for step, loss in shown if step < event.step]
      shown += [(event.step, value.simple_value) for value in event.summary.value]
  return shown


@pytest.mark.parametrize("later", [0, -3600], ids=["in the same second", "the clock goes back"])
def test_tensorboard_keeps_what_earlier_starts_wrote(later, tmp_path, monkeypatch):
  now = 1_700_000_000.5
  monkeypatch.setattr(time, "time", lambda: now)
  folder = tmp_path / "tensorboard"
  for step, loss in ((0, 1.0), (2, 2.0), (3, 3.0)):
    with Writers(("tensorboard",), tmp_path, step, about={}) as writers:
      for each in (step + 1, step + 2):
        writers.write({"step": each, "loss": loss})
    (folder / "events.out.tfevents.1700000000.left-by-a-kill.unnamed").touch()
    now += later
  assert len(list(folder.glob("*.unnamed"))) == 1
  assert shown_by_tensorboard(folder) == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 3.0), (5, 3.0)]


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
