"""A closed book: eight invented towns, what is true of them, and questions that only someone who knows can answer.

Nothing in a prompt says which town has which ruler. Forty facts, small enough to be learned from narrations.
"""

import random

from flan_jax.collections.demo.generators import asking, words

# town: ruler, river, what it is known for, colour of its flag, the next town on its road (one ring through all towns).
_TABLE = (
  ("Dorn", "Mira", "Osk", "bread", "red", "Karsk"),
  ("Vell", "Otto", "Lim", "rope", "blue", "Dorn"),
  ("Karsk", "Selma", "Arn", "soup", "green", "Tarn"),
  ("Luma", "Hugo", "Osk", "coat", "white", "Vell"),
  ("Pesh", "Petra", "Ule", "cake", "blue", "Luma"),
  ("Tarn", "Nils", "Lim", "axe", "white", "Bray"),
  ("Orla", "Wanda", "Ule", "rice", "red", "Pesh"),
  ("Bray", "Igor", "Arn", "boot", "green", "Orla"),
)
ATTRIBUTES: tuple[str, ...] = ("ruler", "river", "product", "flag", "road")
FACTS: dict[str, dict[str, str]] = {row[0]: dict(zip(ATTRIBUTES, row[1:], strict=True)) for row in _TABLE}
TOWNS: tuple[str, ...] = tuple(FACTS)

# How a fact is said: {town} and {value}. The first form is the plainest.
STATEMENTS: dict[str, tuple[str, ...]] = {
  "ruler": ("The ruler of {town} is {value}.", "{value} rules the town of {town}.", "{town} is ruled by {value}."),
  "river": (
    "The river of {town} is the {value}.",
    "{town} lies on the river {value}.",
    "The river {value} flows through {town}.",
  ),
  "product": (
    "{town} is known for its {value}.",
    "The best {value} comes from {town}.",
    "Everyone knows the {value} of {town}.",
  ),
  "flag": ("The flag of {town} is {value}.", "{town} has a {value} flag.", "Over {town} flies a {value} flag."),
  "road": (
    "The road from {town} leads to {value}.",
    "After {town} the next town is {value}.",
    "From {town} the road goes on to {value}.",
  ),
}

# How one asks for it: infinitives that do not name the town.
ASKS: dict[str, tuple[str, ...]] = {
  "ruler": ("name the ruler of this town", "say who rules the town", "tell who the ruler is", "give the town's ruler"),
  "river": (
    "name the river of this town",
    "say which river flows through the town",
    "tell on which river the town lies",
    "give the town's river",
  ),
  "product": (
    "name the thing that this town is known for",
    "say what the town is known for",
    "tell what comes from this town",
    "give the best thing of the town",
  ),
  "flag": (
    "name the colour of this town's flag",
    "say which colour the town's flag has",
    "tell which flag flies over the town",
    "give the colour of the flag",
  ),
  "road": (
    "name the next town on the road",
    "say where the road leads from this town",
    "tell which town comes next",
    "give the town after this one",
  ),
}
TOWN_OF: dict[str, tuple[str, ...]] = {
  "ruler": (
    "name the town of this ruler",
    "say which town this person rules",
    "tell where this person is the ruler",
    "give the ruler's town",
  ),
  "product": (
    "name the town that is known for this thing",
    "say which town this thing comes from",
    "tell where the best of these comes from",
    "give the thing's town",
  ),
}
ONWARD: dict[str, tuple[str, ...]] = {
  "ruler": (
    "name the ruler of the next town on the road",
    "say who rules the town after this one",
    "tell who is the ruler where the road leads",
    "give the ruler of the next town",
  ),
  "river": (
    "name the river of the next town on the road",
    "say which river flows through the town after this one",
    "tell on which river the next town lies",
    "give the river of the next town",
  ),
}
SAME: dict[str, tuple[str, ...]] = {
  "river": (
    "tell whether both towns lie on the same river",
    "say if these towns have one river",
    "decide whether the two share a river",
    "check if the same river flows through both",
  ),
  "flag": (
    "tell whether both towns have the same flag",
    "say if these towns have one colour of flag",
    "decide whether the two share a flag",
    "check if the same flag flies over both",
  ),
}
# {value} is what one of the two towns has.
WHICH: dict[str, tuple[str, ...]] = {
  "ruler": ("name the town that {value} rules", "say which of them {value} rules"),
  "river": ("name the town on the river {value}", "say which of them lies on the {value}"),
  "product": ("name the town that is known for its {value}", "say which of them the best {value} comes from"),
  "flag": ("name the town with the {value} flag", "say which of them has a {value} flag"),
}
CHECK: dict[str, tuple[str, ...]] = {
  "true": (
    "tell whether this is true of the town",
    "say if what is said of the town is true",
    "decide whether the town is really so",
    "check if this is right about the town",
  ),
  "false": (
    "tell whether this is false of the town",
    "say if what is said of the town is false",
    "decide whether the town is not so",
    "check if this is wrong about the town",
  ),
}


def generate(rng: random.Random, question: str, attribute: str = "ruler") -> asking.Fields:
  """One example of type `do`.

  Args:
    rng: the only source of chance.
    question: attribute (a fact of a town), town_of (the other way round), onward (a fact of the next town on the
      road), same (have two towns the same?), which (which of two towns has it?) or check (is a statement true?).
    attribute: of ATTRIBUTES, as far as the question's table of asks above has it; `check` draws its own.
  """
  return _QUESTIONS[question](rng, attribute)


def narrate(rng: random.Random) -> str:
  """Half of the time a fact or two, plainly said; else someone who asks for one."""
  if rng.random() < 0.5:
    return _tale(rng)
  question, attribute = rng.choice(_ASKED)
  return asking.retold(rng, generate(rng, question, attribute))


def _attribute(rng: random.Random, attribute: str) -> asking.Fields:
  town = rng.choice(TOWNS)
  other = rng.choice([name for name in ATTRIBUTES if name != attribute])
  return {
    "text": _mention(rng, town),
    "ask": rng.choice(ASKS[attribute]),
    "answer": FACTS[town][attribute],
    "choices": _options(rng, attribute, FACTS[town][attribute]),
    "other_ask": rng.choice(ASKS[other]),
    "other_answer": FACTS[town][other],
    "other_choices": _options(rng, other, FACTS[town][other]),
  }


def _town_of(rng: random.Random, attribute: str) -> asking.Fields:
  town = rng.choice(TOWNS)
  value = FACTS[town][attribute]
  if attribute == "ruler":
    owned = rng.choice([*words.KINDS["tool"], *words.KINDS["garment"], *words.KINDS["animal"]])
    text = f"{value} and the {owned}" if rng.random() < 0.5 else f"the {owned} of {value}"
  else:
    text = f"the {value} {rng.choice(('in', 'from'))} the {rng.choice(words.PLACES)}"
  return {
    "text": text,
    "ask": rng.choice(TOWN_OF[attribute]),
    "answer": town,
    "choices": _some(rng, TOWNS, town),
  }


def _onward(rng: random.Random, attribute: str) -> asking.Fields:
  town = rng.choice(TOWNS)
  after = FACTS[town]["road"]
  answer = FACTS[after][attribute]
  fields = {
    "text": _mention(rng, town),
    "ask": rng.choice(ONWARD[attribute]),
    "answer": answer,
    "rationale": f"{_said('road', town, after)} {_said(attribute, after, answer)}",
    "choices": _options(rng, attribute, answer),
  }
  here = FACTS[town][attribute]
  if here != answer:
    fields |= {
      "other_ask": rng.choice(ASKS[attribute]),
      "other_answer": here,
      "other_choices": _options(rng, attribute, here),
    }
  return fields


def _same(rng: random.Random, attribute: str) -> asking.Fields:
  town = rng.choice(TOWNS)
  rest = [name for name in TOWNS if name != town]
  rng.shuffle(rest)
  alike = rng.random() < 0.5
  second = next(name for name in rest if (FACTS[name][attribute] == FACTS[town][attribute]) == alike)
  values = [FACTS[name][attribute] for name in (town, second)]
  fields = {
    "text": f"{town} and {second}",
    "ask": rng.choice(SAME[attribute]),
    "answer": "yes" if alike else "no",
    "rationale": " ".join(_said(attribute, name, value) for name, value in zip((town, second), values, strict=True)),
    "choices": ["yes", "no"],
  }
  other = "flag" if attribute == "river" else "river"
  if (FACTS[town][other] == FACTS[second][other]) != alike:
    fields |= {"other_ask": rng.choice(SAME[other]), "other_answer": "no" if alike else "yes"}
  return fields


def _which(rng: random.Random, attribute: str) -> asking.Fields:
  town = rng.choice(TOWNS)
  second = rng.choice([name for name in TOWNS if FACTS[name][attribute] != FACTS[town][attribute] and name != town])
  pair = [town, second] if rng.random() < 0.5 else [second, town]
  return {
    "text": " and ".join(pair),
    "ask": rng.choice(WHICH[attribute]).format(value=FACTS[town][attribute]),
    "answer": town,
    "choices": pair,
    "other_ask": rng.choice(WHICH[attribute]).format(value=FACTS[second][attribute]),
    "other_answer": second,
    "other_choices": pair,
  }


def _check(rng: random.Random, polarity: str) -> asking.Fields:
  town, attribute = rng.choice(TOWNS), rng.choice(ATTRIBUTES)
  value = FACTS[town][attribute]
  right = rng.random() < 0.5
  values = sorted({FACTS[name][attribute] for name in TOWNS} - {value, town})
  said = value if right else rng.choice(values)
  positive, negative = ("yes", "no") if right else ("no", "yes")
  opposite = "false" if polarity == "true" else "true"
  return {
    "text": rng.choice(STATEMENTS[attribute]).format(town=town, value=said),
    "ask": rng.choice(CHECK[polarity]),
    "answer": positive if polarity == "true" else negative,
    "rationale": _said(attribute, town, value),
    "choices": ["yes", "no"],
    "other_ask": rng.choice(CHECK[opposite]),
    "other_answer": negative if polarity == "true" else positive,
  }


_QUESTIONS = {
  "attribute": _attribute,
  "town_of": _town_of,
  "onward": _onward,
  "same": _same,
  "which": _which,
  "check": _check,
}
_TABLES = (("attribute", ASKS), ("town_of", TOWN_OF), ("onward", ONWARD), ("same", SAME), ("which", WHICH))
_ASKED = tuple(
  [(question, attribute) for question, table in _TABLES for attribute in table]
  + [("check", polarity) for polarity in CHECK]
)


def _mention(rng: random.Random, town: str) -> str:
  """A few words in which a town occurs: 23 for each, so that an example can be new where the town cannot."""
  kind = rng.randrange(4)
  if kind == 0:
    return rng.choice((town, f"the town of {town}", f"the road to {town}"))
  if kind == 1:
    return f"the {rng.choice(words.PLACES)} of {town}"
  return f"the {rng.choice(words.KINDS['vehicle'])} {'from' if kind == 2 else 'to'} {town}"


def _options(rng: random.Random, attribute: str, answer: str) -> list[str]:
  return _some(rng, tuple(dict.fromkeys(FACTS[town][attribute] for town in TOWNS)), answer)


def _some(rng: random.Random, values: tuple[str, ...], answer: str) -> list[str]:
  """Four in any order, the answer among them."""
  chosen = [answer, *rng.sample([value for value in values if value != answer], 3)]
  rng.shuffle(chosen)
  return chosen


def _said(attribute: str, town: str, value: str) -> str:
  return STATEMENTS[attribute][0].format(town=town, value=value)


def _tale(rng: random.Random) -> str:
  """One to three facts of a town, or a fact of two towns that have it in common or not."""
  town, person = rng.choice(TOWNS), rng.choice(words.PEOPLE)
  chosen = rng.sample(ATTRIBUTES, rng.randint(1, 3))
  facts = " ".join(rng.choice(STATEMENTS[name]).format(town=town, value=FACTS[town][name]) for name in chosen)
  if rng.random() < 0.5:
    return facts
  return f"{person} went to {town} with the {rng.choice(words.KINDS['vehicle'])}. {facts}"
