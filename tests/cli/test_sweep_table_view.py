"""`flan-jax sweep --table`: a line a run, whatever became of it."""

import json

import pytest

from flan_jax.cli import sweep_table_view
from flan_jax.sweeps.results import collecting, table
from flan_jax.sweeps.running import execution
from tests.sweeps.small_programs import EVALUATES, FAILS, TRAINS, plan_of


@pytest.fixture
def plan(tmp_path):
  programs = {
    "done": {"train": TRAINS, "evaluate held_out": EVALUATES},
    "broken": {"train": FAILS},
    "todo": {"train": TRAINS},
  }
  plan = plan_of(tmp_path, programs)
  for run in plan.runs[:2]:
    execution.execute(run.folder)
  return plan


def test_a_pipe_gets_a_line_a_run_with_tabs(plan, capsys):
  sweep_table_view.show(plan, collecting.write(plan))
  head, *lines, about, failed = capsys.readouterr().out.splitlines()
  assert head.split("\t") == ["run", "seed", "state", "steps", "loss", "score", "time"]
  runs = [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
  assert [(run["run"], run["state"], run["steps"], run["loss"], run["score"]) for run in runs] == [
    ("done", "finished", "4 of 4", "1.000", "25.0% [10.0, 50.0]"),
    ("broken", "failed", "0 of 4", "", ""),
    ("todo", "waiting", "0 of 4", "", ""),
  ]
  assert str(plan.folder / table.CSV) in about
  assert failed.startswith("failed: broken.")
  assert table.read(plan.folder).num_rows > len(runs)


def test_json_has_the_numbers(plan, capsys):
  sweep_table_view.show(plan, collecting.write(plan), as_json=True)
  found = json.loads(capsys.readouterr().out)
  assert found["score"] == plan.sweep.score
  assert [run["axes"] for run in found["runs"]] == [{"seed": 0}, {"seed": 1}, {"seed": 2}]
  assert [run["score"] for run in found["runs"]] == [
    {"value": 0.25, "low": 0.1, "high": 0.5, "n": 20, "split": "held_out"},
    None,
    None,
  ]


def test_a_score_of_tasks_that_were_trained_on_says_so(plan, capsys):
  path = plan.runs[0].folder / "evaluations" / "held_out" / "results.json"
  content = json.loads(path.read_text())
  content["averages"] = [each for each in content["averages"] if each["split"] == "seen"]
  path.write_text(json.dumps(content))
  sweep_table_view.show(plan, collecting.write(plan))
  assert "\t75.0% [50.0, 90.0] seen\t" in capsys.readouterr().out
