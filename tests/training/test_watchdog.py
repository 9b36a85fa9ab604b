"""The watchdog speaks where nothing moves, says where the threads stand, and ends with its context."""

import threading
import time

from flan_jax.training.watchdog import watching

SECONDS = 0.2


def _hang_here(seconds):
  time.sleep(seconds)


def test_a_hang_leaves_the_stacks_of_all_threads(tmp_path, capfd):
  with watching(tmp_path, 3, SECONDS / 60):
    _hang_here(5 * SECONDS)
  text = (tmp_path / "hang-stacks-3.txt").read_text()
  assert "no step for" in text
  assert "_hang_here" in text
  assert str(tmp_path / "hang-stacks-3.txt") in capfd.readouterr().err


def test_a_run_that_moves_is_left_alone(tmp_path):
  """For five times as long as it would have to stand still."""
  with watching(tmp_path, 0, SECONDS / 60) as beat:
    for _ in range(50):
      time.sleep(SECONDS / 10)
      beat()
  assert not list(tmp_path.iterdir())


def test_its_thread_ends_with_it(tmp_path):
  before = threading.active_count()
  for minutes in (30.0, None):
    with watching(tmp_path, 0, minutes):
      pass
  assert threading.active_count() == before
