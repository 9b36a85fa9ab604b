"""Numbers: rewritten and put in order rightly, and no answer can be had without looking."""

import collections
import itertools
import random
import re

import pytest

from flan_jax.collections.demo.generators import numbers, words

EXAMPLES = {q: [numbers.generate(random.Random(seed), q) for seed in range(300)] for q in numbers.ASKS}
QUESTIONS = {ask: question for question, asks in numbers.ASKS.items() for ask in asks}


def right(text: str, question: str) -> str:
  """The answer, worked out another way than the generator does."""
  row = [words.NUMBERS.index(each) if each.isalpha() else int(each) for each in text.split() if each != "..."]
  pairs = list(itertools.pairwise(row))
  gaps = [b - a for a, b in pairs]
  if question == "to_words":
    return " ".join(words.NUMBERS[n] for n in row)
  if question in ("rising", "falling"):
    return "yes" if all(gap > 0 if question == "rising" else gap < 0 for gap in gaps) else "no"
  found = {
    "to_figures": lambda: row,
    "one_more": lambda: [n + 1 for n in row],
    "one_less": lambda: [n - 1 for n in row],
    "twice": lambda: [row[i // 2] for i in range(2 * len(row))],
    "joined": lambda: [each for n in row for each in (n, "and")][:-1],
    "next": lambda: [row[-1] + gaps[0]],
    "previous": lambda: [row[0] - gaps[0]],
    "missing": lambda: [(a + b) // 2 for a, b in pairs if abs(b - a) == max(map(abs, gaps))],
    "largest": lambda: [sorted(row)[-1]],
    "smallest": lambda: [sorted(row)[0]],
    "middle": lambda: [sum(row) - max(row) - min(row)],
    "sort_up": lambda: sorted(row),
    "sort_down": lambda: sorted(row)[::-1],
  }[question]()
  return " ".join(map(str, found))


@pytest.mark.parametrize("question", numbers.ASKS)
def test_answers_are_right_under_both_asks(question):
  for fields in EXAMPLES[question]:
    assert QUESTIONS[fields["ask"]] == question
    assert fields["answer"] == right(fields["text"], question)
    if question != "to_figures":
      assert fields["other_answer"] == right(fields["text"], QUESTIONS[fields["other_ask"]]) != fields["answer"]


@pytest.mark.parametrize("question", numbers.ASKS)
def test_no_answer_is_much_commoner_than_another(question):
  examples = EXAMPLES[question]
  assert max(collections.Counter(fields["answer"] for fields in examples).values()) < 0.6 * len(examples)


@pytest.mark.parametrize("question", ["largest", "smallest", "middle"])
def test_no_place_in_the_row_is_much_commoner_than_another(question):
  places = collections.Counter(fields["choices"].index(fields["answer"]) for fields in EXAMPLES[question])
  assert max(places.values()) < (1 / len(EXAMPLES[question][0]["choices"]) + 0.1) * len(EXAMPLES[question])


def test_the_gap_is_in_the_middle_of_a_row():
  for fields in EXAMPLES["missing"]:
    assert 0 < fields["text"].split().index("...") < 5


def test_narrations_say_the_truth_about_every_number():
  told = "\n".join(numbers.narrate(random.Random(seed)) for seed in range(6000))
  assert {(word, int(n)) for word, n in re.findall(r"The figure for (\w+) is (\d+)", told)} == {
    (word, n) for n, word in enumerate(words.NUMBERS)
  }
  assert all(int(b) == int(a) + 1 for a, b in re.findall(r"After (\d+) comes (\d+),", told))
  assert all(int(a) > int(b) for a, b in re.findall(r"^(\d+) is more than (\d+)\.$", told, re.MULTILINE))
