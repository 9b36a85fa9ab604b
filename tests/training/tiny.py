"""A network small enough to compile in seconds, and batches for it."""

import numpy as np

from flan_jax.data.segments import EncoderDecoderRows, Sequences
from flan_jax.models.configs import T5Config

TINY = T5Config(
  vocab_size=48,
  emb_dim=16,
  num_heads=4,
  head_dim=4,
  mlp_dim=32,
  num_encoder_layers=1,
  num_decoder_layers=1,
  dropout_rate=0.1,
)


def examples(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
  """(inputs, targets) of 1-5 and 0-3 tokens, with tokens of value 0 among them and empty targets."""
  rng = np.random.default_rng(seed)
  return [
    (rng.integers(0, 48, rng.integers(1, 6), np.int32), rng.integers(0, 48, rng.integers(0, 4), np.int32))
    for _ in range(count)
  ]


def batch_of(pairs, per_row: int, rows: int | None = None) -> dict[str, np.ndarray]:
  """The examples, `per_row` in each row; rows of 6 x 4 slots an example. Rows beyond the examples are padding."""
  row = np.arange(len(pairs)) // per_row
  inputs, targets = map(Sequences.of, zip(*pairs, strict=True))
  return EncoderDecoderRows(6 * per_row, 4 * per_row).batch(rows or int(row[-1]) + 1, row, inputs, targets)
