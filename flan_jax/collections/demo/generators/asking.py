"""From a text and all that can be asked of it to one example: one thing asked, another kept for the swap."""

import dataclasses
import random
from collections.abc import Mapping, Sequence

from flan_jax.collections.demo.generators import narration

Fields = dict[str, str | list[str]]
Asks = Mapping[str, Sequence[str]]  # what is asked -> its phrasings; those that end in '?' are questions


@dataclasses.dataclass(frozen=True)
class Reply:
  """What one asked thing comes to on one text.

  Attributes:
    names: what stands in the braces of its phrasings.
  """

  answer: str
  rationale: str = ""
  choices: Sequence[str] = ()
  names: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Matter:
  """A text and the replies to all that can be asked of it."""

  text: str
  replies: Mapping[str, Reply]


def example(rng: random.Random, matter: Matter, asked: str, asks: Asks) -> Fields:
  """The fields of type `do` or `question`, with another thing asked of the same text where its answer differs."""
  fields = _one(rng, matter, asked, asks)
  others = [other for other in matter.replies if other != asked and _differ(matter, asked, other, asks)]
  if not others:
    return fields
  other = _one(rng, matter, rng.choice(others), asks)
  return fields | {f"other_{name}": value for name, value in other.items() if name not in ("text", "rationale")}


def retold(rng: random.Random, fields: Fields) -> str:
  """The example as something that happened to somebody."""
  if "ask" in fields:
    return narration.told(
      rng, text=fields["text"], ask=fields["ask"], answer=fields["answer"], rationale=fields.get("rationale")
    )
  return narration.wondered(
    rng, text=fields["text"], question=fields["question"], answer=fields["answer"], rationale=fields.get("rationale")
  )


def _one(rng: random.Random, matter: Matter, asked: str, asks: Asks) -> Fields:
  reply = matter.replies[asked]
  phrase = rng.choice(asks[asked]).format(**reply.names)
  fields: Fields = {"text": matter.text, "question" if phrase.endswith("?") else "ask": phrase, "answer": reply.answer}
  if reply.rationale:
    fields["rationale"] = reply.rationale
  if reply.choices:
    fields["choices"] = list(reply.choices)
  return fields


def _differ(matter: Matter, asked: str, other: str, asks: Asks) -> bool:
  """Whether another thing can be asked instead: of this type, with choices if this has some, another answer."""
  one, two = matter.replies[asked], matter.replies[other]
  same_type = asks[asked][0].endswith("?") == asks[other][0].endswith("?")
  return same_type and bool(one.choices) == bool(two.choices) and one.answer != two.answer
