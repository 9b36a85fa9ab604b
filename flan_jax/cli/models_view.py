"""`flan-jax inspect --models`: the models of gin_configs/models, counted from their shapes; nothing is allocated."""

import dataclasses
import math
from typing import Any

from flan_jax import configuration
from flan_jax.cli import listings
from flan_jax.models.model import Model


def content() -> listings.Lines:
  """A line a model, the smaller before the larger of a family."""
  lines = [_line(name) for name in configuration.config_names("models")]
  return sorted(lines, key=lambda line: (line["model"].rpartition("_")[0], line["parameters"]))


def show(lines: listings.Lines) -> None:
  """Prints the table; a terminal shows the counts and the width, depth and heads."""
  listings.show_table(lines, ("model", "parameters", "without vocabulary", "layers", "width", "heads", "mlp"))


def _line(name: str) -> dict[str, Any]:
  # float32 by name: 'auto' would start the accelerator to know what it is.
  config = dataclasses.replace(configuration.model(name), dtype="float32")
  model = Model(config)
  sizes = {name: math.prod(shape.shape) for name, shape in model.shapes().items()}
  of_vocabulary = sum(sizes[name] for name, axes in model.axes().items() if "vocab" in axes)
  return {
    "model": name,
    "parameters": sum(sizes.values()),
    "without vocabulary": sum(sizes.values()) - of_vocabulary,
    "layers": f"{config.num_encoder_layers}+{config.num_decoder_layers}",
    "width": config.emb_dim,
    "heads": f"{config.num_heads}×{config.head_dim}",
    "mlp": config.mlp_dim,
    "activations": "·".join(config.mlp_activations),
    "vocabulary rows": config.vocab_size,
    "head": "tied" if config.logits_via_embedding else "own",
  }
