"""`flan-jax report`: what sweeps have found, as figures and one page."""

from pathlib import Path

import click

_PATH = click.Path(path_type=Path)


@click.command("report")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=_PATH)
@click.option("--output", type=_PATH, help="Folder of the page and the pictures (default: report in the first DIR).")
@click.option("--title", help="Of the page (default: the sweeps' own titles).")
@click.option("--json", "as_json", is_flag=True, help="Print findings.json instead of sentences.")
def command(folders, output, title, as_json):
  """Draw what the sweeps in DIR... have found, and say what it says about the papers' claims.

  Writes index.html, a page that needs nothing else; a PNG and an SVG of each figure; and findings.json. A sweep may
  be unfinished: what is missing is told. Sweeps of the same evaluations can be reported together.

  \b
  One sweep, then two of them on one page:
    flan-jax report runs/sweeps/demo_num_tasks
    flan-jax report runs/sweeps/demo_num_tasks runs/sweeps/demo_cot --output runs/report
  """
  from flan_jax.sweeps.report import writing

  written = writing.write(folders, output or folders[0] / "report", title)
  if as_json:
    click.echo(written.json)
  else:
    click.echo("\n".join(writing.lines(written)))
