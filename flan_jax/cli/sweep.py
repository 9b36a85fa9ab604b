"""`flan-jax sweep`: a grid of runs, planned, executed, and as a table."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flan_jax.cli.option_groups import Grouped

if TYPE_CHECKING:
  from flan_jax.sweeps.plan import Plan

# By the name on the command line the module whose `launch` starts runs.
LAUNCHERS = {
  "local": "flan_jax.sweeps.launchers.local",
  "slurm": "flan_jax.sweeps.launchers.slurm",
  "print": "flan_jax.sweeps.launchers.printed",
}
_OF_RUNS = ("data_dir", "store_dir", "missing", "initial_checkpoint")
_GROUPS = {
  "Where and how": ("model_dir", "launcher", "quick", "retry"),
  "Settings of all runs (and --gin.NAME=value)": (*_OF_RUNS, "gin_search_paths"),
}


@click.command("sweep", cls=Grouped, groups=_GROUPS)
@click.argument("sweep")
@click.option(
  "--model_dir",
  type=click.Path(path_type=Path),
  metavar="DIR",
  help="Folder of the sweep, with a folder for each run (default: runs/sweeps/NAME, with --quick NAME_quick).",
)
@click.option(
  "--launcher",
  type=click.Choice(list(LAUNCHERS)),
  default="local",
  show_default=True,
  help="What starts runs: this machine, SLURM, or you, with the commands printed.",
)
@click.option("--quick", is_flag=True, help="A small version of the sweep, to see in minutes that all of it works.")
@click.option("--retry", is_flag=True, help="Start failed runs again.")
@click.option("--data_dir", metavar="DIR", help="Folder of the collections' files.")
@click.option("--store_dir", metavar="DIR", help="Where prepared tasks are kept.")
@click.option("--missing", type=click.Choice(["error", "skip"]), help="What to do where a task's file is absent.")
@click.option("--initial_checkpoint", metavar="PATH", help="Parameters that all runs begin with.")
@click.option("--gin_search_paths", metavar="D,D", help="More folders in which gin files are looked for.")
@click.pass_context
def command(context, sweep, model_dir, launcher, quick, retry, gin_search_paths, **options):
  """Train and evaluate a grid of runs.

  SWEEP is a gin file, or the name of one of gin_configs/sweeps.

  \b
  flan-jax sweep demo_num_tasks --quick
  flan-jax sweep gin_configs/sweeps/demo_num_tasks.gin --model_dir D
  flan-jax sweep my_sweep.gin --gin.seed/Axis.values='[0, 1, 2]' --gin.BATCH_SIZE=16 --launcher print

  A sweep's file is that of a run (see 'flan-jax train') and says besides what is varied and what is measured. Killed
  anywhere, the same command goes on: what is finished is not repeated, what was stopped resumes. More values of an axis
  add runs; other settings need another --model_dir.
  """
  from flan_jax.sweeps import planning

  plan = planning.load(
    sweep,
    folder=model_dir,
    quick=quick,
    options=options,
    bindings=context.obj or (),
    search_paths=gin_search_paths.split(",") if gin_search_paths else (),
  )
  _launch(plan, launcher, retry)


def _launch(plan: "Plan", launcher: str, retry: bool) -> None:
  from flan_jax.sweeps import folder
  from flan_jax.sweeps.launchers.settings import Settings

  folder.write(plan)
  module = importlib.import_module(LAUNCHERS[launcher])
  module.launch(plan, folder.runs_to_do(plan, retry), Settings(), lambda: None)
