"""`flan-jax diff`: what is not the same in two mixtures, or in two runs."""

import json
from pathlib import Path

import click


@click.command("diff")
@click.argument("a")
@click.argument("b")
@click.option(
  "--data_dir", type=click.Path(path_type=Path), help="Folder of the collections' files; of runs, their own."
)
@click.option("--examples", type=click.IntRange(min=0), default=3, show_default=True, help="Renderings to print.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, which has all tasks and whole texts.")
def command(a, b, data_dir, examples, as_json):
  """Compare two mixtures (names, or names with arguments) or two runs (MODEL_DIRs): settings, tasks, rates and shares,
  what the runs have really seen, and the same examples as either renders them.

  \b
  flan-jax diff flan2022_a flan2022_b --data_dir D
  flan-jax diff flan2022_b 'flan2022_b(tasks=89, cot=False)' --data_dir D
  flan-jax diff runs/first runs/second

  Shares are those of what is installed; where nothing is, of the published numbers of examples. The exit code is 0
  whatever differs.
  """
  from flan_jax import progress
  from flan_jax.cli import diff_view

  content = diff_view.content(a, b, data_dir, examples, progress.shown)
  if as_json:
    click.echo(json.dumps(content, ensure_ascii=False, indent=2))
  else:
    diff_view.show(content)
