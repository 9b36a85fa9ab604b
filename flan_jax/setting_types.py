"""Whether values are what annotations say: gin binds anything to a settings dataclass, and a file may hold anything."""

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from flan_jax.errors import UsageError

_WORDS = {
  object: "anything",
  int: "a whole number",
  float: "a number",
  str: "a text",
  bool: "True or False",
  types.NoneType: "None",
}


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
    if not fits(value, kind):
      raise UsageError(f"{name or type(settings).__name__}.{field} = {value!r}: must be {described(kind)}")


@functools.cache
def _annotations(settings: type) -> dict[str, Any]:
  hints = typing.get_type_hints(settings)
  return {field.name: hints[field.name] for field in dataclasses.fields(settings)}


def fits(value: Any, kind: Any) -> bool:
  """Whether a value is what an annotation says; of a TypedDict there may be other fields besides."""
  origin, inside = typing.get_origin(kind), typing.get_args(kind)
  if origin in (types.UnionType, typing.Union):
    return any(fits(value, each) for each in inside)
  if typing.is_typeddict(kind):
    fields = typing.get_type_hints(kind)
    known = isinstance(value, Mapping) and kind.__required_keys__ <= value.keys()
    return known and all(fits(value[name], fields[name]) for name in fields if name in value)
  if origin is dict:
    return isinstance(value, Mapping) and all(all(map(fits, item, inside)) for item in value.items())
  if origin is Sequence:
    return _is_sequence(value) and all(fits(each, inside[0]) for each in value)
  if origin is tuple:
    return _is_sequence(value) and len(value) == len(inside) and all(map(fits, value, inside))
  if kind in (int, float):
    return isinstance(value, (int, kind)) and not isinstance(value, bool)
  # gin gives the class itself for @Loss, where @Loss() is meant; that has all methods of a protocol, too.
  return isinstance(value, kind) and not isinstance(value, type)


def _is_sequence(value: Any) -> bool:
  return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def described(kind: Any) -> str:
  """An annotation in words: 'a whole number or None'."""
  origin, inside = typing.get_origin(kind), typing.get_args(kind)
  if origin in (types.UnionType, typing.Union):
    return " or ".join(described(each) for each in inside if not (each is int and float in inside))
  if typing.is_typeddict(kind):
    return f"{{{', '.join(f'{name}: {described(each)}' for name, each in typing.get_type_hints(kind).items())}}}"
  if origin is dict:
    return f"{{{described(inside[0])}: {described(inside[1])}}}"
  if origin is Sequence:
    return f"a list, each of which {described(inside[0])}"
  if origin is tuple:
    return f"({', '.join(map(described, inside))})"
  if kind in _WORDS:
    return _WORDS[kind]
  return f"@{kind.__name__}()" if dataclasses.is_dataclass(kind) else f"an {kind.__name__}, such as @X()"
