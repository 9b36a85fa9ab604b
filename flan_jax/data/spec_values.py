"""The values of an entry are of the right kind, and a task's fields are its type's; mistakes name file and entry."""

import difflib
import pathlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from flan_jax import errors
from flan_jax.data import readers
from flan_jax.data.value_shapes import COUNT, FLAG, MAPPING, NAME, PERCENT, SCALAR, SCALARS, TEXT, TEXTS, WHOLE, Shape


def check(where: str, entry: Mapping[str, Any], shapes: Mapping[str, Shape], may_be_null: Collection[str] = ()) -> None:
  """Raises FlanJaxError (where, the key, what is allowed) for a value that does not have the shape of its key."""
  for key, value in entry.items():
    shape = shapes.get(key)
    if shape is not None and not shape.fits(value) and not (value is None and key in may_be_null):
      raise errors.FlanJaxError(f"{where}: {key} is {value!r}, not {shape.name}")


def check_task(path: pathlib.Path, entry: Mapping[str, Any]) -> None:
  """Checks an entry of tasks.yaml, but for its fields and for the names of its metrics, which evaluation knows.

  Raises:
    FlanJaxError: naming the file, the task and the key.
  """
  where = f"{path}: task {entry['name']!r}"
  check(where, entry, _SHAPES, _MAY_BE_NULL)
  try:
    readers.check(entry["reader"])
  except errors.FlanJaxError as error:
    raise errors.FlanJaxError(f"{where}: {error}") from None


def check_fields(path: pathlib.Path, entry: Mapping[str, Any], fields: Iterable[str]) -> None:
  """Checks what an entry of tasks.yaml says of the type's `fields`; raises as `check_task`, which comes before."""
  where = f"{path}: task {entry['name']!r}"
  known = {*fields, _CHOICES}
  for key in ("fields", "constants"):
    for name, value in entry.get(key, {}).items():
      if name not in known:
        raise errors.FlanJaxError(f"{where}: {key}: {_unknown('field of its type', name, known)}")
      if key == "fields":
        _check_field(f"{where}: the field {name!r}", value)
      elif not SCALAR.fits(value):
        raise errors.FlanJaxError(f"{where}: constants: {name} is {value!r}, not {SCALAR.name}")


# The options of a type that does not list them: its answer may be one of them that is named by number.
_CHOICES = "choices"
_CHOICE_KEYS: dict[str, Shape] = {"choice": TEXT, "first": WHOLE, "markers": TEXT}
_SHAPES: dict[str, Shape] = {
  "name": NAME,
  **dict.fromkeys(("type", "cluster", "category", "language", "origin", "licence", "citation"), TEXT),
  **dict.fromkeys(("reader", "fields", "constants"), MAPPING),
  **dict.fromkeys(("metrics", "tags"), TEXTS),
  **dict.fromkeys(("evaluation_only", "inverted"), FLAG),
  **{"dataset": SCALAR, "choices": SCALARS, "cap": COUNT, "examples": WHOLE, "held_out_percent": PERCENT},
}

_MAY_BE_NULL = ("choices", "examples")


def _check_field(where: str, how: Any) -> None:
  """See `mapping` for the forms."""
  if isinstance(how, Mapping):
    for key, value in how.items():
      if key not in _CHOICE_KEYS:
        raise errors.FlanJaxError(f"{where}: {_unknown('key of {choice: COLUMN}', key, _CHOICE_KEYS)}")
      if not _CHOICE_KEYS[key].fits(value):
        raise errors.FlanJaxError(f"{where}: {key} is {value!r}, not {_CHOICE_KEYS[key].name}")
    if "choice" not in how:
      raise errors.FlanJaxError(f"{where} is {dict(how)}, which has no 'choice'; write {{choice: COLUMN}}")
  elif not (TEXT.fits(how) or TEXTS.fits(how)):
    raise errors.FlanJaxError(f"{where} is {how!r}, not a column, a list of columns or {{choice: COLUMN}}")


def _unknown(kind: str, name: object, known: Iterable[str]) -> str:
  near = difflib.get_close_matches(str(name), sorted(known), n=1)
  hint = f"; nearest: {near[0]}" if near else ""
  return f"{name!r} is no {kind}{hint} (known: {', '.join(sorted(known))})"
