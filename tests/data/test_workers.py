"""Worker processes: every ticket once, errors and deaths told, nothing left running."""

import os
import signal
import subprocess
import sys
import time

import pytest

from flan_jax import errors
from flan_jax.data import workers


def test_every_ticket_has_its_result():
  assert dict(workers.results(abs, range(-20, 0), 2)) == {n: -n for n in range(-20, 0)}
  assert list(workers.results(abs, [-1, -2], 1)) == [(-1, 1), (-2, 2)]


def test_tickets_are_taken_when_their_turn_comes():
  taken = []
  tickets = (taken.append(n) or n for n in range(1000))
  results = workers.results(abs, tickets, 2)
  next(results)
  assert len(taken) <= 10
  results.close()


def test_an_exception_reaches_the_caller():
  with pytest.raises(ValueError, match="invalid literal"):
    list(workers.results(int, ["1", "one"], 2))


def test_a_killed_worker_is_an_error_for_people():
  with pytest.raises(errors.FlanJaxError, match="2 worker processes was killed"):
    list(workers.results(os._exit, [1], 2))


def test_workers_end_with_a_killed_parent():
  program = (
    "import multiprocessing, sys, time\n"
    "from flan_jax.data import workers\n"
    "for _ in workers.results(time.sleep, iter([0, 0, 300, 300]), 2):\n"
    "  print(*(child.pid for child in multiprocessing.active_children()), flush=True)\n"
  )
  parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
  children = [int(pid) for pid in parent.stdout.readline().split()]
  assert children
  parent.send_signal(signal.SIGKILL)
  parent.wait()
  deadline = time.monotonic() + 20
  while any(_running(pid) for pid in children) and time.monotonic() < deadline:
    time.sleep(0.05)
  assert not any(_running(pid) for pid in children)


def _running(pid):
  try:
    with open(f"/proc/{pid}/stat") as file:
      return file.read().rpartition(")")[2].split()[0] != "Z"  # an orphan may wait for init to collect it
  except FileNotFoundError:
    return False
