"""A sweep's folder: what it is, in sweep.json, and of each run its settings and its commands.

    sweep.json                     name, axes, evaluations, ..., and the runs with the hashes of their settings
    runs/tasks-9_seed-0/run.gin    what `flan-jax train --gin_file` takes
    runs/tasks-9_seed-0/run.json   its commands, for whoever executes it

The folder belongs to one sweep: runs may be added to it, and those that it has stay as they are.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from flan_jax import configuration
from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError, UsageError, first_of
from flan_jax.sweeps import commands
from flan_jax.sweeps.plan import RECORD, RUN_CONFIG, RUN_RECORD, RUNS, Plan, PlannedRun
from flan_jax.sweeps.running import execution
from flan_jax.sweeps.sweep import Axis, EqualExamples, EqualSteps, Evaluation, Sweep

_BUDGETS = {kind.__name__: kind for kind in (EqualSteps, EqualExamples)}


def write(plan: Plan) -> None:
  """Writes sweep.json, and run.gin and run.json of each run; what stands there already and is the same is left alone.

  Raises:
    UsageError: the folder has another sweep, or this one with other settings.
    FlanJaxError: a run's folder has been trained with other settings.
  """
  if (plan.folder / RECORD).exists():
    _refuse_others(plan, _record(plan.folder))
  for run in plan.runs:
    execution.check_settings(run.folder, run.config)
  for run in plan.runs:
    _write(run.folder / RUN_CONFIG, configuration.gin_text(run.training))
    _write(run.folder / RUN_RECORD, _json(_of_run(plan, run)))
  _write(plan.folder / RECORD, _json(_of_plan(plan)))


def read(folder: pathlib.Path) -> Plan:
  """The plan of a sweep's folder as it stands there, without its gin file; the folder may have been moved.

  Raises:
    UsageError: it is no sweep's folder.
    FlanJaxError: what a run says of itself is not to be read.
  """
  folder = folder.expanduser().absolute()
  record = _record(folder)
  runs = tuple(_read_run(folder / RUNS / each["name"]) for each in record["runs"])
  return Plan(_sweep(record), folder, runs, tuple(record["gin"]))


def runs_to_do(plan: Plan, retry: bool = False) -> list[PlannedRun]:
  """Those that are neither finished nor at work, in the plan's order.

  Args:
    retry: whether those that failed are among them.
  """
  from flan_jax.sweeps.running import states

  done = ("finished", "running") if retry else ("finished", "running", "failed")
  return [run for run in plan.runs if states.state_of(run) not in done]


def _of_plan(plan: Plan) -> dict[str, Any]:
  return {
    **dataclasses.asdict(plan.sweep),
    "budget": {"kind": type(plan.sweep.budget).__name__, **dataclasses.asdict(plan.sweep.budget)},
    "gin": plan.lines,
    "runs": [{"name": run.name, "axes": run.axes, "tuned": run.tuned, "config": run.config} for run in plan.runs],
  }


def _of_run(plan: Plan, run: PlannedRun) -> dict[str, Any]:
  return {
    "name": run.name,
    "axes": run.axes,
    "config": run.config,
    "tuned": run.tuned,
    "train_steps": run.training.train_steps,
    "checkpoint": run.checkpoint,
    "commands": [dataclasses.asdict(each) for each in commands.of_run(run, plan.sweep.evaluations)],
  }


def _read_run(folder: pathlib.Path) -> PlannedRun:
  record = _json_of(folder / RUN_RECORD)
  try:
    text = (folder / RUN_CONFIG).read_text(encoding="utf-8")
  except OSError as error:
    raise FlanJaxError(f"{folder / RUN_CONFIG}: {error.strerror}; the sweep's own command writes it again") from error
  configuration.parse(text.splitlines())
  training = dataclasses.replace(configuration.build(), model_dir=str(folder))
  return PlannedRun(record["name"], record["axes"], training, record["tuned"])


def _sweep(record: Mapping[str, Any]) -> Sweep:
  budget = dict(record["budget"])
  # What a sweep's folder of before does not say yet is as where nothing is said.
  fields = {field.name: record[field.name] for field in dataclasses.fields(Sweep) if field.name in record}
  return Sweep(
    **{
      **fields,
      "axes": [Axis(**axis) for axis in record["axes"]],
      "evaluations": [Evaluation(**evaluation) for evaluation in record["evaluations"]],
      "budget": _BUDGETS[budget.pop("kind")](**budget),
    }
  )


def _record(folder: pathlib.Path) -> dict[str, Any]:
  if not (folder / RECORD).exists():
    raise UsageError(f"{folder} is no sweep's folder: it has no {RECORD}")
  return _json_of(folder / RECORD)


def _json_of(path: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads(path.read_text(encoding="utf-8"))
  except OSError as error:
    raise FlanJaxError(f"{path}: {error.strerror}; the sweep's own command writes it again") from error
  except ValueError as error:
    raise FlanJaxError(
      f"{path} is no JSON ({error}); remove it, and the sweep's own command writes it again"
    ) from error


# --- another sweep's folder ---


def _refuse_others(plan: Plan, before: Mapping[str, Any]) -> None:
  """Runs may be added to a folder; to change those that it has would make a table of unlike ones."""
  now = json.loads(_json(_of_plan(plan)))
  what = f"{plan.folder} has the sweep {before['name']}"
  advice = "Take another --model_dir, or remove it"
  if before["name"] != now["name"]:
    raise UsageError(f"{what}, this is {now['name']}. {advice}")
  if before["evaluations"] != now["evaluations"]:
    raise UsageError(f"{what} with other evaluations: {_different(before, now, 'evaluations')}. {advice}")
  ours = {run.name: run for run in plan.runs}
  if gone := [run["name"] for run in before["runs"] if run["name"] not in ours]:
    raise UsageError(
      f"{what} with runs that are none of this one's: {first_of(gone)}. Runs can be added to it, not left out. {advice}"
    )
  for run in before["runs"]:
    if run["config"] != ours[run["name"]].config:
      raise UsageError(f"{what} with other settings: in run {run['name']} {_changed(ours[run['name']])}. {advice}")


def _different(before: Mapping[str, Any], now: Mapping[str, Any], key: str) -> str:
  known = {each["name"]: each for each in before[key]}
  found = {each["name"]: each for each in now[key]}
  told = [f"{name} is new" for name in found if name not in known]
  told += [f"{name} is gone" for name in known if name not in found]
  told += [
    f"{name}.{field} was {known[name].get(field)!r}, is {value!r}"
    for name in found
    if name in known
    for field, value in found[name].items()
    if known[name].get(field) != value
  ]
  return first_of(told) or "another order"


def _changed(run: PlannedRun) -> str:
  """What differs between the settings that a run's folder has and those of the plan."""
  path = run.folder / RUN_CONFIG
  before = _bindings(path.read_text(encoding="utf-8").splitlines()) if path.exists() else {}
  now = _bindings(configuration.gin_text(run.training).splitlines())
  told = [
    f"{name} was {before.get(name, 'not there')}, is {now.get(name, 'not there')}"
    for name in dict.fromkeys([*before, *now])
    if before.get(name) != now.get(name)
  ]
  return first_of(told) or "nothing that is written in run.gin"


def _bindings(lines: Sequence[str]) -> dict[str, str]:
  return {name: value for name, equals, value in (line.partition(" = ") for line in lines) if equals}


def _write(path: pathlib.Path, text: str) -> None:
  if not path.exists() or path.read_text(encoding="utf-8") != text:
    write_atomically(path, text.encode())


def _json(content: Mapping[str, Any]) -> str:
  return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
