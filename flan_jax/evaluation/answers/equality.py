"""When two answers are the same, and what an answer scores."""

from collections.abc import Sequence
from typing import Protocol

from flan_jax.evaluation.answers import metrics
from flan_jax.evaluation.answers.numbers import same_number
from flan_jax.evaluation.answers.options import letter_of


class Asked(Protocol):
  """What of a question scoring looks at; `suites.question.Question` has it."""

  kind: str
  references: Sequence[str]
  metrics: Sequence[str]


def same_answer(answer: str, reference: str, kind: str) -> bool:
  """Whether an answer read by `extraction.read_answer` says what a reference says.

  >>> same_answer("B", "(B)", "option"), same_answer("70000", "70,000", "number"), same_answer("15", "1,5", "number")
  (True, True, False)

  Args:
    kind: one of `suites.question.KINDS`: letters are compared without brackets, labels without case, numbers by value,
      spans as SQuAD does, texts but for whitespace, and emphasis (**) and a full stop that the reference has not;
      'verbatim' and 'told' but for whitespace alone.
  """
  if metrics.exact_match(answer, [reference]):
    return True
  if kind == "option":
    letters = letter_of(answer), letter_of(reference)
    return letters[0] == letters[1] if all(letters) else metrics.accuracy(answer, [reference]) == 1.0
  if kind == "label":
    return metrics.accuracy(answer, [reference]) == 1.0
  if kind == "number":
    return same_number(answer, reference)
  if kind == "span":
    return metrics.squad_exact_match(answer, [reference]) == 1.0
  if kind in ("verbatim", "told"):
    return False
  bare = answer.strip().strip("*").strip().removesuffix(".")
  return metrics.exact_match(bare.strip("*"), [reference]) == 1.0


def scores(question: Asked, extracted: str | None) -> dict[str, float]:
  """What an output scores, by the names of the question's metrics; each in [0, 1], the best over references.

  An output without an answer scores 0. Whether an answer is right is a question of its kind (`same_answer`); the other
  metrics compare texts.

  Args:
    question: whose references, kind and metrics count.
    extracted: its answer in the output; None if there is none.

  Raises:
    UsageError, FlanJaxError: see `metrics.get_metric`.
  """
  found = {}
  for name in question.metrics:
    metric = metrics.get_metric(name)
    if extracted is None:
      found[name] = 0.0
    elif name in ("exact_match", "accuracy"):
      found[name] = float(any(same_answer(extracted, reference, question.kind) for reference in question.references))
    else:
      found[name] = metric(extracted, question.references)
  return found
