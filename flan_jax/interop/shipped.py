"""Checkpoints that come with flan_jax, by name."""

import os

from flan_jax.data.vocabularies import DEMO_PATH

# The base model of the embedded collection, as gin_configs/runs/demo_base.gin made it, in bfloat16.
DEMO_BASE = DEMO_PATH.parent / "base"


def located(path: str | os.PathLike) -> str | os.PathLike:
  """Where a checkpoint lies: 'demo' names the demo's base model, as it names its vocabulary; all else is a path.

  A folder of that name is './demo'.
  """
  return DEMO_BASE if path == "demo" else path
