"""A real sweep, killed with SIGKILL in the middle and started again, is the sweep that nobody killed."""

import json
import os
import pathlib
import signal

import pytest

from flan_jax.cli import main
from flan_jax.interop.steps import saved_steps
from flan_jax.sweeps import folder as folders
from flan_jax.sweeps.results import table as tables
from flan_jax.sweeps.results import training_log
from flan_jax.sweeps.running import states
from tests.sweeps.small_programs import until
from tests.sweeps.toy_sweep import toy_sweep
from tests.training.launching import FORKS, check_same_end

STEPS = 60
LINES = (
  "tasks/Axis.values = [2]",
  "cot/Axis.values = [True]",
  "seed/Axis.values = [0]",
  "held_out/Evaluation.mixture = 'demo.odd_one_out_of_3'",
  f"TRAIN_STEPS = {STEPS}",
  "train.log_period = 1",
  "train.writers = ['jsonl']",
)


@pytest.fixture
def one_device(monkeypatch):
  """The programs that a sweep starts have the environment of the tests, but not their eight devices."""
  flags = [flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag]
  monkeypatch.setenv("XLA_FLAGS", " ".join(flags))
  monkeypatch.delenv("PJRT_NPROC", raising=False)
  monkeypatch.setenv("PYTHONPATH", str(pathlib.Path(__file__).parent.parent.parent))


def started(*arguments):
  """`flan-jax ...` as a process that has imported what it needs."""
  process = FORKS.Process(target=_as_a_program, args=([str(each) for each in arguments], dict(os.environ)))
  process.start()
  return process


def _as_a_program(arguments, environment):
  os.environ.clear()
  os.environ.update(environment)
  main.main(arguments)


def finish(*arguments):
  process = started(*arguments)
  process.join()
  assert process.exitcode == 0


def test_killed_and_continued_equals_uninterrupted(tmp_path, one_device):
  command = ("sweep", toy_sweep(tmp_path, *LINES), "--model_dir", tmp_path / "d", "--store_dir", tmp_path / "store")
  process = started(*command)
  run = tmp_path / "d/runs/tasks-2_cot-True_seed-0"
  until(lambda: (run / "metrics.jsonl").exists() and (run / "metrics.jsonl").read_text(), seconds=240)
  os.kill(process.pid, signal.SIGKILL)
  process.join()
  plan = folders.read(tmp_path / "d")
  until(lambda: "running" not in states_of(plan))
  assert states_of(plan) == ["stopped"]
  assert max(saved_steps(run)) < STEPS
  finish(*command)
  assert states_of(plan) == ["finished"]
  whole = _uninterrupted(run, tmp_path / "whole")
  check_same_end(run, whole)
  assert _rows(run) == _rows(whole)
  _check_counted_once(tables.read(tmp_path / "d"), run.name, whole)


def _check_counted_once(table, name, whole):
  """The table has each step of the killed run once: its curve is the other's, and so, but for the first step of each
  start, which has no rates, is what it was trained on."""
  rows, log = [row for row in table.to_pylist() if row["run"] == name], training_log.read(whole)
  curve = [(row["step"], row["value"]) for row in rows if row["quantity"] == "loss"]
  assert curve == training_log.curve(log, "loss")
  done = training_log.trained(log)
  counted = [rows[0][column] for column in ("steps", "trained_examples", "trained_tokens", "flops")]
  assert counted == pytest.approx([STEPS, done.examples, done.tokens, done.flops], rel=0.05)


def _uninterrupted(run, whole):
  """The same commands, with their results in another folder."""
  train, evaluate = (each["argv"][1:] for each in json.loads((run / "run.json").read_text())["commands"])
  finish(*train, f"--gin.MODEL_DIR={whole}")
  finish(*(word.replace(str(run), str(whole)) for word in evaluate))
  return whole


def states_of(plan):
  return [each.state for each in states.statuses(plan)]


def _rows(folder):
  """What was measured; where and when is no matter."""
  return json.loads((folder / "evaluations/held_out/results.json").read_text())["rows"]
