"""`flan-jax inspect`: what there is to learn from, and how one example becomes a row of a batch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from flan_jax.cli.arguments import row_lengths
from flan_jax.errors import UsageError


@click.command("inspect")
@click.option("--collections", "view", flag_value="collections", help="The collections and what is in them (default).")
@click.option("--clusters", "view", flag_value="clusters", help="The clusters: tasks that are held out together.")
@click.option("--mixtures", "view", flag_value="mixtures", help="The mixtures: tasks with formats.")
@click.option(
  "--tasks", "tasks", is_flag=False, flag_value="", metavar="[COLLECTION]", help="All tasks, or one collection's."
)
@click.option("--task", metavar="NAME", help="One task: its spec and its wordings.")
@click.option("--example", type=int, metavar="I", help="With --task: its I-th example on the way to a batch row.")
@click.option("--format", "format_", metavar="F", help="Format of the example (default: drawn as in training).")
@click.option("--variant", type=int, default=0, show_default=True, help="Which set of draws renders the example.")
@click.option(
  "--vocabulary", metavar="V", help="demo, t5 or a SentencePiece file (default: demo or t5, by collection)."
)
@click.option("--lengths", default="512,128", show_default=True, metavar="I,T", help="Slots of a row: inputs, targets.")
@click.option("--run", type=click.Path(path_type=Path), metavar="MODEL_DIR", help="A row that a run was trained on:")
@click.option("--step", type=int, metavar="S", help="With --run: of its update S, from 1,")
@click.option("--row", type=int, metavar="I", help="With --run: row I of the batch, from 0.")
@click.option(
  "--data_dir", type=click.Path(path_type=Path), envvar="FLAN_JAX_DATA_DIR", help="Folder of the collections' files."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(view, tasks, task, example, format_, variant, vocabulary, lengths, run, step, row, data_dir, as_json):
  """Look at collections, clusters, tasks, at an example from its raw fields to its row of a batch, and at the rows of a
  run.

  \b
  flan-jax inspect --tasks demo
  flan-jax inspect --task demo.name_kind --example 0
  flan-jax inspect --run MODEL_DIR --step 100 --row 3
  """
  if sum(given is not None for given in (view, tasks, task, run)) > 1:
    raise UsageError("inspect shows one thing: --collections, --clusters, --mixtures, --tasks, --task or --run")
  if example is not None and task is None:
    raise UsageError("--example I needs --task NAME")
  if len({given is None for given in (run, step, row)}) > 1:
    raise UsageError("a row of a run is --run MODEL_DIR --step S --row I")
  if run is not None:
    from flan_jax.cli import row_view

    return _print(row_view.content(run, step, row), row_view.show, as_json)
  if example is not None:
    from flan_jax.cli import example_view

    content = example_view.content(task, example, format_, variant, vocabulary, row_lengths(lengths), data_dir)
    return _print(content, example_view.show, as_json)
  from flan_jax.cli import listings

  if task is not None:
    return _print(listings.task(task, data_dir), listings.show_task, as_json)
  if tasks is not None:
    return _print(listings.tasks(tasks or None, data_dir), listings.show_table, as_json)
  return _print(listings.VIEWS[view or "collections"](), listings.show_table, as_json)


def _print(content: Any, show: Callable[[Any], None], as_json: bool) -> None:
  if as_json:
    click.echo(json.dumps(content, ensure_ascii=False, indent=2))
  else:
    show(content)
