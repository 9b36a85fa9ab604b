"""What the demo's base model reads, and its vocabulary: stories of every module that tells any, none an instruction."""

import importlib.util
import pathlib
import random
import re

import pytest

from flan_jax.collections.demo.generators import texts
from flan_jax.data import mixtures, specs, vocabularies
from flan_jax.evaluation.held_out.questions import unseen_mixture

SCRIPT = pathlib.Path(__file__).parents[3] / "scripts" / "train_demo_vocabulary.py"
DOCUMENTS = [texts.generate(random.Random(seed))["text"] for seed in range(1500)]


def test_each_document_is_short_and_the_vocabulary_has_all_its_words():
  assert sum(len(document.split()) > texts.WORDS for document in DOCUMENTS) < 0.01 * len(DOCUMENTS)  # one story alone
  pieces = vocabularies.load_vocabulary("demo").encode(DOCUMENTS[:500])
  assert max(map(len, pieces)) <= 72
  assert all(2 not in ids for ids in pieces)
  assert sum(map(len, pieces)) < 1.25 * sum(len(document.split()) for document in DOCUMENTS[:500])


def test_every_module_that_narrates_has_its_part(monkeypatch):
  silent = {"narration", "texts", "words"}
  assert silent.isdisjoint(texts.narrators())
  told = []
  for name, module in texts.narrators().items():
    monkeypatch.setattr(module, "narrate", lambda rng, name=name: told.append(name) or "One.")
  for seed in range(2000):
    texts.generate(random.Random(seed), {"lists": 5})
  share = len(told) / (len(texts.narrators()) + 4)
  assert all(abs(told.count(name) / share - 1) < 0.5 for name in texts.narrators() if name != "lists")
  assert abs(told.count("lists") / (5 * share) - 1) < 0.2


def test_no_document_holds_a_wording():
  """What is asked, in whatever fields, stands in no document: the base has seen no prompt."""
  demo = [specs.get_type(specs.get_task(task).type) for task in mixtures.get_mixture("demo_all").tasks]
  wordings = {w.turn for kind in demo for form in kind.wordings.values() for w in (*form, *kind.evaluation_wordings)}
  told = [re.compile(".+?".join(map(re.escape, parts))) for parts in map(_parts, wordings) if _words(parts) > 2]
  assert len(told) > 100
  assert [each.pattern for each in told if any(each.search(document) for document in DOCUMENTS)] == []


def _parts(wording):
  """What a template says, apart from what it fills in."""
  return [part for part in re.split(r"{{.*?}}|{%.*?%}", wording) if part.strip()]


def _words(parts):
  return len(" ".join(parts).split())


def test_no_mixture_of_instructions_has_them_and_they_are_no_questions():
  holding = [m.name for m in mixtures.declared_mixtures() if "demo.narratives" in m.tasks]
  assert holding == ["demo_text"]
  spec = mixtures.get_mixture("demo.number_smallest")
  assert "demo.narratives" not in unseen_mixture(spec, spec.tasks, None).tasks


@pytest.fixture(scope="module")
def script():
  spec = importlib.util.spec_from_file_location("train_demo_vocabulary", SCRIPT)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


def test_training_the_vocabulary_again_gives_the_file_that_ships(script):
  (ships,) = (pathlib.Path(specs.__file__).parents[1] / "collections" / "demo").glob("spiece.model")
  assert script.train(script.training_text(script.DOCUMENTS), script.PIECES) == ships.read_bytes()


def test_the_vocabulary_knows_no_words_of_instructions(script):
  vocabulary = vocabularies.load_vocabulary("demo")
  assert vocabulary.size == script.PIECES + vocabulary.sentinels
  assert {len(vocabulary.encode([word])[0]) > 1 for word in ("Instruction", "Output", "Explain")} == {True}
