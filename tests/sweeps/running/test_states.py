"""How far a run is follows from its files, whoever wrote them, and however broken they are."""

import json
import os
import socket
import time

import pytest

from flan_jax.sweeps.plan import LOG, STATE
from flan_jax.sweeps.running import execution, states
from tests.sweeps.small_programs import EVALUATES, TRAINS, plan_of

SCORE = "held_out/zero_shot"


@pytest.fixture
def plan(tmp_path):
  return plan_of(tmp_path, {name: {"train": TRAINS, "evaluate held_out": EVALUATES} for name in ("one", "other")})


def write_state(run, **content):
  about = {"config": run.config, "stages": {}, "stage": None, "pid": 1, "host": socket.gethostname()}
  (run.folder / STATE).write_text(json.dumps({**about, **content}))


def test_states_before_and_after(plan):
  one, _ = plan.runs
  execution.execute(one.folder)
  done, todo = states.statuses(plan)
  assert (done.state, done.step, done.steps, done.loss, done.score) == ("finished", 4, 4, 1.0, 0.25)
  assert (todo.state, todo.step, todo.loss, todo.score, todo.seconds, todo.last_lines) == (
    ("waiting", None, None, None, 0, ())
  )
  assert {done.state, todo.state} <= set(states.STATES)


@pytest.mark.parametrize("content", [b"", b'{"state": "runn', b"\x00" * 100, b"[]", b'{"state": "running"}'])
def test_a_state_that_cannot_be_read_is_none(plan, content):
  (plan.runs[0].folder / STATE).write_bytes(content)
  assert states.status(plan.runs[0], SCORE).state == "waiting"


def test_who_wrote_that_it_runs_and_is_gone_was_stopped(plan):
  run = plan.runs[0]
  write_state(run, state="running")
  assert states.status(run, SCORE).state == "stopped"


def test_a_run_on_another_machine_runs_as_long_as_its_state_is_fresh(plan):
  run = plan.runs[0]
  write_state(run, state="running", host="another")
  assert states.status(run, SCORE).state == "running"
  long_ago = time.time() - 3600
  os.utime(run.folder / STATE, (long_ago, long_ago))
  assert states.status(run, SCORE).state == "stopped"


def test_time_left_is_of_training_at_its_rate_and_of_evaluations_as_in_other_runs(plan):
  done, run = plan.runs
  write_state(
    done, state="finished", stages={"evaluate held_out": {"seconds": 30.0, "exit_code": 0}, "train": {"seconds": 9.0}}
  )
  typical = states.typical_seconds(plan.runs)
  assert typical == {"evaluate held_out": 30.0}
  write_state(run, state="running", host="another", stage="train", stages={"train": {"seconds": 1, "exit_code": None}})
  assert states.status(run, SCORE, typical).seconds_left is None  # it compiles
  with (run.folder / "metrics.jsonl").open("w") as file:
    for line in ({"step": 1}, {"step": 2, "steps_per_s": 0.5, "loss": 2.5}):
      file.write(json.dumps(line) + "\n")
    file.write('{"step": 3, "steps_per')  # as it is being written
  assert states.status(run, SCORE).seconds_left == 2 / 0.5
  assert states.status(run, SCORE, typical).seconds_left == 2 / 0.5 + 30
  stages = {"train": {"seconds": 9, "exit_code": 0}, "evaluate held_out": {"seconds": 12, "exit_code": None}}
  write_state(run, state="running", host="another", stage="evaluate held_out", stages=stages)
  assert states.status(run, SCORE, typical).seconds_left == 30 - 12
  assert states.status(run, SCORE).seconds_left is None
  (run.folder / LOG).write_text("answering: 1 of 9 questions\nanswering: 3 of 9 questions, 0.5/s, 12 s left\n")
  assert states.status(run, SCORE).seconds_left == 12  # by its own words, where no other run has got there


def test_last_lines_are_few_of_a_long_log(plan):
  log = plan.runs[0].folder / LOG
  log.write_text("".join(f"line {i}\n\n" for i in range(100_000)) + "the end of it without a line break")
  assert states.last_lines(log, 2) == ("line 99999", "the end of it without a line break")
