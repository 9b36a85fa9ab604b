"""Prompts of all lengths as a few shapes of batches: each shape is compiled once, and little of it is padding."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

SHORTEST = 32  # slots; below this a shape of its own costs more to compile than it saves


class PromptBatch(NamedTuple):
  """Rows of one shape.

  Attributes:
    indices: which prompts the first rows hold; rows after them are empty.
    tokens: int32 [rows, slots], 0 after each prompt.
    segment_ids: int32 [rows, slots], 1 on a prompt's tokens and 0 on padding.
  """

  indices: np.ndarray
  tokens: np.ndarray
  segment_ids: np.ndarray


def prompt_batches(prompts: Sequence[Sequence[int]], batch_slots: int) -> Iterator[PromptBatch]:
  """Every prompt once, the longest first, in batches of about `batch_slots` token slots.

  Both sides of a shape are powers of two. Batches are full but for the last, so there are at most as many shapes as
  lengths (32, 64, ..., the longest) plus one: 4,000 prompts of 5 to 60 tokens at 16,384 slots are 256 x 64 until the
  prompts are no longer than 32, then 512 x 32, and a last batch of what is left.
  """
  order = np.argsort([-len(prompt) for prompt in prompts], kind="stable")
  start = 0
  while start < len(order):
    slots = _power_of_two(max(SHORTEST, len(prompts[order[start]])))
    rows = min(max(1, batch_slots // slots), _power_of_two(len(order) - start))
    indices = order[start : start + rows]
    yield _batch(prompts, indices, rows, slots)
    start += rows


def _batch(prompts: Sequence[Sequence[int]], indices: np.ndarray, rows: int, slots: int) -> PromptBatch:
  tokens = np.zeros((rows, slots), np.int32)
  segment_ids = np.zeros((rows, slots), np.int32)
  for row, index in enumerate(indices):
    tokens[row, : len(prompts[index])] = prompts[index]
    segment_ids[row, : len(prompts[index])] = 1
  return PromptBatch(indices, tokens, segment_ids)


def _power_of_two(n: int) -> int:
  """The least power of two that is n or more."""
  return 1 << (n - 1).bit_length()
