"""Narrative in which somebody does what a task will ask for: the text that the base model learns from.

An example's `ask` (an infinitive phrase) stands here among people who want to, begin to or know how to do it, never as
an instruction to the reader. The wordings of types.yaml use other sentences than these; `continuation` has others to
begin with, and the same before the answer. Answers hold no full stop, so that a story says where they end.
"""

import random

from flan_jax.collections.demo.generators import words

_MEN = frozenset(("Ben", "Dan", "Finn", "Gus", "Ivo", "Kai"))

# Each has a text, which ends like a sentence, and what somebody wants to do with it.
_SETTINGS = (
  "{name} looked at this: {text} {He} wanted to {ask}.",
  "On the table lay {text} {name} was going to {ask}.",
  "{text} {name} began to {ask}.",
  "{name} saw {text} It was easy to {ask}.",
  "There was {text} In order to {ask}, {name} thought for a moment.",
  "{text} To {ask} was all that {name} had to do.",
  "{text} {name} liked to {ask}.",
  "Someone showed {name} this: {text} {He} knew how to {ask}.",
  "{name} wanted to {ask}. {He} took {text}",
  "To {ask} was the game. It began with {text}",
  "{name} loved to {ask}. {He} saw {text}",
  "It was time to {ask}. {name} had {text}",
  "When {name} had to {ask}, {he} looked at {text}",
  "Nobody could {ask} like {name}. Before {him} was {text}",
  "Every day {name} would {ask}. Today it was {text}",
  "How does one {ask}? {name} showed it with {text}",
  "{name} learned to {ask}. One morning {he} read {text}",
  "{text} That was where {name} started to {ask}.",
)

_ENDINGS = (
  "What came of it was {answer}.",
  "The result was {answer}.",
  "{He} got {answer}.",
  "{He} said {answer}.",
  "So {he} wrote {answer}.",
  "{He} answered: {answer}.",
  "There it was: {answer}.",
  "In the end it was {answer}.",
  "That made {answer}.",
  "{He} found {answer}.",
)

_THOUGHTS = ("{He} thought: {rationale}", "{rationale}", "{He} told a friend how. {rationale}")

_MOST_WORDS = 28  # of a text and its rationale: a story has a dozen words more, and a document about sixty tokens

_WONDERINGS = (
  '{text} {name} wondered: "{question}"',
  '{text} Then {name} heard somebody ask: "{question}"',
  '{text} "{question}" said {name}.',
  '"{question}" That was what {name} wanted to know. {text}',
  '{name} asked a friend: "{question}" They had heard this: {text}',
  "{text} {name} thought about it. {question}",
)

_DISCOVERIES = (
  "It was {answer}.",
  "{He} knew it: {answer}.",
  "The friend said {answer}.",
  "{He} found out: {answer}.",
  "It had to be {answer}.",
  "In the end it was {answer}.",
)


def told(rng: random.Random, text: str, ask: str, answer: str, rationale: str | None = None) -> str:
  """A story of somebody who does what `ask` says with `text` and comes to `answer`; two drawn halves.

  Args:
    rng: the only source of chance.
    text: what is worked on; a full stop is added where it does not end like a sentence.
    ask: infinitive phrase, such as "turn the list around".
    answer: what comes of it, without a full stop.
    rationale: sentences that lead to the answer; told every other time.
  """
  return _story(rng, rng.choice(_SETTINGS), _ENDINGS, rationale, text=_sentence(text), ask=ask, answer=answer)


def wondered(rng: random.Random, text: str, question: str, answer: str, rationale: str | None = None) -> str:
  """A story of somebody who asks themselves a question about `text` and finds `answer`; arguments as of `told`."""
  fields = {"text": _sentence(text), "question": question, "answer": answer}
  return _story(rng, rng.choice(_WONDERINGS), _DISCOVERIES, rationale, **fields)


def _story(rng: random.Random, setting: str, endings: tuple[str, ...], rationale: str | None, **fields: str) -> str:
  short = len(f"{fields['text']} {rationale}".split()) <= _MOST_WORDS
  thought = f"{rng.choice(_THOUGHTS)} " if rationale and short and rng.random() < 0.5 else ""
  who = _person(rng, " ".join(fields.values()))
  return f"{setting} {thought}{rng.choice(endings)}".format(rationale=rationale, **fields, **who)


def _person(rng: random.Random, text: str) -> dict[str, str]:
  """Somebody of whom the text does not speak: 'Ada wondered: "What did Ada take?"' would be about two people."""
  name = rng.choice([name for name in words.PEOPLE if name not in text])
  he, him = ("he", "him") if name in _MEN else ("she", "her")
  return {"name": name, "he": he, "He": he.capitalize(), "him": him}


def _sentence(text: str) -> str:
  return text if text.endswith((".", "!", "?", '"')) else f"{text}."
