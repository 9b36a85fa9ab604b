"""What objectives make of texts: nothing is lost, T5's numbers hold, and a key alone decides."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.data.mixing import mix
from flan_jax.data.objectives import (
  Denoisers,
  Objective,
  PrefixLM,
  SpanCorruption,
  Stages,
  _subsets,
  described,
  longest_text,
  most_taken,
)
from flan_jax.data.segments import DecoderRows, EncoderDecoderRows, Sequences
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary
from flan_jax.errors import UsageError

FIRST, SENTINELS = 999, 7  # few, so that texts of 150 tokens have more spans than there are
MODES = ((900, 901), (), (902,), (903,))
SPANS = SpanCorruption(sentinels=(FIRST, SENTINELS))
DENSE = SpanCorruption(0.5, 1.0, (FIRST, SENTINELS))
T5 = SpanCorruption(sentinels=(32_099, 100))
OBJECTIVES = {
  "span_corruption": SPANS,
  "dense": DENSE,
  "prefix_lm": PrefixLM(),
  "denoisers": Denoisers((SPANS, DENSE, PrefixLM(), Denoisers((PrefixLM(), SPANS))), (2, 1, 1, 0.5), MODES),
}

lengths_of_pairs = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 200)), min_size=1, max_size=12)
every_objective = pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)


def keys_of(count, seed=0):
  return mix(np.arange(count, dtype=np.uint64) + np.uint64(1000 * seed))


def pairs_of(lengths):
  """(inputs, targets) as Sequences, whose tokens 10, 11, ... number the text of each example."""
  texts = [np.arange(10, 10 + a + b) for a, b in lengths]
  sides = zip(*((text[:a], text[a:]) for text, (a, _) in zip(texts, lengths, strict=True)), strict=True)
  return [dataclasses.replace(side, tokens=side.tokens.astype(np.uint16)) for side in map(Sequences.of, sides)]


def made(objective, lengths, keys):
  """What is read and what is said of each example, as lists without EOS."""
  sides = objective.made(*pairs_of(lengths), keys)
  for side in sides:
    assert side.tokens.dtype == np.uint16
    assert (side.tokens[np.cumsum(side.lengths) - 1] == 1).all()
  return [[tokens.tolist() for tokens in side.clean()] for side in sides]


def restored(read, said):
  """The text again: each sentinel of the inputs gives way to what stands behind it in the targets."""
  read = [token for token in read if not 900 <= token < FIRST - SENTINELS]  # modes
  spans, at = {}, None
  for token in said:
    if token > FIRST - SENTINELS:
      at = token
      spans[at] = []
    elif at is None:
      return [*read, *said]  # a prefix and its end
    else:
      spans[at].append(token)
  return [each for token in read for each in spans.get(token, [token])]


@every_objective
@settings(max_examples=60, deadline=None)
@given(lengths=lengths_of_pairs, seed=st.integers(0, 99))
def test_nothing_is_lost(objective, lengths, seed):
  for (a, b), read, said in zip(lengths, *made(objective, lengths, keys_of(len(lengths), seed)), strict=True):
    assert restored(read, said) == list(range(10, 10 + a + b))
    assert said or a + b == 0, "something is always to be said"


@every_objective
@settings(max_examples=60, deadline=None)
@given(lengths=lengths_of_pairs, seed=st.integers(0, 99))
def test_what_is_made_has_the_planned_lengths_and_never_more_than_the_extremes(objective, lengths, seed):
  keys, before = keys_of(len(lengths), seed), np.array(lengths)
  planned = objective.lengths(before, keys)
  sides = made(objective, lengths, keys)
  assert [[len(tokens) for tokens in side] for side in sides] == planned.T.tolist()
  for shape in (EncoderDecoderRows(999, 999), DecoderRows(999)):
    assert (shape.taken(planned) <= most_taken(objective, before, shape)).all()


@every_objective
@settings(max_examples=30, deadline=None)
@given(lengths=lengths_of_pairs, data=st.data())
def test_a_key_decides_whatever_else_is_in_the_window(objective, lengths, data):
  keys = keys_of(len(lengths))
  together = list(zip(*made(objective, lengths, keys), strict=True))
  chosen = data.draw(st.permutations(range(len(lengths))))[: len(lengths) // 2 + 1]
  alone = zip(*made(objective, [lengths[i] for i in chosen], keys[chosen]), strict=True)
  assert list(alone) == [together[i] for i in chosen]


@every_objective
def test_another_epoch_corrupts_differently(objective):
  first, second = (made(objective, [(0, 100)] * 50, keys_of(50, seed)) for seed in (0, 1))
  same = sum(one == other for one, other in zip(zip(*first, strict=True), zip(*second, strict=True), strict=True))
  assert same < 5


@given(length=st.integers(2, 3000), density=st.floats(0.05, 0.95), mean=st.floats(1, 64))
def test_noise_and_spans_are_t5s_numbers(length, density, mean):
  """The arithmetic of T5's random_spans_noise_mask, in plain Python."""
  noise = min(max(round(length * density), 1), length - 1)
  spans = max(round(noise / mean), 1)
  if spans > min(100, noise, length - noise):
    spans = min(100, noise, length - noise)  # our rule; T5 would run out of sentinels, or of spans
  got = SpanCorruption(density, mean, (32_099, 100)).lengths(np.array([[0, length]]), keys_of(1))
  assert got.tolist() == [[length - noise + spans, noise + spans]]


def test_the_longest_text_is_t5s_figure():
  """Raw texts of 568 tokens fill inputs of 512 and make targets of 114, EOS counted (T5's C4 pre-training)."""
  assert longest_text(T5, EncoderDecoderRows(512, 114)) == 568
  assert longest_text(T5, EncoderDecoderRows(512, 9999)) == 568
  assert (T5.lengths(np.array([[0, 568]]), keys_of(1)) + 1).tolist() == [[512, 114]]
  assert longest_text(T5, EncoderDecoderRows(512, 113)) < 568


@every_objective
@given(inputs=st.integers(8, 60), targets=st.integers(8, 60))
def test_the_longest_text_fits_and_a_longer_one_does_not(objective, inputs, targets):
  for shape in (EncoderDecoderRows(inputs, targets), DecoderRows(inputs)):
    longest = longest_text(objective, shape)
    taken = most_taken(objective, np.array([[0, n] for n in range(longest + 2)]), shape)
    fits = (taken <= np.array(shape.capacity)).all(axis=1)
    assert fits[1:-1].all()
    assert not fits[-1]


def test_decoder_only_rows_hold_a_prefix_and_its_end_whole():
  assert longest_text(PrefixLM(), DecoderRows(512)) == 511
  assert longest_text(PrefixLM(), EncoderDecoderRows(512, 512)) == 512


def test_rows_too_short_for_anything_are_refused():
  with pytest.raises(UsageError, match=r"rows of \[2, 2\] tokens are too short for .*SpanCorruption"):
    longest_text(SPANS, EncoderDecoderRows(2, 2))


@given(length=st.integers(1, 400), seed=st.integers(0, 99))
def test_sentinels_count_down_without_repetition_and_are_the_same_on_both_sides(length, seed):
  (read,), (said,) = made(SPANS, [(0, length)], keys_of(1, seed))
  marks = [token for token in said if token > FIRST - SENTINELS]
  assert marks == [token for token in read if token > FIRST - SENTINELS]
  assert marks == list(range(FIRST, FIRST - len(marks), -1))
  assert 1 <= len(marks) <= SENTINELS
  assert read[-1] == marks[-1], "the text ends with noise"
  assert length == 1 or read[0] == 10, "and begins with what is kept"


def test_two_texts_by_hand():
  """10 tokens: 2 of noise in 1 span, at the end; 1 token: a span alone."""
  sides = made(SPANS, [(3, 7), (0, 1)], keys_of(2))
  assert sides == [[[*range(10, 18), FIRST], [FIRST]], [[FIRST, 18, 19], [FIRST, 10]]]


@pytest.mark.parametrize(("size", "count"), [(4, 2), (5, 2), (7, 3), (9, 8), (12, 2)])
def test_all_subsets_are_equally_likely(size, count):
  """Chi-square over 40,000 keys; the bound is 5 standard deviations."""
  n = 40_000
  drawn = _subsets(np.full(n, size), np.full(n, count), keys_of(n)).reshape(n, count)
  assert (np.diff(drawn, axis=1) > 0).all()
  _, seen = np.unique(drawn, axis=0, return_counts=True)
  cells = math.comb(size, count)
  expected = n / cells
  assert len(seen) == cells
  assert ((seen - expected) ** 2 / expected).sum() < cells - 1 + 5 * math.sqrt(2 * cells)


def test_prefixes_have_every_length_equally_often():
  n = 30_000
  read = PrefixLM().lengths(np.tile([4, 7], (n, 1)), keys_of(n))[:, 0]
  lengths, seen = np.unique(read, return_counts=True)
  assert lengths.tolist() == list(range(1, 11))
  assert ((seen - n / 10) ** 2 / (n / 10)).sum() < 9 + 5 * math.sqrt(18)


def test_denoisers_are_drawn_by_their_weights_and_say_their_mode():
  n = 20_000
  mixed = Denoisers((SPANS, PrefixLM(), DENSE), (3, 1, 0), ((900,), (901,), (902,)))
  read = mixed.made(*pairs_of([(0, 20)] * n), keys_of(n))[0]
  modes, seen = np.unique(read.tokens[read.starts], return_counts=True)
  assert modes.tolist() == [900, 901]
  assert abs(seen[0] / n - 0.75) < 5 * math.sqrt(0.75 * 0.25 / n)
  assert (Denoisers((SPANS,)).made(*pairs_of([(0, 20)]), keys_of(1))[0].tokens[:-1] < 900).sum() == 17


def test_stages_follow_one_another_and_fit_rows_that_fit_each():
  staged = Stages([SPANS, DENSE, PrefixLM()], [2, 1])
  assert [staged.at(window) for window in range(5)] == [SPANS, SPANS, DENSE, PrefixLM(), PrefixLM()]
  assert Denoisers((staged, SPANS)).at(2) == Denoisers((DENSE, SPANS))
  shape = EncoderDecoderRows(40, 24)
  assert longest_text(staged, shape) == min(longest_text(each, shape) for each in staged.objectives)
  with pytest.raises(ValueError, match="take at"):
    staged.lengths(np.array([[0, 5]]), keys_of(1))


def test_ids_come_from_the_vocabulary_and_given_ones_stay():
  vocabulary = load_vocabulary("demo")
  mixed = Denoisers([SpanCorruption(), SPANS, PrefixLM()], modes=["one", (5,), ""]).for_vocabulary(vocabulary)
  assert [objective.sentinels for objective in mixed.objectives[:2]] == [(vocabulary.size - 1, 100), SPANS.sentinels]
  assert vocabulary.pieces([vocabulary.size - 1]) == ["▁<extra_id_0>"]
  assert mixed.modes == (tuple(vocabulary.encode(["one"])[0]), (5,), ())
  with pytest.raises(UsageError, match="extra_ids = 0"):
    SpanCorruption().for_vocabulary(Vocabulary(vocabulary.path, extra_ids=0))
  with pytest.raises(ValueError, match="for_vocabulary"):
    SpanCorruption().lengths(np.array([[0, 5]]), keys_of(1))


@every_objective
def test_an_objective_is_told_as_json_and_keeps_the_protocol(objective):
  assert isinstance(objective, Objective)
  assert json.loads(json.dumps(described(objective))) == described(objective)
  assert described(objective)["objective"] == type(objective).__name__
  others = [described(other) for other in (None, T5, *OBJECTIVES.values()) if other is not objective]
  assert described(objective) not in others


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (lambda: SpanCorruption(noise_density=1.5), "noise_density = 1.5: must be above 0 and below 1"),
    (lambda: SpanCorruption(mean_noise_span_length=0.5), "must be at least 1"),
    (lambda: Denoisers(()), "objectives is empty"),
    (lambda: Stages((SPANS, PrefixLM()), ()), "one number for each of 2 objectives but the last"),
    (lambda: Stages((SPANS, PrefixLM()), (0,)), "at least 1"),
    (lambda: Denoisers((SPANS,), weights=(1, 2)), "one for each of 1, or none"),
    (lambda: Denoisers((SPANS, DENSE), weights=(1, -2)), "must not be negative"),
  ],
)
def test_what_cannot_be_is_refused(make, message):
  with pytest.raises(UsageError, match=message):
    make()
