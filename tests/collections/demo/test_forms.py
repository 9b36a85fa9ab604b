"""Grammar: forms are made by rule, but for those that this file knows as exceptions."""

import re

import pytest

from flan_jax.collections.demo.generators import grammar
from tests.collections.demo import asked

PLURALS = {"mouse": "mice", "goose": "geese", "child": "children", "foot": "feet", "tooth": "teeth"}
PASTS = {"sing": "sang", "run": "ran", "swim": "swam", "sleep": "slept", "write": "wrote"}
GRADES = {"good": ("better", "best"), "bad": ("worse", "worst")}


def plural(noun):
  return PLURALS.get(noun) or f"{noun}{'es' if noun.endswith(('s', 'x')) else 's'}"


def past(verb):
  return PASTS.get(verb) or f"{verb.removesuffix('e')}ed"


def graded(word, end):
  """'bigger', 'older': a single consonant after a single vowel is doubled."""
  doubled = re.sub(r"([^aeiou][aeiou])([bdgt])$", r"\1\2\2", word)
  return GRADES[word][end == "est"] if word in GRADES else f"{doubled}{end}"


def article(noun):
  return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def base(form):
  """The verb that a form in the past is of."""
  (verb,) = [verb for verb, *_ in grammar.VERBS if past(verb) == form]
  return verb


FORMS = {
  "plural": plural,
  "article": article,
  "singular": lambda form: next(noun for noun in grammar.PLURALS if plural(noun) == form),
  "past": past,
  "base_form": base,
  "comparative": lambda word: graded(word, "er"),
  "superlative": lambda word: graded(word, "est"),
}
VERBS = {verb for verb, *_ in grammar.VERBS}


@pytest.mark.parametrize("question", [*FORMS, "third_person"])
def test_forms_follow_their_rules(question):
  for text, what, _, answer in asked.examples(grammar, question):
    words = text.split(" and ")
    if what == "third_person":
      assert answer == " and ".join(f"{word if word in VERBS else base(word)}s" for word in words)
    else:
      assert answer == " and ".join(map(FORMS[what], words))


@pytest.mark.parametrize("question", ["sentence_past", "sentence_denied", "sentence_asked"])
def test_sentences_are_turned_by_rule(question):
  for text, what, _, answer in asked.examples(grammar, question):
    person, third, place = text.split(" ", 2)
    verb = third.removesuffix("s")
    assert (
      answer
      == {
        "sentence_past": f"{person} {past(verb)} {place}",
        "sentence_denied": f"{person} does not {verb} {place}",
        "sentence_asked": f"does {person} {verb} {place}",
      }[what]
    )


def is_plural(noun):
  return noun in {plural(each) for each in grammar.PLURALS}


@pytest.mark.parametrize("question", ["verb_gap", "past_gap"])
def test_the_gap_is_filled_by_number(question):
  for text, what, _, answer in asked.examples(grammar, question):
    assert answer in {"verb_gap": ("is", "are"), "past_gap": ("was", "were")}[what]
    assert answer.endswith("re") == is_plural(text.split()[1])


@pytest.mark.parametrize("question", ["right", "wrong"])
def test_a_sentence_is_right_where_noun_and_verb_agree(question):
  for text, what, _, answer in asked.examples(grammar, question):
    _, noun, verb, *_ = text.split()
    of_many = verb in ("are", "were") or verb in VERBS
    assert ((of_many == is_plural(noun)) == (answer == "yes")) == (what == "right")
