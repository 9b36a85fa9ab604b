"""The table shows every run as its files say; a pipe gets a line where something changed, and not two of the same."""

import pytest
import rich.console

from flan_jax.sweeps.running import execution, live, states
from flan_jax.sweeps.running.states import Status
from tests.sweeps.small_programs import EVALUATES, FAILS, TRAINS, plan_of


def status(name, state, **more):
  nothing = {"stage": "", "step": None, "steps": 100, "loss": None, "score": None, "seconds": 0.0}
  return Status(**{"name": name, "state": state, **nothing, "seconds_left": None, "last_lines": (), **more})


FOUND = [
  status("done", "finished", stage="evaluate held_out", step=100, loss=0.5, score=0.314, seconds=100.0),
  status("broken", "failed", stage="train", last_lines=("no room", "for the matrix")),
  status("at_it", "running", stage="train", step=60, loss=1.25, seconds=50.0, seconds_left=40.0),
  status("killed", "stopped", stage="train", step=60, loss=1.25),
  *(status(f"todo_{i}", "waiting") for i in range(20)),
]


def drawn(found, rows, **notes):
  console = rich.console.Console(width=100, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
  console.print(live.drawn("A title", found, notes, rows))
  return console.export_text().splitlines()


def test_a_row_a_run_with_all_that_is_known():
  lines = drawn(FOUND, 30, todo_0="PENDING (Resources)")
  assert lines[0].startswith("A title")
  row = {line.split()[0]: line.split()[1:] for line in lines if line.strip()}
  assert row["done"] == ["finished", "100", "of", "100", "0.5000", "31.4%"]
  assert row["at_it"] == ["running", "train", "60", "of", "100", "1.2500", "40", "s"]
  assert row["todo_0"] == ["waiting", "PENDING", "(Resources)"]


def test_where_there_is_no_room_for_all_the_others_are_counted():
  lines = drawn(FOUND, 4)
  shown = [line.split()[0] for line in lines if line.split() and line.split()[0] in {each.name for each in FOUND}]
  assert shown == ["broken", "at_it", "killed", "todo_0"]
  assert "not shown: 1 finished, 19 waiting" in lines


def test_the_summary_counts_and_estimates():
  # One runs: it has 40 s, and then one after the other 20 are to be done of 95 s each, as (100 + 90) / 2.
  assert live.summary(FOUND) == ("1 of 24 runs finished, 1 running, 1 failed, 1 stopped, 20 waiting; about 32 min left")
  assert live.summary(FOUND[:1]) == "1 of 1 runs finished"
  # None is finished: as long as the one that runs will have taken.
  assert live.summary(FOUND[2:3] * 2 + FOUND[-1:]).endswith("about 85 s left")


def test_untuned_runs_tell_nothing_of_those_that_train():
  untuned = status("untuned", "finished", steps=0, seconds=10.0)
  assert live.summary([untuned] * 9 + FOUND[2:3] * 2 + FOUND[-1:]).endswith("about 85 s left")
  unmeasured = status("new", "running", stage="train")
  assert "left" not in live.summary([untuned, unmeasured, FOUND[-1]])


def test_failures_are_told_with_their_last_lines():
  assert live.failures(FOUND) == ["broken: failed (train)\n  no room\n  for the matrix"]


@pytest.mark.filterwarnings("ignore:os.fork")
def test_a_pipe_gets_a_line_a_change(tmp_path, capfd, monkeypatch):
  monkeypatch.setattr(live, "_SECONDS", 0.0)
  plan = plan_of(tmp_path, {"one": {"train": TRAINS, "evaluate held_out": EVALUATES}, "other": {"train": FAILS}})
  with live.watching(plan) as watch:
    watch()
    watch({"one": "PENDING"})
    watch({"one": "PENDING"})
    for run in plan.runs:
      execution.execute(run.folder)
      watch({"one": "COMPLETING"})  # of a run at its end there is no more to say
      watch()
  lines = capfd.readouterr().err.splitlines()
  assert lines[0] == "0 of 2 runs finished, 2 waiting"
  assert lines[1:4] == ["one: waiting: PENDING", "one: finished, score 25.0%, 0 s", "other: failed (train)"]
  assert "  no room for the matrix" in lines
  assert len(lines) == 4 + len(states.statuses(plan)[1].last_lines)


def test_who_comes_back_to_a_sweep_is_told_how_it_stands_in_one_line(tmp_path, capfd):
  plan = plan_of(tmp_path, {"one": {"train": TRAINS}, "other": {"train": FAILS}})
  for run in plan.runs:
    execution.execute(run.folder)
  with pytest.raises(KeyboardInterrupt), live.watching(plan):
    raise KeyboardInterrupt
  assert capfd.readouterr().err == "1 of 2 runs finished, 1 failed\n"
