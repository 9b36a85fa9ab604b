"""`flan-jax export`: a mixture as rendered text, for whatever trains or looks at it elsewhere."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import click

from flan_jax.cli.arguments import default_vocabulary, row_lengths
from flan_jax.errors import UsageError


@click.command("export")
@click.argument("mixture")
@click.option("--to", type=click.Choice(["parquet", "jsonl"]), required=True, help="What kind of files.")
@click.option("--out", type=click.Path(path_type=Path), required=True, metavar="DIR", help="A new folder for them.")
@click.option(
  "--split",
  type=click.Choice(["train", "held_out", "all"]),
  default="train",
  show_default=True,
  help="What a run trains on, what evaluation asks, or both.",
)
@click.option("--lengths", metavar="I,T", help="Leave out what no row of a store would hold (default: keep all).")
@click.option("--vocabulary", metavar="V", help="For --lengths: demo, t5 or a SentencePiece file.")
@click.option(
  "--data_dir", type=click.Path(path_type=Path), envvar="FLAN_JAX_DATA_DIR", help="Folder of the collections' files."
)
@click.option(
  "--missing", type=click.Choice(["error", "skip"]), default="error", show_default=True, help="Absent files."
)
@click.option("--module", metavar="NAME", hidden=True)
@click.option("--render_seed", type=int, default=0, show_default=True, help="Of wordings, formats and exemplars.")
@click.option(
  "--variants", type=click.IntRange(min=1), default=1, show_default=True, help="Renderings of each example."
)
@click.option("--processes", type=click.IntRange(min=1), help="Worker processes (default: one a core).")
@click.option("--json", "as_json", is_flag=True, help="Print _mixture.json.")
def command(mixture, data_dir, missing, module, lengths, vocabulary, as_json, **options):
  """Write the texts of MIXTURE (or one task), an example a row, with task, template, format, licence, rate and cap.

  \b
  flan-jax export demo --to parquet --out DIR
  flan-jax export cot --to jsonl --out DIR --data_dir D --missing skip --lengths 512,128 --vocabulary t5

  A folder a task, and DIR/_mixture.json with the mixture's rates, caps, licences and citations. With --lengths the rows
  are those that 'flan-jax prepare' with the same settings stores as tokens, in the same order. A killed export goes on
  with the tasks that are missing.
  """
  if module:
    raise UsageError(f"--module {module}: SeqIO tasks of your own come as tokens, not as texts that could be exported")
  if vocabulary and not lengths:
    raise UsageError("--vocabulary is for the length rule: give --lengths I,T too")
  from flan_jax import progress
  from flan_jax.data.export import export
  from flan_jax.data.preparation import present
  from flan_jax.data.vocabularies import load_vocabulary

  found = present(mixture, data_dir, missing)
  fit = {}
  if lengths:
    words = load_vocabulary(vocabulary or default_vocabulary(found.tasks, data_dir), data_dir)
    fit = {"lengths": row_lengths(lengths), "vocabulary": words}
  content = export(found, data_dir=data_dir, progress=progress.shown, **fit, **options)
  click.echo(json.dumps(content, ensure_ascii=False, indent=2) if as_json else _summary(content, options["out"]))


def _summary(content: dict[str, Any], out: Path) -> str:
  tasks = content["tasks"]
  counts = sum((Counter(task["counts"]) for task in tasks), Counter())
  lines = [f"{content['rows']:,} examples of {len(tasks):,} tasks, {content['bytes'] / 1e6:,.1f} MB in {out}"]
  lines += [f"  not in it: {number:,} {reason}" for reason, number in counts.items() if number]
  return "\n".join([*lines, f"What it is made of: {out / '_mixture.json'}"])
