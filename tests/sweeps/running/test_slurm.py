"""Jobs of a real Slurm: what they do to runs, what is shown of them, and that no run has two."""

import json
import os
import signal
import subprocess
import time

import pytest

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.sweeps import folder as folders
from flan_jax.sweeps import planning, preparing
from flan_jax.sweeps.plan import LOG, STATE
from flan_jax.sweeps.running import states
from flan_jax.sweeps.running.launchers import local, slurm, slurm_queue
from flan_jax.sweeps.running.launchers.settings import Settings
from tests.sweeps import slurm_cluster
from tests.sweeps.small_programs import (
  EVALUATES,
  FAILS,
  ROOT,
  TRAINS,
  WAITS,
  die_after_the_last_step,
  plan_of,
  waiting_program,
  write_programs,
)
from tests.sweeps.toy_sweep import toy_sweep

WHOLE = {"train": TRAINS, "evaluate held_out": EVALUATES}


@pytest.fixture(scope="module")
def cluster():
  if why := slurm_cluster.missing():
    pytest.skip(why)
  with slurm_cluster.running() as environment:
    yield environment


@pytest.fixture
def on_cluster(cluster, monkeypatch):
  """The launcher in this process speaks to it, and often."""
  for name, value in {**cluster, "PYTHONPATH": str(ROOT)}.items():
    monkeypatch.setenv(name, value)
  monkeypatch.setattr(slurm, "_ASK_SECONDS", 0.1)
  monkeypatch.setattr(slurm, "_WATCH_SECONDS", 0.1)
  before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where tests run in the background
  yield
  signal.signal(signal.SIGINT, before)


class Watch:
  """What is shown of a plan's runs, each time that it changes; and what happens then.

  Attributes:
    seen: for each run the state of its job and its own by its files.
    acts: what to do with the job's number when a run shows such a pair; once each.
  """

  def __init__(self, plan, acts=None):
    self.plan = plan
    self.seen = {run.name: [] for run in plan.runs}
    self.acts = dict(acts or {})
    self.deadline = time.monotonic() + 300

  def __call__(self, told):
    assert time.monotonic() < self.deadline, (self.seen, told)
    for status in states.statuses(self.plan):
      note = told.get(status.name, "job - done")
      number, shown = note.split()[1:3]
      shown = "lost" if ", but squeue: " in note else shown
      if [(shown, status.state)] != self.seen[status.name][-1:]:
        self.seen[status.name].append((shown, status.state))
      if act := self.acts.pop((status.name, shown, status.state), None):
        act(number)


def slurm_says(*argv):
  return subprocess.check_output(argv, text=True, timeout=60)


def signal_to(number, name):
  """To the job's step: to a whole element of an array Slurm 22.05 sends it too, but then tries again for minutes."""
  job = slurm_says("squeue", "--noheader", f"--jobs={number}", "--format=%A").strip()
  slurm_says("scancel", f"--signal={name}", f"{job}.0")


def ends(plan):
  return {each.name: each.state for each in states.statuses(plan)}


@pytest.mark.usefixtures("on_cluster")
def test_an_array_of_runs_of_which_one_fails(tmp_path):
  plan = plan_of(tmp_path, {"one": WHOLE, "bad": {"train": FAILS}, "other": WHOLE})
  watch = Watch(plan)
  slurm.launch(plan, plan.runs, Settings(), watch)
  assert ends(plan) == {"one": "finished", "bad": "failed", "other": "finished"}
  assert watch.seen["one"][-1] == ("done", "finished")
  assert watch.seen["bad"][-1] == ("failed", "failed")
  jobs = slurm_queue.of_sweep(plan.folder)
  assert len({job.number.split("_")[0] for job in jobs.values()}) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("on_cluster")
def test_what_is_shown_of_a_job_that_waits_runs_is_sent_back_and_is_cancelled(tmp_path):
  """One at a time. The first is told that its time is up, saves, waits in the queue and ends well; the second is
  cancelled as it runs, the third as it waits. The same command goes on with those two."""
  plan = plan_of(tmp_path, {name: {"train": WAITS} for name in ("first", "second", "third")})
  first, second, _ = plan.runs

  def time_is_up(number):
    waiting_program(first)
    signal_to(number, "USR2")

  def cancel(number):
    waiting_program(second)
    slurm_says("scancel", slurm_queue.of_sweep(plan.folder)["third"].number)
    slurm_says("scancel", number)

  acts = {
    ("first", "on", "running"): time_is_up,
    ("first", "pending", "stopped"): lambda number: write_programs(first, WHOLE),
    ("second", "on", "running"): cancel,
  }
  watch = Watch(plan, acts)
  lost = r"2 of 3 runs did not come to an end \(second: job \d+_1 cancelled, third: job \d+_2 cancelled\)"
  with pytest.raises(FlanJaxError, match=lost):
    slurm.launch(plan, plan.runs, Settings(array_parallelism=1), watch)
  assert not watch.acts
  assert "saved" in (first.folder / LOG).read_text()
  assert ends(plan) == {"first": "finished", "second": "stopped", "third": "waiting"}
  for run in plan.runs:
    write_programs(run, WHOLE)
  slurm.launch(plan, plan.runs[1:], Settings(), watch)
  assert set(ends(plan).values()) == {"finished"}


@pytest.mark.slow
@pytest.mark.usefixtures("on_cluster")
def test_a_job_that_makes_room_for_another_saves_and_goes_on(tmp_path):
  """Slurm takes its node from it and puts it back into the queue, as preemption and `scontrol requeue` do."""
  plan = plan_of(tmp_path, {"one": {"train": WAITS}})
  (run,) = plan.runs

  def preempt(number):
    waiting_program(run)
    slurm_says("scontrol", "requeue", number)

  acts = {("one", "on", "running"): preempt, ("one", "pending", "stopped"): lambda number: write_programs(run, WHOLE)}
  watch = Watch(plan, acts)
  slurm.launch(plan, plan.runs, Settings(), watch)
  assert not watch.acts
  assert ends(plan) == {"one": "finished"}
  lines = (run.folder / LOG).read_text().splitlines()
  assert [line for line in lines if not line.startswith("--- ")] == ["saved", "trains", "evaluates"]


@pytest.mark.usefixtures("on_cluster")
def test_jobs_outlive_the_command_and_the_same_command_finds_them(tmp_path, capsys, monkeypatch):
  plan = plan_of(tmp_path, {"one": {"train": WAITS}, "other": {"train": WAITS}})
  wanted = Settings(array_parallelism=1)
  ctrl_c = {("one", "on", "running"): lambda number: os.kill(os.getpid(), signal.SIGINT)}
  with pytest.raises(KeyboardInterrupt):
    slurm.launch(plan, plan.runs, wanted, Watch(plan, ctrl_c))
  assert "The jobs go on. The same command watches them again; scancel --name=made_up-" in capsys.readouterr().err

  def lose_slurm(number):
    (tmp_path / "empty.conf").touch()
    monkeypatch.setenv("SLURM_CONF", str(tmp_path / "empty.conf"))

  def find_slurm_again(number):
    monkeypatch.setenv("SLURM_CONF", found)
    write_programs(plan.runs[1], WHOLE)
    os.kill(waiting_program(plan.runs[0]), signal.SIGTERM)

  found = os.environ["SLURM_CONF"]
  acts = {("one", "on", "running"): lose_slurm, ("one", "lost", "running"): find_slurm_again}
  watch = Watch(plan, acts)
  with pytest.raises(FlanJaxError, match=r"1 of 2 runs did not come to an end \(one: job \d+_0 failed"):
    slurm.launch(plan, plan.runs[1:], wanted, watch)  # of which only one is not at work
  assert "2 runs are in the queue already: one (job " in capsys.readouterr().err
  assert ends(plan) == {"one": "stopped", "other": "finished"}
  assert len(list((plan.folder / slurm_queue.FOLDER).iterdir())) == 1


@pytest.mark.usefixtures("on_cluster")
@pytest.mark.parametrize(
  ("wanted", "told"),
  [({"partition": "nowhere"}, "sbatch refused the jobs: .*partition"), ({"slurm": ("qos",)}, "must be NAME=VALUE")],
)
def test_what_slurm_or_we_refuse_is_an_error_and_leaves_nothing(tmp_path, wanted, told):
  plan = plan_of(tmp_path, {"one": WHOLE})
  with pytest.raises(FlanJaxError, match=told):
    slurm.launch(plan, plan.runs, Settings(**wanted), Watch(plan))
  assert slurm_queue.of_sweep(plan.folder) == {}
  assert not list((plan.folder / slurm_queue.FOLDER).glob("*"))


def test_where_there_is_no_slurm_it_is_said(tmp_path, monkeypatch):
  plan = plan_of(tmp_path, {"one": WHOLE})
  monkeypatch.setenv("PATH", str(tmp_path))
  with pytest.raises(FlanJaxError, match="no sbatch here"):
    slurm.launch(plan, plan.runs, Settings(), Watch(plan))
  assert ends(plan) == {"one": "waiting"}


def test_times_are_sbatch_s():
  told = {"90": 90, "1:30": 2, "12:00:00": 720, "2-12": 3600, "2-12:30": 3630, "1-00:00:30": 1441}
  assert {time: slurm.minutes(time) for time in told} == told
  for wrong in ("a day", "1-", "1:2:3:4", "", "0"):
    with pytest.raises(UsageError, match=r"as sbatch takes it|must be above 0"):
      slurm.minutes(wrong)


@pytest.mark.slow
@pytest.mark.usefixtures("on_cluster")
def test_two_launchers_at_once_do_no_run_twice(tmp_path):
  """Slurm does one at a time; this machine does those that wait there, whose jobs then find nothing to do."""
  when_told = "import os, time\nwhile not os.path.exists('{folder}/go'):\n  time.sleep(0.05)\n"
  plan = plan_of(tmp_path, {"one": {**WHOLE, "train": when_told + TRAINS}, "other": WHOLE, "third": WHOLE})
  here = []

  def do_the_others(number):
    here.extend(run.name for run in folders.runs_to_do(plan))
    local.launch(plan, folders.runs_to_do(plan), Settings(), lambda: None)
    assert ends(plan) == {"one": "running", "other": "finished", "third": "finished"}
    (plan.runs[0].folder / "go").touch()

  watch = Watch(plan, {("one", "on", "running"): do_the_others})
  slurm.launch(plan, plan.runs, Settings(array_parallelism=1), watch)
  assert here == ["other", "third"]
  assert set(ends(plan).values()) == {"finished"}
  for run in plan.runs:
    lines = (run.folder / LOG).read_text().splitlines()
    assert [line for line in lines if not line.startswith("--- ")] == ["trains", "evaluates"]


@pytest.mark.usefixtures("on_cluster")
def test_a_run_of_two_nodes_that_died_after_its_last_step_is_only_evaluated(tmp_path):
  """By neither of them is it trained again, for which one would wait for the other."""
  plan = plan_of(tmp_path, {"one": {**WHOLE, "train": WAITS}})
  (run,) = plan.runs
  die_after_the_last_step(run)
  slurm.launch(plan, plan.runs, Settings(nodes=2), Watch(plan))
  assert ends(plan) == {"one": "finished"}
  assert not (run.folder / "there").exists()


@pytest.mark.usefixtures("on_cluster")
def test_a_run_that_was_killed_on_another_node_is_told_and_gone_on_with_at_once(tmp_path):
  """For a minute or two its files look as if somebody were at it still."""
  plan = plan_of(tmp_path, {"one": WHOLE})
  (run,) = plan.runs
  kept = {"state": "running", "config": run.config, "stage": "train", "stages": {}, "host": "killed"}
  (run.folder / STATE).write_text(json.dumps({**kept, "launcher": "slurm"}))
  assert folders.runs_to_do(plan) == []
  with pytest.raises(FlanJaxError, match=r"1 of 1 runs did not come to an end \(one: Slurm knows no job"):
    slurm._check_ends(plan.runs, {})
  slurm.launch(plan, [], Settings(), Watch(plan))
  assert ends(plan) == {"one": "finished"}


@pytest.mark.slow
@pytest.mark.usefixtures("on_cluster")
def test_a_real_run_on_two_nodes_is_one_run(tmp_path, monkeypatch):
  """Its processes meet by what Slurm says of them, train together, and the first one evaluates."""
  for name in ("XLA_FLAGS", "PJRT_NPROC"):  # this process's eight devices
    monkeypatch.delenv(name)
  small = ("tasks/Axis.values = [2]", "cot/Axis.values = [True]", "seed/Axis.values = [0]", "TRAIN_STEPS = 4")
  options = {"store_dir": str(tmp_path / "store")}
  plan = planning.load(toy_sweep(tmp_path, *small), folder=tmp_path / "D", quick=False, options=options, bindings=())
  plan = preparing.made_ready(plan)
  slurm.launch(plan, plan.runs, Settings(nodes=2), Watch(plan))
  (done,) = states.statuses(plan)
  assert (done.state, done.step) == ("finished", 4)
  assert "Rank 1 is connected to 1 peer" in (plan.runs[0].folder / LOG).with_suffix(".1.txt").read_text()
