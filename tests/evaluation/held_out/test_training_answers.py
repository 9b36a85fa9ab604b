"""What counts as an answer at all, and what who always says the same is right of."""

import dataclasses

import pytest

from flan_jax.evaluation import asking
from flan_jax.evaluation.held_out.training_answers import TrainingAnswers
from flan_jax.evaluation.suites.question import Question

ANSWERS = TrainingAnswers.of([["red fox"], ["Red  fox"], ["blue hen", "hen"], ["red fox"]])


def answered(output, *, choices=(), target="the grey owl", ended=True, kind="verbatim"):
  question = Question("m", "c.t", "0", "direct", "Turn round: owl grey the", (target,), kind, choices=choices)
  return dataclasses.replace(asking.read(asking.Asked(question, 1), [output]), ended=ended)


def test_the_commonest_answer_is_what_saying_it_always_gets():
  assert ANSWERS.commonest == 0.5  # 'Red  fox' is another answer, but for its spaces
  assert TrainingAnswers.of([["a", "b"], ["b"], ["c"]]).commonest == pytest.approx(2 / 3)
  assert TrainingAnswers.of([]) == TrainingAnswers()


@pytest.mark.parametrize(
  ("output", "valid"),
  [
    ("the grey owl", True),
    ("owl owl", True),  # of the prompt
    ("RED hen.", True),  # of training answers
    ("red crow", False),
    ("", False),
    (" . ", False),
  ],
)
def test_a_free_answer_is_of_words_that_could_be_meant(output, valid):
  assert ANSWERS.valid(answered(output)) == valid


def test_a_choice_is_an_answer_whether_right_or_wrong():
  said = {
    each: ANSWERS.valid(answered(each, choices=("yes", "no"), target="yes")) for each in ("yes", "no", "owl", "y")
  }
  assert said == {"yes": True, "no": True, "owl": False, "y": False}


def test_what_was_cut_is_no_answer_unless_it_is_right():
  assert not ANSWERS.valid(answered("owl owl", ended=False))
  assert ANSWERS.valid(answered("the grey owl", ended=False))
  assert ANSWERS.valid(answered("owl owl. Then they all", ended=False, kind="told"))
