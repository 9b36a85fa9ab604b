"""Batches of prompts: every prompt once, few shapes, bounded size."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.decoding.batching import SHORTEST, prompt_batches


@given(lengths=st.lists(st.integers(1, 150), max_size=60), batch_slots=st.sampled_from([64, 256, 2048]))
def test_every_prompt_is_in_one_batch_as_it_was(lengths, batch_slots):
  prompts = [list(range(i, i + length)) for i, length in enumerate(lengths)]
  found = []
  for indices, tokens, segment_ids in prompt_batches(prompts, batch_slots):
    assert tokens.shape == segment_ids.shape
    assert tokens.size <= batch_slots or tokens.shape[0] == 1
    for row, index in enumerate(indices):
      found.append(index)
      assert tokens[row][segment_ids[row] == 1].tolist() == prompts[index]
    assert not segment_ids[len(indices) :].any()
    assert not tokens[segment_ids == 0].any()
  assert sorted(found) == list(range(len(prompts)))


@given(lengths=st.lists(st.integers(1, 500), min_size=1, max_size=400))
def test_shapes_are_few_powers_of_two_and_only_the_last_batch_has_empty_rows(lengths):
  batches = list(prompt_batches([[1] * length for length in lengths], 4096))
  shapes = {batch.tokens.shape for batch in batches}
  assert len(shapes) <= int(np.log2(512 // SHORTEST)) + 2
  assert all(rows & (rows - 1) == 0 and slots & (slots - 1) == 0 for rows, slots in shapes)
  assert all(len(batch.indices) == len(batch.tokens) for batch in batches[:-1])
  assert len(batches[-1].tokens) < 2 * len(batches[-1].indices)


def test_no_prompts_no_batches():
  assert list(prompt_batches([], 4096)) == []
