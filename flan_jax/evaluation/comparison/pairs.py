"""The same questions to two checkpoints, A and B, one at a time in memory, each by a journal: a stop loses nothing."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from flan_jax.evaluation import asking, journal
from flan_jax.evaluation.answered import Answered
from flan_jax.evaluation.answering import Answerer, Described
from flan_jax.evaluation.asking import AnswerOptions, Asked
from flan_jax.evaluation.comparison.asked import Prompts, Tasks
from flan_jax.evaluation.identity import of_checkpoint, of_questions
from flan_jax.interop import loading

JOURNALS = {"A": "journal_a.jsonl", "B": "journal_b.jsonl"}


class Pair(NamedTuple):
  """What A and B answered to one prompt."""

  A: Answered
  B: Answered

  @property
  def id(self) -> str:
    """Of the prompt: its task, variant and name."""
    return f"{self.A.task}/{self.A.variant}/{self.A.id}"

  @property
  def alike(self) -> bool:
    """Whether the outputs say the same, whatever whitespace is around them."""
    return self.A.output.strip() == self.B.output.strip()


def compare(
  checkpoints: Mapping[str, str | os.PathLike],
  asked: Tasks | Prompts,
  folder: Path,
  *,
  max_new_tokens: int | None = None,
  vocabulary: str | None = None,
  data_dir: Path | None = None,
  check: Callable[[Mapping[str, Any]], None] = lambda identity: None,
) -> tuple[list[Pair], dict[str, Any]]:
  """The answers of 'A' and 'B' to the same questions.

  Args:
    checkpoints: of each, whatever `loading.open_source` takes.
    folder: gets a journal of each. What it has of this very request is not asked again; those of another comparison
      become NAME.old.jsonl.
    max_new_tokens: an output is cut there; None for the length that each was trained with.
    vocabulary: for checkpoints that carry none; a name or a SentencePiece file.
    check: is given the JSON values of the comparison before anything is asked or any file is touched, to refuse it.

  Returns:
    (the pairs, in the order of the questions; JSON values that tell these pairs from all others).

  Raises:
    UsageError: a checkpoint is not there or has no vocabulary; nothing is asked.
    FlanJaxError: a checkpoint cannot be read, or another process is at the same comparison.
  """
  sources = {side: loading.open_source(path) for side, path in checkpoints.items()}
  described = [Described.of(source, vocabulary, data_dir) for source in sources.values()]
  within = [each.fits(None) for each in described]
  questions = asked.questions(lambda prompt: all(fits(prompt) for fits in within))
  identity = {
    "checkpoints": {side: of_checkpoint(source) for side, source in sources.items()},
    "asked": of_questions(questions),
    "decoding": {"max_new_tokens": max_new_tokens},
    "vocabulary": vocabulary,
  }
  check(identity)
  answers = {}
  for side, path in checkpoints.items():
    of_side = {**identity, "checkpoints": identity["checkpoints"][side]}
    with journal.opened(folder / JOURNALS[side], of_side, makes_room=True) as kept:
      answers[side] = asking.ask(
        [Asked(question, 1, max_new_tokens) for question in questions],
        kept,
        lambda path=path: Answerer.load(path, vocabulary, data_dir),
        AnswerOptions(targets=False),
        f"answering ({side})",
      )
  return [Pair(*pair) for pair in zip(answers["A"], answers["B"], strict=True)], identity
