"""A signal while a run gets ready ends it at once and loses nothing; later it is a wish that the loop hears."""

import os
import pathlib
import shutil
import signal

import pytest

from flan_jax.interop import checkpoints as layout
from flan_jax.training import run
from flan_jax.training.checkpoints import Checkpoints
from flan_jax.training.stopping import Stopped, StopRequest
from tests.training.toy_run import STEPS, toy_run


def _send(name: str) -> None:
  os.kill(os.getpid(), getattr(signal, name))


def test_sigterm_while_a_run_prepares_ends_it(store, tmp_path, monkeypatch, capfd):
  monkeypatch.setattr(run, "open_feed", lambda *_: _send("SIGTERM"))
  assert toy_run(tmp_path, store, STEPS).run() == run.Outcome(0, "SIGTERM")
  assert f"before the first step: nothing in {tmp_path} is lost, the same command goes on" in capfd.readouterr().err
  assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_sigterm_while_a_run_restores_loses_nothing(store, whole, tmp_path, monkeypatch):
  """The signal comes in the middle of reading: no checkpoint is taken for damaged, none is moved."""
  model_dir = pathlib.Path(shutil.copytree(whole, tmp_path / "model"))
  restore = Checkpoints.restore

  def signalled(*arguments):
    _send("SIGTERM")
    return restore(*arguments)

  monkeypatch.setattr(Checkpoints, "restore", signalled)
  assert toy_run(model_dir, store, STEPS + 1).run() == run.Outcome(STEPS, "SIGTERM")
  assert {path.name for path in (model_dir / "checkpoints").iterdir()} == {"0", str(STEPS)}
  assert layout.faults(layout.step_folder(model_dir)) == []


def test_a_second_signal_does_not_disturb_what_the_first_one_closes():
  closed = []

  def interrupted() -> None:
    try:
      _send("SIGTERM")
    finally:
      _send("SIGTERM")
      closed.append(True)

  with StopRequest(), pytest.raises(Stopped):
    interrupted()
  assert closed


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_once_training_a_signal_is_only_noted(name):
  with StopRequest() as stop:
    stop.only_note()
    _send(name)
    assert stop.number == getattr(signal, name)
    _send("SIGTERM")
    with pytest.raises(KeyboardInterrupt):
      _send("SIGINT")


def test_ctrl_c_interrupts_a_run_that_gets_ready():
  with StopRequest(), pytest.raises(KeyboardInterrupt):
    _send("SIGINT")
