"""The colours of the pages' style sheet, for pictures that stand beside them."""

import functools
import re
from pathlib import Path

_PROPERTY = re.compile(r"--([a-z]+(?:-\d)?):\s*(#[0-9a-f]{6})")


@functools.cache
def colours(scheme: str = "light") -> dict[str, str]:
  """'#rrggbb' by name: ink, quiet, faint, ground, ... and hue-0 to hue-7 in the order in which charts take them.

  Args:
    scheme: 'light' or 'dark'.
  """
  style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
  light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
  return dict(_PROPERTY.findall(light)) | (dict(_PROPERTY.findall(dark)) if scheme == "dark" else {})


def hues(scheme: str = "light") -> list[str]:
  """Those of series, in their order."""
  return [colour for name, colour in colours(scheme).items() if name.startswith("hue-")]
