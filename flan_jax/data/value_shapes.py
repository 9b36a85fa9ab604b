"""What a value of a YAML entry must be: a name for people, and the test."""

import dataclasses
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Shape:
  """A kind of value: how an error names it, and whether a value is one."""

  name: str
  fits: Callable[[Any], bool]


def _is_scalar(value: Any) -> bool:
  return isinstance(value, str | int | float) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
  return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_range(value: Any) -> bool:
  return isinstance(value, list | tuple) and len(value) == 2 and all(map(_is_whole, value)) and value[0] <= value[1]


def _is_list_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
  return lambda value: isinstance(value, list | tuple) and all(map(fits, value))


# What becomes the name of a folder, and stays in the folder above.
_IN_ITS_FOLDER = re.compile(r"(?!\.|.*\.\.)[^/\\\x00-\x1f\x7f]+")

NAME = Shape(
  "a name without '/', '\\', '..', a leading '.' or control characters",
  lambda value: isinstance(value, str) and bool(_IN_ITS_FOLDER.fullmatch(value)),
)
TEXT = Shape("a text", lambda value: isinstance(value, str))
SCALAR = Shape("a text or a number", _is_scalar)
TEXTS = Shape("a list of texts, such as [a, b]", _is_list_of(lambda value: isinstance(value, str)))
SCALARS = Shape("a list of texts or numbers, such as [a, b]", _is_list_of(_is_scalar))
NUMBER = Shape("a number", _is_number)
ABOVE_0 = Shape("a number above 0", lambda value: _is_number(value) and 0 < value <= sys.float_info.max)
FRACTION = Shape("a number between 0 and 1", lambda value: _is_number(value) and 0 < value < 1)
PERCENT = Shape("a number from 0 to 100", lambda value: _is_number(value) and 0 <= value <= 100)
WHOLE = Shape("a whole number from 0 on", _is_whole)
COUNT = Shape("a whole number above 0", lambda value: _is_whole(value) and value > 0)
RANGE = Shape("two whole numbers, the fewest and the most, such as [2, 5]", _is_range)
FLAG = Shape("true or false", lambda value: isinstance(value, bool))
MAPPING = Shape("a mapping, such as {key: value}", lambda value: isinstance(value, Mapping))
MAPPINGS = Shape(
  "a list of mappings, such as [{key: value}]",
  lambda value: bool(value) and _is_list_of(MAPPING.fits)(value),
)
