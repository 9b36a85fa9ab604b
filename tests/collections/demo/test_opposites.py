"""Opposites and synonyms: laws of the two relations, and answers looked up the other way round."""

import re

import pytest

from flan_jax.collections.demo.generators import opposites
from tests.collections.demo import asked

OPPOSED = {frozenset(pair) for pair in opposites.PAIRS}
ALIKE = {frozenset(pair) for pair in opposites.SYNONYMS.items()}


def test_an_opposite_has_its_word_as_opposite_and_no_word_means_its_opposite():
  assert all(opposites.OPPOSITES[opposites.OPPOSITES[word]] == word for word in opposites.OPPOSITES)
  assert len(opposites.OPPOSITES) == 2 * len(opposites.PAIRS)
  assert not OPPOSED & ALIKE
  assert len({word for pair in ALIKE for word in pair}) == 2 * len(ALIKE)
  assert set(opposites.SYNONYMS) <= set(opposites.OPPOSITES)
  assert not set(opposites.SYNONYMS.values()) & set(opposites.OPPOSITES)


def fits(text, question, phrase, answer):
  """Whether an answer is right."""
  if question in ("relation", "are_opposites", "are_synonyms"):
    pair = frozenset(text.split(" and "))
    if question == "relation":
      return pair in {"opposites": OPPOSED, "synonyms": ALIKE}[answer]
    return (pair in (OPPOSED if question == "are_opposites" else ALIKE)) == (answer == "yes")
  asked_for = ALIKE if question.endswith(("synonym", "what")) else OPPOSED
  if question in ("say_opposite", "say_synonym"):
    *same, word = text.split()
    *kept, new = answer.split()
    return same == kept and frozenset((word, new)) in asked_for
  named = re.findall(r"\w+", phrase if question.startswith("find") else text)
  found = {word for word in named if frozenset((word, answer)) in asked_for}
  return len(found) == 1 and (not question.startswith("find") or answer in re.findall(r"\w+", text))


@pytest.mark.parametrize("question", opposites.ASKS)
def test_opposites_are_opposite_and_synonyms_alike(question):
  for text, what, phrase, answer in asked.examples(opposites, question):
    assert fits(text, what, phrase, answer)


@pytest.mark.parametrize("question", ["find_opposite", "find_synonym"])
def test_one_of_the_words_shown_is_the_one_asked_for(question):
  for text, what, phrase, answer in asked.examples(opposites, question):
    assert [word for word in re.findall(r"\w+", text) if word != "or" and fits(text, what, phrase, word)] == [answer]
