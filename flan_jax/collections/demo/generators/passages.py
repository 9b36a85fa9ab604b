"""Questions about small passages: who took what where, how many went there, who came first."""

import itertools
import random
from collections.abc import Sequence

from flan_jax.collections.demo.generators import asking, words

# question: the ways to ask it as a question and as an infinitive phrase.
QUESTIONS: dict[str, tuple[str, ...]] = {
  "who": (
    "Who took the {thing}?",
    "Who has the {thing}?",
    "Who went away with the {thing}?",
    "Which person took the {thing}?",
  ),
  "where": (
    "Where is the {thing}?",
    "Where did the {thing} go?",
    "Where was the {thing} taken?",
    "In which place is the {thing}?",
  ),
  "what": (
    "What did {person} take?",
    "What does {person} have?",
    "What went away with {person}?",
    "Which thing did {person} take?",
  ),
  "whether": (
    "Did {person} take the {thing}?",
    "Does {person} have the {thing}?",
    "Was it {person} who took the {thing}?",
    "Is it true that {person} took the {thing}?",
  ),
  "how_many": (
    "How many people went to the {place}?",
    "How many are in the {place} now?",
    "How many of them came to the {place}?",
    "What is the number of people in the {place}?",
  ),
  "carried": (
    "To which place did the {thing} go?",
    "Where must the {thing} be?",
    "Where will one find the {thing}?",
    "Where has the {thing} been carried?",
  ),
  "first": (
    "Who came first?",
    "Who was the first to come?",
    "Which of them was there first?",
    "Who came before all others?",
  ),
  "last": (
    "Who came last?",
    "Who was the last to come?",
    "Which of them was there last?",
    "Who came after all others?",
  ),
}
ASKS: dict[str, tuple[str, ...]] = {
  "who": (
    "tell who took the {thing}",
    "name the person who has the {thing}",
    "say who went away with the {thing}",
    "find the one who took the {thing}",
  ),
  "where": (
    "tell where the {thing} is",
    "name the place of the {thing}",
    "say where the {thing} was taken",
    "find the place of the {thing}",
  ),
  "what": (
    "tell what {person} took",
    "name the thing that {person} has",
    "say what went away with {person}",
    "find the thing that {person} took",
  ),
  "whether": (
    "tell whether {person} took the {thing}",
    "say if {person} has the {thing}",
    "decide whether {person} went away with the {thing}",
    "check if it was {person} who took the {thing}",
  ),
  "how_many": (
    "tell how many people went to the {place}",
    "count the people in the {place}",
    "say how many came to the {place}",
    "find the number of people in the {place}",
  ),
  "carried": (
    "tell to which place the {thing} went",
    "name the place where the {thing} must be",
    "say where one will find the {thing}",
    "find out where the {thing} has been carried",
  ),
  "first": (
    "tell who came first",
    "name the first to come",
    "say who was there first",
    "find the one who came before all others",
  ),
  "last": (
    "tell who came last",
    "name the last to come",
    "say who was there last",
    "find the one who came after all others",
  ),
}
_TOOK = ("took", "carried", "brought")


def generate(rng: random.Random, question: str, form: str = "question", people: int = 3) -> asking.Fields:
  """One example about a passage.

  Args:
    rng: the only source of chance.
    question: who, where, what, whether, how_many, carried, first or last.
    form: "question" for an example of the type `question`, "do" for one of the type `do`.
    people: how many persons the passage has, two or more; `how_many` has one more.
  """
  text, asked, other, answer = _MADE[question](rng, people)
  phrases = QUESTIONS if form == "question" else ASKS
  key = "question" if form == "question" else "ask"
  fields = {"text": text, key: _phrased(rng, phrases, question, asked), **answer}
  if other:
    same_choices = {"other_choices": other["choices"]}
    fields |= {f"other_{key}": _phrased(rng, phrases, question, other), "other_answer": other["answer"], **same_choices}
  return fields


def narrate(rng: random.Random) -> str:
  """Somebody asks something of a passage, or a passage that goes on with what follows from it."""
  if rng.random() < 0.2:
    return _tale(rng)
  form = rng.choice(("question", "do"))
  return asking.retold(rng, generate(rng, rng.choice(tuple(_MADE)), form, people=2))


def _phrased(rng: random.Random, phrases: dict[str, tuple[str, ...]], question: str, asked: asking.Fields) -> str:
  return rng.choice(phrases[asked.get("question", question)]).format(**asked)


# Each of these gives the text, what is asked, the same under another instruction (or None), and the answer's fields.
_Made = tuple[str, asking.Fields, asking.Fields | None, asking.Fields]


def _scene(rng: random.Random, people: int) -> tuple[list[str], list[str], list[str], str]:
  """So many people, what each takes, where each goes, and the text that tells it."""
  names = rng.sample(words.PEOPLE, people)
  things = rng.sample(words.THINGS, people)
  places = rng.sample(words.PLACES, people)
  told = [f"{p} {rng.choice(_TOOK)} the {t} to the {s}." for p, t, s in zip(names, things, places, strict=True)]
  return names, things, places, " ".join(told)


def _who(rng: random.Random, people: int) -> _Made:
  names, things, _, text = _scene(rng, people)
  i, j = rng.sample(range(people), 2)
  return text, {"thing": things[i]}, _other(thing=things[j], answer=names[j], choices=names), _answer(names[i], names)


def _where(rng: random.Random, people: int) -> _Made:
  _, things, places, text = _scene(rng, people)
  i, j = rng.sample(range(people), 2)
  other = _other(thing=things[j], answer=places[j], choices=places)
  return text, {"thing": things[i]}, other, _answer(places[i], places)


def _what(rng: random.Random, people: int) -> _Made:
  names, things, _, text = _scene(rng, people)
  i, j = rng.sample(range(people), 2)
  other = _other(person=names[j], answer=things[j], choices=things)
  return text, {"person": names[i]}, other, _answer(things[i], things)


def _whether(rng: random.Random, people: int) -> _Made:
  names, things, _, text = _scene(rng, people)
  i, j = rng.sample(range(people), 2)
  right = rng.random() < 0.5
  asked, other = (things[i], things[j]) if right else (things[j], things[i])
  choices = ["yes", "no"]
  return (
    text,
    {"person": names[i], "thing": asked},
    _other(person=names[i], thing=other, answer="no" if right else "yes", choices=choices),
    _answer("yes" if right else "no", choices, f"{names[i]} took the {things[i]}."),
  )


def _how_many(rng: random.Random, people: int) -> _Made:
  names = rng.sample(words.PEOPLE, people + 1)
  place, elsewhere = rng.sample(words.PLACES, 2)
  count = rng.randint(0, people + 1)
  there = set(rng.sample(names, count))
  text = " ".join(f"{name} went to the {place if name in there else elsewhere}." for name in names)
  choices = [words.NUMBERS[n] for n in range(people + 2)]
  rest = people + 1 - count
  other = None if rest == count else _other(place=elsewhere, answer=words.NUMBERS[rest], choices=choices)
  went = [name for name in names if name in there] or ["nobody"]
  rationale = f"In the {place} {'are' if count > 1 else 'is'} {_joined(went)}."
  return text, {"place": place}, other, _answer(words.NUMBERS[count], choices, rationale)


def _carried(rng: random.Random, people: int) -> _Made:
  """Who took what, and after that who went where: the place of a thing is two sentences away."""
  names, things, places, _ = _scene(rng, people)
  taken = [f"{p} took the {t}." for p, t in zip(names, things, strict=True)]
  gone = [f"{p} went to the {s}." for p, s in zip(names, places, strict=True)]
  rng.shuffle(gone)
  i, j = rng.sample(range(people), 2)
  rationale = f"{names[i]} took the {things[i]} and went to the {places[i]}."
  other = _other(thing=things[j], answer=places[j], choices=places)
  return " ".join(taken + gone), {"thing": things[i]}, other, _answer(places[i], places, rationale)


def _order(rng: random.Random, people: int, question: str) -> _Made:
  names = rng.sample(words.PEOPLE, people)
  told = [
    f"{late} came after {early}." if rng.random() < 0.5 else f"{early} came before {late}."
    for early, late in itertools.pairwise(names)
  ]
  rng.shuffle(told)
  choices = rng.sample(names, people)
  ends = {"first": names[0], "last": names[-1]}
  opposite = "last" if question == "first" else "first"
  other = {"question": opposite, "answer": ends[opposite], "choices": choices}
  rationale = f"The order is {', '.join(names)}."
  return " ".join(told), {}, other, _answer(ends[question], choices, rationale)


_MADE = {
  "who": _who,
  "where": _where,
  "what": _what,
  "whether": _whether,
  "how_many": _how_many,
  "carried": _carried,
  "first": lambda rng, people: _order(rng, people, "first"),
  "last": lambda rng, people: _order(rng, people, "last"),
}


def _answer(answer: str, choices: Sequence[str], rationale: str = "") -> asking.Fields:
  fields = {"answer": answer, "choices": list(choices)}
  return fields | {"rationale": rationale} if rationale else fields


def _other(**fields) -> asking.Fields:
  return fields


def _joined(names: Sequence[str]) -> str:
  return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _tale(rng: random.Random) -> str:
  """What follows from a short passage, in plain words."""
  name, later = rng.sample(words.PEOPLE, 2)
  thing, place = rng.choice(words.THINGS), rng.choice(words.PLACES)
  return rng.choice(
    (
      f"{name} {rng.choice(_TOOK)} the {thing} to the {place}. So the {thing} was there, and so was {name}.",
      f"{name} took the {thing} and went to the {place}. Now the {thing} is in the {place}.",
      f"It was {name} who took the {thing}. Nobody else had it, not even {later}.",
      f"{name} came before {later}. So {name} was the first to come and {later} was the last.",
      f"{name} and {later} went to the {place}. Two people are in the {place} now.",
    )
  )
