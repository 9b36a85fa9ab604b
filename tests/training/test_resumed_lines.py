"""The metrics and samples of a run that was stopped and killed are those of an uninterrupted one."""

import json
import os
import signal

import pytest

from flan_jax.training import run
from flan_jax.training.checkpoints import Checkpoints, Saving
from flan_jax.training.held_out import HeldOut
from flan_jax.training.trainer import Trainer
from tests.training.launching import metrics_of
from tests.training.toy_run import toy_run

STEPS, STOPPED = 8, 6
SETTINGS = {
  "log_period": 4,
  "held_out": HeldOut(period=3, examples=4, generations=1, unseen=""),
  "saving": Saving(period=100),
}


class StoppedOnce(Trainer):
  """SIGTERM comes while the batch of a step is placed, so that the next one's carries it, and is heard in STOPPED."""

  placed = 0

  def place(self, batch, *wishes):
    StoppedOnce.placed += 1
    if StoppedOnce.placed == STOPPED - 3:
      os.kill(os.getpid(), signal.SIGTERM)
    return super().place(batch, *wishes)


class KilledError(Exception):
  pass


def _killed(*_):
  raise KilledError


def _lines(model_dir):
  """All that no clock says."""
  timed = ("_per_s", "_gb", "input_wait")
  return [{name: line[name] for name in line if not name.endswith(timed)} for line in metrics_of(model_dir)]


@pytest.mark.slow
@pytest.mark.usefixtures("one_device")
def test_a_stop_between_two_lines_and_on_an_evaluation_s_step_leaves_no_trace(store, tmp_path, monkeypatch):
  """Nor does a kill between the evaluation that is made up for and the note that it was."""
  whole, stopped = tmp_path / "whole", tmp_path / "stopped"
  assert toy_run(whole, store, STEPS, **SETTINGS).run() == run.Outcome(STEPS, None)
  with monkeypatch.context() as patched:
    patched.setattr(run, "Trainer", StoppedOnce)
    assert toy_run(stopped, store, STEPS, **SETTINGS).run() == run.Outcome(STOPPED, "SIGTERM")
  evaluated = [line["step"] for line in _lines(whole) if "held_out/loss" in line]
  assert evaluated == [3, STOPPED, STEPS]
  assert [line["step"] for line in _lines(stopped)] == [3, 4]
  with monkeypatch.context() as patched:
    patched.setattr(Checkpoints, "make_up", _killed)
    with pytest.raises(KilledError):
      toy_run(stopped, store, STEPS, **SETTINGS).run()
  assert [line["step"] for line in _lines(stopped)] == [3, 4, STOPPED]
  for _ in range(2):  # the second finds nothing to do
    assert toy_run(stopped, store, STEPS, **SETTINGS).run() == run.Outcome(STEPS, None)
    assert _lines(stopped) == _lines(whole)
    assert (stopped / "samples.jsonl").read_bytes() == (whole / "samples.jsonl").read_bytes()
  assert json.loads((stopped / "checkpoints" / str(STOPPED) / "made_up.json").read_text())["held_out/loss"] > 0
