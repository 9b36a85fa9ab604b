"""An answered question: one line of predictions.jsonl, and of the journal of an evaluation."""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flan_jax.atomic import write_atomically
from flan_jax.evaluation.suites.question import Question


class Key(NamedTuple):
  """What is asked and answered once in an evaluation."""

  suite: str
  task: str
  variant: str
  mode: str
  n: int
  id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Answered:
  """What a checkpoint made of a question.

  Attributes:
    suite, task, variant, group, language, split, mode, id, shots, exemplars, prompt, references, kind, listed, choices:
      of the question.
    n: how many paths were sampled; 1: one greedy output (or a choice among ranked answers).
    prompt_tokens: how long the prompt is, its EOS included.
    output: what was put out; of n > 1 paths the first one whose answer won (the first one where none had an answer).
      Of a ranked question the chosen answer.
    extracted: the answer in the output, None where there is none; of n > 1 paths the one that most of them give.
    target: the first of the references; '' where nothing is right or wrong.
    correct: whether the answer is right by exact match.
    scores: by metric, each in [0, 1]; the first metric is the one that averages are made of. Empty where nothing is
      right or wrong.
    log_probability: of the target and the output's end after the prompt, in nats; in mode 'cot' of the target alone
      after the prompt and what the model wrote up to where its answer begins, None where it gave no answer.
    paths: each sampled path's {'output', 'extracted'}; None for n = 1.
    agreement: the winning answer's share of all paths, those without an answer included; 0 where none has one; None
      where there was no vote: for n = 1, and where nothing is right or wrong.
    tied: whether another answer had as many paths, or another choice is as likely; None where there was neither.
    abstained: how many of the paths gave no answer; None where there was no vote.
    choice_scores: of a ranked question: of each of `choices`, what they were ranked by.
    ended: whether the one greedy output came to its end, or was cut at the most tokens; None of paths and choices.
  """

  suite: str
  task: str
  variant: str
  group: str
  language: str
  split: str
  mode: str
  n: int
  id: str
  shots: int
  exemplars: str
  prompt: str
  prompt_tokens: int
  output: str
  extracted: str | None
  target: str
  references: tuple[str, ...]
  kind: str
  listed: tuple[str, ...]
  choices: tuple[str, ...]
  correct: bool
  scores: Mapping[str, float]
  log_probability: float | None = None
  paths: tuple[Mapping[str, str | None], ...] | None = None
  agreement: float | None = None
  tied: bool | None = None
  abstained: int | None = None
  choice_scores: tuple[float, ...] | None = None
  ended: bool | None = None

  @property
  def key(self) -> Key:
    """By which an evaluation knows that it has been answered."""
    return Key(self.suite, self.task, self.variant, self.mode, self.n, self.id)

  @property
  def metric(self) -> str:
    """The name of the first metric; '' where there is none."""
    return next(iter(self.scores), "")

  def json(self) -> str:
    """One line, without its end."""
    text = json.dumps({name: getattr(self, name) for name in _NAMES}, ensure_ascii=False)
    return text.translate(_LINE_ENDS)

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> "Answered":
    """What `json` gave, read by the json module; raises TypeError for anything else."""
    return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in content.items()})


# What other readers of lines than JSON's take for an end of line; json escapes the ASCII ones itself.
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}
_NAMES = tuple(field.name for field in dataclasses.fields(Answered))
# What an answered question takes over from its question.
FROM_QUESTION = tuple(field.name for field in dataclasses.fields(Question) if field.name in _NAMES)


def write_answered(path: Path, answered: Iterable[Answered]) -> None:
  """Writes predictions.jsonl: a line each, atomically."""
  write_atomically(path, (f"{each.json()}\n".encode() for each in answered))
