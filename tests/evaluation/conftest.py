"""Answers made up for the tests of rows, table and chart."""

import dataclasses

import pytest

from flan_jax.evaluation import asking
from flan_jax.evaluation.answered import Answered
from flan_jax.evaluation.held_out.rows import Compared
from flan_jax.evaluation.suites.question import Question


@pytest.fixture(scope="session")
def answered():
  """A function: n prompts of a task, the first `right` answered correctly and the last `silent` without an answer."""
  return lambda *arguments, **others: [Compared(each) for each in _answered(*arguments, **others)]


@pytest.fixture(scope="session")
def compared():
  """A function: n prompts of a task, answered before and after."""

  def make(task: str, form: str, before: int, after: int, n: int, **others):
    earlier, later = (_answered(task, form, right, n, **others) for right in (before, after))
    return [Compared(*pair) for pair in zip(later, earlier, strict=True)]

  return make


def _answered(task: str, form: str, right: int, n: int, *, cluster="lists", choices=0, silent=0) -> list[Answered]:
  made = []
  for i in range(n):
    about = {"group": cluster, "variant": form, "choices": tuple(map(str, range(choices)))}
    question = Question("m", task, str(i), "direct", f"Question {i} [of {task}]?", ("yes",), "verbatim", **about)
    each = asking.read(asking.Asked(question, n=1), ["yes" if i < right else "no"])
    made.append(dataclasses.replace(each, extracted=None) if i >= n - silent else each)
  return made
