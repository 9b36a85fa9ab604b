"""The formats of a prompt: with or without solved examples and instructions, answer alone or rationale first.

Two are for asking and never trained on: `continuation`, a text that breaks off where the answer has to come, for a base
model to go on with; and `bare`, the type's `bare` text and nothing else (Wei et al. 2021, section 4.3: no instruction).
"""

import dataclasses
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from flan_jax import errors


@dataclasses.dataclass(frozen=True)
class Format:
  """How a prompt is built.

  Attributes:
    few_shot: whether exemplars stand before the query.
    rationale: whether the target reasons before it answers.
    instructed: whether words of instruction stand in the prompt, or exemplars alone (MetaICL, Min et al. 2022).
    listing: whether options may be listed in it.
    trained: whether mixtures may have it.
  """

  name: str
  few_shot: bool
  rationale: bool
  instructed: bool = True
  listing: bool = True
  trained: bool = True


FORMATS = {
  form.name: form
  for form in (
    Format("zero_shot", few_shot=False, rationale=False),
    Format("few_shot", few_shot=True, rationale=False),
    Format("few_shot_bare", few_shot=True, rationale=False, instructed=False),
    Format("cot", few_shot=False, rationale=True),
    Format("few_shot_cot", few_shot=True, rationale=True),
    Format("continuation", few_shot=False, rationale=False, instructed=False, listing=False, trained=False),
    Format("bare", few_shot=False, rationale=False, instructed=False, listing=False, trained=False),
  )
}

# What a few-shot prompt is without exemplars.
WITHOUT_EXEMPLARS = {"few_shot": "zero_shot", "few_shot_bare": "zero_shot", "few_shot_cot": "cot"}

# What a task that is trained on alone gets, and a mixture that says nothing: (format, weight) and (fewest, most) shots.
DEFAULT_FORMATS: tuple[tuple[str, int], ...] = tuple((name, 1) for name, form in FORMATS.items() if form.trained)
DEFAULT_SHOTS = (2, 5)

# How a mixture lists the answer options of those of its tasks that leave it open (`show_options: drawn`).
OPTIONS = ("drawn", "always", "never")

# What becomes of the instruction: it is as the task gives it; or nothing is left of it, nor of a wording; or the fields
# that make it are taken from another task ("lenders"), so that it reads well and says nothing about what is to be done.
INSTRUCTIONS = ("given", "none", "shuffled")


class Manner(NamedTuple):
  """How the examples of a mixture's part are asked: what its renderers take besides task, folder and seed.

  Attributes:
    formats: (name, weight).
    shots: (fewest, most) exemplars of a few-shot prompt.
    options: one of OPTIONS.
    instructions: one of INSTRUCTIONS.
    lenders: full names of the tasks whose instructions are shuffled; none otherwise.
  """

  formats: tuple[tuple[str, int], ...] = DEFAULT_FORMATS
  shots: tuple[int, int] = DEFAULT_SHOTS
  options: str = "drawn"
  instructions: str = "given"
  lenders: tuple[str, ...] = ()


def get_format(name: str) -> Format:
  """The format of a name. Raises UsageError naming the nearest."""
  if name not in FORMATS:
    raise errors.unknown_name("format", name, FORMATS, ", ".join(FORMATS))
  return FORMATS[name]


def ballot_weights(proportions: Mapping[str, Fraction]) -> tuple[tuple[str, int], ...]:
  """(format, weight) in these proportions, of which some are above 0: the smallest whole numbers, which a ballot wants.

  >>> ballot_weights({"zero_shot": Fraction("0.9"), "few_shot": Fraction("0.6"), "cot": Fraction(0)})
  (('zero_shot', 3), ('few_shot', 2))
  """
  denominator = math.lcm(*(weight.denominator for weight in proportions.values()))
  common = math.gcd(*(int(weight * denominator) for weight in proportions.values()))
  return tuple((name, int(weight * denominator) // common) for name, weight in proportions.items() if weight)
