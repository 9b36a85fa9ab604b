"""Rows of examples as the arrays of a batch, with T5X's feature names.

Everything but the token ids follows from lengths and places, so an inner token 0 and an example with empty inputs
(whose EOS alone stands in the row) survive: a segment id of 0 says padding, a token of 0 says nothing.

The shape of a row is a value of `RowShape`: which sides a packed row has, how much of each an example takes, and how
the arrays are laid out. `EncoderDecoderRows` has two sides, `DecoderRows` one.
"""

import dataclasses
import functools
import itertools
from collections.abc import Iterable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, Int32, Int64, Integer, Shaped

EOS = 1
Batch = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True, eq=False)
class Sequences:
  """Token sequences one after another, each with its EOS.

  Attributes:
    tokens: [tokens], of any integer type.
    lengths: int64 [sequences], EOS counted, so at least 1.
  """

  tokens: np.ndarray
  lengths: np.ndarray

  @classmethod
  def of(cls, clean: Iterable[Int[np.ndarray, " _"]]) -> "Sequences":
    """From arrays without EOS."""
    eos = np.array([EOS], np.int32)
    parts = [part for tokens in clean for part in (tokens, eos)]
    lengths = np.array([len(tokens) + 1 for tokens in parts[::2]], np.int64)
    return cls(np.concatenate(parts).astype(np.int32) if parts else np.zeros(0, np.int32), lengths)

  @classmethod
  def empty(cls, lengths: Int64[np.ndarray, " sequences"], dtype: np.dtype) -> "Sequences":
    """Room for sequences of these lengths, EOS counted; every slot holds EOS."""
    return cls(np.full(lengths.sum(), EOS, dtype), lengths)

  @classmethod
  def joined(cls, parts: "Iterable[Sequences]") -> "Sequences":
    """All sequences of the parts, in order."""
    parts = list(parts)
    return cls(np.concatenate([part.tokens for part in parts]), np.concatenate([part.lengths for part in parts]))

  @functools.cached_property
  def starts(self) -> Int64[np.ndarray, " sequences"]:
    """Index of the first token of each sequence."""
    return np.cumsum(self.lengths) - self.lengths

  def __getitem__(self, span: slice) -> "Sequences":
    """Successive sequences; a view."""
    lengths = self.lengths[span]
    start = int(self.starts[span.start]) if len(lengths) else 0
    return Sequences(self.tokens[start : start + int(lengths.sum())], lengths)

  def at(self, chosen: Int[np.ndarray, " n"]) -> "Sequences":
    """Some sequences, in the order asked for."""
    lengths = self.lengths[chosen]
    shift = self.starts[chosen] - (np.cumsum(lengths) - lengths)
    return Sequences(self.tokens[np.arange(lengths.sum()) + np.repeat(shift, lengths)], lengths)

  def clean(self) -> list[np.ndarray]:
    """Each sequence without its EOS; views."""
    ends = np.cumsum(self.lengths)
    return [self.tokens[end - n : end - 1] for end, n in zip(ends.tolist(), self.lengths.tolist(), strict=True)]


@runtime_checkable
class RowShape(Protocol):
  """What a packed row looks like."""

  @property
  def capacity(self) -> tuple[int, ...]:
    """Tokens of each side of a row."""

  def taken(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "n sides"]:
    """What examples take of each side, from the lengths of their inputs and targets without EOS."""

  def batch(self, rows: int, row: Int[np.ndarray, " n"], inputs: Sequences, targets: Sequences) -> Batch:
    """Rows 0 .. rows - 1 as arrays.

    Args:
      row: the row of each example, never decreasing.

    Raises:
      ValueError: if the examples of a row are longer than the row.
    """


@dataclasses.dataclass(frozen=True)
class EncoderDecoderRows:
  """Inputs for the encoder, targets for the decoder: T5's rows.

  The batch has int32 [rows, inputs] or [rows, targets] arrays: `encoder_input_tokens`, `encoder_segment_ids` (1, 2, ...
  in a row, 0 for padding), `encoder_positions` (0, 1, ... in a segment); the same three for the decoder, where
  `decoder_target_tokens` is to be predicted from `decoder_input_tokens` (shifted right within each segment, 0 first);
  and `decoder_loss_weights` (1 on targets).
  """

  inputs: int
  targets: int

  @property
  def capacity(self) -> tuple[int, ...]:
    return self.inputs, self.targets

  def taken(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "n 2"]:
    return lengths + 1  # EOS

  def batch(self, rows: int, row: Int[np.ndarray, " n"], inputs: Sequences, targets: Sequences) -> Batch:
    encoder = _Side(rows, self.inputs, row, inputs.lengths)
    decoder = _Side(rows, self.targets, row, targets.lengths)
    read, read_ids, read_positions = encoder.filled(inputs.tokens, encoder.ids(), encoder.positions())
    said, heard, said_ids, said_positions = decoder.filled(
      targets.tokens, _shifted_right(targets), decoder.ids(), decoder.positions()
    )
    return {
      "encoder_input_tokens": read,
      "encoder_segment_ids": read_ids,
      "encoder_positions": read_positions,
      "decoder_target_tokens": said,
      "decoder_input_tokens": heard,
      "decoder_loss_weights": (said_ids > 0).astype(np.int32),
      "decoder_segment_ids": said_ids,
      "decoder_positions": said_positions,
    }


@dataclasses.dataclass(frozen=True)
class DecoderRows:
  """Inputs and targets in one sequence, for a decoder-only model; an EOS stands after the targets alone.

  The batch has int32 [rows, length] arrays with the names of `EncoderDecoderRows`' decoder, and
  `decoder_causal_attention`: 1 where a prefix LM may look both ways, which is where an input token is read. The loss
  weighs targets only.
  """

  length: int

  @property
  def capacity(self) -> tuple[int, ...]:
    return (self.length,)

  def taken(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "n 1"]:
    return lengths.sum(axis=1, keepdims=True) + 1

  def batch(self, rows: int, row: Int[np.ndarray, " n"], inputs: Sequences, targets: Sequences) -> Batch:
    said, is_target = end_to_end(inputs, targets)
    side = _Side(rows, self.length, row, said.lengths)
    # The decoder reads an input token one slot after the one that predicts it, so the prefix is one slot longer.
    prefix = np.roll(~is_target, 1)
    prefix[said.starts] = True
    names = ("target_tokens", "input_tokens", "loss_weights", "causal_attention", "segment_ids", "positions")
    values = (said.tokens, _shifted_right(said), is_target, prefix, side.ids(), side.positions())
    return {f"decoder_{name}": array for name, array in zip(names, side.filled(*values), strict=True)}


def row_shape(lengths: Mapping[str, int]) -> RowShape:
  """The shape that task feature lengths stand for: {'inputs': I, 'targets': T}, or {'targets': T} for decoder-only."""
  if "inputs" in lengths:
    return EncoderDecoderRows(lengths["inputs"], lengths["targets"])
  return DecoderRows(lengths["targets"])


def end_to_end(inputs: Sequences, targets: Sequences) -> tuple[Sequences, Bool[np.ndarray, " tokens"]]:
  """(each example's inputs without EOS and then its targets, whether a token is a target's)."""
  sides = np.stack([inputs.lengths - 1, targets.lengths], axis=1)
  is_target = np.repeat(np.tile([False, True], len(sides)), sides.ravel())
  is_eos = np.zeros(len(inputs.tokens), bool)
  is_eos[np.cumsum(inputs.lengths) - 1] = True
  tokens = np.empty(len(is_target), np.result_type(inputs.tokens, targets.tokens))
  tokens[~is_target] = inputs.tokens[~is_eos]
  tokens[is_target] = targets.tokens
  return Sequences(tokens, sides.sum(axis=1)), is_target


class _Side:
  """One side of some rows: segments one after another in each row, then padding."""

  def __init__(self, rows: int, length: int, row: Int[np.ndarray, " n"], lengths: Int64[np.ndarray, " n"]):
    first_of_row = np.searchsorted(row, np.arange(rows + 1))
    ends = np.concatenate([[0], np.cumsum(lengths)])
    self._bounds = ends[first_of_row]  # of each row's tokens
    self._shape = (rows, length)
    self._lengths = lengths
    self._starts = ends[:-1]
    self._segment = np.arange(len(row)) - np.repeat(first_of_row[:-1], np.diff(first_of_row)) + 1
    taken = np.diff(self._bounds)
    if rows and taken.max() > length:
      raise ValueError(f"row {taken.argmax()} holds more than {length} tokens")

  def ids(self) -> Int32[np.ndarray, " tokens"]:
    """The segment id of each token: 1, 2, ... in its row."""
    return np.repeat(self._segment.astype(np.int32), self._lengths)

  def positions(self) -> Int32[np.ndarray, " tokens"]:
    """0, 1, 2, ... within each segment."""
    total = int(self._lengths.sum())
    return np.arange(total, dtype=np.int32) - np.repeat(self._starts.astype(np.int32), self._lengths)

  def filled(self, *values: Shaped[np.ndarray, " tokens"]) -> Int32[np.ndarray, "values rows length"]:
    """One value a token, laid out in rows of zeros.

    A copy of a stretch a row is several times faster than an index a token, and one copy of all values than one each.
    """
    flat = np.empty((len(values), len(values[0])), np.int32)
    for into, each in zip(flat, values, strict=True):
      into[:] = each
    out = np.zeros((len(values), *self._shape), np.int32)
    for row, (start, stop) in enumerate(itertools.pairwise(self._bounds.tolist())):
      out[:, row, : stop - start] = flat[:, start:stop]
    return out


def of_segments(
  values: Int[np.ndarray, " n"], row: Int[np.ndarray, " n"], ids: Int32[np.ndarray, "rows length"]
) -> Int32[np.ndarray, "rows length"]:
  """A value of each example at all slots of its segment; 0 on padding.

  Args:
    row: the row of each example, never decreasing; examples have the segment ids 1, 2, ... of their row.
    ids: segment ids of one side of the rows.
  """
  rows = len(ids)
  first_of_row = np.searchsorted(row, np.arange(rows + 1))
  segment = np.arange(len(row)) - first_of_row[row] + 1
  width = int(segment.max(initial=0)) + 1
  table = np.zeros(rows * width, np.int32)
  table[row * width + segment] = values
  return table.take(ids + (np.arange(rows, dtype=np.int32) * width)[:, None])


def _shifted_right(sequences: Sequences) -> Integer[np.ndarray, " tokens"]:
  """Each token's predecessor in its sequence; 0, the decoder's start, for the first."""
  before = np.roll(sequences.tokens, 1)
  before[sequences.starts] = 0
  return before
