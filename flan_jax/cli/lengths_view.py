"""`flan-jax prepare --suggest_lengths`: which row lengths give the most useful tokens for a model's FLOPs."""

import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from flan_jax import configuration, progress, terminal
from flan_jax.data import length_sample, suggesting
from flan_jax.data.preparation import Preparation
from flan_jax.data.store import TaskStore

_KEPT = (0.99, 0.95)  # shares of the examples that a proposal must keep


def content(preparation: Preparation, model: str) -> dict[str, Any]:
  """Proposals as plain JSON values: one for each share of the examples to keep, the best for each length of inputs, and
  how the lengths that were given fare.

  Args:
    preparation: the mixture; its `lengths` are what is compared with. Of a module's mixture the stores are read, so
      these lengths also bound what can be proposed.
    model: a file of gin_configs/models.

  Raises:
    UsageError: no such model.
    FlanJaxError: the mixture has no examples, or no row is long enough.
  """
  dims = _dims(model)
  lengths = _lengths(preparation)
  proposals = {share: suggesting.suggest(lengths, dims, share) for share in _KEPT}
  given = suggesting.measure(lengths, dims, preparation.lengths["inputs"], preparation.lengths["targets"])
  return {
    "mixture": preparation.mixture,
    "model": model,
    "examples": len(lengths),
    "mean_tokens": [round(float(mean), 1) for mean in lengths.mean(axis=0)],
    "given": dataclasses.asdict(given),
    "suggested": [{"min_kept": share, **dataclasses.asdict(found.best)} for share, found in proposals.items()],
    "by_inputs": [dataclasses.asdict(shape) for shape in proposals[_KEPT[0]].by_inputs],
  }


def show(content: Mapping[str, Any]) -> None:
  """Prints the proposals, and a line for each length of inputs."""
  from flan_jax.cli import listings

  console = terminal.console()
  inputs, targets = content["mean_tokens"]
  console.print(
    f"{content['examples']:,} examples of {content['mixture']} at its rates, {inputs} and {targets} tokens "
    f"on average; useful tokens per forward GFLOP of {content['model']}"
  )
  best = content["suggested"]
  lines = [_line("given", content["given"])]
  lines += [_line(f"best that keeps {shape['min_kept']:.0%}", shape) for shape in best]
  lines += [_line(f"best with {shape['inputs']} inputs", shape) for shape in content["by_inputs"]]
  listings.show_table(lines)
  console.print(f"--lengths {best[0]['inputs']},{best[0]['targets']}")


def _line(what: str, shape: Mapping[str, Any]) -> dict[str, str]:
  return {
    "rows": what,
    "lengths": f"{shape['inputs']},{shape['targets']}",
    "kept": f"{shape['kept']:.1%}",
    "inputs filled": f"{shape['fill_inputs']:.0%}",
    "targets filled": f"{shape['fill_targets']:.0%}",
    "tokens/GFLOP": f"{shape['tokens_per_gflop']:.2f}",
  }


def _dims(model: str) -> suggesting.Dims:
  config = configuration.model(model)
  return suggesting.Dims(
    emb_dim=config.emb_dim,
    attention_dim=config.num_heads * config.head_dim,
    mlp_dim=config.mlp_dim,
    mlp_branches=len(config.mlp_activations),
    encoder_layers=config.num_encoder_layers,
    decoder_layers=config.num_decoder_layers,
    vocab_size=config.vocab_size,
  )


def _lengths(preparation: Preparation) -> Int[np.ndarray, "n 2"]:
  if preparation.module:
    return _of_stores(preparation.stores(on_change="prepare", progress=progress.shown), preparation.render_seed)
  return length_sample.sampled_lengths(
    preparation.present(),
    data_dir=preparation.data_dir,
    vocabulary=preparation.vocabulary,
    render_seed=preparation.render_seed,
    processes=preparation.processes,
    progress=progress.shown,
  )


def _of_stores(stores: Sequence[TaskStore], seed: int) -> Int[np.ndarray, "n 2"]:
  """At the stores' rates; what was left out as they were prepared is told, for it cannot be seen here."""
  counts = [count for store in stores for why, count in store.manifest["counts"].items() if why.startswith("left out")]
  if gone := sum(counts):
    print(f"{gone:,} examples do not fit --lengths and are not among these; longer ones see more", file=sys.stderr)
  return length_sample.drawn([length_sample.Pool(store.rate, store.lengths + 1) for store in stores], seed)  # + 1: EOS
