"""Numbers in words and figures, and which comes next, largest or smallest."""

import random

from flan_jax.collections.demo.generators import words


def generate(rng: random.Random, question: str) -> dict[str, str | list[str]]:
  """One example of the `question`: to_figures, to_words (transduction), next, largest, smallest (ordering)."""
  return _QUESTIONS[question](rng)


def _to_figures(rng: random.Random) -> dict[str, str | list[str]]:
  numbers = [rng.randrange(21) for _ in range(rng.randint(1, 3))]
  return {"text": " ".join(words.NUMBERS[n] for n in numbers), "answer": " ".join(map(str, numbers))}


def _to_words(rng: random.Random) -> dict[str, str | list[str]]:
  numbers = [rng.randrange(21) for _ in range(rng.randint(1, 3))]
  return {"text": " ".join(map(str, numbers)), "answer": " ".join(words.NUMBERS[n] for n in numbers)}


def _next(rng: random.Random) -> dict[str, str | list[str]]:
  start, gap = rng.randint(0, 12), rng.randint(1, 3)
  shown = [start + gap * i for i in range(4)]
  return {
    "numbers": " ".join(map(str, shown)),
    "rationale": f"Each number is {gap} more than the one before.",
    "answer": str(shown[-1] + gap),
  }


def _extreme(rng: random.Random, largest: bool) -> dict[str, str | list[str]]:
  shown = rng.sample(range(21), 4)
  chosen = max(shown) if largest else min(shown)
  return {"numbers": " ".join(map(str, shown)), "answer": str(chosen), "choices": [str(n) for n in shown]}


_QUESTIONS = {
  "to_figures": _to_figures,
  "to_words": _to_words,
  "next": _next,
  "largest": lambda rng: _extreme(rng, largest=True),
  "smallest": lambda rng: _extreme(rng, largest=False),
}
