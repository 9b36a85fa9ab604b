"""What options of commands that ask held-out examples mean: `eval` and `compare`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flan_jax.errors import FlanJaxError, UsageError

if TYPE_CHECKING:
  from flan_jax.data.mixtures import MixtureSpec


def chosen(task: str | None, mixture: str | None, data_dir: Path | None) -> "MixtureSpec":
  """The mixture of --task or --mixture; a task is a mixture of one. Raises UsageError: there is none."""
  from flan_jax.data import mixtures, specs

  return mixtures.get_mixture(mixture if task is None else specs.get_task(task, data_dir).name, data_dir)


def widest(mixture: "MixtureSpec") -> tuple[int, int]:
  """The fewest and the most exemplars of any of its parts."""
  fewest, most = zip(*(part.shots for part in mixture.parts), strict=True)
  return min(fewest), max(most)


def installed(mixture: "MixtureSpec", data_dir: Path | None, missing: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
  """(The tasks whose files are there, those that are skipped, which is said); see `mixtures.installed`."""
  from flan_jax.data import mixtures

  present, absent = mixtures.installed(mixture, data_dir, missing)
  for file in absent:
    click.echo(f"Skipped: {file}", err=True)
  return present, tuple(file.task for file in absent)


def require_writable(folder: Path) -> None:
  """Makes the folder of --output; raises FlanJaxError where nothing can be written."""
  folder.mkdir(parents=True, exist_ok=True)
  if not os.access(folder, os.W_OK):
    raise FlanJaxError(f"{folder}: cannot write here (--output)")


def formats(text: str) -> tuple[str, ...]:
  """The names in --formats, each once; raises UsageError for what is no format."""
  from flan_jax.data.formats import get_format

  return tuple(dict.fromkeys(get_format(name.strip()).name for name in text.split(",") if name.strip()))


def shots(text: str) -> tuple[int, int]:
  """(fewest, most) of --shots A or A,B; raises UsageError where it is something else."""
  fewest, _, most = text.partition(",")
  try:
    shots = int(fewest), int(most or fewest)
  except ValueError:
    shots = (0, 0)
  if not 1 <= shots[0] <= shots[1]:
    raise UsageError(f"--shots {text}: write a number such as 3, or the fewest and the most such as 2,5")
  return shots


def require_no(context: click.Context, measured: str, names: tuple[str, ...]) -> None:
  """Raises UsageError where an option is given that would say nothing of what is `measured`."""
  for option in context.command.params:
    if option.name in names and context.get_parameter_source(option.name) == click.core.ParameterSource.COMMANDLINE:
      raise UsageError(f"{option.opts[0]} says nothing of {measured}")
