"""`flan-jax sweep`: a grid of runs, planned, executed, and as a table."""

import dataclasses
import importlib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flan_jax.cli.option_groups import Grouped
from flan_jax.errors import FlanJaxError, UsageError, first_of

if TYPE_CHECKING:
  from flan_jax.sweeps.plan import Plan
  from flan_jax.sweeps.running.launchers.settings import Settings
  from flan_jax.sweeps.running.states import Status

# By the name on the command line the module whose `launch` starts runs.
LAUNCHERS = {
  "local": "flan_jax.sweeps.running.launchers.local",
  "slurm": "flan_jax.sweeps.running.launchers.slurm",
  "print": "flan_jax.sweeps.running.launchers.printed",
}
_POSITIVE = click.IntRange(min=1)
_OF_RUNS = ("data_dir", "store_dir", "missing", "initial_checkpoint")
_OF_A_JOB = ("nodes", "tasks_per_node", "partition", "account", "time", "memory", "array_parallelism", "slurm")
_GROUPS = {
  "Instead of running": ("dry_run", "table", "as_json"),
  "How it runs": ("model_dir", "launcher", "quick", "retry", "cores", "gpus"),
  "Of --launcher slurm": _OF_A_JOB,
  "Of --dry_run": ("accelerator", "devices", "utilisation"),
  "Settings of all runs (and --gin.NAME=value)": (*_OF_RUNS, "sharding", "gin_search_paths"),
}


@click.command("sweep", cls=Grouped, groups=_GROUPS)
@click.argument("sweep")
@click.option(
  "--dry_run", is_flag=True, help="List the runs with FLOPs, tokens, predicted hours, sizes of stores and checkpoints."
)
@click.option("--table", is_flag=True, help="Print the results that are there; SWEEP may be the sweep's folder.")
@click.option("--json", "as_json", is_flag=True, help="With --dry_run or --table: print JSON.")
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
  help="What starts runs: this machine, as many at once as it has cores or GPUs for; SLURM; you, by printed commands.",
)
@click.option("--quick", is_flag=True, help="The sweep in small, to see in minutes that all of it works.")
@click.option("--retry", is_flag=True, help="Start those again that failed.")
@click.option("--cores", type=_POSITIVE, help="CPU cores of a run (local: 1, where it has no GPU).")
@click.option("--gpus", type=click.IntRange(min=0), help="GPUs of a run (local: 1, where there are any).")
@click.option("--nodes", type=_POSITIVE, default=1, show_default=True, help="Of a run.")
@click.option("--tasks_per_node", type=_POSITIVE, default=1, show_default=True, help="Processes of a run on a node.")
@click.option("--partition", metavar="NAME", help="As sbatch takes it.")
@click.option("--account", metavar="NAME", help="As sbatch takes it.")
@click.option("--time", metavar="TIME", help="Of a job, as sbatch takes it; a longer run goes on in another.")
@click.option("--memory", metavar="SIZE", help="Of a node, as sbatch takes it: 64G.")
@click.option("--array_parallelism", type=_POSITIVE, help="The most runs at once.")
@click.option("--slurm", multiple=True, metavar="NAME=VALUE", help="More for sbatch, such as qos=high; repeatable.")
@click.option(
  "--accelerator",
  default="cpu",
  show_default=True,
  metavar="NAME",
  help="Predict hours on it: 'TPU v4', 'H100 PCIe', ...; of cpu by what runs took here.",
)
@click.option("--devices", type=_POSITIVE, help="Of a run.")
@click.option("--utilisation", type=click.FloatRange(0, 1, min_open=True), help="Share of the peak that a run reaches.")
@click.option("--data_dir", metavar="DIR", help="Folder of the collections' files.")
@click.option("--store_dir", metavar="DIR", help="Where prepared tasks are kept.")
@click.option("--missing", type=click.Choice(["error", "skip"]), help="What to do where a task's file is absent.")
@click.option("--initial_checkpoint", metavar="PATH", help="Parameters that all runs begin with.")
@click.option("--sharding", metavar="NAME", help="How parameters lie on devices: a file of gin_configs/sharding.")
@click.option("--gin_search_paths", metavar="D,D", help="More folders in which gin files are looked for.")
@click.pass_context
def command(context, sweep, dry_run, table, as_json, model_dir, launcher, quick, retry, gin_search_paths, **options):
  """Train and evaluate a grid of runs: more tasks, larger models, other formats, several seeds.

  SWEEP is a gin file, or the name of one of gin_configs/sweeps.

  \b
  What will it be, and what will it cost?
    flan-jax sweep flan2022_num_tasks --dry_run --accelerator 'TPU v4' --devices 64
  Does it work? Then all of it, four runs at once on four cores:
    flan-jax sweep demo_num_tasks --quick
    flan-jax sweep demo_num_tasks
  What came out, as a table and as figures:
    flan-jax sweep demo_num_tasks --table
    flan-jax report runs/sweeps/demo_num_tasks
  Other values, settings, machines:
    flan-jax sweep demo_num_tasks --gin.seed/Axis.values='[0, 1, 2, 3]'
    flan-jax sweep my_sweep.gin --gin.BATCH_SIZE=16 --model_dir D --launcher slurm --gpus 8 --time 24:00:00
    flan-jax sweep my_sweep.gin --launcher print > runs.sh

  A sweep's file is one of 'flan-jax train' that says besides what is varied and what is measured of each run; read a
  file of gin_configs/sweeps to learn how. What runs share is prepared once.

  Killed anywhere, the same command goes on: finished runs are not repeated, those that were stopped resume. More values
  of an axis add runs to a folder; other settings need another --model_dir.
  """
  if as_json and not (dry_run or table):
    raise UsageError("--json is for --dry_run and --table")
  if dry_run and table:
    raise UsageError("--dry_run is of what will be, --table of what is there: give one")
  from flan_jax import configuration
  from flan_jax.sweeps import planning
  from flan_jax.sweeps.plan import RECORD

  if table and (Path(sweep) / RECORD).exists():
    return _show_table(Path(sweep), as_json)
  if Path(sweep).is_dir() and sweep not in configuration.config_names("sweeps"):
    where = "a sweep's folder, of which --table prints what is there" if (Path(sweep) / RECORD).exists() else "a folder"
    raise UsageError(f"{sweep} is {where}; SWEEP is the gin file that describes a sweep, or the name of one of ours")
  plan = planning.load(
    sweep,
    folder=model_dir,
    quick=quick,
    sharding=options["sharding"],
    options={name: options[name] for name in _OF_RUNS},
    bindings=context.obj or (),
    search_paths=gin_search_paths.split(",") if gin_search_paths else (),
  )
  if table:
    return _show_table(plan.folder, as_json)
  if dry_run:
    return _show_prices(plan, as_json, options["accelerator"], options["devices"], options["utilisation"])
  from flan_jax.sweeps.running.launchers.settings import Settings

  names = [field.name for field in dataclasses.fields(Settings)]
  _execute(plan, launcher, retry, Settings(**{name: options[name] for name in names}))


def _execute(plan: "Plan", launcher: str, retry: bool, settings: "Settings") -> None:
  from flan_jax import progress
  from flan_jax.sweeps import folder, preparing

  launch = importlib.import_module(LAUNCHERS[launcher]).launch
  plan = preparing.made_ready(plan, stores=launcher != "print", progress=progress.shown)
  runs = folder.runs_to_do(plan, retry)
  if launcher == "print":
    return launch(plan, runs, settings, lambda: None)
  from flan_jax.sweeps.results import collecting
  from flan_jax.sweeps.running import live, states

  with live.watching(plan) as watch:
    launch(plan, runs, settings, watch)
  collecting.write(plan)
  found = states.statuses(plan)
  for lines in live.failures(found):
    click.echo(lines, err=True)
  _require_all_finished(found)
  click.echo(f"In {plan.folder}: table.csv, table.parquet. As figures: flan-jax report {shlex.quote(str(plan.folder))}")


def _require_all_finished(found: "Sequence[Status]") -> None:
  """Other launchers may still be at some runs."""
  names = {state: [each.name for each in found if each.state == state] for state in ("failed", "stopped", "waiting")}
  if failed := names["failed"]:
    raise FlanJaxError(f"{len(failed)} of {len(found)} runs failed; mended, the same command with --retry goes on")
  if ended := names["stopped"] + names["waiting"]:  # killed from outside, one by one
    raise FlanJaxError(f"{len(ended)} of {len(found)} runs did not end: {first_of(ended)}; the same command goes on")


def _show_table(where: Path, as_json: bool) -> None:
  from flan_jax.cli import sweep_table_view
  from flan_jax.sweeps import folder
  from flan_jax.sweeps.results import collecting

  plan = folder.read(where)
  sweep_table_view.show(plan, collecting.write(plan), as_json)


def _show_prices(plan: "Plan", as_json: bool, accelerator: str, devices: int | None, utilisation: float | None) -> None:
  from flan_jax.cli import pricing_view

  found = pricing_view.content(plan, accelerator, devices, utilisation)
  if as_json:
    return click.echo(json.dumps(found, indent=2))
  pricing_view.show(found)
