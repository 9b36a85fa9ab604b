"""The table of a sweep from its runs' folders, as they are now."""

import sys
from typing import Any

import pyarrow as pa

from flan_jax.errors import FlanJaxError
from flan_jax.sweeps.plan import Plan, PlannedRun
from flan_jax.sweeps.results import run_facts, scores, table, training_log
from flan_jax.sweeps.running import states


def write(plan: Plan) -> pa.Table:
  """Collects the table and writes it into the sweep's folder: table.parquet and table.csv."""
  collected = collect(plan)
  table.save(collected, plan.folder)
  return collected


def collect(plan: Plan) -> pa.Table:
  """The table of a sweep as its runs' folders are now.

  A run of which nothing was observed yet has one row without an observation. What cannot be read (damaged results) is
  said on stderr and left out.
  """
  rows = [row for run in plan.runs for row in _rows_of(plan, run)]
  return table.from_rows(rows, {axis.name: axis.values for axis in plan.sweep.axes})


def _rows_of(plan: Plan, run: PlannedRun) -> list[dict[str, Any]]:
  log = training_log.read(run.folder)
  described = {
    "sweep": plan.sweep.name,
    "score": plan.sweep.score,
    "run": run.name,
    "state": states.state_of(run),
    **{f"axis.{name}": value for name, value in run.axes.items()},
    **run_facts.facts(run, log),
  }
  observed = [
    {"quantity": quantity, "step": step, "value": value}
    for quantity in training_log.CURVES
    for step, value in training_log.curve(log, quantity)
  ]
  step = run_facts.step_of(run)
  rungs = {name: rung for rung, name in enumerate(plan.sweep.ladder, start=1)}
  for evaluation in plan.sweep.evaluations:
    try:
      found = scores.observations(run, evaluation.name, step)
      observed += [{**each, "rung": rungs.get(evaluation.name)} for each in found]
    except FlanJaxError as error:
      print(f"left out of the table: {error}", file=sys.stderr)
  return [{**described, **each} for each in observed or [{}]]
