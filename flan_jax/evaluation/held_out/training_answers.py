"""What the answers of a task's training examples say of chance, and of which outputs are answers at all."""

import collections
import dataclasses
import re
from collections.abc import Iterable

from flan_jax.evaluation.answered import Answered
from flan_jax.evaluation.answers.metrics import normalised

_WORDS = re.compile(r"\w+")


@dataclasses.dataclass(frozen=True)
class TrainingAnswers:
  """Of one task.

  Attributes:
    commonest: share of the examples that the commonest answer is right of: what who says nothing else gets.
    words: of all answers, without case.
  """

  commonest: float = 0.0
  words: frozenset[str] = frozenset()

  @classmethod
  def of(cls, answers: Iterable[Iterable[str]]) -> "TrainingAnswers":
    """Of the accepted answers of each example."""
    accepted = [{normalised(answer) for answer in each} for each in answers]
    counts = collections.Counter(answer for each in accepted for answer in each)
    commonest = max(counts.values(), default=0) / max(len(accepted), 1)
    return cls(commonest, frozenset(word for answer in counts for word in _words(answer)))

  def valid(self, answered: Answered) -> bool:
    """Whether an output is an answer to what was asked, right or wrong.

    Where there are choices it is one of them. Else it came to its end (whatever was written after it) and has words,
    each of which stands in the prompt or in a training answer. A right answer is valid.
    """
    if answered.correct:
      return True
    if answered.extracted is None:
      return False
    if answered.choices:
      return normalised(answered.extracted) in {normalised(choice) for choice in answered.choices}
    said = _words(answered.extracted)
    ended = answered.ended is not False or not answered.output.rstrip().endswith(answered.extracted)
    return bool(said) and ended and said <= self.words | _words(answered.prompt)


def _words(text: str) -> set[str]:
  return set(_WORDS.findall(text.casefold()))
