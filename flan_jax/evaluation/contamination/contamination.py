"""What a training store shares with the questions of a suite, by n-grams of words; `contamination_rules` knows by name.

A question overlaps with the store if n words in a row of it stand in a training example; of a shorter one, the whole.
That is the rule of GPT-3 (Brown et al. 2020, arXiv 2005.14165, Appendix C), whose n is a benchmark's own: the 5th
percentile of its questions' words, at least 8 (fewer meet by chance) and at most 13. PaLM (Chowdhery et al. 2022, arXiv
2204.02311, Section 8) calls contaminated what has at least 70% of its 8-grams in the training data. Both are counted
here, and how many of the overlapping questions met a training example whose target holds their answer too.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64

from flan_jax.data import limits
from flan_jax.data.records import Records
from flan_jax.data.segments import Sequences
from flan_jax.data.store import TaskStore
from flan_jax.evaluation.contamination.question_grams import SHORTEST, AnswerGrams, QuestionGrams
from flan_jax.evaluation.contamination.word_grams import WordReader
from flan_jax.progress import Progress, silently

LONGEST = 13  # n of GPT-3's rule, at most; at least SHORTEST
MOSTLY = 0.7  # PaLM's share of n-grams
_BATCH_TOKENS = 1 << 18  # read at once: some 60 MB of hashes and positions


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
  """A question of a suite by itself: without instruction and exemplars.

  Attributes:
    task: its name within the suite.
    text: what is asked, with passage and options.
    answers: all accepted ones; an option's text where the suite's answer is its letter.
  """

  task: str
  id: str
  text: str
  answers: tuple[str, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Overlap:
  """What the store shares with one question.

  Attributes:
    grams: different n-grams of the question; 0 where it has fewer words than any that is compared.
    seen: how many of them stand in the store.
    with_answer: whether a training example that has one of them has an answer in its target.
    store: index of the store that the training example with the most of them is in; -1 for none.
    record: that example's, within its store.
  """

  grams: int
  seen: int
  with_answer: bool
  store: int
  record: int

  @property
  def share(self) -> float:
    """Of its n-grams, those that the store has."""
    return self.seen / self.grams if self.grams else 0.0


def usual_n(asked: Sequence[Asked], reader: WordReader) -> int:
  """GPT-3's n for a benchmark: the 5th percentile of its questions' words, within SHORTEST and LONGEST."""
  counts = reader.of_texts([each.text for each in asked]).counts
  return int(np.clip(np.percentile(counts, 5) if len(counts) else LONGEST, SHORTEST, LONGEST))


def overlaps(
  asked: Sequence[Asked],
  stores: Sequence[TaskStore],
  reader: WordReader,
  n: int,
  progress: Progress = silently,
) -> list[Overlap]:
  """What the training examples of some stores (those that their limits let through) share with each question.

  All stores are read once, batch by batch, each task's examples with their exemplars as the model reads them. Memory
  grows with the suite (some 30 bytes a word) and the number of training examples (20 bytes), not with their tokens.

  Args:
    asked: the questions.
    stores: prepared with the reader's vocabulary.
    n: words in a row, at least SHORTEST.

  Returns:
    one `Overlap` a question, in their order.

  Raises:
    StoreError: a store is damaged.
  """
  questions = QuestionGrams(reader.of_texts([each.text for each in asked]), n)
  answers = AnswerGrams([each.answers for each in asked], reader)
  best = np.zeros(len(asked), np.int64)  # n-grams of the example in `record` that has the most of them
  record = np.full(len(asked), -1, np.int64)
  answered = np.zeros(len(asked), bool)
  records = Records(stores)
  chosen = _chosen(stores, records.first)
  with progress("comparing with the training store", len(chosen), "examples") as advance:
    for batch in _batches(chosen, records.lengths[chosen].sum(axis=1)):
      inputs, targets = _sides(records.read(batch))
      for question, example, grams in questions.found([reader.words(inputs), reader.words(targets)]):
        _keep_best(best, record, question, batch[example], grams)
        told = answers.told(question, example, reader.words(targets))
        answered[question[told]] = True
      advance(len(batch))
  of_question, seen = questions.counts()
  store = np.where(record < 0, -1, np.searchsorted(records.first, record, side="right") - 1)
  within = np.where(record < 0, -1, record - records.first[store])
  return [Overlap(*map(_plain, each)) for each in zip(of_question, seen, answered, store, within, strict=True)]


def _plain(value: np.generic) -> int | bool:
  return value.item()


def _chosen(stores: Sequence[TaskStore], first: Int64[np.ndarray, " _"]) -> Int64[np.ndarray, " records"]:
  """The records that the limits of the stores let through."""
  parts = []
  for store, start in zip(stores, first.tolist(), strict=False):
    used = limits.records(store)[1]
    parts.append(start + (np.arange(len(store)) if used is None else used))
  return np.concatenate(parts).astype(np.int64) if parts else np.zeros(0, np.int64)


def _batches(records: Int64[np.ndarray, " n"], tokens: Int64[np.ndarray, " n"]) -> Iterator[Int64[np.ndarray, " _"]]:
  """The records in runs of about _BATCH_TOKENS tokens."""
  number = np.cumsum(tokens) // _BATCH_TOKENS
  yield from np.split(records, np.flatnonzero(np.diff(number)) + 1) if len(records) else ()


def _sides(features: list[Sequences]) -> tuple[Sequences, Sequences]:
  """(inputs, targets) of records; those of a store that has only targets have empty inputs."""
  targets = features[-1]
  empty = Sequences.empty(np.ones_like(targets.lengths), targets.tokens.dtype)
  return (features[0] if len(features) > 1 else empty), targets


def _keep_best(
  best: Int64[np.ndarray, " questions"],
  record: Int64[np.ndarray, " questions"],
  question: Int64[np.ndarray, " pairs"],
  found: Int64[np.ndarray, " pairs"],
  grams: Int64[np.ndarray, " pairs"],
) -> None:
  """Notes the training example that has the most n-grams of each question; of equals the first."""
  order = np.lexsort((found, -grams, question))
  question, found, grams = question[order], found[order], grams[order]
  first = np.diff(question, prepend=-1) > 0
  question, found, grams = question[first], found[first], grams[first]
  better = grams > best[question]
  best[question[better]] = grams[better]
  record[question[better]] = found[better]
