"""Steps on a list of words, alone and one after the other.

A chain's two steps each occur in other chains too: what is new in a held-out chain is the pair.
"""

import random
from collections.abc import Callable

from flan_jax.collections.demo.generators import words

Words = list[str]

# step: what it does to a list, and the ways to ask for it. A step that ends in one word returns a list of one.
STEPS: dict[str, tuple[Callable[[Words], Words], tuple[str, ...]]] = {
  "reverse": (lambda w: w[::-1], ("reverse the list", "turn the list around", "put the words in backward order")),
  "drop_first": (lambda w: w[1:], ("drop the first word", "leave out the first word", "cut off the opening word")),
  "drop_last": (lambda w: w[:-1], ("drop the last word", "leave out the last word", "cut off the final word")),
  "rotate_left": (
    lambda w: w[1:] + w[:1],
    ("move the first word to the end", "put the opening word behind all others", "shift the first word to the back"),
  ),
  "rotate_right": (
    lambda w: w[-1:] + w[:-1],
    ("move the last word to the front", "put the final word before all others", "shift the last word to the start"),
  ),
  "swap_ends": (
    lambda w: [w[-1], *w[1:-1], w[0]],
    ("swap the first and last words", "exchange the two outer words", "let both ends trade places"),
  ),
  "swap_front": (
    lambda w: [w[1], w[0], *w[2:]],
    ("swap the first two words", "exchange words one and two", "let the two leading words trade places"),
  ),
  "double_first": (
    lambda w: [w[0], *w],
    ("say the first word twice", "repeat the opening word", "double the leading word"),
  ),
  "double_last": (
    lambda w: [*w, w[-1]],
    ("say the last word twice", "repeat the final word", "double the closing word"),
  ),
  "keep_two": (
    lambda w: w[:2],
    ("keep only the first two words", "keep just the two leading words", "stop after the second word"),
  ),
  "first": (lambda w: w[:1], ("give the first word", "name the opening word", "say which word leads")),
  "last": (lambda w: w[-1:], ("give the last word", "name the final word", "say which word closes")),
  "second": (lambda w: w[1:2], ("give the second word", "name word number two", "say which word comes second")),
  "count": (lambda w: [words.NUMBERS[len(w)]], ("count the words", "tell how many words there are", "say the length")),
}


def generate(rng: random.Random, steps: str) -> dict[str, str]:
  """A list of three to five different things and what comes of the steps.

  Args:
    rng: the only source of chance.
    steps: one or two names of STEPS, such as "reverse" or "reverse first".

  Returns:
    words, answer, rationale, and `step` (one step) or `first_step` and `second_step`.
  """
  names = steps.split()
  current = rng.sample(words.THINGS, rng.randint(3, 5))
  # The brackets mark where a list begins and ends in whatever wording it stands, and the first word, next to one, is
  # another piece than inside the list: a small model finds both (docs/design.md).
  fields = {"words": f"[{' '.join(current)}]"}
  asked, stages = [], []
  for name in names:
    apply, phrases = STEPS[name]
    current = apply(current)
    asked.append(rng.choice(phrases))
    stages.append(" ".join(current))
  fields["answer"] = stages[-1]
  if len(names) == 1:
    return fields | {"step": asked[0]}
  return fields | {"first_step": asked[0], "second_step": asked[1], "rationale": f"The first step gives {stages[0]}."}
