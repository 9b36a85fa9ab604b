"""Does the last sentence follow from those before it? Yes, no or maybe, in eight relations; or is it impossible?"""

import random
from collections.abc import Callable

from flan_jax.collections.demo.generators import asking, words

ASKS: dict[str, tuple[str, ...]] = {
  "true": (
    "tell whether the last sentence follows",
    "say if the last sentence is true",
    "decide whether the last sentence must be true",
    "check if the last sentence is right",
  ),
  "false": (
    "tell whether the last sentence is impossible",
    "say if the last sentence is false",
    "decide whether the last sentence must be false",
    "check if the last sentence is wrong",
  ),
}
LABELS: tuple[str, ...] = ("yes", "no", "maybe")
_OPPOSITE = {"yes": "no", "no": "yes", "maybe": "maybe"}
_ADJECTIVES = ("red", "old", "wet", "blue")


def generate(rng: random.Random, question: str, polarity: str = "true") -> asking.Fields:
  """One example of type `do`.

  Args:
    rng: the only source of chance.
    question: a relation: kind, every, somebody, where, both, property, older or number.
    polarity: "true" asks whether the last sentence follows, "false" whether it is impossible: 'yes' and 'no' change
      places, 'maybe' stays, so that an answer that forgets the question is wrong two times of three.
  """
  label = rng.choice(LABELS)
  text, rationale = RELATIONS[question](rng, label)
  opposite = "false" if polarity == "true" else "true"
  fields = {
    "text": text,
    "ask": rng.choice(ASKS[polarity]),
    "answer": label if polarity == "true" else _OPPOSITE[label],
    "rationale": rationale,
    "choices": list(LABELS),
  }
  if label != "maybe":
    fields |= {"other_ask": rng.choice(ASKS[opposite]), "other_answer": _OPPOSITE[str(fields["answer"])]}
  return fields


def narrate(rng: random.Random) -> str:
  """Somebody thinks about what follows, or a sentence that says it."""
  if rng.random() < 0.3:
    return _tale(rng)
  return asking.retold(rng, generate(rng, rng.choice(tuple(RELATIONS)), rng.choice(tuple(ASKS))))


def _kind(rng: random.Random, label: str) -> tuple[str, str]:
  """A thing and its kind, had or not had."""
  name, thing = rng.choice(words.PEOPLE), rng.choice(words.THINGS)
  kind = words.kind_of(thing)
  one, other = words.with_article(thing), words.with_article(rng.choice([k for k in words.KINDS if k != kind]))
  any_one = words.with_article(kind)
  first, second = rng.choice(
    {
      "yes": ((one, any_one), (f"no {kind}", f"no {thing}")),
      "no": ((one, f"no {kind}"), (f"no {kind}", one)),
      "maybe": (
        *((any_one, one), (any_one, f"no {thing}"), (f"no {thing}", any_one), (f"no {thing}", f"no {kind}")),
        *((one, other), (one, f"no {other.split()[1]}")),
      ),
    }[label]
  )
  return f"{name} has {first}. {name} has {second}.", f"{one} is {any_one}.".capitalize()


def _every(rng: random.Random, label: str) -> tuple[str, str]:
  """Every, no or some member of a kind is somewhere; is this one?"""
  thing, place = rng.choice(words.THINGS), rng.choice(words.PLACES)
  kind = words.kind_of(thing)
  there = rng.random() < 0.5
  quantifier = {"yes": "Every" if there else "No", "no": "No" if there else "Every", "maybe": "Some"}[label]
  spoken = kind
  if label == "maybe" and rng.random() < 0.5:
    quantifier, spoken = rng.choice(("Every", "No")), rng.choice([k for k in words.KINDS if k != kind])
  return (
    f"{quantifier} {spoken} is in the {place}. The {thing} is {'' if there else 'not '}in the {place}.",
    f"{words.with_article(thing)} is {words.with_article(kind)}.".capitalize(),
  )


def _somebody(rng: random.Random, label: str) -> tuple[str, str]:
  """A person, somebody or nobody did it."""
  name, thing = rng.choice(words.PEOPLE), rng.choice(words.THINGS)
  did, did_not = f"{name} took", f"{name} did not take"
  some, none = "Somebody took", "Nobody took"
  first, second = rng.choice(
    {
      "yes": ((did, some), (none, did_not)),
      "no": ((did, none), (none, did), (none, some), (some, none)),
      "maybe": ((some, did), (some, did_not), (did_not, some), (did_not, none)),
    }[label]
  )
  said = {did: f"{name} is somebody.", did_not: f"It may be another person than {name}."}
  rationale = said.get(first) or ("Nobody means no person at all." if first == none else "We do not know who it was.")
  return f"{first} the {thing}. {second} the {thing}.", rationale


def _where(rng: random.Random, label: str) -> tuple[str, str]:
  """Who is in one place is in no other."""
  name, (a, b) = rng.choice(words.PEOPLE), rng.sample(words.PLACES, 2)
  at_a, at_b = f"{name} is in the {a}.", f"{name} is in the {b}."
  not_a, not_b = f"{name} is not in the {a}.", f"{name} is not in the {b}."
  either = f"{name} is in the {a} or in the {b}."
  told = rng.choice(
    {
      "yes": ((at_a, not_b), (either, not_a, at_b)),
      "no": ((at_a, at_b), (either, not_a, not_b)),
      "maybe": ((not_a, at_b), (not_a, not_b), (either, at_b), (either, not_b)),
    }[label]
  )
  known = {
    at_a: "Nobody is in two places.",
    not_a: f"There are more places than the {a}.",
    either: "It may be one place or the other." if len(told) == 2 else f"Only the {b} is left.",
  }
  return " ".join(told), known[told[0]]


def _both(rng: random.Random, label: str) -> tuple[str, str]:
  """And, or, neither."""
  pair, place = rng.sample(words.PEOPLE, 2), rng.choice(words.PLACES)
  one, went = rng.choice(pair), rng.random() < 0.5
  both = f"{pair[0]} and {pair[1]} went to the {place}."
  either = f"{pair[0]} or {pair[1]} went to the {place}."
  neither = f"Neither {pair[0]} nor {pair[1]} went to the {place}."
  first = {"yes": both if went else neither, "no": neither if went else both, "maybe": either}[label]
  known = {both: "Each of them went.", either: "It may be the one or the other.", neither: "None of them went."}
  return f"{first} {one} {'went' if went else 'did not go'} to the {place}.", known[first]


def _property(rng: random.Random, label: str) -> tuple[str, str]:
  """What all things in a place are like, and one thing."""
  thing, (place, elsewhere), like = rng.choice(words.THINGS), rng.sample(words.PLACES, 2), rng.choice(_ADJECTIVES)
  is_so = rng.random() < 0.5
  quantifier = {"yes": "All" if is_so else "Nothing", "no": "Nothing" if is_so else "All", "maybe": "Something"}[label]
  at = place
  if label == "maybe" and rng.random() < 0.5:
    quantifier, at = rng.choice(("All", "Nothing")), elsewhere
  rationale = f"The {thing} is in the {at}, and {quantifier.lower()} in the {place} is {like}."
  told = f"{quantifier} in the {place} is {like}. The {thing} is in the {at}."
  return f"{told} The {thing} is {'' if is_so else 'not '}{like}.", rationale


def _older(rng: random.Random, label: str) -> tuple[str, str]:
  """Older than is transitive."""
  a, b, c = rng.sample(words.PEOPLE, 3)
  if label == "maybe":
    known = [(a, b), (a, c)] if rng.random() < 0.5 else [(b, a), (c, a)]
    asked = rng.choice(((b, c), (c, b)))
    rationale = f"Nothing is said of {b} and {c}."
  else:
    known, asked = [(a, b), (b, c)], (a, c) if label == "yes" else (c, a)
    rationale = f"The order is {a}, {b}, {c}."
  rng.shuffle(known)
  return " ".join(f"{one} is older than {other}." for one, other in (*known, asked)), rationale


def _number(rng: random.Random, label: str) -> tuple[str, str]:
  """So many, more than so many, less than so many."""
  name, food = rng.choice(words.PEOPLE), rng.choice(words.KINDS["food"])
  low, high = sorted(rng.sample(range(1, 20), 2))
  exact_low, exact_high = f"{low}", f"{high}"
  over_low, over_high = f"more than {low}", f"more than {high}"
  under_low, under_high = f"less than {low}", f"less than {high}"
  first, second = rng.choice(
    {
      "yes": ((exact_high, over_low), (exact_low, under_high), (over_high, over_low), (under_low, under_high)),
      "no": ((exact_low, over_high), (exact_high, under_low), (over_high, exact_low), (under_low, exact_high)),
      "maybe": ((over_low, over_high), (under_high, under_low), (over_low, exact_high), (under_high, exact_low)),
    }[label]
  )
  return f"{name} has {first} of {food}. {name} has {second} of {food}.", f"{high} is more than {low}."


RELATIONS: dict[str, Callable[[random.Random, str], tuple[str, str]]] = {
  "kind": _kind,
  "every": _every,
  "somebody": _somebody,
  "where": _where,
  "both": _both,
  "property": _property,
  "older": _older,
  "number": _number,
}


def _tale(rng: random.Random) -> str:
  """Conclusions drawn in plain words."""
  a, b, c = rng.sample(words.PEOPLE, 3)
  thing, (place, elsewhere) = rng.choice(words.THINGS), rng.sample(words.PLACES, 2)
  kind = words.kind_of(thing)
  low, high = sorted(rng.sample(range(1, 20), 2))
  return rng.choice(
    (
      f"If {a} has {words.with_article(thing)}, then {a} has {words.with_article(kind)}, and that must be true.",
      f"{a} has {words.with_article(kind)}. Maybe it is {words.with_article(thing)}, and maybe not.",
      f"{a} has no {kind}. So {a} has no {thing}, that is right.",
      f"Every {kind} is in the {place}. So the {thing} must be in the {place} too.",
      f"Nobody took the {thing}. So it is false that {a} took it.",
      f"Somebody took the {thing}. Maybe it was {a}, maybe it was {b}.",
      f"{a} is in the {place}. So it is impossible that {a} is in the {elsewhere}.",
      f"{a} and {b} went to the {place}. So it is true that {b} went there.",
      f"{a} or {b} went to the {place}. Maybe it was {b}.",
      f"{a} is older than {b}, and {b} is older than {c}. It follows that {a} is older than {c}.",
      f"{a} is older than {b}, so it is wrong that {b} is older than {a}.",
      f"{a} has {high} of {rng.choice(words.KINDS['food'])}, and that is more than {low}.",
      f"Nothing in the {place} is {rng.choice(_ADJECTIVES)}, and the {thing} in the {place} is not.",
    )
  )
