"""Sums told as small stories: what somebody has in the end, had at first, has more than another."""

import random

from flan_jax.collections.demo.generators import asking, words
from flan_jax.collections.demo.generators.asking import Matter, Reply

_NOW = (
  "How many does {person} have now?",
  "How many has {person} got now?",
  "What number of {things} does {person} have now?",
  "With how many {things} does {person} end up?",
)
ASKS: asking.Asks = {
  "gain": _NOW,
  "loss": _NOW,
  "two_steps": _NOW,
  "before": (
    "How many did {person} have before?",
    "How many had {person} got before?",
    "What number of {things} did {person} have before?",
    "With how many {things} did {person} begin?",
  ),
  "compare": ("Who has more?", "Which of the two has more?", "Who has the larger number?", "Whose {things} are more?"),
  "compare_less": (
    "Who has fewer?",
    "Which of the two has fewer?",
    "Who has the smaller number?",
    "Whose {things} are fewer?",
  ),
  "end": (
    "say how many {things} {person} has in the end",
    "work out how many {things} {person} ends up with",
    "find the number of {things} that {person} has now",
    "count what {person} has in the end",
  ),
  "start": (
    "say how many {things} {person} had at first",
    "work out how many {things} {person} began with",
    "find the number of {things} that {person} had before",
    "count what {person} had at first",
  ),
  "total": (
    "add the two numbers",
    "say how many {things} the two have together",
    "work out the sum",
    "count the {things} of both",
  ),
  "difference": (
    "take the smaller number from the larger",
    "say how many more one has than the other",
    "work out the difference",
    "count how many one is ahead",
  ),
  "more": (
    "name the one who has more",
    "say who has the larger number of {things}",
    "tell who is ahead",
    "find the one with more {things}",
  ),
  "fewer": (
    "name the one who has fewer",
    "say who has the smaller number of {things}",
    "tell who is behind",
    "find the one with fewer {things}",
  ),
  "twice": (
    "work out how many {things} {other} has",
    "say what {other} has",
    "find the number of {things} that belong to {other}",
    "count what {other} has",
  ),
}
_THINGS = ("apples", "cakes", "eggs", "ropes", "caps", "coats", "gloves", "shirts")


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`, a key of ASKS."""
  return asking.example(rng, _MAKERS[question](rng), question, ASKS)


def narrate(rng: random.Random) -> str:
  """A sum that somebody worked out, or what two numbers make."""
  if rng.random() < 0.67:
    return asking.retold(rng, generate(rng, rng.choice(list(_MAKERS))))
  a, b = rng.randint(1, 9), rng.randint(1, 9)
  more, fewer = max(a, b) + 1, min(a, b)
  told = (
    f"{a} and {b} make {a + b}. {a + b} less {b} is {a}.",
    f"{a} + {b} = {a + b} and {a + b} - {a} = {b}.",
    f"{more} is more than {fewer}. {fewer} is fewer than {more}.",
    f"The sum of {a} and {b} is {a + b}. The difference of {more} and {fewer} is {more - fewer}.",
    f"Twice {a} is {2 * a}. {a} + {a} = {2 * a}.",
  )
  return rng.choice(told)


def _change(rng: random.Random) -> Matter:
  """Somebody gets some or gives some away."""
  person, things = rng.choice(words.PEOPLE), rng.choice(_THINGS)
  names = {"person": person, "things": things}
  had = rng.randint(2, 12)
  if rng.random() < 0.5:
    got = rng.randint(1, 9)
    now, told, sum_ = had + got, f"got {got} more", f"{had} + {got}"
  else:
    lost = rng.randint(1, min(9, had - 1))
    now, told, sum_ = had - lost, f"gave away {lost}", f"{had} - {lost}"
  then, first = Reply(str(now), f"{sum_} = {now}.", names=names), Reply(str(had), names=names)
  replies = {"gain" if now > had else "loss": then, "before": first, "end": then, "start": first}
  return Matter(f"{person} had {had} {things} and {told}.", replies)


def _changed_by(rng: random.Random, way: str) -> Matter:
  """A gain or a loss: as many draws as it takes."""
  while way not in (matter := _change(rng)).replies:
    pass
  return matter


def _two_steps(rng: random.Random) -> Matter:
  person, things = rng.choice(words.PEOPLE), rng.choice(_THINGS)
  had, got = rng.randint(2, 8), rng.randint(2, 8)
  lost = rng.choice([n for n in range(1, min(10, had + got)) if n != got])
  between, now = had + got, had + got - lost
  names = {"person": person, "things": things}
  then = Reply(str(now), f"{had} + {got} = {between}. {between} - {lost} = {now}.", names=names)
  replies = {"two_steps": then, "before": Reply(str(had), names=names)}
  return Matter(f"{person} had {had} {things}, got {got} more and gave away {lost}.", replies)


def _back(rng: random.Random) -> Matter:
  """The end is told; what there was at first has to be found."""
  person, things = rng.choice(words.PEOPLE), rng.choice(_THINGS)
  had, change = rng.randint(2, 9), rng.randint(2, 9)
  names = {"person": person, "things": things}
  if change < had and rng.random() < 0.5:
    now, told, sum_ = had - change, f"gave away {change} {things}", f"{had - change} + {change}"
  else:
    now, told, sum_ = had + change, f"got {change} {things}", f"{had + change} - {change}"
  first, then = Reply(str(had), f"{sum_} = {had}.", names=names), Reply(str(now), names=names)
  return Matter(f"{person} {told} and has {now} now.", {"before": first, "gain": then, "start": first, "end": then})


def _two_people(rng: random.Random) -> Matter:
  (one, other), things = rng.sample(words.PEOPLE, 2), rng.choice(_THINGS)
  a, b = rng.sample(range(2, 14), 2)
  (high, more), (low, fewer) = sorted([(a, one), (b, other)], reverse=True)
  both, names = (one, other), {"things": things}
  richer = Reply(more, f"{high} is more than {low}.", both, names)
  poorer = Reply(fewer, f"{low} is fewer than {high}.", both, names)
  replies = {
    "total": Reply(str(a + b), f"{a} + {b} = {a + b}.", names=names),
    "difference": Reply(str(high - low), f"{high} - {low} = {high - low}.", names=names),
    **dict.fromkeys(("more", "compare"), richer),
    **dict.fromkeys(("fewer", "compare_less"), poorer),
  }
  return Matter(f"{one} has {a} {things}. {other} has {b}.", replies)


def _twice(rng: random.Random) -> Matter:
  (one, other), things = rng.sample(words.PEOPLE, 2), rng.choice(_THINGS)
  n = rng.randint(2, 10)
  names = {"things": things, "other": other}
  replies = {
    "twice": Reply(str(2 * n), f"{n} + {n} = {2 * n}.", names=names),
    "total": Reply(str(3 * n), f"{n} + {2 * n} = {3 * n}.", names=names),
  }
  return Matter(f"{one} has {n} {things}. {other} has twice as many.", replies)


_MAKERS = {
  "gain": lambda rng: _changed_by(rng, "gain"),
  "loss": lambda rng: _changed_by(rng, "loss"),
  "two_steps": _two_steps,
  "before": _back,
  "compare": _two_people,
  "compare_less": _two_people,
  "end": _change,
  "start": _back,
  "total": _two_people,
  "difference": _two_people,
  "more": _two_people,
  "fewer": _two_people,
  "twice": _twice,
}
