"""What kind of thing a word names: naming the kind, checking it, finding a member, and the odd one out."""

import random

from flan_jax.collections.demo.generators import words


def generate(rng: random.Random, question: str, size: int = 4) -> dict[str, str | list[str]]:
  """One example of the `question`: name_kind, is_kind, find_member or odd_one_out (the last two of `size` things)."""
  return _QUESTIONS[question](rng, size)


def _name_kind(rng: random.Random, _: int) -> dict[str, str | list[str]]:
  thing = rng.choice(words.THINGS)
  return {"thing": thing, "answer": words.kind_of(thing), "choices": list(words.KINDS)}


def _is_kind(rng: random.Random, _: int) -> dict[str, str | list[str]]:
  thing = rng.choice(words.THINGS)
  kind = words.kind_of(thing)
  asked = kind if rng.random() < 0.5 else rng.choice([other for other in words.KINDS if other != kind])
  return {
    "thing": words.with_article(thing),
    "kind": words.with_article(asked),
    "answer": "yes" if asked == kind else "no",
    "rationale": f"{thing} is {words.with_article(kind)}.",
    "choices": ["yes", "no"],
  }


def _find_member(rng: random.Random, size: int) -> dict[str, str | list[str]]:
  kinds = rng.sample(list(words.KINDS), size)
  things = [rng.choice(words.KINDS[kind]) for kind in kinds]
  wanted = rng.randrange(size)
  return {"kind": words.with_article(kinds[wanted]), "answer": things[wanted], "choices": things}


def _odd_one_out(rng: random.Random, size: int) -> dict[str, str | list[str]]:
  common, odd = rng.sample(list(words.KINDS), 2)
  things = [*rng.sample(words.KINDS[common], size - 1), rng.choice(words.KINDS[odd])]
  answer = things[-1]
  rng.shuffle(things)
  return {
    "words": " ".join(things),
    "answer": answer,
    "rationale": f"{answer} is {words.with_article(odd)}.",
    "choices": things,
  }


_QUESTIONS = {"name_kind": _name_kind, "is_kind": _is_kind, "find_member": _find_member, "odd_one_out": _odd_one_out}
