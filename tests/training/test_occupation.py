"""A MODEL_DIR has one run at a time, and whoever comes second hears who is in it."""

import errno
import fcntl
import os
import signal
import socket

import pytest

from flan_jax import locks
from flan_jax.errors import FlanJaxError
from flan_jax.interop import checkpoints as layout
from flan_jax.training import run
from flan_jax.training.checkpoints import Saving
from flan_jax.training.occupation import LOCK, occupied
from flan_jax.training.trainer import Trainer
from tests.training.launching import FORKS, metrics_of
from tests.training.toy_run import on_one_device, toy_run


def test_a_second_run_disturbs_nothing_and_says_who_is_there(store, tmp_path, monkeypatch):
  """It would take away what the first one is just saving, as what a kill has left."""
  refused = []

  class Disturbed(Trainer):
    def place(self, *arguments):
      if not refused and layout.saved_steps(tmp_path):
        with pytest.raises(FlanJaxError) as error:
          toy_run(tmp_path, store, 6).run()
        refused.append(str(error.value))
      return super().place(*arguments)

  monkeypatch.setattr(run, "Trainer", Disturbed)
  with on_one_device():
    assert toy_run(tmp_path, store, 6, saving=Saving(period=3)).run().step == 6
  (said,) = refused
  assert f"process {os.getpid()} on {socket.gethostname()} trains in it" in said
  assert "--model_dir" in said
  assert layout.saved_steps(tmp_path) == [0, 3, 6]
  assert [line["step"] for line in metrics_of(tmp_path)] == list(range(1, 7))


def test_it_is_free_once_the_run_is_over(tmp_path):
  for _ in range(2):
    with occupied(str(tmp_path)):
      assert locks.is_held(tmp_path / LOCK)
    assert not locks.is_held(tmp_path / LOCK)


def _occupy(path: str, told) -> None:
  with occupied(path):
    told.send("here")
    signal.pause()


def test_it_is_free_as_soon_as_a_run_is_killed(tmp_path):
  told, tells = FORKS.Pipe()
  process = FORKS.Process(target=_occupy, args=(str(tmp_path), tells))
  process.start()
  assert told.poll(60)
  with pytest.raises(FlanJaxError, match=rf"{tmp_path} is in use: process {process.pid} on "), occupied(str(tmp_path)):
    pass
  process.kill()
  process.join()
  with occupied(str(tmp_path)) as model_dir:
    assert model_dir == tmp_path


def test_a_file_system_without_locks_is_trained_on_with_a_word(tmp_path, monkeypatch, capfd):
  def without_locks(*_) -> None:
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

  monkeypatch.setattr(fcntl, "flock", without_locks)
  with occupied(str(tmp_path)), occupied(str(tmp_path)):
    pass
  assert capfd.readouterr().err.count(f"{LOCK} cannot be locked (No locks available)") == 2


@pytest.mark.slow
def test_processes_of_one_run_end_together_where_another_is_in_its_folder(launch, tmp_path):
  """The first process looks; the others hear of it from it."""
  with occupied(str(tmp_path)):
    ended = launch.run(tmp_path, processes=2, patient=True)
  assert [each.code for each in ended] == [1, 1]
  for each in ended:
    assert f"MODEL_DIR {tmp_path} is in use: process {os.getpid()}" in each.said.splitlines()[-1]
  assert not layout.saved_steps(tmp_path)
