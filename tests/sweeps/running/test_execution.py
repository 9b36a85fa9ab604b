"""A run's commands are done one after the other, each once, and nothing of it outlives who asked for it."""

import json
import os
import signal
import sys

import pytest

from flan_jax import locks
from flan_jax.errors import FlanJaxError
from flan_jax.sweeps.plan import LOCK, LOG, RUN_RECORD, STATE
from flan_jax.sweeps.running import execution, states
from tests.sweeps.small_programs import (
  EVALUATES,
  FAILS,
  TRAINS,
  WAITS,
  die_after_the_last_step,
  is_alive,
  plan_of,
  started,
  until,
  waiting_program,
  write_programs,
)

WHOLE = {"train": TRAINS, "evaluate held_out": EVALUATES}


def one_run(folder, stages):
  return plan_of(folder, {"one": stages}).runs[0]


def state_of(run):
  return states.status(run, "held_out/zero_shot").state


def said(run):
  """What its programs printed, without what execution says of them."""
  return [line for line in (run.folder / LOG).read_text().splitlines() if not line.startswith("--- ")]


def test_commands_run_in_order_and_a_finished_run_is_never_repeated(tmp_path):
  run = one_run(tmp_path, WHOLE)
  for _ in range(2):
    assert execution.execute(run.folder, "a test") == "finished"
    assert said(run) == ["trains", "evaluates"]
  kept = execution.read_state(run.folder)
  assert {stage: each["exit_code"] for stage, each in kept["stages"].items()} == dict.fromkeys(WHOLE, 0)
  assert kept["config"] == run.config
  assert kept["launcher"] == "a test"


def test_a_failing_command_ends_the_run_and_the_next_time_goes_on_with_it(tmp_path):
  run = one_run(tmp_path, {**WHOLE, "evaluate held_out": FAILS, "evaluate other": EVALUATES})
  assert execution.execute(run.folder) == "failed"
  status = states.status(run, "held_out/zero_shot")
  assert (status.state, status.stage) == ("failed", "evaluate held_out")
  assert "no room for the matrix" in status.last_lines
  assert "exit code 3" in status.last_lines[-1]
  write_programs(run, WHOLE)
  assert execution.execute(run.folder) == "finished"
  assert said(run) == ["trains", "no room for the matrix", "evaluates"]


def test_a_program_that_is_not_there_fails_the_run(tmp_path):
  run = one_run(tmp_path, WHOLE)
  path = run.folder / RUN_RECORD
  path.write_text(path.read_text().replace(sys.executable, "/no/such/python"))
  assert execution.execute(run.folder) == "failed"
  assert said(run) == ["flan-jax: /no/such/python: No such file or directory"]


def test_training_that_ends_well_before_its_last_step_is_stopped_and_not_evaluated(tmp_path):
  run = one_run(tmp_path, {"train": "print('saved at step 2')", "evaluate held_out": EVALUATES})
  assert execution.execute(run.folder) == "stopped" == state_of(run)
  assert said(run) == ["saved at step 2"]
  write_programs(run, WHOLE)
  assert execution.execute(run.folder) == "finished"


def test_training_is_done_again_where_its_checkpoint_is_gone(tmp_path):
  run = one_run(tmp_path, {**WHOLE, "evaluate held_out": FAILS})
  execution.execute(run.folder)
  (run.folder / "checkpoints/4/record").rmdir()
  (run.folder / "checkpoints/4").rmdir()
  write_programs(run, WHOLE)
  assert execution.execute(run.folder) == "finished"
  assert said(run).count("trains") == 2


def test_a_state_of_other_settings_counts_for_nothing(tmp_path):
  run = one_run(tmp_path, WHOLE)
  execution.execute(run.folder)
  kept = json.loads((run.folder / STATE).read_text())
  (run.folder / STATE).write_text(json.dumps({**kept, "config": "of another time"}))
  assert state_of(run) == "waiting"


@pytest.mark.parametrize("content", ["", '{"name": "one"', '{"commands": 3}'])
def test_a_folder_that_is_half_written_says_what_to_do(tmp_path, content):
  run = one_run(tmp_path, WHOLE)
  (run.folder / RUN_RECORD).write_text(content)
  with pytest.raises(FlanJaxError, match=r"run\.json.*flan-jax sweep"):
    execution.execute(run.folder)
  assert state_of(run) == "waiting"


def test_two_processes_are_never_at_one_run(tmp_path):
  run = one_run(tmp_path, WHOLE)
  with locks.alone(run.folder / LOCK) as lock:
    assert lock is not None
    assert state_of(run) == "running"
    with pytest.raises(FlanJaxError, match="another process is at this run"):
      execution.execute(run.folder)
  assert not (run.folder / LOG).exists()


def test_sigterm_is_passed_on_and_waited_for(tmp_path):
  run = one_run(tmp_path, {**WHOLE, "train": WAITS})
  process = started(run)
  waiting_program(run)
  assert state_of(run) == "running"
  process.terminate()
  process.communicate()
  assert process.returncode == 128 + signal.SIGTERM
  assert said(run) == ["saved"]
  assert state_of(run) == "stopped"


def test_sigquit_kills_what_does_not_end(tmp_path):
  deaf = WAITS.replace("signal.signal(signal.SIGTERM, stop)", "signal.signal(signal.SIGTERM, signal.SIG_IGN)")
  run = one_run(tmp_path, {"train": deaf})
  process = started(run)
  program = waiting_program(run)
  process.terminate()
  process.send_signal(signal.SIGQUIT)
  process.communicate()
  assert not is_alive(program)
  assert state_of(run) == "stopped"


def test_no_command_outlives_a_killed_execution(tmp_path):
  run = one_run(tmp_path, {**WHOLE, "train": WAITS})
  process = started(run)
  program = waiting_program(run)
  process.kill()
  process.communicate()
  until(lambda: not is_alive(program))
  assert said(run) == ["saved"]  # it had the time to
  assert state_of(run) == "stopped"
  write_programs(run, WHOLE)
  assert execution.execute(run.folder) == "finished"


def test_the_run_is_at_work_while_a_command_of_a_killed_execution_still_saves(tmp_path):
  slow = WAITS.replace("def stop(*_):", "def stop(*_):\n  while not os.path.exists('{folder}/go'): time.sleep(0.01)")
  run = one_run(tmp_path, {"train": slow})
  process = started(run)
  program = waiting_program(run)
  process.kill()
  process.communicate()
  assert state_of(run) == "running"
  with pytest.raises(FlanJaxError, match="another process is at this run"):
    execution.execute(run.folder)
  (run.folder / "go").touch()
  until(lambda: not is_alive(program))
  assert state_of(run) == "stopped"


def test_a_run_ends_when_its_parent_is_gone(tmp_path):
  run = one_run(tmp_path, {"train": WAITS})
  process = started(run, "--parent", "1")  # which is not: this process is
  process.communicate()
  assert said(run) in (["saved"], [])
  assert state_of(run) == "stopped"


def test_a_full_disk_is_an_error_of_one_line(tmp_path, monkeypatch, capsys):
  run = one_run(tmp_path, WHOLE)

  def full(path, content):
    raise OSError(28, "No space left on device", str(path))

  monkeypatch.setattr(execution, "write_atomically", full)
  monkeypatch.setattr("sys.argv", ["execution", str(run.folder)])
  with pytest.raises(SystemExit, match="No space left on device"):
    execution.main()
  assert state_of(run) == "waiting"


def test_a_log_beyond_all_reason_keeps_its_end(tmp_path, monkeypatch):
  monkeypatch.setattr(execution, "_LOG_BYTES", 1000)
  monkeypatch.setattr(execution, "_LOG_TAIL", 100)
  with (tmp_path / LOG).open("a+b", buffering=0) as log, (tmp_path / LOG).open("ab", buffering=0) as of_command:
    for i in range(100):
      of_command.write(b"line %d of the command\n" % i)
    execution._shorten(log)
    of_command.write(b"and on\n")
  lines = (tmp_path / LOG).read_text().splitlines()
  assert lines[0] == "--- (left out)"
  assert lines[-2:] == ["line 99 of the command", "and on"]
  assert os.path.getsize(tmp_path / LOG) < 200


def test_other_processes_of_a_run_take_part_in_its_training_alone(tmp_path):
  run = one_run(tmp_path, WHOLE)
  assert execution.follow(run.folder, 1) == 0
  assert (run.folder / "log.1.txt").read_text() == "trains\n"
  assert execution.follow(run.folder, 1) == 0  # it is done
  assert state_of(run) == "waiting"  # the first one says how far it is


def test_what_is_trained_is_done_for_every_process_of_a_run(tmp_path):
  """Else the first would train again, and wait for others that have left."""
  run = one_run(tmp_path, WHOLE)
  die_after_the_last_step(run)
  assert execution.follow(run.folder, 1) == 0
  assert not (run.folder / "log.1.txt").exists()
  assert execution.execute(run.folder) == "finished"
  assert said(run) == ["evaluates"]


def test_training_that_fails_after_its_last_checkpoint_is_done(tmp_path):
  run = one_run(tmp_path, {**WHOLE, "train": TRAINS + "raise SystemExit(3)"})
  assert execution.execute(run.folder) == "finished"
  assert said(run) == ["trains", "evaluates"]
  other = plan_of(tmp_path / "other", {"one": {"train": TRAINS + "raise SystemExit(3)"}}).runs[0]
  assert execution.follow(other.folder, 1) == 0


def test_no_process_of_a_run_goes_on_from_checkpoints_of_other_settings(tmp_path):
  run = one_run(tmp_path, WHOLE)
  die_after_the_last_step(run)
  path = run.folder / STATE
  path.write_text(path.read_text().replace(run.config, "of another time"))
  before = path.read_text()
  for take_part in (execution.execute, lambda folder: execution.follow(folder, 1)):
    with pytest.raises(FlanJaxError, match=r"one has checkpoints of other settings: take another --model_dir"):
      take_part(run.folder)
  assert path.read_text() == before
