"""`flan-jax inspect`: what there is to learn from, and how one example becomes a row of a batch."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

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
@click.option("--data_dir", type=click.Path(path_type=Path), help="Folder of the collections' files.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(view, tasks, task, example, format_, variant, vocabulary, lengths, data_dir, as_json):
  """Look at collections, clusters, tasks, and at an example from its raw fields to its row of a batch."""
  if sum(given is not None for given in (view, tasks, task)) > 1:
    raise UsageError("inspect shows one thing: --collections, --clusters, --mixtures, --tasks or --task")
  if example is not None and task is None:
    raise UsageError("--example I needs --task NAME")
  if example is not None:
    from flan_jax.cli import example_view

    content = example_view.content(task, example, format_, variant, vocabulary, _lengths(lengths), data_dir)
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


def _lengths(text: str) -> tuple[int, int]:
  try:
    inputs, targets = map(int, text.split(","))
  except ValueError:
    raise UsageError(f"--lengths {text}: write two whole numbers, such as 512,128") from None
  if min(inputs, targets) < 2:
    raise UsageError(f"--lengths {text}: a token and the end of the sequence need 2 slots")
  return inputs, targets
