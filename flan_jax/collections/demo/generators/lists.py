"""Steps on a list of words: one, two after each other, three after each other.

Of the pairs of two steps some are new: no training example and no narration has them, though each step of theirs stands
in pairs that are trained on. Three steps are trained on nowhere.
"""

import random
from collections.abc import Callable, Sequence

from flan_jax.collections.demo.generators import narration, words

Words = list[str]
Steps = tuple[str, ...]

# step: what it does to a list, and the ways to ask for it. A step that ends in one word returns a list of one.
STEPS: dict[str, tuple[Callable[[Words], Words], tuple[str, ...]]] = {
  "reverse": (
    lambda w: w[::-1],
    ("reverse the list", "turn the list around", "put the words in backward order", "write the list from its end"),
  ),
  "drop_first": (
    lambda w: w[1:],
    ("drop the first word", "leave out the first word", "cut off the opening word", "take away the first word"),
  ),
  "drop_last": (
    lambda w: w[:-1],
    ("drop the last word", "leave out the last word", "cut off the final word", "take away the last word"),
  ),
  "rotate_left": (
    lambda w: w[1:] + w[:1],
    (
      *("move the first word to the end", "put the opening word behind all others"),
      *("shift the first word to the back", "let the first word go last"),
    ),
  ),
  "rotate_right": (
    lambda w: w[-1:] + w[:-1],
    (
      *("move the last word to the front", "put the final word before all others"),
      *("shift the last word to the start", "let the last word go first"),
    ),
  ),
  "swap_ends": (
    lambda w: [w[-1], *w[1:-1], w[0]],
    (
      *("swap the first and last words", "exchange the two outer words"),
      *("let both ends trade places", "put the first and last words in each other's place"),
    ),
  ),
  "swap_front": (
    lambda w: [w[1], w[0], *w[2:]],
    (
      *("swap the first two words", "exchange words one and two"),
      *("let the two leading words trade places", "put the second word before the first"),
    ),
  ),
  "double_first": (
    lambda w: [w[0], *w],
    ("say the first word twice", "repeat the opening word", "double the leading word", "write the first word twice"),
  ),
  "double_last": (
    lambda w: [*w, w[-1]],
    ("say the last word twice", "repeat the final word", "double the closing word", "write the last word twice"),
  ),
  "keep_two": (
    lambda w: w[:2],
    (
      *("keep only the first two words", "keep just the two leading words"),
      *("stop after the second word", "leave only the first two words"),
    ),
  ),
  "first": (
    lambda w: w[:1],
    ("give the first word", "name the opening word", "say which word leads", "tell which word comes first"),
  ),
  "last": (
    lambda w: w[-1:],
    ("give the last word", "name the final word", "say which word closes", "tell which word comes last"),
  ),
  "second": (
    lambda w: w[1:2],
    ("give the second word", "name word number two", "say which word comes second", "tell the word after the first"),
  ),
  "count": (
    lambda w: [words.NUMBERS[len(w)]],
    ("count the words", "tell how many words there are", "say the length", "find the number of words"),
  ),
}
ENDING = ("first", "last", "second", "count")  # what comes of them is no list any more
UNDONE = ("reverse", "rotate_left", "rotate_right", "swap_ends", "swap_front", "double_first", "double_last")

# By the first step, the second steps with which it is new: the cluster new_chains.
_NEW: dict[str, Steps] = {
  "reverse": ("swap_ends", "keep_two"),
  "drop_first": ("drop_last", "swap_ends"),
  "drop_last": ("first", "last"),
  "rotate_left": ("double_last", "count"),
  "rotate_right": ("drop_first", "double_first"),
  "swap_ends": ("double_last", "first"),
  "swap_front": ("drop_first", "count"),
  "double_first": ("reverse", "keep_two"),
  "double_last": ("reverse", "double_first"),
  "keep_two": ("last", "second"),
}
SINGLE: tuple[Steps, ...] = tuple((name,) for name in STEPS)
NEW: tuple[Steps, ...] = tuple((first, second) for first, seconds in _NEW.items() for second in seconds)
TRAINED: tuple[Steps, ...] = tuple(
  (first, second) for first in _NEW for second in STEPS if first != second and second not in _NEW[first]
)
# The cluster deep_chains: both pairs of neighbours are trained on, so that nothing but the depth is new.
DEEP: tuple[Steps, ...] = (
  ("reverse", "drop_first", "swap_front"),
  ("drop_first", "rotate_left", "double_first"),
  ("drop_last", "reverse", "double_first"),
  ("rotate_left", "swap_ends", "last"),
  ("rotate_right", "swap_front", "drop_last"),
  ("swap_ends", "rotate_left", "second"),
  ("swap_front", "reverse", "first"),
  ("double_first", "swap_ends", "drop_first"),
  ("double_last", "rotate_right", "keep_two"),
  ("keep_two", "reverse", "double_last"),
  ("reverse", "rotate_right", "count"),
  ("rotate_left", "drop_last", "reverse"),
)
_NUMBERED = ("first", "second", "third")


def generate(rng: random.Random, steps: str) -> dict[str, str]:
  """A list of three to five different things, what comes of the steps, and what comes of another last step.

  Args:
    rng: the only source of chance.
    steps: one to three names of STEPS, such as "reverse" or "reverse first".

  Returns:
    Of one step the fields of the type `do`: text, ask, answer. Of more words, first_step, second_step (third_step),
    answer and rationale. other_ask or other_second_step is a step of the same cluster in place of the last one that
    leads to other_answer; both are left out where there is none.
  """
  names = tuple(steps.split())
  given = rng.sample(words.THINGS, rng.randint(3, 5))
  fields = _example(rng, given, names)
  others = [other for other in _beside(names) if _stages(given, other)[-1] != fields["answer"]]
  if not others:
    return fields
  other, last = _example(rng, given, rng.choice(others)), "ask" if len(names) == 1 else "second_step"
  return fields | {f"other_{last}": other[last], "other_answer": other["answer"]}


def narrate(rng: random.Random) -> str:
  """One or two sentences in which somebody does a step, or two that are trained on together, to a list."""
  drawn = rng.random()
  given = rng.sample(words.THINGS, rng.randint(3, 5))
  if drawn < 0.5:
    return _told(rng, given, (rng.choice(tuple(STEPS)),))
  if drawn < 0.7:
    return _told(rng, given[:4], rng.choice(TRAINED))
  return rng.choice((_plain, _plain, _undone, _then, _places))(rng, given)


def _example(rng: random.Random, given: Words, names: Steps) -> dict[str, str]:
  asks, stages = [rng.choice(STEPS[name][1]) for name in names], _stages(given, names)
  if len(names) == 1:
    return {"text": _listed(given), "ask": asks[0], "answer": stages[-1]}
  return {
    "words": _listed(given),
    **{f"{number}_step": ask for number, ask in zip(_NUMBERED, asks, strict=False)},
    "answer": stages[-1],
    "rationale": _reasons(stages),
  }


def _beside(names: Steps) -> list[Steps]:
  """The steps of the same cluster that differ in the last one alone."""
  cluster = next(cluster for cluster in (SINGLE, TRAINED, NEW, DEEP) if names in cluster)
  return [other for other in cluster if other[:-1] == names[:-1] and other != names]


def _listed(given: Sequence[str]) -> str:
  # The brackets mark where a list begins and ends in whatever wording it stands, and the first word, next to one, is
  # another piece than inside the list: a small model finds both (docs/design.md).
  return f"[{' '.join(given)}]"


def _stages(given: Words, names: Steps) -> list[str]:
  """What each step leaves."""
  stages, current = [], given
  for name in names:
    current = STEPS[name][0](current)
    stages.append(" ".join(current))
  return stages


def _reasons(stages: Sequence[str]) -> str:
  """What the steps before the last one give."""
  return " ".join(f"The {n} step gives {stage}." for n, stage in zip(_NUMBERED, stages[:-1], strict=False))


def _told(rng: random.Random, given: Words, names: Steps) -> str:
  stages = _stages(given, names)
  joined = rng.choice((" and then ", ", then ", " and after that "))
  asked = joined.join(rng.choice(STEPS[name][1]) for name in names)
  return narration.told(rng, text=_listed(given), ask=asked, answer=stages[-1], rationale=_reasons(stages) or None)


def _plain(rng: random.Random, given: Words) -> str:
  """A step in so many words."""
  name = rng.choice(tuple(STEPS))
  ask, answer = rng.choice(STEPS[name][1]), _stages(given, (name,))[-1]
  return rng.choice(
    (
      f"With {_listed(given)}, to {ask} is to say {answer}.",
      f"Whoever has {_listed(given)} and has to {ask} says {answer}.",
      f"From {_listed(given)} one gets {answer} when told to {ask}.",
    )
  )


def _undone(rng: random.Random, given: Words) -> str:
  """A step told from its end, where that leaves one beginning only."""
  name, person = rng.choice(UNDONE), rng.choice(words.PEOPLE)
  ask, answer = rng.choice(STEPS[name][1]), _stages(given, (name,))[-1]
  return rng.choice(
    (
      f"{person} had to {ask} and came to {answer}. So the list had been {_listed(given)}.",
      f"{answer} was what {person} had after being told to {ask}. Before that it was {_listed(given)}.",
    )
  )


def _then(rng: random.Random, given: Words) -> str:
  """Two steps by two people."""
  (first, second), (one, other) = rng.choice(TRAINED), rng.sample(words.PEOPLE, 2)
  between, answer = _stages(given, (first, second))
  asked, after = rng.choice(STEPS[first][1]), rng.choice(STEPS[second][1])
  return f"{one} had to {asked} and made {_listed(given)} into {between}. Then {other} had to {after}: {answer}."


def _places(rng: random.Random, given: Words) -> str:
  """Which word stands where."""
  text, person = _listed(given), rng.choice(words.PEOPLE)
  return rng.choice(
    (
      f"In {text} the first word is {given[0]}, the second word is {given[1]} and the last word is {given[-1]}.",
      f"{person} read {text}. It opens with {given[0]} and closes with {given[-1]}.",
      f"There are {words.NUMBERS[len(given)]} words in {text}: {given[0]} leads and {given[-1]} comes last.",
    )
  )
