"""Sums: what is told is played out, and the answer is read off."""

import random
import re

import pytest

from flan_jax.collections.demo.generators import sums
from tests.collections.demo import asked

START, END = ("before", "start"), ("gain", "end")  # the other questions after the end are phrased like `gain`


def played(text):
  """How many each person has at first and in the end."""
  person = text.split()[0]
  change = sum(map(int, re.findall(r"got (\d+)", text))) - sum(map(int, re.findall(r"gave away (\d+)", text)))
  if end := re.search(r"has (\d+) now", text):
    return {person: (int(end[1]) - change, int(end[1]))}
  if start := re.search(r"had (\d+)", text):
    return {person: (int(start[1]), int(start[1]) + change)}
  held = {name: int(number) for name, number in re.findall(r"(\w+) has (\d+)", text)}
  held |= {name: 2 * sum(held.values()) for name in re.findall(r"(\w+) has twice", text)}
  return {name: (number, number) for name, number in held.items()}


def right(text, question):
  held = played(text)
  if question in START or question in END:
    ((start, end),) = held.values()
    return str(start if question in START else end)
  (one, (a, _)), (other, (b, _)) = held.items()
  return {
    "total": str(a + b),
    "difference": str(abs(a - b)),
    "twice": str(b),
    **dict.fromkeys(("more", "compare"), one if a > b else other),
    **dict.fromkeys(("fewer", "compare_less"), other if a > b else one),
  }[question]


@pytest.mark.parametrize("question", sums.ASKS)
def test_sums_come_out_as_they_are_played(question):
  for text, what, _, answer in asked.examples(sums, question):
    assert answer == right(text, what)
    assert not answer.isdigit() or 0 < int(answer) <= 30


@pytest.mark.parametrize("question", ["gain", "loss", "two_steps", "before", "total", "difference", "twice"])
def test_rationales_calculate_rightly(question):
  for fields in (sums.generate(random.Random(i), question) for i in range(60)):
    steps = re.findall(r"(\d+) ([+-]) (\d+) = (\d+)\.", fields["rationale"])
    assert all(int(a) + (int(b) if sign == "+" else -int(b)) == int(c) for a, sign, b, c in steps)
    assert steps[-1][-1] == fields["answer"]
