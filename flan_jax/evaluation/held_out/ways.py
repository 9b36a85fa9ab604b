"""The ways in which an example is asked in one format: plainly, ranked, under another instruction.

A question's `variant` says both: 'zero_shot' is the plain prompt, 'zero_shot+ranked' ranks the choices of that prompt.
"""

RANKED, SWAPPED = "ranked", "swapped"


def variant(form: str, way: str) -> str:
  """Of a question that asks in a format, but not plainly."""
  return f"{form}+{way}"


def parted(variant: str) -> tuple[str, str]:
  """(Format, way) of a question's variant; the way of a plain prompt is ''."""
  form, _, way = variant.partition("+")
  return form, way
