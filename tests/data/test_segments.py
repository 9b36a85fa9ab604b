"""Batch arrays: worked by hand, and laws over any rows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.data.segments import DecoderRows, EncoderDecoderRows, Sequences

TOKENS = st.lists(st.integers(0, 99), max_size=6)
ROWS = st.lists(st.lists(st.tuples(TOKENS, TOKENS), max_size=4), min_size=1, max_size=5)


def batch_of(rows, lengths=(28, 28)):
  row = np.array([r for r, examples in enumerate(rows) for _ in examples], np.int64)
  return EncoderDecoderRows(*lengths).batch(len(rows), row, *sides(rows))


def sides(rows):
  """Inputs and targets of all examples."""
  return [
    Sequences.of(np.array(example[side], np.int32) for examples in rows for example in examples) for side in (0, 1)
  ]


def test_two_segments_by_hand():
  batch = batch_of([[([7, 8], [5]), ([], [6, 0])], []], (6, 6))
  expected = {
    "encoder_input_tokens": [7, 8, 1, 1, 0, 0],  # the second example's inputs are empty: its EOS alone
    "encoder_segment_ids": [1, 1, 1, 2, 0, 0],
    "encoder_positions": [0, 1, 2, 0, 0, 0],
    "decoder_target_tokens": [5, 1, 6, 0, 1, 0],
    "decoder_input_tokens": [0, 5, 0, 6, 0, 0],
    "decoder_loss_weights": [1, 1, 1, 1, 1, 0],
    "decoder_segment_ids": [1, 1, 2, 2, 2, 0],  # the token 0 inside is no padding
    "decoder_positions": [0, 1, 0, 1, 2, 0],
  }
  assert {name: array[0].tolist() for name, array in batch.items()} == expected
  assert all(array.dtype == np.int32 and not array[1].any() for array in batch.values())


@given(rows=ROWS)
def test_every_example_can_be_read_back(rows):
  batch = batch_of(rows)
  for r, examples in enumerate(rows):
    for segment, (inputs, targets) in enumerate(examples, start=1):
      read = batch["encoder_input_tokens"][r][batch["encoder_segment_ids"][r] == segment]
      said = batch["decoder_target_tokens"][r][batch["decoder_segment_ids"][r] == segment]
      heard = batch["decoder_input_tokens"][r][batch["decoder_segment_ids"][r] == segment]
      assert read.tolist() == [*inputs, 1]
      assert said.tolist() == [*targets, 1]
      assert heard.tolist() == [0, *targets]


@given(rows=ROWS)
def test_padding_is_zero_everywhere_and_weights_count_targets(rows):
  batch = batch_of(rows)
  for side in ("encoder", "decoder"):
    padding = batch[f"{side}_segment_ids"] == 0
    assert not any(array[padding].any() for name, array in batch.items() if name.startswith(side))
  assert batch["decoder_loss_weights"].sum() == sum(len(targets) + 1 for examples in rows for _, targets in examples)


def test_a_row_over_its_capacity_is_refused():
  with pytest.raises(ValueError, match="row 1 holds more than 3 tokens"):
    batch_of([[([], [])], [([4, 4, 4], [])]], (3, 3))


def test_two_decoder_only_segments_by_hand():
  rows = [[([7, 8], [5]), ([], [6, 0])], []]
  batch = DecoderRows(8).batch(2, np.array([0, 0]), *sides(rows))
  expected = {
    "decoder_target_tokens": [7, 8, 5, 1, 6, 0, 1, 0],  # no EOS between inputs and targets
    "decoder_input_tokens": [0, 7, 8, 5, 0, 6, 0, 0],
    "decoder_loss_weights": [0, 0, 1, 1, 1, 1, 1, 0],
    "decoder_causal_attention": [1, 1, 1, 0, 1, 0, 0, 0],  # where 0, 7 and 8 are read
    "decoder_segment_ids": [1, 1, 1, 1, 2, 2, 2, 0],
    "decoder_positions": [0, 1, 2, 3, 0, 1, 2, 0],
  }
  assert {name: array[0].tolist() for name, array in batch.items()} == expected
  assert not any(array[1].any() for array in batch.values())


@given(rows=ROWS)
def test_every_example_can_be_read_back_from_decoder_only_rows(rows):
  row = np.array([r for r, examples in enumerate(rows) for _ in examples], np.int64)
  inputs, targets = sides(rows)
  batch = DecoderRows(52).batch(len(rows), row, inputs, targets)
  clean = np.stack([inputs.lengths, targets.lengths], axis=1) - 1
  assert np.bincount(row, DecoderRows(52).taken(clean)[:, 0], len(rows)).tolist() == (
    (batch["decoder_segment_ids"] > 0).sum(axis=1).tolist()
  )
  for r, examples in enumerate(rows):
    for segment, (read, said) in enumerate(examples, start=1):
      here = batch["decoder_segment_ids"][r] == segment
      assert batch["decoder_target_tokens"][r][here].tolist() == [*read, *said, 1]
      assert batch["decoder_loss_weights"][r][here].tolist() == [0] * len(read) + [1] * (len(said) + 1)


@given(rows=ROWS)
def test_sequences_are_cut_and_joined_without_loss(rows):
  for side in sides(rows):
    parts = [side[slice(i, i + 1)] for i in range(len(side.lengths))]
    if parts:
      assert Sequences.joined(parts).tokens.tolist() == side.tokens.tolist()
    assert Sequences.of(side.clean()).tokens.tolist() == side.tokens.tolist()
    backwards = side.at(np.arange(len(side.lengths))[::-1])
    assert [tokens.tolist() for tokens in backwards.clean()] == [tokens.tolist() for tokens in side.clean()][::-1]
