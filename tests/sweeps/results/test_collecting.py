"""Laws of a sweep's table as it is collected: each run is in it, however far it came, with all that is known of it."""

import dataclasses
import json

import pyarrow.compute as pc
import pytest

from flan_jax.sweeps.plan import EVALUATIONS, Plan
from flan_jax.sweeps.results import collecting, columns
from flan_jax.sweeps.results import table as tables
from flan_jax.sweeps.results.headline import headline
from flan_jax.sweeps.running import execution
from flan_jax.sweeps.sweep import Axis
from tests.sweeps.small_programs import EVALUATES, FAILS, STEPS, TRAINS, plan_of


@pytest.fixture(scope="module")
def plan(tmp_path_factory) -> Plan:
  """One run that is finished, one of which the evaluation fails, one that has not begun."""
  programs = {
    "done": {"train": TRAINS, "evaluate held_out": EVALUATES},
    "half": {"train": TRAINS, "evaluate held_out": FAILS},
    "todo": {"train": TRAINS},
  }
  plan = plan_of(tmp_path_factory.mktemp("sweep"), programs)
  for run in plan.runs[:2]:
    execution.execute(run.folder)
  return plan


def rows_of(table, run: str) -> list[dict]:
  return table.filter(pc.equal(table["run"], run)).to_pylist()


def test_every_run_is_there_with_its_state(plan):
  table = collecting.collect(plan)
  assert {row["run"]: row["state"] for row in table.to_pylist()} == {
    "done": "finished",
    "half": "failed",
    "todo": "waiting",
  }
  assert {row["run"]: row["axis.seed"] for row in table.to_pylist()} == {"done": 0, "half": 1, "todo": 2}
  assert set(table.column_names) == {*columns.RUN, "axis.seed", *columns.OBSERVATION}


def test_what_was_observed_is_there(plan):
  table = collecting.collect(plan)
  assert [row["quantity"] for row in rows_of(table, "todo")] == [None]
  curve = [(row["step"], row["value"]) for row in rows_of(table, "half")]
  assert curve == [(step, 3.0 - step / 2) for step in range(1, STEPS + 1)]
  whole = [row for row in rows_of(table, "done") if (row["split"], row["cluster"], row["task"]) == ("held_out", "", "")]
  shown = headline(plan.runs[0].folder, plan.sweep.score)
  assert [(row["value"], row["n"], row["evaluation"], row["variant"]) for row in whole] == [
    (shown.value, shown.n, *plan.sweep.score.split("/"))
  ]


def test_scores_say_which_rung_of_the_ladder_they_are(plan):
  def rungs(of: Plan) -> set:
    return {row["rung"] for row in rows_of(collecting.collect(of), "done") if row["quantity"] == "score"}

  further = dataclasses.replace(plan.sweep.evaluations[0], name="further")
  ladder = {"evaluations": [further, *plan.sweep.evaluations], "ladder": ["further", "held_out"]}
  assert rungs(plan) == {None}
  assert rungs(dataclasses.replace(plan, sweep=dataclasses.replace(plan.sweep, **ladder))) == {2}


def test_columns_of_a_run_are_the_same_in_all_its_rows(plan):
  table = collecting.collect(plan)
  of_runs = table.select(["run", "axis.seed", *(name for name in columns.RUN if name != "run")])
  assert of_runs.group_by(of_runs.column_names).aggregate([]).num_rows == len(plan.runs)


def test_the_files_hold_what_was_collected(plan):
  assert collecting.write(plan).equals(tables.read(plan.folder))
  assert (plan.folder / tables.CSV).read_text().count("\n") == 1 + tables.read(plan.folder).num_rows


def test_what_is_damaged_is_said_and_left_out(plan, capsys):
  path = plan.runs[0].folder / EVALUATIONS / "held_out" / "results.json"
  whole = path.read_text()
  path.write_text(json.dumps({"something": "else"}))
  found = rows_of(collecting.collect(plan), "done")
  path.write_text(whole)
  assert {row["quantity"] for row in found} == {"loss"}
  assert str(path) in capsys.readouterr().err


def test_an_axis_without_a_value_is_null(plan):
  axes = [Axis(name="seed", values=[0]), Axis(name="cot", values=[True, False])]
  sweep = dataclasses.replace(plan.sweep, axes=axes)
  runs = (dataclasses.replace(plan.runs[0], axes={"seed": None, "cot": True}, tuned=False),)
  table = collecting.collect(dataclasses.replace(plan, sweep=sweep, runs=runs))
  assert set(table["axis.seed"].to_pylist()) == {None}
  assert set(table["axis.cot"].to_pylist()) == {True}
  assert set(table["tasks"].to_pylist()) == {0}
