"""What the sweeps of gin_configs/sweeps resolve to, as committed text.

`python -m tests.sweeps.golden_sweeps --write` makes it anew.

A file a sweep: all settings of its first tuned run, and of each run what differs from that, with its commands.
"""

import pathlib
import shlex

from flan_jax import configuration
from flan_jax.sweeps import commands, planning
from flan_jax.sweeps.plan import Plan, PlannedRun
from tests.golden_configs import written_or_told

FOLDER = pathlib.Path(__file__).parent / "golden_sweeps"
NAMES = tuple(configuration.config_names("sweeps"))


def resolved(name: str) -> Plan:
  """A preset's plan, wherever data, stores and its folder may lie."""
  return planning.load(name, folder=pathlib.Path("/SWEEP"), options={"data_dir": "/DATA", "store_dir": "/STORES"})


def golden(name: str) -> str:
  """The text of a sweep."""
  plan = resolved(name)
  first = next(run for run in plan.runs if run.tuned)
  base = configuration.gin_text(first.training)
  about = f"# {name}: {plan.sweep.title}\n# score {plan.sweep.score}, budget {plan.sweep.budget}"
  return "\n".join([about, "", f"# {first.name}", base, *(_of_run(plan, run, base) for run in plan.runs)])


def _of_run(plan: Plan, run: PlannedRun, base: str) -> str:
  axes = ", ".join(f"{name} = {value!r}" for name, value in run.axes.items())
  changed = [line for line in configuration.gin_text(run.training).splitlines() if line not in base.splitlines()]
  argvs = [shlex.join(command.argv) for command in commands.of_run(run, plan.sweep.evaluations)]
  return "\n".join([f"# {axes}: {run.config}", *changed, *(f"#   {argv}" for argv in argvs), ""])


if __name__ == "__main__":
  written_or_told({FOLDER / f"{name}.gin": golden(name) for name in NAMES})
