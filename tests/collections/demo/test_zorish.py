"""Zorish: translated word by word with a dictionary of the test's own making, and every word is told of."""

import random
import re

import pytest

from flan_jax.collections.demo.generators import language
from tests.collections.demo import asked

MEANS = {zorish: word for word, zorish in language.WORDS.items()}


def english(text):
  """Zorish in English: the quality, which comes last, goes before its thing."""
  known = [MEANS.get(word, word) for word in text.split()]
  return " ".join(known[::-1] if len(known) == 2 else known)


def right(text, question, phrase):
  if question in ("word_to_zorish", "phrase_to_zorish"):
    (found,) = {english(z): z for z in zorish_texts() if english(z) == text}.values()
    return found
  if question in ("word_to_english", "phrase_to_english"):
    return english(text)
  if question in ("thing", "quality", "zorish_order"):
    one, other = text.split() if question == "zorish_order" else english(text).split()
    return {"thing": other, "quality": one, "zorish_order": f"{other} {one}"}[question]
  if question.endswith(("means", "misses")):
    said, meant = text.split(" for ")
    return "yes" if (english(said) == meant) == question.endswith("means") else "no"
  named = re.findall(r"\w+", phrase)
  if question.startswith("find"):
    return next(w for w in re.findall(r"\w+", text) if MEANS.get(w, "") in named or language.WORDS.get(w, "") in named)
  return next(MEANS[thing] for person, thing in re.findall(r"(\w+) saw a (\w+)", text) if person in named)


def zorish_texts():
  words = list(MEANS)
  pairs = [f"{one} and {two}" for one in words for two in words if one != two]
  phrases = [f"{thing} {quality}" for thing in language.THINGS.values() for quality in language.QUALITIES.values()]
  return [*words, *pairs, *phrases]


@pytest.mark.parametrize("question", language._MAKERS)
def test_zorish_is_translated_by_its_dictionary_and_its_order(question):
  for text, what, phrase, answer in asked.examples(language, question, 30):
    assert answer == right(text, what, phrase)


def test_no_word_is_of_both_languages_and_every_one_is_told_of():
  assert len(MEANS) == len(language.WORDS)
  assert not set(MEANS) & set(language.WORDS)
  told = "\n".join(language.narrate(random.Random(i)) for i in range(2000))
  assert set(re.findall(r"In Zorish, (\w+) is (\w+)\.", told)) == set(language.WORDS.items())


@pytest.mark.parametrize("question", language._MAKERS)
def test_rationales_translate_rightly(question):
  for seed in range(20):
    why = language.generate(random.Random(seed), question).get("rationale", "")
    for said in filter(None, re.split(r" and |\.", why)):
      one, other = re.split(r" is | means ", said)
      assert other == english(one) or one == english(other)
