"""Many runs on one machine: each on cores of its own, none outlives the command, and the same command goes on."""

import json
import os
import pathlib
import signal
import subprocess

import pytest

from flan_jax import locks, machine
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.sweeps import folder as folders
from flan_jax.sweeps.plan import LOCK, LOG, RUN_RECORD, STATE
from flan_jax.sweeps.running import execution, states
from flan_jax.sweeps.running.launchers import local
from flan_jax.sweeps.running.launchers.settings import Settings
from tests.sweeps.small_programs import EVALUATES, FAILS, TRAINS, WAITS, is_alive, plan_of, until
from tests.training.launching import FORKS

WHOLE = {"train": TRAINS, "evaluate held_out": EVALUATES}
# Says on which cores it is, and ends when another run has said so too.
MEETS = """
import os, pathlib, time
pathlib.Path("{folder}/cores").write_text(str(sorted(os.sched_getaffinity(0))))
while len([*pathlib.Path("{folder}").parent.glob("*/cores")]) < 2:
  time.sleep(0.01)
"""
SLOW_TO_SAVE = WAITS.replace(
  "def stop(*_):", "def stop(*_):\n  while not os.path.exists('{folder}/go'):\n    time.sleep(0.01)"
)
CORES = sorted(os.sched_getaffinity(0))[:2]


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
  monkeypatch.setattr(machine, "cores", lambda: CORES)


def launch(plan, retry=False):
  local.launch(plan, folders.runs_to_do(plan, retry), Settings(), lambda: None)


def as_a_command(folder, programs):
  """The launcher as a process, of which this one is not the parent of runs."""
  process = FORKS.Process(target=_command, args=(folder, programs))
  process.start()
  return process


def _command(folder, programs):
  machine.cores = lambda: CORES
  signal.signal(signal.SIGINT, signal.default_int_handler)  # tests started in the background inherit that it is ignored
  try:
    launch(plan_of(folder, programs))
  except KeyboardInterrupt as stopped:
    os._exit(128 + stopped.args[0])


def states_of(plan):
  return [each.state for each in states.statuses(plan)]


def said(run):
  return [line for line in (run.folder / LOG).read_text().splitlines() if not line.startswith("--- ")]


@pytest.mark.skipif(len(CORES) < 2, reason="one core is no choice")
def test_runs_at_the_same_time_are_each_on_a_core_of_its_own(tmp_path):
  plan = plan_of(tmp_path, {name: {"meet": MEETS} for name in ("one", "other")})
  launch(plan)
  assert states_of(plan) == ["finished"] * 2
  assert {(run.folder / "cores").read_text() for run in plan.runs} == {f"[{core}]" for core in CORES}


def test_runs_share_what_they_compile_and_nothing_of_it_is_left(tmp_path, monkeypatch):
  monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")  # of the tests
  says = "import os; print(os.environ['JAX_COMPILATION_CACHE_DIR'])"
  plan = plan_of(tmp_path, {name: {"one": says, "other": says} for name in ("first", "second")})
  launch(plan)
  (folder,) = {line for run in plan.runs for line in said(run)}
  assert not os.path.exists(folder)
  assert "JAX_COMPILATION_CACHE_DIR" not in os.environ
  monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path))  # a user's own
  plan = plan_of(tmp_path / "again", {"first": {"one": says}})
  launch(plan)
  assert said(plan.runs[0]) == [str(tmp_path)]


def test_a_failing_run_keeps_no_other_from_being_run_and_is_only_retried_when_asked_to(tmp_path):
  plan = plan_of(tmp_path, {"first": {"train": FAILS}, **dict.fromkeys(("second", "third"), WHOLE)})
  for _ in range(2):
    launch(plan)
    assert states_of(plan) == ["failed", "finished", "finished"]
    assert said(plan.runs[0]) == ["no room for the matrix"]
  launch(plan, retry=True)
  assert said(plan.runs[0]) == ["no room for the matrix"] * 2


def test_nothing_outlives_a_killed_command_and_the_same_one_goes_on(tmp_path):
  programs = {"first": WHOLE, **{name: {**WHOLE, "train": WAITS} for name in ("second", "third")}, "fourth": WHOLE}
  command = as_a_command(tmp_path, programs)
  pids = [until(lambda name=name: _pid(tmp_path, name)) for name in ("second", "third")]
  os.kill(command.pid, signal.SIGKILL)
  command.join()
  until(lambda: not any(map(is_alive, pids)))
  plan = plan_of(tmp_path, dict.fromkeys(programs, WHOLE))
  until(lambda: states_of(plan) == ["finished", "stopped", "stopped", "waiting"])
  launch(plan)
  assert states_of(plan) == ["finished"] * 4
  assert [said(run) for run in plan.runs] == [
    ["trains", "evaluates"],
    ["saved", "trains", "evaluates"],
    ["saved", "trains", "evaluates"],
    ["trains", "evaluates"],
  ]


def test_what_still_saves_after_a_kill_is_waited_for(tmp_path):
  command = as_a_command(tmp_path, {"one": {**WHOLE, "train": SLOW_TO_SAVE}})
  until(lambda: _pid(tmp_path, "one"))
  os.kill(command.pid, signal.SIGKILL)
  command.join()
  plan = plan_of(tmp_path, {"one": WHOLE})
  assert states_of(plan) == ["running"]
  saves = subprocess.Popen(["sh", "-c", f"sleep 0.3; touch {plan.runs[0].folder}/go"])
  launch(plan)
  saves.wait()
  assert states_of(plan) == ["finished"]
  assert said(plan.runs[0]) == ["saved", "trains", "evaluates"]


def test_runs_of_a_machine_that_is_gone_are_gone_on_with_when_nothing_is_heard_of_it(tmp_path, monkeypatch):
  plan = plan_of(tmp_path, {"one": WHOLE, "by_slurm": WHOLE})
  for run, launcher in zip(plan.runs, ("local", "slurm"), strict=True):
    about = {"config": run.config, "stages": {}, "stage": "train", "host": "of another time", "launcher": launcher}
    (run.folder / STATE).write_text(json.dumps({"state": "running", **about}))
  assert states_of(plan) == ["running"] * 2
  monkeypatch.setattr(states, "_SILENT_SECONDS", 0.5)
  launch(plan)
  assert execution.read_state(plan.runs[0].folder)["state"] == "finished"
  assert execution.read_state(plan.runs[1].folder)["state"] == "running"  # as SLURM may know


@pytest.mark.parametrize("end", ["failed", "finished"])
def test_a_run_that_is_waited_for_and_comes_to_its_own_end_is_not_started_again(tmp_path, end):
  """One that failed only --retry starts again."""
  plan = plan_of(tmp_path, {"one": WHOLE})
  (run,) = plan.runs
  kept = {"config": run.config, "stages": {}, "stage": "train", "host": "another machine", "launcher": "local"}

  def ends_as(state):
    (run.folder / STATE).write_text(json.dumps({"state": state, **kept}))

  ends_as("running")
  assert folders.runs_to_do(plan) == []
  local.launch(plan, [], Settings(), lambda: ends_as(end))
  assert states_of(plan) == [end]
  assert not (run.folder / LOG).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_passed_on_and_no_further_run_is_started(tmp_path, number):
  programs = {name: {"train": WAITS} for name in ("one", "other", "third")}
  command = as_a_command(tmp_path, programs)
  until(lambda: _pid(tmp_path, "one") and _pid(tmp_path, "other"))
  os.kill(command.pid, number)
  command.join()
  assert command.exitcode == 128 + number
  plan = plan_of(tmp_path, programs)
  assert states_of(plan) == ["stopped", "stopped", "waiting"]
  assert said(plan.runs[0]) == ["saved"]


def test_a_second_signal_kills(tmp_path):
  command = as_a_command(tmp_path, {"one": {"train": SLOW_TO_SAVE}})
  pid = until(lambda: _pid(tmp_path, "one"))
  for _ in range(2):
    os.kill(command.pid, signal.SIGINT)
    command.join(0.5)
  command.join()
  assert command.exitcode == 128 + signal.SIGINT
  assert not is_alive(pid)


def test_two_commands_are_never_at_one_sweep(tmp_path):
  plan = plan_of(tmp_path, {"one": WHOLE})
  with locks.alone(plan.folder / LOCK), pytest.raises(FlanJaxError, match="another 'flan-jax sweep' is at it"):
    launch(plan)
  assert states_of(plan) == ["waiting"]


def test_what_a_run_cannot_even_write_down_is_told(tmp_path):
  plan = plan_of(tmp_path, {"one": WHOLE, "other": WHOLE})
  (plan.runs[0].folder / RUN_RECORD).write_text("{")
  with pytest.raises(FlanJaxError, match=r"one \(.*run\.json"):
    launch(plan)
  assert states_of(plan) == ["waiting", "finished"]


GPUS = ["0", "1", "2", "5"]


@pytest.mark.parametrize(
  ("settings", "on_cpu", "gpus", "cores", "expected"),
  [
    ({}, True, [], 3, [((0,), {}), ((1,), {}), ((2,), {})]),
    ({"cores": 2}, True, [], 5, [((0, 1), {}), ((2, 3), {})]),
    ({}, False, GPUS, 8, [((2 * i, 2 * i + 1), {"CUDA_VISIBLE_DEVICES": gpu}) for i, gpu in enumerate(GPUS)]),
    ({"gpus": 3}, False, GPUS, 2, [((0, 1), {"CUDA_VISIBLE_DEVICES": "0,1,2"})]),
    ({}, False, GPUS, 2, [((i,), {"CUDA_VISIBLE_DEVICES": GPUS[i]}) for i in range(2)]),
    ({"gpus": 0}, False, GPUS, 2, [((i,), {"JAX_PLATFORMS": "cpu"}) for i in range(2)]),
    ({}, False, [], 3, [((0, 1, 2), {})]),  # a TPU: one process has all of it
  ],
)
def test_slots_share_out_what_the_machine_has(monkeypatch, settings, on_cpu, gpus, cores, expected):
  monkeypatch.setattr(machine, "cores", lambda: list(range(cores)))
  monkeypatch.setattr(machine, "gpus", lambda: gpus)
  monkeypatch.setattr(machine, "on_cpu", lambda: on_cpu)
  assert local.slots(Settings(**settings)) == expected


def test_more_than_the_machine_has_is_an_error_that_says_what_it_has(monkeypatch):
  with pytest.raises(UsageError, match=rf"--cores 3: .* {len(CORES)}"):
    local.slots(Settings(cores=3))
  with pytest.raises(UsageError, match=r"--gpus 1: .* 0"):
    local.slots(Settings(gpus=1))


def _pid(folder: pathlib.Path, name: str) -> int:
  path = folder / "runs" / name / "there"
  return int(path.read_text() or 0) if path.exists() else 0
