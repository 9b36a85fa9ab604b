"""Whom or what a pronoun means, where the sentence around it tells."""

import random

from flan_jax.collections.demo.generators import asking, words

WOMEN: tuple[str, ...] = ("Ada", "Cleo", "Eva", "Hana", "Jill", "Lena")
MEN: tuple[str, ...] = tuple(name for name in words.PEOPLE if name not in WOMEN)

# Sentences about two people of whom one pronoun can mean either, and what is said of the first or of the second.
REASONS: tuple[tuple[str, str, str], ...] = (
  ("{a} gave {b} the {food} because {p} {said}.", "had two", "was hungry"),
  ("{a} asked {b} for the {tool} because {p} {said}.", "needed it", "had two"),
  ("{a} lent {b} the {garment} because {p} {said}.", "was warm", "was cold"),
  ("{a} waited for {b} because {p} {said}.", "was early", "was late"),
  ("{a} helped {b} because {p} {said}.", "was kind", "was tired"),
  ("{a} went with {b} because {p} {said}.", "was lost", "knew the way"),
)
# The same of two things.
FITS: tuple[tuple[str, str, str], ...] = (
  ("The {a} did not fit into the {b} because it {said}.", "was too big", "was too small"),
  ("The {a} broke the {b} because it {said}.", "was too heavy", "was too weak"),
  ("The {a} did not reach the {b} because it {said}.", "was too short", "was too high"),
  ("{name} put the {a} on the {b} because it {said}.", "was too light", "was free"),
)

ASKS: dict[str, tuple[str, ...]] = {
  "person": (
    "tell who {pronoun} is",
    "say whom the word {pronoun} means",
    "name the person that {pronoun} stands for",
    "find the person behind the word {pronoun}",
  ),
  "thing": (
    "tell what it is",
    "say which thing the word it means",
    "name the thing that it stands for",
    "find the thing behind the word it",
  ),
  "not_thing": (
    "tell what it is not",
    "say which thing the word it does not mean",
    "name the thing that it does not stand for",
    "find the thing that is not behind the word it",
  ),
  "not_person": (
    "tell who {pronoun} is not",
    "say whom the word {pronoun} does not mean",
    "name the person that {pronoun} does not stand for",
    "find the person who is not behind the word {pronoun}",
  ),
  "check": (
    "tell whether {pronoun} is {name}",
    "say if the word {pronoun} means {name}",
    "decide whether {pronoun} stands for {name}",
    "check if {name} is behind the word {pronoun}",
  ),
  "rewrite": (
    "put the name in place of {pronoun}",
    "write the last sentence with the name",
    "say the last sentence without the word {pronoun}",
    "change the word {pronoun} into the name",
  ),
}
QUESTIONS: dict[str, tuple[str, ...]] = {
  "taken": (
    "Who took the {thing}?",
    "Whose is the {thing} now?",
    "Which of them has the {thing}?",
    "Who went home with the {thing}?",
  ),
  "reason": (
    "Who {said}?",
    "Which person {said}?",
    "Of whom is it said that {pronoun} {said}?",
    "Which of the two {said}?",
  ),
  "fit": (
    "What {said}?",
    "Which thing {said}?",
    "Of what is it said that it {said}?",
    "Which of the two things {said}?",
  ),
  "not_reason": (
    "Of whom is it not said that {pronoun} {said}?",
    "Who is not the one who {said}?",
    "Who is there beside the one who {said}?",
    "Which of the two does {pronoun} not mean?",
  ),
  "not_fit": (
    "Of what is it not said that it {said}?",
    "What is not the thing that {said}?",
    "What is there beside the thing that {said}?",
    "Which of the two things does it not mean?",
  ),
}


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`.

  met, they, reason, fit (whom a pronoun means), check (does it mean this one?), rewrite (the name in its place), and
  not_reason, not_fit (whom it does not mean) are of type `do`; taken, who_reason, what_fit, who_not_reason and
  what_not_fit of type `question`.
  """
  return _QUESTIONS[question](rng)


def narrate(rng: random.Random) -> str:
  """Somebody finds what a pronoun means, or a sentence or two that show it."""
  if rng.random() < 0.25:
    return _tale(rng)
  return asking.retold(rng, generate(rng, rng.choice(tuple(_QUESTIONS))))


def pronoun_of(name: str) -> str:
  """'she' or 'he'."""
  return "she" if name in WOMEN else "he"


def _pair(rng: random.Random) -> list[str]:
  """A woman and a man in any order."""
  return rng.sample((rng.choice(WOMEN), rng.choice(MEN)), 2)


def _meeting(rng: random.Random) -> tuple[list[str], list[str], str]:
  """Two people, what each takes, and the text in which pronouns tell it in any order."""
  people, things = _pair(rng), rng.sample(words.THINGS, 2)
  i = rng.randrange(2)
  first, second = pronoun_of(people[i]).capitalize(), pronoun_of(people[1 - i])
  text = (
    f"{people[0]} met {people[1]} in the {rng.choice(words.PLACES)}. "
    f"{first} took the {things[i]} and {second} took the {things[1 - i]}."
  )
  return people, things, text


def _met(rng: random.Random) -> asking.Fields:
  people, _, text = _meeting(rng)
  i = rng.randrange(2)
  return {
    "text": text,
    "ask": rng.choice(ASKS["person"]).format(pronoun=pronoun_of(people[i])),
    "answer": people[i],
    "choices": people,
    "other_ask": rng.choice(ASKS["person"]).format(pronoun=pronoun_of(people[1 - i])),
    "other_answer": people[1 - i],
  }


def _taken(rng: random.Random) -> asking.Fields:
  people, things, text = _meeting(rng)
  i = rng.randrange(2)
  pronoun = pronoun_of(people[i])
  return {
    "text": text,
    "question": rng.choice(QUESTIONS["taken"]).format(thing=things[i]),
    "answer": people[i],
    "rationale": f"{pronoun.capitalize()} took the {things[i]}, and {pronoun} is {people[i]}.",
    "choices": people,
    "other_question": rng.choice(QUESTIONS["taken"]).format(thing=things[1 - i]),
    "other_answer": people[1 - i],
  }


def _they(rng: random.Random) -> asking.Fields:
  """Two of one sort and one of the other: 'they' are the two."""
  many, few = rng.sample((WOMEN, MEN), 2)
  one, two = rng.choice(few), rng.sample(many, 2)
  both = " and ".join(two)
  meant = {"they": both, pronoun_of(one): one}
  spoken = rng.sample(tuple(meant), 2)
  a, b = rng.sample(words.THINGS, 2)
  met = f"{one} met {both}" if rng.random() < 0.5 else f"{both} met {one}"
  asked, other = rng.sample(tuple(meant), 2)
  return {
    "text": f"{met}. {spoken[0].capitalize()} took the {a} and {spoken[1]} took the {b}.",
    "ask": rng.choice(ASKS["person"]).format(pronoun=asked),
    "answer": meant[asked],
    "choices": list(meant.values()),
    "other_ask": rng.choice(ASKS["person"]).format(pronoun=other),
    "other_answer": meant[other],
  }


def _because(rng: random.Random) -> tuple[str, str, str, list[str], int]:
  """A sentence about two people, its pronoun, what it says of them, the two, and which of them it means."""
  frame, *sayings = rng.choice(REASONS)
  people, meant = rng.sample(rng.choice((WOMEN, MEN)), 2), rng.randrange(2)
  pronoun = pronoun_of(people[0])
  things = {kind: rng.choice(words.KINDS[kind]) for kind in ("food", "tool", "garment")}
  text = frame.format(a=people[0], b=people[1], p=pronoun, said=sayings[meant], **things)
  return text, pronoun, sayings[meant], people, meant


def _reason(rng: random.Random, asks: str = "person", others: str = "not_person") -> asking.Fields:
  text, pronoun, said, people, meant = _because(rng)
  answer, other = (people[meant], people[1 - meant]) if asks == "person" else (people[1 - meant], people[meant])
  return {
    "text": text,
    "ask": rng.choice(ASKS[asks]).format(pronoun=pronoun),
    "answer": answer,
    "rationale": f"It was {people[meant]} who {said}.",
    "choices": people,
    "other_ask": rng.choice(ASKS[others]).format(pronoun=pronoun),
    "other_answer": other,
  }


def _who_reason(rng: random.Random, asked: str = "reason", other: str = "not_reason") -> asking.Fields:
  text, pronoun, said, people, meant = _because(rng)
  i = meant if asked == "reason" else 1 - meant
  return {
    "text": text,
    "question": rng.choice(QUESTIONS[asked]).format(said=said, pronoun=pronoun),
    "answer": people[i],
    "choices": people,
    "other_question": rng.choice(QUESTIONS[other]).format(said=said, pronoun=pronoun),
    "other_answer": people[1 - i],
  }


def _things(rng: random.Random) -> tuple[str, str, list[str], int]:
  """A sentence about two things, what it says of one, the two, and which of them it means."""
  frame, *sayings = rng.choice(FITS)
  things, meant = rng.sample(words.THINGS, 2), rng.randrange(2)
  text = frame.format(a=things[0], b=things[1], said=sayings[meant], name=rng.choice(words.PEOPLE))
  return text, sayings[meant], [f"the {thing}" for thing in things], meant


def _fit(rng: random.Random, asks: str = "thing", others: str = "not_thing") -> asking.Fields:
  text, said, things, meant = _things(rng)
  answer, other = (things[meant], things[1 - meant]) if asks == "thing" else (things[1 - meant], things[meant])
  return {
    "text": text,
    "ask": rng.choice(ASKS[asks]),
    "answer": answer,
    "rationale": f"It was {things[meant]} that {said}.",
    "choices": things,
    "other_ask": rng.choice(ASKS[others]),
    "other_answer": other,
  }


def _what_fit(rng: random.Random, asked: str = "fit", other: str = "not_fit") -> asking.Fields:
  text, said, things, meant = _things(rng)
  i = meant if asked == "fit" else 1 - meant
  return {
    "text": text,
    "question": rng.choice(QUESTIONS[asked]).format(said=said),
    "answer": things[i],
    "choices": things,
    "other_question": rng.choice(QUESTIONS[other]).format(said=said),
    "other_answer": things[1 - i],
  }


def _check(rng: random.Random) -> asking.Fields:
  text, pronoun, said, people, meant = _because(rng)
  right = rng.random() < 0.5
  asked, other = (people[meant], people[1 - meant]) if right else (people[1 - meant], people[meant])
  return {
    "text": text,
    "ask": rng.choice(ASKS["check"]).format(pronoun=pronoun, name=asked),
    "answer": "yes" if right else "no",
    "rationale": f"It was {people[meant]} who {said}.",
    "choices": ["yes", "no"],
    "other_ask": rng.choice(ASKS["check"]).format(pronoun=pronoun, name=other),
    "other_answer": "no" if right else "yes",
  }


def _rewrite(rng: random.Random) -> asking.Fields:
  people, i = _pair(rng), rng.randrange(2)
  told = f"took the {rng.choice(words.THINGS)}"
  pronoun = pronoun_of(people[i])
  return {
    "text": f"{people[0]} met {people[1]} in the {rng.choice(words.PLACES)}. {pronoun.capitalize()} {told}.",
    "ask": rng.choice(ASKS["rewrite"]).format(pronoun=pronoun),
    "answer": f"{people[i]} {told}",
    "other_ask": rng.choice(ASKS["person"]).format(pronoun=pronoun),
    "other_answer": people[i],
  }


_QUESTIONS = {
  "met": _met,
  "they": _they,
  "reason": _reason,
  "not_reason": lambda rng: _reason(rng, "not_person", "person"),
  "fit": _fit,
  "not_fit": lambda rng: _fit(rng, "not_thing", "thing"),
  "check": _check,
  "rewrite": _rewrite,
  "taken": _taken,
  "who_reason": _who_reason,
  "what_fit": _what_fit,
  "who_not_reason": lambda rng: _who_reason(rng, "not_reason", "reason"),
  "what_not_fit": lambda rng: _what_fit(rng, "not_fit", "fit"),
}


def _tale(rng: random.Random) -> str:
  """A pronoun with the name that it stands for, in plain words."""
  kind = rng.randrange(4)
  if kind == 0:
    name, thing = rng.choice(words.PEOPLE), rng.choice(words.THINGS)
    return f"{name} came to the {rng.choice(words.PLACES)}, and {pronoun_of(name)} had the {thing}."
  if kind == 1:
    one, two = _pair(rng)
    return f"{one} and {two} were there. The word {pronoun_of(one)} means {one}, and {pronoun_of(two)} is {two}."
  if kind == 2:
    text, _, said, people, meant = _because(rng)
    return f"{text} Yes, {people[meant]} {said}."
  text, said, things, meant = _things(rng)
  return f"{text} Yes, {things[meant]} {said}."
