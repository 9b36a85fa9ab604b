"""Numbers: written in another way (the cluster rewriting), and by their order (the cluster ordering)."""

import itertools
import random
from collections.abc import Callable

from flan_jax.collections.demo.generators import narration, words

Fields = dict[str, str | list[str]]

ASKS: dict[str, tuple[str, ...]] = {
  "to_figures": (
    *("write this in figures", "turn the words into figures"),
    *("put a figure for each number word", "use figures for the numbers"),
  ),
  "to_words": (
    *("write this in words", "turn the figures into words"),
    *("put a word for each figure", "use words for the numbers"),
  ),
  "one_more": (
    *("make each number one more", "add one to each number"),
    *("write the number after each number", "let each number go up by one"),
  ),
  "one_less": (
    *("make each number one less", "take one from each number"),
    *("write the number before each number", "let each number go down by one"),
  ),
  "twice": (
    *("write each number twice", "say each number two times"),
    *("repeat each number", "put each number there twice"),
  ),
  "joined": (
    *("put the word and between the numbers", "write and between the numbers"),
    *("join the numbers with and", "say the numbers with and between them"),
  ),
  "next": (
    *("name the number that comes next", "say which number comes next"),
    *("go on by one number", "tell the number after these"),
  ),
  "previous": (
    *("name the number that came before", "say which number came before these"),
    *("go back by one number", "tell the number before these"),
  ),
  "missing": (
    *("name the number that is missing", "say which number belongs in the gap"),
    *("fill the gap", "tell the number that was left out"),
  ),
  "largest": (
    *("name the largest number", "say which number is the largest"),
    *("find the greatest of the numbers", "tell the number that is more than the others"),
  ),
  "smallest": (
    *("name the smallest number", "say which number is the smallest"),
    *("find the least of the numbers", "tell the number that is less than the others"),
  ),
  "middle": (
    *("name the number that is neither largest nor smallest", "say which number is between the others in size"),
    *("find the middle number by size", "tell the number between the largest and the smallest"),
  ),
  "sort_up": (
    *("put the numbers in order from smallest to largest", "write the smallest number first and the largest last"),
    *("sort the numbers upward", "bring the numbers into rising order"),
  ),
  "sort_down": (
    *("put the numbers in order from largest to smallest", "write the largest number first and the smallest last"),
    *("sort the numbers downward", "bring the numbers into falling order"),
  ),
  "rising": (
    *("tell whether the numbers go up", "say if the numbers are in rising order"),
    *("decide whether each number is more than the one before", "find out if the row rises"),
  ),
  "falling": (
    *("tell whether the numbers go down", "say if the numbers are in falling order"),
    *("decide whether each number is less than the one before", "find out if the row falls"),
  ),
}
REWRITING = ("to_figures", "to_words", "one_more", "one_less", "twice", "joined")
ORDERING = tuple(question for question in ASKS if question not in REWRITING)
_NAMED = len(words.NUMBERS)  # 0 to 20 have a word
_YES_NO = ["yes", "no"]


def generate(rng: random.Random, question: str) -> Fields:
  """One example of the `question`, a key of ASKS.

  Returns:
    text, ask, answer, an other_ask and other_answer about the same text; where there are few answers choices, and
    other_choices if those of the other differ (with all answers they are words of a closed set or of the text).
  """
  return _rewritten(rng, question) if question in REWRITING else _QUESTIONS[question](rng)


def narrate(rng: random.Random) -> str:
  """One or two sentences in which somebody writes numbers in another way or finds their order."""
  if rng.random() < 0.3:
    return rng.choice((_spelled, _neighbours, _compared, _counting, _ends))(rng)
  fields = generate(rng, rng.choice(tuple(ASKS)))
  return narration.told(rng, fields["text"], fields["ask"], fields["answer"], fields.get("rationale"))


def _written(numbers: list[int]) -> str:
  return " ".join(map(str, numbers))


def _said(numbers: list[int]) -> str:
  return " ".join(words.NUMBERS[n] for n in numbers)


# What a rewriting makes of figures (of words, for to_figures).
_REWRITTEN: dict[str, Callable[[list[int]], str]] = {
  "to_figures": _written,
  "to_words": _said,
  "one_more": lambda numbers: _written([n + 1 for n in numbers]),
  "one_less": lambda numbers: _written([n - 1 for n in numbers]),
  "twice": lambda numbers: _written([n for n in numbers for _ in range(2)]),
  "joined": lambda numbers: " and ".join(map(str, numbers)),
}


def _rewritten(rng: random.Random, question: str) -> Fields:
  numbers = [rng.randint(1, _NAMED - 2) for _ in range(rng.randint(2 if question == "joined" else 1, 3))]
  fields: Fields = {
    "text": _said(numbers) if question == "to_figures" else _written(numbers),
    "ask": rng.choice(ASKS[question]),
    "answer": _REWRITTEN[question](numbers),
  }
  # Words have no other rewriting that is not two steps, so to_figures has none to swap with.
  if question != "to_figures":
    other = rng.choice([each for each in REWRITING if each not in (question, "to_figures", "joined")])
    fields |= {"other_ask": rng.choice(ASKS[other]), "other_answer": _REWRITTEN[other](numbers)}
  return fields


def _progression(rng: random.Random) -> tuple[list[int], int]:
  """Five numbers with the same gap, and the gap."""
  start, gap = rng.randint(0, 12), rng.choice((-3, -2, -1, 1, 2, 3))
  row = [start + abs(gap) * i for i in range(6)]
  return (row if gap > 0 else row[::-1]), gap


def _by_gap(gap: int) -> str:
  return f"Each number is {abs(gap)} {'more' if gap > 0 else 'less'} than the one before."


def _continued(rng: random.Random, question: str) -> Fields:
  row, gap = _progression(rng)
  answers = {"next": str(row[-1]), "previous": str(row[0])}
  other = "previous" if question == "next" else "next"
  return {
    "text": _written(row[1:-1]),
    "ask": rng.choice(ASKS[question]),
    "answer": answers[question],
    "rationale": _by_gap(gap),
    "other_ask": rng.choice(ASKS[other]),
    "other_answer": answers[other],
  }


def _missing(rng: random.Random) -> Fields:
  row, gap = _progression(rng)
  left_out = rng.randint(1, 4)
  shown = [str(n) for i, n in enumerate(row) if i != left_out]
  other = rng.choice(("largest", "smallest"))
  return {
    "text": " ".join((*shown[:left_out], "...", *shown[left_out:])),
    "ask": rng.choice(ASKS["missing"]),
    "answer": str(row[left_out]),
    "rationale": _by_gap(gap),
    "other_ask": rng.choice(ASKS[other]),
    "other_answer": str(max(row) if other == "largest" else min(row)),
  }


_PICKED: dict[str, Callable[[list[int]], int]] = {"largest": max, "smallest": min, "middle": lambda n: sorted(n)[1]}
_SORTED: dict[str, Callable[[list[int]], list[int]]] = {
  "sort_up": sorted,
  "sort_down": lambda n: sorted(n, reverse=True),
}


def _picked(rng: random.Random, question: str) -> Fields:
  numbers = rng.sample(range(_NAMED), 3 if question == "middle" else 4)
  other = rng.choice([each for each in _PICKED if each != question and (each != "middle" or len(numbers) == 3)])
  fields: Fields = {
    "text": _written(numbers),
    "ask": rng.choice(ASKS[question]),
    "answer": str(_PICKED[question](numbers)),
    "choices": [str(n) for n in numbers],
    "other_ask": rng.choice(ASKS[other]),
    "other_answer": str(_PICKED[other](numbers)),
  }
  if question == "middle":
    fields["rationale"] = f"{min(numbers)} is the smallest and {max(numbers)} is the largest."
  return fields


def _sorted(rng: random.Random, question: str) -> Fields:
  numbers = rng.sample(range(_NAMED), rng.randint(3, 4))
  other = "sort_down" if question == "sort_up" else "sort_up"
  return {
    "text": _written(numbers),
    "ask": rng.choice(ASKS[question]),
    "answer": _written(_SORTED[question](numbers)),
    "rationale": f"{min(numbers)} is the smallest and {max(numbers)} is the largest.",
    "other_ask": rng.choice(ASKS[other]),
    "other_answer": _written(_SORTED[other](numbers)),
  }


def _monotone(rng: random.Random, question: str) -> Fields:
  """Half of the rows go as asked; of the others half go the other way, half go up and down."""
  row = sorted(rng.sample(range(_NAMED), 4), reverse=question == "falling")
  yes, drawn = rng.random() < 0.5, rng.random()
  if not yes and drawn < 0.5:
    row = row[::-1]
  elif not yes:
    i = rng.randrange(3)
    row[i], row[i + 1] = row[i + 1], row[i]
  fields: Fields = {
    "text": _written(row),
    "ask": rng.choice(ASKS[question]),
    "answer": "yes" if yes else "no",
    "choices": _YES_NO,
    "rationale": _why(row),
  }
  return fields | _other_of_monotone(rng, question, row, swapped=yes or drawn < 0.5)


def _other_of_monotone(rng: random.Random, question: str, row: list[int], swapped: bool) -> Fields:
  """Whether it goes the other way, where just one of the two is so; else the largest."""
  if not swapped:
    asked = {"other_ask": rng.choice(ASKS["largest"]), "other_answer": str(max(row))}
    return {**asked, "other_choices": [str(n) for n in row]}
  other = "falling" if question == "rising" else "rising"
  so = row == sorted(row, reverse=other == "falling")
  return {"other_ask": rng.choice(ASKS[other]), "other_answer": "yes" if so else "no"}


def _why(row: list[int]) -> str:
  """The first two pairs of neighbours that go different ways, or that all go the same way."""
  ways = [b > a for a, b in itertools.pairwise(row)]
  if len(set(ways)) == 1:
    return f"From {row[0]} to {row[-1]} they go {'up' if ways[0] else 'down'}."
  up, down = ways.index(True), ways.index(False)
  return f"From {row[up]} to {row[up + 1]} they go up, from {row[down]} to {row[down + 1]} down."


_QUESTIONS: dict[str, Callable[[random.Random], Fields]] = {
  "next": lambda rng: _continued(rng, "next"),
  "previous": lambda rng: _continued(rng, "previous"),
  "missing": _missing,
  "largest": lambda rng: _picked(rng, "largest"),
  "smallest": lambda rng: _picked(rng, "smallest"),
  "middle": lambda rng: _picked(rng, "middle"),
  "sort_up": lambda rng: _sorted(rng, "sort_up"),
  "sort_down": lambda rng: _sorted(rng, "sort_down"),
  "rising": lambda rng: _monotone(rng, "rising"),
  "falling": lambda rng: _monotone(rng, "falling"),
}


def _spelled(rng: random.Random) -> str:
  """A number's figure and word."""
  n = rng.randrange(_NAMED)
  word, person = words.NUMBERS[n], rng.choice(words.PEOPLE)
  return rng.choice(
    (
      f"The figure for {word} is {n}.",
      f"The word for {n} is {word}.",
      f"{person} read {n} and said {word}.",
      f"{person} heard {word} and wrote {n}.",
    )
  )


def _neighbours(rng: random.Random) -> str:
  """What comes before and after a number."""
  n = rng.randint(1, _NAMED - 2)
  return rng.choice(
    (
      f"After {n} comes {n + 1}, and before it comes {n - 1}.",
      f"{n} and one more is {n + 1}. One less is {n - 1}.",
      f"Between {n - 1} and {n + 1} is {n}.",
    )
  )


def _compared(rng: random.Random) -> str:
  """Which of two numbers is more."""
  low, high = sorted(rng.sample(range(_NAMED), 2))
  return rng.choice((f"{high} is more than {low}.", f"{low} is less than {high}.", f"{low} is smaller than {high}."))


def _counting(rng: random.Random) -> str:
  """A row with its gap."""
  row, gap = _progression(rng)
  how = f"{'up' if gap > 0 else 'down'} by {abs(gap)}"
  return f"{rng.choice(words.PEOPLE)} counted {how}: {_written(row[:5])}. Next came {row[5]}."


def _ends(rng: random.Random) -> str:
  """The largest and smallest of a row, and its order."""
  numbers = rng.sample(range(_NAMED), rng.randint(3, 4))
  text, person = _written(numbers), rng.choice(words.PEOPLE)
  return rng.choice(
    (
      f"Of {text} the largest is {max(numbers)} and the smallest is {min(numbers)}.",
      f"{person} had {text}. In order from smallest to largest that is {_written(sorted(numbers))}.",
      f"{person} had {text}. In order from largest to smallest that is {_written(sorted(numbers, reverse=True))}.",
    )
  )
