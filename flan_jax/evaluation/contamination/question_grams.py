"""The n-grams of a suite's questions and answers, and which training examples have them."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64, UInt64

from flan_jax.evaluation.contamination.word_grams import WordReader, Words

SHORTEST = 8  # words in a row: fewer meet by chance
_ANSWER_WORDS = 13  # of a longer answer so many are looked for
_PAIRS = 1 << 22  # (question, training example, n-gram) triples in memory at once


class QuestionGrams:
  """The n-grams of questions as a sorted table of hashes, each with the questions that have it.

  A question of fewer than n words but at least SHORTEST has one gram, its whole.
  """

  def __init__(self, words: Words, n: int):
    """Hashes them; 16 bytes an n-gram are kept."""
    counts = words.counts
    parts = [words.grams(n)]
    for shorter in np.unique(counts[(counts >= SHORTEST) & (counts < n)]).tolist():
      hashes, owner = words.grams(shorter)
      whole = counts[owner] == shorter
      parts.append((hashes[whole], owner[whole]))
    hashes, owner = (np.concatenate(column) for column in zip(*parts, strict=True))
    pairs = np.unique(np.stack([hashes, owner.astype(np.uint64)], axis=1), axis=0)
    self._keys, first = np.unique(pairs[:, 0], return_index=True)
    self._first = np.append(first, len(pairs))  # the owners of key i: from _first[i] to _first[i + 1]
    self._owner = pairs[:, 1].astype(np.int64)
    self._seen = np.zeros(len(self._keys), bool)
    self._questions = len(counts)
    self._sizes = (n, *np.unique(counts[(counts >= SHORTEST) & (counts < n)]).tolist())
    # One bit of a table decides for nearly all n-grams of a store; 32 slots a key let 3% through by chance.
    self._shift = np.uint64(64 - max(10, (32 * len(self._keys)).bit_length()))
    self._maybe = np.zeros(1 << (64 - int(self._shift)), bool)
    self._maybe[self._keys >> self._shift] = True

  def counts(self) -> tuple[Int64[np.ndarray, " questions"], Int64[np.ndarray, " questions"]]:
    """(different n-grams of each question, how many of them `found` has met)."""
    seen = np.repeat(self._seen, np.diff(self._first))
    return (
      np.bincount(self._owner, minlength=self._questions),
      np.bincount(self._owner[seen], minlength=self._questions),
    )

  def found(
    self, sides: Sequence[Words]
  ) -> Iterator[tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]]:
    """(question, training example, n-grams that both have), some pairs at a time; remembers which n-grams were met.

    Args:
      sides: of the same training examples, inputs and targets.
    """
    met = [self._met(*words.grams(size)) for words in sides for size in self._sizes]
    key, example = (np.concatenate(column) for column in zip(*met, strict=True))
    self._seen[key] = True
    example, key = np.unique(np.stack([example, key], axis=1), axis=0).T
    questions = np.diff(self._first)[key]
    bounds = np.flatnonzero(np.diff(example, prepend=-1, append=-1))  # where another training example begins
    step = np.concatenate([[0], np.cumsum(questions)])[bounds] // _PAIRS
    for part in np.split(np.arange(len(key)), bounds[1:-1][np.diff(step[:-1]) > 0]):
      if len(part):
        yield self._pairs(key[part], example[part], questions[part])

  def _met(
    self, hashes: UInt64[np.ndarray, " n"], example: Int64[np.ndarray, " n"]
  ) -> tuple[Int64[np.ndarray, " met"], Int64[np.ndarray, " met"]]:
    """(index of the key, training example) of the n-grams that are a question's."""
    likely = np.flatnonzero(self._maybe[hashes >> self._shift])
    hashes, example = hashes[likely], example[likely]
    at = np.searchsorted(self._keys, hashes)
    same = at < len(self._keys)
    same[same] = self._keys[at[same]] == hashes[same]
    return at[same], example[same]

  def _pairs(
    self, key: Int64[np.ndarray, " n"], example: Int64[np.ndarray, " n"], questions: Int64[np.ndarray, " n"]
  ) -> tuple[Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"], Int64[np.ndarray, " pairs"]]:
    question = self._owner[_ranges(self._first[key], questions)]
    pairs = np.stack([question, np.repeat(example, questions)], axis=1)
    pairs, grams = np.unique(pairs, axis=0, return_counts=True)
    return pairs[:, 0], pairs[:, 1], grams


class AnswerGrams:
  """The accepted answers of questions, each as the hash of its words."""

  def __init__(self, answers: Sequence[Sequence[str]], reader: WordReader):
    """Hashes them; an answer without a word is none."""
    owner = np.repeat(np.arange(len(answers)), [len(each) for each in answers])
    words = reader.of_texts([answer for each in answers for answer in each])
    sizes = np.minimum(words.counts, _ANSWER_WORDS)
    hashes = np.zeros(len(owner), np.uint64)
    for size in np.unique(sizes[sizes > 0]).tolist():
      found, of = words.grams(size)
      first = np.flatnonzero(np.diff(of, prepend=-1))
      mine = sizes[of[first]] == size
      hashes[of[first][mine]] = found[first][mine]
    there = sizes > 0
    self._hash, self._size = hashes[there], sizes[there]
    self._first = np.searchsorted(owner[there], np.arange(len(answers) + 1))

  def told(
    self, question: Int64[np.ndarray, " pairs"], example: Int64[np.ndarray, " pairs"], targets: Words
  ) -> Int64[np.ndarray, "told"]:
    """Which of the (question, training example) pairs have an answer of the question in the example's target."""
    count = np.diff(self._first)[question]
    pair = np.repeat(np.arange(len(question)), count)
    answer = _ranges(self._first[question], count)
    size, wanted = self._size[answer], _joint(self._hash[answer], example[pair])
    told = np.zeros(len(pair), bool)
    for each in np.unique(size).tolist():
      there = np.unique(_joint(*targets.grams(each)))
      mine = size == each
      told[mine] = np.isin(wanted[mine], there)
    return np.unique(pair[told])


def _joint(hashes: UInt64[np.ndarray, " n"], example: Int64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
  """One hash of an n-gram and where it stands."""
  return (hashes ^ (hashes >> np.uint64(29))) + example.astype(np.uint64) * np.uint64(0x9FB21C651E98DF25)


def _ranges(starts: Int64[np.ndarray, " n"], counts: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " total"]:
  """starts[0], starts[0] + 1, ... (counts[0] of them), starts[1], ..."""
  ends = np.cumsum(counts)
  return np.arange(counts.sum()) + np.repeat(starts - (ends - counts), counts)
