"""The quickstart's script, with stand-ins for what it starts."""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[1] / "scripts" / "quickstart.sh"
# As `flan-jax train` does: told to stop it saves, and ends well.
COMMAND = """#!/usr/bin/env bash
echo "$1" >> said
if [ "$1" = train ] && [ -e slow ]; then
  trap 'echo saved >> said; exit 0' INT TERM
  echo training
  while true; do sleep 0.01; done
fi
"""
# Tests that run in the background ignore Ctrl-C, and so would what they start.
HEARING = """
import os, signal
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("bash", ["bash", "scripts/quickstart.sh"])
"""


@pytest.fixture
def clone(tmp_path):
  """A clone whose `flan-jax` notes what it is called for."""
  (tmp_path / "scripts").mkdir()
  shutil.copy(SCRIPT, tmp_path / "scripts")
  (tmp_path / "scripts" / "environment.sh").write_text(
    'set -euo pipefail\ncd "$(dirname "${BASH_SOURCE[0]}")/.."\nPATH=$PWD:$PATH\n'
  )
  (tmp_path / "flan-jax").write_text(COMMAND)
  (tmp_path / "flan-jax").chmod(0o755)
  return tmp_path


def test_it_trains_and_evaluates_and_begins_anew_when_all_is_done(clone):
  results = clone / "runs" / "quickstart" / "results.json"
  for there in (False, True):
    if there:
      results.parent.mkdir(parents=True)
      results.touch()
    subprocess.run(["bash", "scripts/quickstart.sh"], cwd=clone, check=True)
    assert not results.exists()
  assert (clone / "said").read_text().split() == ["train", "eval"] * 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_while_it_trains_it_evaluates_nothing(clone, number):
  """A terminal's Ctrl-C goes to all that runs there; else the next start would find results and remove the run."""
  (clone / "slow").touch()
  started = subprocess.Popen(
    [sys.executable, "-c", HEARING], cwd=clone, stdout=subprocess.PIPE, text=True, start_new_session=True
  )
  try:
    assert started.stdout.readline() == "training\n"
    os.killpg(started.pid, number)
    assert started.wait(60) == 128 + number
  finally:
    with contextlib.suppress(ProcessLookupError):
      os.killpg(started.pid, signal.SIGKILL)
  assert (clone / "said").read_text().split() == ["train", "saved"]
