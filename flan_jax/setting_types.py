"""Whether the fields of a settings dataclass hold what their annotations say: gin binds anything to anything."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from flan_jax.errors import UsageError

_WORDS = {int: "a whole number", float: "a number", str: "a text", bool: "True or False", types.NoneType: "None"}


def check_types(settings: Any, name: str | None = None) -> None:
  """Compares each field with its annotation; every settings class calls it first thing in its `__post_init__`.

  A whole number is a number, True and False are neither, and a list may stand for a tuple.

  Args:
    settings: a dataclass whose annotations are made of the builtin types, dataclasses and protocols, None, unions,
      tuples, sequences and dicts.
    name: by which gin binds it; None for its class's.

  Raises:
    UsageError: a value is of another type.
  """
  for field, kind in _annotations(type(settings)).items():
    value = getattr(settings, field)
    if not _fits(value, kind):
      raise UsageError(f"{name or type(settings).__name__}.{field} = {value!r}: must be {_described(kind)}")


@functools.cache
def _annotations(settings: type) -> dict[str, Any]:
  hints = typing.get_type_hints(settings)
  return {field.name: hints[field.name] for field in dataclasses.fields(settings)}


def _fits(value: Any, kind: Any) -> bool:
  origin, inside = typing.get_origin(kind), typing.get_args(kind)
  if origin in (types.UnionType, typing.Union):
    return any(_fits(value, each) for each in inside)
  if origin is dict:
    return isinstance(value, Mapping) and all(all(map(_fits, item, inside)) for item in value.items())
  if origin is Sequence:
    return _is_sequence(value) and all(_fits(each, inside[0]) for each in value)
  if origin is tuple:
    return _is_sequence(value) and len(value) == len(inside) and all(map(_fits, value, inside))
  if kind in (int, float):
    return isinstance(value, (int, kind)) and not isinstance(value, bool)
  # gin gives the class itself for @Loss, where @Loss() is meant; that has all methods of a protocol, too.
  return isinstance(value, kind) and not isinstance(value, type)


def _is_sequence(value: Any) -> bool:
  return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _described(kind: Any) -> str:
  origin, inside = typing.get_origin(kind), typing.get_args(kind)
  if origin in (types.UnionType, typing.Union):
    return " or ".join(_described(each) for each in inside if not (each is int and float in inside))
  if origin is dict:
    return f"{{{_described(inside[0])}: {_described(inside[1])}}}"
  if origin is Sequence:
    return f"a list, each of which {_described(inside[0])}"
  if origin is tuple:
    return f"({', '.join(map(_described, inside))})"
  if kind in _WORDS:
    return _WORDS[kind]
  return f"@{kind.__name__}()" if dataclasses.is_dataclass(kind) else f"an {kind.__name__}, such as @X()"
