"""`flan-jax sweep --table`: a line a run; the table itself has a row an observation."""

import json
from typing import Any

import click
import pyarrow as pa
from rich.markup import escape

from flan_jax import terminal
from flan_jax.cli import listings
from flan_jax.errors import first_of
from flan_jax.sweeps.plan import Plan
from flan_jax.sweeps.results import table
from flan_jax.sweeps.results.headline import headline
from flan_jax.sweeps.running import states
from flan_jax.sweeps.running.live import duration

# What a terminal has room for besides the axes, which make up the names of the runs.
_ON_TERMINAL = ("state", "steps", "loss", "score", "time")


def show(plan: Plan, written: pa.Table, as_json: bool = False) -> None:
  """Prints the runs: a table on a terminal, tabs in a pipe, or JSON.

  Args:
    written: what `collecting.write` wrote.
  """
  found = content(plan)
  if as_json:
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    return
  axes = [axis.name for axis in plan.sweep.axes]
  listings.show_table([_line(run, axes) for run in found["runs"]], (*axes, *_ON_TERMINAL))
  console = terminal.console()
  told = f"score: {plan.sweep.score}, with its 95% interval. All scores and curves ({written.num_rows:,} rows) are in"
  console.print(f"[dim]{escape(told)}[/] {escape(str(plan.folder / table.CSV))} [dim]and {table.PARQUET}[/]")
  if failed := [run["run"] for run in found["runs"] if run["state"] == "failed"]:
    console.print(f"[red]failed[/]: {escape(first_of(failed))}. Each says why in its log.txt; --retry runs it again")


def content(plan: Plan) -> dict[str, Any]:
  """Plain JSON values: {'sweep', 'score', 'folder', 'runs': a line a run}; None for what is not known (yet)."""
  runs = []
  for run, status in zip(plan.runs, states.statuses(plan), strict=True):
    score = headline(run.folder, plan.sweep.score, run.fresh)
    runs.append(
      {
        "run": run.name,
        "axes": dict(run.axes),
        "tuned": run.tuned,
        "state": status.state,
        "step": status.step,
        "train_steps": status.steps,
        "loss": status.loss,
        "score": score and score._asdict(),
        "seconds": status.seconds,
      }
    )
  return {"sweep": plan.sweep.name, "score": plan.sweep.score, "folder": str(plan.folder), "runs": runs}


def _line(run: dict[str, Any], axes: list[str]) -> dict[str, Any]:
  """As people read it. An axis that changes nothing in an untuned run has no value there."""
  values = {name: "" if run["axes"][name] is None else run["axes"][name] for name in axes}
  score = run["score"]
  return {
    "run": run["run"],
    **{name: str(value) if isinstance(value, float) else value for name, value in values.items()},
    "state": run["state"],
    "steps": f"{run['step'] or 0:,} of {run['train_steps']:,}" if run["tuned"] else "untuned",
    "loss": "" if run["loss"] is None else f"{run['loss']:.3f}",
    "score": "" if score is None else _percent(score),
    "time": duration(run["seconds"]) if run["seconds"] else "",
  }


def _percent(score: dict[str, Any]) -> str:
  """With a word where it is not of held-out tasks, since the run was trained on all: others' figures are no match."""
  interval = "" if score["low"] is None else f" [{100 * score['low']:.1f}, {100 * score['high']:.1f}]"
  return f"{100 * score['value']:.1f}%{interval}{' seen' if score['split'] == 'seen' else ''}"
