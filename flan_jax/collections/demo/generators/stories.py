"""Sums in small stories, and questions about small passages."""

import random

from flan_jax.collections.demo.generators import words


def generate(rng: random.Random, question: str) -> dict[str, str | list[str]]:
  """One example of the `question`: gain, loss, compare (sums), who, where, whether (passages)."""
  return _QUESTIONS[question](rng)


def _gain(rng: random.Random) -> dict[str, str | list[str]]:
  person, thing = rng.choice(words.PEOPLE), rng.choice(words.KINDS["food"])
  had, got = rng.randint(1, 9), rng.randint(1, 9)
  return {
    "story": f"{person} had {had} of {thing} and got {got} more.",
    "question": f"How many does {person} have now?",
    "rationale": f"{had} + {got} = {had + got}.",
    "answer": str(had + got),
  }


def _loss(rng: random.Random) -> dict[str, str | list[str]]:
  person, thing = rng.choice(words.PEOPLE), rng.choice(words.KINDS["food"])
  had = rng.randint(3, 18)
  lost = rng.randint(1, min(9, had - 1))
  return {
    "story": f"{person} had {had} of {thing} and gave away {lost}.",
    "question": f"How many does {person} have now?",
    "rationale": f"{had} - {lost} = {had - lost}.",
    "answer": str(had - lost),
  }


def _compare(rng: random.Random) -> dict[str, str | list[str]]:
  (one, other), thing = rng.sample(words.PEOPLE, 2), rng.choice(words.KINDS["food"])
  a, b = rng.sample(range(1, 19), 2)
  more, high, low = (one, a, b) if a > b else (other, b, a)
  return {
    "story": f"{one} has {a} of {thing}. {other} has {b}.",
    "question": "Who has more?",
    "rationale": f"{high} is more than {low}.",
    "answer": more,
    "choices": [one, other],
  }


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
  "gain": _gain,
  "loss": _loss,
  "compare": _compare,
  "who": _who,
  "where": _where,
  "whether": _whether,
}
