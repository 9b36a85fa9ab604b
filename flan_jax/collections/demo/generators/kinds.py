"""What kind of thing a word names: naming and checking it, finding and counting members, and the odd one out."""

import random
from collections.abc import Sequence

from flan_jax.collections.demo.generators import narration, words

Fields = dict[str, str | list[str]]

# Ways to ask, with {kind} ("animal"), {a_kind} and {kinds} where one kind is asked for.
ASKS: dict[str, tuple[str, ...]] = {
  "name_kind": (
    *("name the kind of this thing", "tell what kind of thing this is"),
    *("say which group this belongs to", "find the right group for this"),
  ),
  "is_kind": (
    *("tell whether this is {a_kind}", "say if this is {a_kind}"),
    *("decide whether this counts as {a_kind}", "find out if one can call this {a_kind}"),
  ),
  "find_member": (
    *("find the {kind}", "pick the one that is {a_kind}"),
    *("name the {kind} among these", "say which of these is {a_kind}"),
  ),
  "odd_one_out": (
    *("find the odd one out", "pick the word that does not belong"),
    *("name the thing of another kind", "say which thing is not like the others"),
  ),
  "common_kind": (
    *("name the kind of all these things", "tell what kind of things these are"),
    *("say which group all of these belong to", "find the kind that they share"),
  ),
  "most_kind": (
    *("name the kind of most of these things", "tell what kind of things most of these are"),
    *("say which group most of these belong to", "find the kind that most of them share"),
  ),
  "same_kind": (
    *("tell whether both are of the same kind", "say if the two belong together"),
    *("decide whether they share a kind", "find out if both are in one group"),
  ),
  "count_kind": (
    *("count the {kinds}", "tell how many {kinds} there are"),
    *("say how many of these are {kinds}", "find the number of {kinds}"),
  ),
}
_KINDS = tuple(words.KINDS)
_MASSES = ("bread", "rice", "soup")
_YES_NO = ["yes", "no"]


def generate(rng: random.Random, question: str, size: int = 4) -> Fields:
  """One example of the `question`, a key of ASKS: text, ask, answer, choices and, where it takes thought, rationale.

  Args:
    rng: the only source of chance.
    size: how many things the text has, of find_member and odd_one_out.
  """
  return _QUESTIONS[question](rng, size)


def narrate(rng: random.Random) -> str:
  """One or two sentences that say of what kind a thing is, or in which somebody finds that out."""
  if rng.random() < 0.4:
    return rng.choice((_plain, _plain, _none_of, _lesson, _pair))(rng)
  fields = generate(rng, rng.choice(tuple(ASKS)), rng.randint(3, 5))
  return narration.told(rng, fields["text"], fields["ask"], fields["answer"], fields.get("rationale"))


def _asked(rng: random.Random, question: str, kind: str = "") -> str:
  named = {"kind": kind, "a_kind": words.with_article(kind) if kind else "", "kinds": _plural(kind)}
  return rng.choice(ASKS[question]).format(**named)


def _plural(kind: str) -> str:
  return f"{kind}s"


def _others(kind: str) -> list[str]:
  return [other for other in _KINDS if other != kind]


def _called(thing: str) -> str:
  """'a cake', but 'bread'."""
  return thing if thing in _MASSES else words.with_article(thing)


def _fact(thing: str) -> str:
  return f"{_called(thing).capitalize()} is {words.with_article(words.kind_of(thing))}."


def _listed(things: Sequence[str]) -> str:
  return ", ".join(things)


def _name_kind(rng: random.Random, _: int) -> Fields:
  thing = rng.choice(words.THINGS)
  kind = words.kind_of(thing)
  asked = rng.choice(_KINDS)
  return {
    "text": thing,
    "ask": _asked(rng, "name_kind"),
    "answer": kind,
    "choices": list(_KINDS),
    "other_ask": _asked(rng, "is_kind", asked),
    "other_answer": "yes" if asked == kind else "no",
    "other_choices": _YES_NO,
  }


def _is_kind(rng: random.Random, _: int) -> Fields:
  thing = rng.choice(words.THINGS)
  kind = words.kind_of(thing)
  asked = [(kind, "yes"), (rng.choice(_others(kind)), "no")]
  rng.shuffle(asked)
  (one, answer), (other, other_answer) = asked
  return {
    "text": thing,
    "ask": _asked(rng, "is_kind", one),
    "answer": answer,
    "choices": _YES_NO,
    "rationale": _fact(thing),
    "other_ask": _asked(rng, "is_kind", other),
    "other_answer": other_answer,
  }


def _find_member(rng: random.Random, size: int) -> Fields:
  kinds = rng.sample(_KINDS, size)
  things = [rng.choice(words.KINDS[kind]) for kind in kinds]
  wanted, other = rng.sample(range(size), 2)
  return {
    "text": _listed(things),
    "ask": _asked(rng, "find_member", kinds[wanted]),
    "answer": things[wanted],
    "choices": things,
    "rationale": _fact(things[wanted]),
    "other_ask": _asked(rng, "find_member", kinds[other]),
    "other_answer": things[other],
  }


def _mostly(rng: random.Random, size: int) -> tuple[list[str], str, str]:
  """Things in drawn order, all of one kind but one; their kind, and the other thing."""
  common, odd = rng.sample(_KINDS, 2)
  other = rng.choice(words.KINDS[odd])
  things = [*rng.sample(words.KINDS[common], size - 1), other]
  rng.shuffle(things)
  return things, common, other


def _odd_one_out(rng: random.Random, size: int) -> Fields:
  things, common, odd = _mostly(rng, size)
  return {
    "text": _listed(things),
    "ask": _asked(rng, "odd_one_out"),
    "answer": odd,
    "choices": things,
    "rationale": f"{_fact(odd)} The others are {_plural(common)}.",
    "other_ask": _asked(rng, "most_kind"),
    "other_answer": common,
    "other_choices": list(_KINDS),
  }


def _most_kind(rng: random.Random, _: int) -> Fields:
  things, common, odd = _mostly(rng, rng.randint(3, 5))
  return {
    "text": _listed(things),
    "ask": _asked(rng, "most_kind"),
    "answer": common,
    "choices": list(_KINDS),
    "rationale": f"All but {odd} are {_plural(common)}.",
    "other_ask": _asked(rng, "odd_one_out"),
    "other_answer": odd,
    "other_choices": things,
  }


def _common_kind(rng: random.Random, _: int) -> Fields:
  kind = rng.choice(_KINDS)
  things = rng.sample(words.KINDS[kind], rng.randint(2, 4))
  return {
    "text": _listed(things),
    "ask": _asked(rng, "common_kind"),
    "answer": kind,
    "choices": list(_KINDS),
    "rationale": _fact(things[0]),
    "other_ask": _asked(rng, "count_kind", kind),
    "other_answer": words.NUMBERS[len(things)],
    "other_choices": list(words.NUMBERS[1:5]),
  }


def _same_kind(rng: random.Random, _: int) -> Fields:
  one = rng.choice(words.THINGS)
  kind = words.kind_of(one)
  same = rng.random() < 0.5
  other = rng.choice([t for t in words.THINGS if t != one and (words.kind_of(t) == kind) == same])
  return {
    "text": f"{one}, {other}",
    "ask": _asked(rng, "same_kind"),
    "answer": "yes" if same else "no",
    "choices": _YES_NO,
    "rationale": f"{_fact(one)} {_fact(other)}",
    "other_ask": _asked(rng, "count_kind", kind),
    "other_answer": "two" if same else "one",
    "other_choices": list(words.NUMBERS[1:5]),
  }


def _count_kind(rng: random.Random, _: int) -> Fields:
  """One to four things of the kind that is asked for, and one to three of another."""
  (kind, other), counts = rng.sample(_KINDS, 2), rng.sample(range(1, 5), 2)
  members = rng.sample(words.KINDS[kind], counts[0])
  things = members + rng.sample(words.KINDS[other], counts[1])
  rng.shuffle(things)
  return {
    "text": _listed(things),
    "ask": _asked(rng, "count_kind", kind),
    "answer": words.NUMBERS[counts[0]],
    "choices": list(words.NUMBERS[1:5]),
    "rationale": _members(kind, [thing for thing in things if thing in members]),
    "other_ask": _asked(rng, "count_kind", other),
    "other_answer": words.NUMBERS[counts[1]],
  }


def _members(kind: str, things: Sequence[str]) -> str:
  if len(things) == 1:
    return f"The one {kind} is {things[0]}."
  return f"The {_plural(kind)} are {', '.join(things[:-1])} and {things[-1]}."


_QUESTIONS = {
  "name_kind": _name_kind,
  "is_kind": _is_kind,
  "find_member": _find_member,
  "odd_one_out": _odd_one_out,
  "common_kind": _common_kind,
  "most_kind": _most_kind,
  "same_kind": _same_kind,
  "count_kind": _count_kind,
}


def _plain(rng: random.Random) -> str:
  """What a thing is."""
  thing = rng.choice(words.THINGS)
  kind = words.kind_of(thing)
  a_kind, person = words.with_article(kind), rng.choice(words.PEOPLE)
  return rng.choice(
    (
      _fact(thing),
      f"{person} knew that {_called(thing)} is {a_kind}.",
      f"The word {thing} belongs to the {_plural(kind)}.",
      f"One can call {_called(thing)} {a_kind}.",
      f"{person} saw {_called(thing)}. It was {a_kind} like any other.",
    )
  )


def _none_of(rng: random.Random) -> str:
  """What a thing is not."""
  thing = rng.choice(words.THINGS)
  kind = words.kind_of(thing)
  not_kind = words.with_article(rng.choice(_others(kind)))
  return f"{_called(thing).capitalize()} is not {not_kind} but {words.with_article(kind)}."


def _lesson(rng: random.Random) -> str:
  """Members of a kind."""
  kind = rng.choice(_KINDS)
  one, two, three = rng.sample(words.KINDS[kind], 3)
  return rng.choice(
    (
      f"Among the {_plural(kind)} are {one}, {two} and {three}.",
      f"{rng.choice(words.PEOPLE)} counted the {_plural(kind)}: {one}, {two} and {three}. There were three.",
      f"All of these are {_plural(kind)}: {one}, {two}, {three}.",
    )
  )


def _pair(rng: random.Random) -> str:
  """Two things that share a kind or do not."""
  one, other = rng.sample(words.THINGS, 2)
  if words.kind_of(one) == words.kind_of(other):
    return f"The words {one} and {other} share a kind. Both are {_plural(words.kind_of(one))}."
  return f"The words {one} and {other} do not belong together. {_fact(one)} {_fact(other)}"
