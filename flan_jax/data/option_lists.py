"""How a prompt lists its answer options, and how its answer is written then."""

import functools

from flan_jax.data import specs


@functools.cache
def styles(target: str, choices: int, answer_listed: bool) -> list[specs.OptionStyle]:
  """The styles for so many choices.

  Args:
    target: of the spec. For 'text' the answer is the option's text in every style; otherwise a style with markers has
      the marker as answer and says so, and where a drawn one has none, the answer is the text.
    answer_listed: an answer that is no option has no marker.
  """
  fitting = [style for style in specs.option_styles() if style.fits(choices)]
  texts = [style for style in fitting if not style.answer]
  markers = [style for style in fitting if style.answer and answer_listed]
  if target == "text":
    return texts
  unmarked = [style for style in texts if not style.markers]
  return (markers or unmarked) if target == "marker" else [*unmarked, *markers]


def block(style: specs.OptionStyle | None, choices: tuple[str, ...]) -> str:
  """The list in a prompt; '' without a style or options."""
  return style.block(choices) if style and choices else ""


def written(style: specs.OptionStyle | None, answer: str, choices: tuple[str, ...]) -> str:
  """The answer as the target has it: in a style with markers that of its option."""
  return style.written(answer, choices) if style and answer in choices else answer
