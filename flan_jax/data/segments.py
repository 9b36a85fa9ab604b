"""Rows of examples as the arrays of a batch, with T5X's feature names.

Everything but the token ids follows from lengths and places, so an inner token 0 and an example with empty inputs
(whose EOS alone stands in the row) survive: a segment id of 0 says padding, a token of 0 says nothing.
"""

import dataclasses

import numpy as np
from jaxtyping import Int, Int32

EOS = 1
Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Layout:
  """Where one feature's segments stand in the rows: one entry a segment, ordered by row and within the row."""

  row: np.ndarray  # int64 [segments]
  segment: np.ndarray  # int64 [segments]: 1, 2, ... within the row
  start: np.ndarray  # int64 [segments]: the column of the first token
  length: np.ndarray  # int64 [segments]: tokens, EOS among them

  @classmethod
  def of(cls, row: Int[np.ndarray, "segments"], length: Int[np.ndarray, "segments"]) -> "Layout":
    """Segments one after another in each row; `row` must not decrease."""
    row, length = row.astype(np.int64), length.astype(np.int64)
    first = np.searchsorted(row, row)  # index of the first segment of the same row
    before = np.cumsum(length) - length
    return cls(row, np.arange(len(row)) - first + 1, before - before[first], length)

  def columns(self) -> tuple[Int[np.ndarray, "tokens"], Int[np.ndarray, "tokens"]]:
    """(row of each token, column of each token), segment by segment."""
    return np.repeat(self.row, self.length), np.repeat(self.start, self.length) + self.positions()

  def positions(self) -> Int[np.ndarray, "tokens"]:
    """0, 1, 2, ... within each segment."""
    return np.arange(self.length.sum()) - np.repeat(np.cumsum(self.length) - self.length, self.length)

  def ids(self) -> Int[np.ndarray, "tokens"]:
    """The segment id of each token."""
    return np.repeat(self.segment, self.length)


def encoder_decoder_batch(
  row: Int[np.ndarray, "examples"],
  inputs: list[np.ndarray],
  targets: list[np.ndarray],
  shape: tuple[int, int, int],
) -> Batch:
  """The batch of an encoder–decoder model: a segment an example, EOS appended on both sides.

  Args:
    row: the row of each example, 0 .. rows - 1, never decreasing.
    inputs, targets: clean token ids of each example, without EOS; may be empty.
    shape: (rows B, encoder tokens a row S, decoder tokens a row T).

  Returns:
    int32 [B, S] or [B, T] arrays: `encoder_input_tokens`, `encoder_segment_ids` (1, 2, ... in a row, 0 for padding),
    `encoder_positions` (0, 1, ... in a segment); the same three for the decoder, where `decoder_target_tokens` is to be
    predicted from `decoder_input_tokens` (shifted right within each segment, 0 first); and `decoder_loss_weights` (1 on
    targets).

  Raises:
    ValueError: if the examples of a row are longer than the row.
  """
  rows, encoder_length, decoder_length = shape
  read, encoder = _with_eos(inputs), Layout.of(row, _lengths_with_eos(inputs))
  said, decoder = _with_eos(targets), Layout.of(row, _lengths_with_eos(targets))
  fill_encoder = _filler(encoder, (rows, encoder_length))
  fill_decoder = _filler(decoder, (rows, decoder_length))
  return {
    "encoder_input_tokens": fill_encoder(read),
    "encoder_segment_ids": fill_encoder(encoder.ids()),
    "encoder_positions": fill_encoder(encoder.positions()),
    "decoder_target_tokens": fill_decoder(said),
    "decoder_input_tokens": fill_decoder(_shifted_right(said, decoder)),
    "decoder_loss_weights": fill_decoder(np.ones_like(said)),
    "decoder_segment_ids": fill_decoder(decoder.ids()),
    "decoder_positions": fill_decoder(decoder.positions()),
  }


def _lengths_with_eos(examples: list[np.ndarray]) -> Int[np.ndarray, "examples"]:
  return np.array([len(tokens) + 1 for tokens in examples], np.int64)


def _with_eos(examples: list[np.ndarray]) -> Int32[np.ndarray, "tokens"]:
  eos = np.array([EOS], np.int32)
  return np.concatenate([part for tokens in examples for part in (tokens, eos)] or [eos[:0]]).astype(np.int32)


def _shifted_right(tokens: Int32[np.ndarray, "tokens"], layout: Layout) -> Int32[np.ndarray, "tokens"]:
  """Each token's predecessor in its segment; 0, the decoder's start, for the first."""
  before = np.roll(tokens, 1)
  before[layout.positions() == 0] = 0
  return before


def _filler(layout: Layout, shape: tuple[int, int]):
  """A function that lays one value a token out in rows of zeros."""
  rows, columns = layout.columns()
  if len(columns) and columns.max() >= shape[1]:
    raise ValueError(f"row {rows[columns.argmax()]} holds more than {shape[1]} tokens")

  def fill(values: Int[np.ndarray, "tokens"]) -> Int32[np.ndarray, "rows length"]:
    out = np.zeros(shape, np.int32)
    out[rows, columns] = values
    return out

  return fill
