"""Kinds: what is asked about a thing's kind has the right answer, and no answer can be had without looking."""

import collections
import random
import re

import pytest

from flan_jax.collections.demo.generators import kinds, words

EXAMPLES = {
  question: [kinds.generate(random.Random(seed), question, 3 + seed % 3) for seed in range(300)]
  for question in kinds.ASKS
}
KIND = re.compile(f"({'|'.join(words.KINDS)})s?$")


def right(text: str, ask: str) -> str:
  """The answer, from the text and the words of the ask alone."""
  things = re.sub("^an? | in the .*", "", text).split(", ")
  of = [words.kind_of(thing) for thing in things]
  named = KIND.search(ask.removesuffix(" there are").removesuffix(" among these"))
  if named and re.search("count the|how many|number of", ask):
    return words.NUMBERS[of.count(named[1])]
  if named and re.search("whether|if", ask):
    return "yes" if of == [named[1]] else "no"
  if named:
    return things[of.index(named[1])]
  if re.search("both|the two|they share a", ask):
    return "yes" if of[0] == of[1] else "no"
  by_number = collections.Counter(of).most_common()
  if re.search("odd|belong$|another|not like", ask):
    return things[of.index(by_number[-1][0])]
  return by_number[0][0]


@pytest.mark.parametrize("question", kinds.ASKS)
def test_answers_are_right_under_both_asks(question):
  for fields in EXAMPLES[question]:
    assert fields["answer"] == right(fields["text"], fields["ask"])
    assert fields["other_answer"] == right(fields["text"], fields["other_ask"]) != fields["answer"]
    assert fields["answer"] in fields["choices"]
    assert fields["other_answer"] in fields.get("other_choices", fields["choices"])


@pytest.mark.parametrize("question", kinds.ASKS)
def test_no_answer_is_much_commoner_than_another(question):
  given = [[fields["answer"], *fields["choices"]] for fields in EXAMPLES[question]]
  most = sum(1 / (len(each) - 1) for each in given) / len(given) + 0.12
  answers = collections.Counter(each[0] for each in given)
  places = collections.Counter(each.index(each[0], 1) for each in given)
  assert max(answers.values()) / len(given) < most
  assert max(places.values()) / len(given) < most


def test_narrations_say_the_truth_about_every_thing():
  told = "\n".join(kinds.narrate(random.Random(seed)) for seed in range(3000))
  said = re.findall(r"\b(?:An? (\w+)|(Bread|Rice|Soup)) is an? (\w+)\.", told)
  assert {(one or mass.lower(), kind) for one, mass, kind in said} == {(t, words.kind_of(t)) for t in words.THINGS}
