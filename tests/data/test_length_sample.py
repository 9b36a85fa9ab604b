"""A sample of lengths is of the mixture's own examples, at its rates, and the same each time."""

from collections import Counter

import numpy as np
import pytest

from flan_jax.data import mixtures
from flan_jax.data.length_sample import sampled_lengths
from flan_jax.data.rendering import Renderer
from flan_jax.data.vocabularies import load_vocabulary


@pytest.fixture
def sampled(toy):
  def run(name, examples=400, **changes):
    mixture, vocabulary = mixtures.get_mixture(name), load_vocabulary("demo")
    return sampled_lengths(
      mixture, data_dir=toy.data_dir, vocabulary=vocabulary, examples=examples, **{"processes": 1, **changes}
    )

  return run


def test_lengths_are_those_of_the_tasks_training_examples(sampled, toy):
  mixture = mixtures.get_mixture("toy_reasoned")
  renderer = Renderer("toy.capitals", toy.data_dir, formats=mixture.parts[0].formats, shots=mixture.parts[0].shots)
  vocabulary = load_vocabulary("demo")
  made = [renderer.render(renderer.source[int(i)]) for i in renderer.splits.train]
  possible = {(len(a) + 1, len(b) + 1) for a, b in (vocabulary.encode([one.inputs, one.targets]) for one in made)}
  lengths = sampled("toy_reasoned")
  assert lengths.shape == (400, 2)
  assert {tuple(pair) for pair in lengths.tolist()} == possible


def test_tasks_come_at_their_rates(sampled):
  """toy.parity is capped at 7 and always asks 'Is N even?'; its targets are the shortest."""
  alone = {tuple(pair) for pair in sampled("toy.parity").tolist()}
  together = Counter(map(tuple, sampled("toy", 4000).tolist()))
  rates = {"capitals": 48, "parity": 7, "echo_a": 2, "echo_b": 2}  # about: a fifth of 60 is held out
  share = sum(count for pair, count in together.items() if pair in alone) / 4000
  assert share == pytest.approx(rates["parity"] / sum(rates.values()), abs=0.06)


def test_a_sample_depends_on_its_seed_and_not_on_processes(sampled, toy, monkeypatch):
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(toy.collection.parent))
  assert np.array_equal(sampled("toy"), sampled("toy", processes=2))
  assert not np.array_equal(sampled("toy"), sampled("toy", render_seed=1))
