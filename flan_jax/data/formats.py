"""The formats of a prompt: with or without solved examples and instructions, answer alone or rationale first."""

import dataclasses

from flan_jax import errors


@dataclasses.dataclass(frozen=True)
class Format:
  """How a prompt is built.

  Attributes:
    few_shot: whether exemplars stand before the query.
    rationale: whether the target reasons before it answers.
    instructed: whether words of instruction stand in the prompt, or exemplars alone (MetaICL, Min et al. 2022).
    trained: whether mixtures draw it where nothing is said. `continuation` is text that a base model goes on with,
      `bare` the fields alone (Wei et al. 2021, section 4.3: no instruction).
  """

  name: str
  few_shot: bool
  rationale: bool
  instructed: bool = True
  trained: bool = True


FORMATS = {
  form.name: form
  for form in (
    Format("zero_shot", few_shot=False, rationale=False),
    Format("few_shot", few_shot=True, rationale=False),
    Format("few_shot_bare", few_shot=True, rationale=False, instructed=False),
    Format("cot", few_shot=False, rationale=True),
    Format("few_shot_cot", few_shot=True, rationale=True),
    Format("continuation", few_shot=False, rationale=False, instructed=False, trained=False),
    Format("bare", few_shot=False, rationale=False, instructed=False, trained=False),
  )
}

# What a few-shot prompt is without exemplars.
WITHOUT_EXEMPLARS = {"few_shot": "zero_shot", "few_shot_bare": "zero_shot", "few_shot_cot": "cot"}

# What a task that is trained on alone gets, and a mixture that says nothing: (format, weight) and (fewest, most) shots.
DEFAULT_FORMATS: tuple[tuple[str, int], ...] = tuple((name, 1) for name, form in FORMATS.items() if form.trained)
DEFAULT_SHOTS = (2, 5)

# How a mixture lists the answer options of those of its tasks that leave it open (`show_options: drawn`).
OPTIONS = ("drawn", "always", "never")


def get_format(name: str) -> Format:
  """The format of a name. Raises UsageError naming the nearest."""
  if name not in FORMATS:
    raise errors.unknown_name("format", name, FORMATS, ", ".join(FORMATS))
  return FORMATS[name]
