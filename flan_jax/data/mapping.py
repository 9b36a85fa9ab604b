"""From a raw record to the fields of a task type, as the spec's `fields` say. The forms of a value there:

    premise                         a column, or a path into it: `answers.text.0`
    [sol1, sol2]                    a list of columns
    "{{ question }} ({{ year }})"   a sandboxed Jinja text over columns; one `{{ expression }}` alone keeps its value
    {choice: label}                 the option that the column names: its index, letter or text; `first: 1` counts from
                                    1 (and says, as `first: 0` does, that '2' is never an option's text), `markers:
                                    choices.label` lists the options' own markers

`answer` may be a list: then all of it are references, and the first is the answer.
"""

import functools
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jinja2

from flan_jax.data import specs, templates
from flan_jax.data.readers import NoExample

Fields = dict[str, str | list[str]]

REFERENCES = "references"  # the field that holds all accepted answers where there are several


def mapped(record: Mapping[str, Any], spec: specs.TaskSpec, kind: specs.TaskType) -> Fields:
  """The type's fields of a record: texts, or lists of texts; an optional field that is empty is left out.

  Raises:
    ValueError: a required field is absent or empty, or a column holds what is no text.
    NoExample: the record has no answer: its label is -1 or its list of answers empty.
  """
  fields: Fields = dict(spec.constants)
  # Even a type that lists no options may name its answer by them.
  choices = _value(spec.fields.get("choices", "choices"), record, ()) if spec.choices is None else spec.choices
  choices = _text(choices, "choices")
  for name in (*kind.fields, *kind.optional):
    if name not in fields:
      how = spec.fields.get(name, name)
      value = choices if name == "choices" else _mapped_field(name, how, record, choices)
      if value:
        fields[name] = value
      elif name in kind.fields:
        raise ValueError(f"the field {name!r} ({_described(how, record)}) is empty")
  answer = fields.get("answer")
  if isinstance(answer, list):
    fields["answer"], fields[REFERENCES] = answer[0], answer
  return fields


def _mapped_field(name: str, how: Any, record: Mapping[str, Any], choices: Sequence[str]) -> str | list[str]:
  value = _value(how, record, choices)
  if name != "answer" or not isinstance(value, list | tuple):
    return _text(value, name)
  answers = _text([answer for answer in value if not _is_absent(answer)], name)
  answers = list(dict.fromkeys(text for text in answers if text))
  if not answers:
    raise NoExample("the list of answers is empty")
  return answers


def _value(how: Any, record: Mapping[str, Any], choices: Sequence[str]) -> Any:
  if isinstance(how, str):
    return _expression(how)(record) if "{{" in how else _column(record, how)
  if isinstance(how, list):
    return [_text(_column(record, column), column) for column in how]
  return _choice(how, record, choices)


def _column(record: Mapping[str, Any], path: str) -> Any:
  """A column, or what the path `column.key.0` leads to; None where it leads nowhere."""
  if path in record:
    return record[path]
  value: Any = record
  for part in path.split("."):
    if isinstance(value, Mapping):
      value = value.get(part)
    elif isinstance(value, list) and part.isdigit():
      value = value[int(part)] if int(part) < len(value) else None
    else:
      return None
  return value


@functools.cache
def _expression(text: str) -> Callable[[Mapping[str, Any]], Any]:
  """What a Jinja text gives: a value of any kind for one expression alone, else a text."""
  alone = _ALONE.fullmatch(text)
  compute = templates.expression(alone[1]) if alone else templates.compiled(text)

  def value(record: Mapping[str, Any]) -> Any:
    try:
      return compute(record)
    except (*templates.RENDER_ERRORS, TypeError, LookupError, AttributeError, ArithmeticError) as error:
      raise ValueError(f"{text!r} cannot be computed: {error}") from None

  return value


_ALONE = re.compile(r"\s*\{\{((?:(?!\}\}|\{\{).)*)\}\}\s*", re.DOTALL)


def _choice(how: Mapping[str, Any], record: Mapping[str, Any], choices: Sequence[str]) -> str:
  """The option that a column names.

  >>> _choice({"choice": "label"}, {"label": 1}, ["no", "yes"])
  'yes'
  """
  label = _value(how["choice"], record, ())
  if _is_absent(label):
    raise ValueError(f"there is no label ({_described(how['choice'], record)})")
  markers = [str(marker) for marker in _column(record, how["markers"]) or ()] if "markers" in how else []
  if label in ("", -1, "-1"):
    raise NoExample("the record has no label")
  text = str(label).strip()
  index = markers.index(text) if text in markers else _position(text, int(how.get("first", 0)))
  if text in choices and text not in markers and (index is None or "first" not in how):
    if index is not None and 0 <= index < len(choices) and choices[index] != text and "markers" not in how:
      raise ValueError(
        f"the label {text!r} is ambiguous: option number {index} from 0 is {choices[index]!r}, but {text!r} is an "
        "option too; write `first: 0` or `first: 1` beside `choice:` where it is a number or letter, or the column "
        "alone where it is the answer itself"
      )
    return text
  if index is None:
    raise ValueError(f"the label {text!r} names none of the options {choices}")
  if not 0 <= index < len(choices):
    raise ValueError(f"the label {text!r} names no option: there are {len(choices)}")
  return choices[index]


def _position(text: str, first: int) -> int | None:
  """Which option, from 0, a number or a letter stands for; None for any other text."""
  if re.fullmatch(r"[0-9]+", text):
    return int(text) - first
  return ord(text.strip("().").upper()) - ord("A") if re.fullmatch(r"\(?[A-Za-z][).]?", text) else None


def _is_absent(value: Any) -> bool:
  """Whether it stands for nothing: None, Jinja's undefined, or NaN, which is how pandas writes a missing value."""
  return value is None or isinstance(value, jinja2.Undefined) or (isinstance(value, float) and math.isnan(value))


def _text(value: Any, name: str) -> str | list[str]:
  """A text, stripped, or a list of such; '' for what is absent."""
  if _is_absent(value):
    return ""
  if isinstance(value, str):
    return value.strip()
  if isinstance(value, bool) or not isinstance(value, int | float | list | tuple):
    raise ValueError(f"the column {name!r} holds {type(value).__name__}, not text")
  if isinstance(value, int | float):
    return str(value)
  if not all(isinstance(item, str | int | float) and not isinstance(item, bool) for item in value) or any(
    map(_is_absent, value)
  ):
    raise ValueError(f"the column {name!r} holds a list of other things than texts")
  return [_stripped(item) for item in value]


def _stripped(value: Any) -> str:
  return value.strip() if isinstance(value, str) else str(value)


def _described(how: Any, record: Mapping[str, Any]) -> str:
  """What an error says of where a field comes from."""
  if isinstance(how, str) and "{{" not in how:
    return f"column {how!r}" + ("" if how in record else f", absent; there are {', '.join(map(str, record)) or 'none'}")
  return repr(how)
