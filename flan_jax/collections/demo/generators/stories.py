"""Questions about small passages."""

import random

from flan_jax.collections.demo.generators import words


def generate(rng: random.Random, question: str) -> dict[str, str | list[str]]:
  """One example of the `question`: who, where, whether."""
  return _QUESTIONS[question](rng)


def _passage(rng: random.Random) -> tuple[list[str], list[str], list[str], str]:
  """Three people, what each carries, where each goes, and the text that tells it."""
  people = rng.sample(words.PEOPLE, 3)
  things = rng.sample(words.THINGS, 3)
  places = rng.sample(words.PLACES, 3)
  told = [f"{p} took the {t} to the {s}." for p, t, s in zip(people, things, places, strict=True)]
  return people, things, places, " ".join(told)


def _who(rng: random.Random) -> dict[str, str | list[str]]:
  people, things, _, text = _passage(rng)
  i = rng.randrange(3)
  return {"story": text, "question": f"Who took the {things[i]}?", "answer": people[i], "choices": people}


def _where(rng: random.Random) -> dict[str, str | list[str]]:
  _, things, places, text = _passage(rng)
  i = rng.randrange(3)
  return {"story": text, "question": f"Where is the {things[i]}?", "answer": places[i], "choices": places}


def _whether(rng: random.Random) -> dict[str, str | list[str]]:
  people, things, _, text = _passage(rng)
  i = rng.randrange(3)
  asked = things[i] if rng.random() < 0.5 else things[i - 1]
  return {
    "story": text,
    "question": f"Did {people[i]} take the {asked}?",
    "rationale": f"{people[i]} took the {things[i]}.",
    "answer": "yes" if asked == things[i] else "no",
    "choices": ["yes", "no"],
  }


_QUESTIONS = {
  "who": _who,
  "where": _where,
  "whether": _whether,
}
