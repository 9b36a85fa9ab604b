"""The embedded collection: enough of it, the same everywhere, its answers right, its held-out clusters whole."""

import importlib.util
import pathlib

import pytest

from flan_jax.data import rendering, specs, vocabularies

TASKS = specs.task_names("demo")
SCRIPT = pathlib.Path(__file__).parents[2] / "scripts" / "train_demo_vocabulary.py"


@pytest.mark.slow
def test_every_task_has_examples_to_ask():
  for task in TASKS:
    assert len(rendering.Renderer(task).splits.held_out) >= 10, task


@pytest.mark.parametrize("task", [*TASKS[:14:5], "demo.odd_one_out_of_4", "demo.sum_loss", "demo.to_words"])
def test_an_example_is_the_same_wherever_it_is_made(task):
  ours, again = rendering.Renderer(task), rendering.Renderer(task)
  order = list(range(0, 100, 7))
  forward = {i: ours.render(ours.source[i]) for i in order}
  backward = {i: again.render(again.source[i]) for i in reversed(order)}
  assert forward == backward


@pytest.fixture(scope="module")
def script():
  spec = importlib.util.spec_from_file_location("train_demo_vocabulary", SCRIPT)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_the_vocabulary_holds_what_the_training_tasks_say_and_no_held_out_words(script):
  text = list(script.training_text("demo", 2))
  vocabulary = vocabularies.load_vocabulary("demo", None)
  assert vocabulary.size == script.PIECES + 100
  # All of it as pieces: nothing that the training tasks say is unknown to it.
  assert all(2 not in ids for ids in vocabulary.encode(text))
  # A held-out instruction's own words are not in the text, so no piece was made for them.
  assert not any("outsider" in line or "odd one" in line for line in text)
  assert len(vocabulary.encode(["outsider"])[0]) > 1


@pytest.mark.slow
def test_training_the_vocabulary_again_gives_the_same_file(script):
  model = script.train(script.training_text("demo", script.EXAMPLES_A_TASK), script.PIECES)
  assert model == vocabularies.load_vocabulary("demo", None).path.read_bytes()
