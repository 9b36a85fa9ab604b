"""`flan-jax prepare`: a mixture's tokens on disk, before anybody trains on them."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flan_jax.cli.arguments import default_vocabulary, row_lengths
from flan_jax.errors import UsageError

if TYPE_CHECKING:
  from flan_jax.data.store import TaskStore


@click.command("prepare")
@click.argument("mixture")
@click.option("--lengths", default="512,128", show_default=True, metavar="I,T", help="Slots of a row: inputs, targets.")
@click.option(
  "--text_length",
  type=click.IntRange(min=1),
  metavar="N",
  help="For a run with an objective: tokens of inputs and targets together, instead of --lengths; texts are cut.",
)
@click.option(
  "--vocabulary", metavar="V", help="demo, t5 or a SentencePiece file (default: demo or t5, by collection)."
)
@click.option(
  "--data_dir", type=click.Path(path_type=Path), envvar="FLAN_JAX_DATA_DIR", help="Folder of the collections' files."
)
@click.option("--store_dir", metavar="DIR", help="Where prepared tasks are kept (default: ~/.cache/flan_jax/store).")
@click.option(
  "--missing", type=click.Choice(["error", "skip"]), default="error", show_default=True, help="Absent files."
)
@click.option("--strict", is_flag=True, help="A malformed record is an error; otherwise it is left out and counted.")
@click.option("--module", metavar="NAME", help="A Python module that registers MIXTURE with SeqIO.")
@click.option("--render_seed", type=int, default=0, show_default=True, help="Of wordings, formats and exemplars.")
@click.option(
  "--variants",
  type=click.IntRange(min=1),
  default=1,
  show_default=True,
  help="Renderings of each example; training reads one an epoch, in turn.",
)
@click.option("--processes", type=click.IntRange(min=1), help="Worker processes (default: one a core).")
@click.option("--runner", metavar="NAME", help="Apache Beam's DirectRunner, DataflowRunner, SparkRunner, FlinkRunner.")
@click.option("--beam_options", default="", metavar="'--F=V --F=V'", help="Beam's own flags, for --runner.")
@click.option("--verify", is_flag=True, help="Read every file of what stands, and make again what is damaged.")
@click.option(
  "--suggest_lengths",
  metavar="MODEL",
  help="Propose --lengths for a model, such as t5_1_1_base; prepares only a --module's mixture.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(mixture, lengths, text_length, vocabulary, suggest_lengths, beam_options, verify, as_json, **options):
  """Run each task of MIXTURE (or one task) through rendering and tokenisation, once, into its store.

  \b
  flan-jax prepare demo --lengths 128,32
  flan-jax prepare cot --data_dir D --missing skip --variants 4
  flan-jax prepare my_mixture --module my_tasks --vocabulary V
  flan-jax prepare cot --data_dir D --runner DirectRunner --beam_options '--direct_num_workers=8'
  flan-jax prepare cot --data_dir D --suggest_lengths t5_1_1_base

  What stands is left as it is; a killed preparation goes on with the tasks that are missing. 'flan-jax train' with the
  same settings finds the stores, and prepares by itself what is not there.
  """
  from flan_jax.data.preparation import Preparation
  from flan_jax.data.vocabularies import load_vocabulary

  inputs, targets = row_lengths(lengths)
  words = load_vocabulary(vocabulary or _vocabulary(mixture, options), options["data_dir"])
  room = {"text": text_length} if text_length else {"inputs": inputs, "targets": targets}
  preparation = Preparation(
    mixture=mixture, vocabulary=words, lengths=room, beam_options=_flags(beam_options, options["runner"]), **options
  )
  if suggest_lengths:
    from flan_jax.cli import lengths_view

    if text_length:
      raise UsageError("--suggest_lengths is about rows of inputs and targets, not --text_length")
    found = lengths_view.content(preparation, suggest_lengths)
    return click.echo(json.dumps(found, indent=2)) if as_json else lengths_view.show(found)
  from flan_jax import progress

  _show(preparation.stores(on_change="prepare", verify=verify, progress=progress.shown), as_json)


def _flags(text: str, runner: str | None) -> list[str]:
  if text and runner is None:
    raise UsageError(f"--beam_options {text}: they are for --runner")
  try:
    return shlex.split(text)
  except ValueError as error:
    raise UsageError(f"--beam_options {text}: {error}") from None


_SUMMED = ("rate", "examples", "tokens", "MB", "left out")


def _vocabulary(mixture: str, options: dict[str, Any]) -> str:
  if options["module"]:
    raise UsageError("--module needs --vocabulary: the SentencePiece file that its tasks tokenise with")
  from flan_jax.data.mixtures import get_mixture

  return default_vocabulary(get_mixture(mixture, options["data_dir"]).tasks, options["data_dir"])


def _show(stores: "list[TaskStore]", as_json: bool) -> None:
  lines = [_line(store) for store in stores]
  if as_json:
    folders = {store.task: str(store.folder) for store in stores}
    click.echo(json.dumps([{**line, "folder": folders[line["task"]]} for line in lines], indent=2))
    return
  from flan_jax.cli import listings

  total = {key: round(sum(line[key] for line in lines), 3) for key in _SUMMED}
  listings.show_table([*lines, {"task": "all", **total, "left out because": ""}])


def _line(store: "TaskStore") -> dict[str, Any]:
  counts = store.manifest["counts"]
  left_out = {reason.partition(": ")[2]: count for reason, count in counts.items() if reason.startswith("left out")}
  if malformed := counts.get("malformed records"):
    left_out["malformed"] = malformed
  return {
    "task": store.task,
    "rate": int(store.rate) if store.rate.is_integer() else round(store.rate, 3),
    "examples": len(store),
    "tokens": sum(store.manifest["tokens"].values()),
    "MB": round(sum(entry["bytes"] for entry in store.manifest["records"]) / 1e6, 3),
    "left out": sum(left_out.values()),
    "left out because": "; ".join(f"{count:,} {reason}" for reason, count in left_out.items()),
  }
