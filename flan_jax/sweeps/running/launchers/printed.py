"""`--launcher print`: the commands of each run as a shell script, for whatever starts them."""

import shlex
from collections.abc import Callable, Iterator, Sequence

from flan_jax.sweeps import commands
from flan_jax.sweeps.plan import Plan, PlannedRun
from flan_jax.sweeps.preparing import distinct
from flan_jax.sweeps.running.launchers.settings import Settings


def launch(plan: Plan, runs: Sequence[PlannedRun], settings: Settings, watch: Callable[[], object]) -> None:
  """Prints first what prepares the stores, then a line a run, to be started in any order, at the same time too,
  wherever the folders are mounted.

  A line executes all commands of its run, which stand above it; started again it goes on where it was stopped. The
  same sweep command prints what is left to do.
  """
  del settings, watch
  print("\n".join(_script(plan, runs)))


def _script(plan: Plan, runs: Sequence[PlannedRun]) -> Iterator[str]:
  yield f"# {plan.sweep.name}: {len(runs)} of {len(plan.runs)} runs are to be done"
  if runs:
    yield ""
    yield "# What they train on, once: one after the other, before the first run"
    yield from (shlex.join(commands.preparation(training).argv) for training in distinct(runs))
  for run in runs:
    yield ""
    yield f"# {run.name}"
    yield from (f"#   {shlex.join(command.argv)}" for command in commands.of_run(run, plan.sweep.evaluations))
    yield shlex.join(["python", "-m", "flan_jax.sweeps.running.execution", str(run.folder)])
