"""What a base model reads before it is tuned: documents of one to three narrations of all modules that narrate.

A module narrates where it has `narrate(rng) -> str`: a sentence or two in which somebody does what one of its tasks
asks, told with the phrases of its asks and no instruction to the reader, or which state what it knows. All clusters
have their part, those that tuning leaves out too: the base has to have an ability that an instruction is to find.
"""

import functools
import importlib
import pathlib
import random
from collections.abc import Mapping
from types import ModuleType

WORDS = 44  # of several narrations at most: some 60 pieces, since full stops and commas are pieces too
_JOINING = ("", "", "", "Then: ", "Later, something else. ", "Meanwhile: ", "Now for another thing. ")


def generate(rng: random.Random, weights: Mapping[str, int] | None = None) -> dict[str, str]:
  """One document, as `text`.

  Args:
    weights: how often a module is drawn, by its name; 1 for the others.
  """
  names = list(narrators())
  shares = [(weights or {}).get(name, 1) for name in names]
  wanted = rng.choice((1, 2, 2, 3))
  told = narrators()[rng.choices(names, shares)[0]].narrate(rng)
  for _ in range(wanted - 1):
    more = rng.choice(_JOINING) + narrators()[rng.choices(names, shares)[0]].narrate(rng)
    if len(told.split()) + len(more.split()) > WORDS:
      break
    told += " " + more
  return {"text": told}


@functools.cache
def narrators() -> Mapping[str, ModuleType]:
  """The modules that narrate, by their names, in alphabetical order."""
  own = pathlib.Path(__file__)
  names = sorted(path.stem for path in own.parent.glob("*.py") if path.stem not in (own.stem, "__init__"))
  modules = {name: importlib.import_module(f"{__package__}.{name}") for name in names}
  return {name: module for name, module in modules.items() if hasattr(module, "narrate")}
