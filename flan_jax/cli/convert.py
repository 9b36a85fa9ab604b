"""`flan-jax convert`: a checkpoint of one kind as another."""

import json
from pathlib import Path
from typing import Any

import click

# What flan_jax.interop names them; repeated, since importing it here would make --help start JAX.
_KINDS, _LAYOUTS, _DTYPES = ("flan_jax", "t5x", "hf"), ("legacy", "orbax"), ("float32", "bfloat16", "float16")


@click.command("convert")
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("--to", type=click.Choice(_KINDS), default="flan_jax", show_default=True, help="The kind of DST.")
@click.option("--layout", type=click.Choice(_LAYOUTS), help="Of T5X's files.  [default: legacy]")
@click.option("--scan/--no-scan", default=None, help="Layers stacked (T5X: its scanned network) or not; as in SRC.")
@click.option(
  "--dtype", type=click.Choice(_DTYPES), default="float32", show_default=True, help="Of the parameters in DST."
)
@click.option("--vocabulary", metavar="V", help="Goes along: demo, t5 or a SentencePiece file (default: that of SRC).")
@click.option(
  "--data_dir",
  type=click.Path(path_type=Path),
  envvar="FLAN_JAX_DATA_DIR",
  help="Where the vocabulary t5 is looked for.",
)
@click.option(
  "--check",
  "golden",
  type=click.Path(path_type=Path),
  metavar="NPZ",
  help="Logits that DST must give, to 1e-4; otherwise it is not written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print what was found and written as JSON.")
def command(source, destination, to, layout, scan, dtype, vocabulary, data_dir, golden, as_json):
  """Write the checkpoint SRC as DST, a folder that is not there yet or is empty.

  \b
  flan-jax convert t5x/checkpoint_1100000 M --vocabulary t5     a MODEL_DIR, to train from, evaluate and ask
  flan-jax convert M H --to hf                                  for transformers' from_pretrained
  flan-jax convert H T/checkpoint_0 --to t5x --layout orbax     for T5X

  SRC is a MODEL_DIR, MODEL_DIR/checkpoints/STEP, a T5X checkpoint (legacy or Orbax, gs:// too) or a Hugging Face folder
  with safetensors; which of them is seen from what is in it. Arrays are the same after a way there and back.
  """
  from flan_jax.cli.environment import prepare_jax

  prepare_jax()
  from flan_jax.data.vocabularies import load_vocabulary
  from flan_jax.interop.convert import Wish, convert
  from flan_jax.interop.loading import open_source

  words = load_vocabulary(vocabulary, data_dir) if vocabulary else None
  wish = Wish(to, layout, scan, dtype, words)
  report = convert(open_source(source), destination, wish, golden)
  click.echo(json.dumps(report, ensure_ascii=False, indent=2) if as_json else _summary(report))


def _summary(report: dict[str, Any]) -> str:
  model, source, destination = report["model"], report["source"], report["destination"]
  sizes = f"{model['num_encoder_layers']} + {model['num_decoder_layers']} layers, d_model {model['emb_dim']}"
  sizes += f", {model['num_heads']} x {model['head_dim']} heads, d_ff {model['mlp_dim']}, {model['vocab_size']:,} rows"
  head = "tied to the embedding" if model["logits_via_embedding"] else "of its own"
  lines = [
    f"read     {_told(source)}",
    f"network  {report['parameters']:,} parameters: {sizes}, {' x '.join(model['mlp_activations'])}, head {head}",
    f"wrote    {_told(destination)}",
    *(f"note     {note}" for note in report["notes"]),
    *(f"check    {name}: largest difference {value:.3g}" for name, value in report.get("check", {}).items()),
  ]
  return "\n".join(lines)


def _told(side: dict[str, Any]) -> str:
  shown = {name: value for name, value in side.items() if name not in ("kind", "path", "files", "bytes", "dtype")}
  details = [f"{name} {value}" for name, value in shown.items() if value is not None]
  if "bytes" in side:
    details += [side["dtype"], f"{side['bytes'] / 1e6:,.1f} MB"]
  return f"{side['kind']} {side['path']}" + (f" ({', '.join(details)})" if details else "")
