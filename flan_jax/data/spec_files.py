"""YAML files of the collections: read, tables expanded, keys checked; mistakes are told with file and entry."""

import dataclasses
import difflib
import itertools
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import yaml

from flan_jax import errors


def read(path: pathlib.Path) -> list[Any]:
  """The list that a YAML file holds. Words, numbers and dates are as YAML 1.2 has them, not 1.1.

  So 'yes' and 'no' are words, and only true and false are booleans; 10:30, 1_000 and 2020-02-30 are texts. So are 0777
  and 0x1F, which is our own rule: what is a text somewhere, such as an answer option, must not come out as another.

  Raises:
    FlanJaxError: the file is absent, is not YAML, or does not hold a list.
  """
  return _read(path, list, "a list")


def read_mapping(path: pathlib.Path) -> dict[str, Any]:
  """The mapping that a YAML file holds; otherwise as `read`."""
  return _read(path, dict, "a mapping, such as `key: value`,")


def _read(path: pathlib.Path, shape: type, called: str) -> Any:
  try:
    content = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
  except FileNotFoundError:
    raise errors.FlanJaxError(f"{path}: there is no such file") from None
  except (OSError, UnicodeDecodeError) as error:
    raise errors.FlanJaxError(f"{path}: it cannot be read as text in UTF-8: {error}") from None
  except yaml.YAMLError as error:
    mark = getattr(error, "problem_mark", None)
    place = f":{mark.line + 1}" if mark else ""
    problem = getattr(error, "problem", error)
    hint = " (a template that begins with {{ has to stand in quotes)" if problem == "found unhashable key" else ""
    raise errors.FlanJaxError(f"{path}{place}: not YAML: {problem}{hint}") from None
  except (ValueError, LookupError, AttributeError, RecursionError) as error:  # '!!bool maybe', lists 10,000 levels deep
    raise errors.FlanJaxError(f"{path}: not YAML that can be read: {error!r}") from None
  if not isinstance(content, shape):
    raise errors.FlanJaxError(f"{path}: {called} was expected, not {type(content).__name__}")
  return content


def expanded(path: pathlib.Path, entry: Any) -> Iterator[dict[str, Any]]:
  """The specs that one entry stands for: itself, or one for each row of its `for_each`.

  >>> rows = expanded(pathlib.Path("t.yaml"), {"name": "{a}_{b}", "for_each": {"a": ["x", "y"], "b": [1, 2]}})
  >>> [row["name"] for row in rows]
  ['x_1', 'x_2', 'y_1', 'y_2']

  A text that is one placeholder alone takes the value with its type; braces around anything else are left as they are.
  """
  if not isinstance(entry, dict):
    raise errors.FlanJaxError(f"{path}: an entry is {entry!r}, not a mapping with a name")
  template = {key: value for key, value in entry.items() if key != "for_each"}
  for values in _rows(path, entry):
    yield {key: _filled(value, values) for key, value in template.items()}


def checked(path: pathlib.Path, entry: Any, shape: type, kind: str) -> dict[str, Any]:
  """The entry itself, if its keys are fields of the dataclass `shape` and no field without a default is missing.

  Raises:
    FlanJaxError: naming the file, the entry, the wrong key and the nearest right one.
  """
  if not isinstance(entry, dict):
    raise errors.FlanJaxError(f"{path}: a {kind} is {entry!r}, not a mapping with a name")
  label = entry.get("name", entry.get("id", entry))
  fields = {field.name: field for field in dataclasses.fields(shape)}
  for key in entry:
    if key not in fields:
      near = difflib.get_close_matches(str(key), fields, n=1)
      hint = f"; nearest: {near[0]}" if near else ""
      raise errors.FlanJaxError(f"{path}: {kind} {label!r} has an unknown key {key!r}{hint}")
  for name, field in fields.items():
    optional = field.default is not dataclasses.MISSING or field.default_factory is not dataclasses.MISSING
    if name not in entry and name not in _DERIVED_KEYS and not optional:
      raise errors.FlanJaxError(f"{path}: {kind} {label!r} has no {name!r}")
  return entry


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
  """Safe and, where libyaml is there, fast; a key that is there twice, of which YAML keeps the last, is a mistake."""

  def construct_mapping(self, node, deep=False):
    """As a safe loader does. Raises ConstructorError where the mapping's own text has a key twice."""
    start, end = node.start_mark.index, node.end_mark.index
    own = set()
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
      here = start <= key.start_mark.index < end  # what `<<` brought stands elsewhere, and may be overridden
      if here and isinstance(key, yaml.ScalarNode):
        if (key.tag, key.value) in own:
          raise yaml.constructor.ConstructorError(problem=f"{key.value!r} is there twice", problem_mark=key.start_mark)
        own.add((key.tag, key.value))
    return super().construct_mapping(node, deep)


_TAG = "tag:yaml.org,2002:"
_KEPT = (f"{_TAG}null", f"{_TAG}merge")
_Loader.yaml_implicit_resolvers = {
  first: [(tag, pattern) for tag, pattern in resolvers if tag in _KEPT]
  for first, resolvers in _Loader.yaml_implicit_resolvers.items()
}
_DECIMAL = r"(?:0|[1-9][0-9]*)"
for _kind, _pattern, _firsts in (
  ("bool", r"true|false", "tf"),
  ("int", rf"[-+]?{_DECIMAL}", "-+0123456789"),
  ("float", rf"[-+]?(?:\.[0-9]+|{_DECIMAL}(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
  ("float", r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", "-+."),
):
  _Loader.add_implicit_resolver(f"{_TAG}{_kind}", re.compile(rf"^(?:{_pattern})$"), list(_firsts))

_DERIVED_KEYS = ("collection", "optional")  # the folder's name; types without optional fields
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def _rows(path: pathlib.Path, entry: dict[str, Any]) -> list[dict[str, Any]]:
  table = entry.get("for_each", [{}])
  if isinstance(table, dict) and all(isinstance(values, list) for values in table.values()):
    return [dict(zip(table, row, strict=True)) for row in itertools.product(*table.values())]
  if isinstance(table, list) and all(isinstance(row, dict) for row in table):
    return table
  raise errors.FlanJaxError(f"{path}: {entry.get('name')!r}: for_each is neither a mapping of lists nor a list of rows")


def _filled(value: Any, values: dict[str, Any]) -> Any:
  if isinstance(value, dict):
    return {key: _filled(inner, values) for key, inner in value.items()}
  if isinstance(value, list):
    return [_filled(inner, values) for inner in value]
  if not isinstance(value, str):
    return value
  alone = _PLACEHOLDER.fullmatch(value)
  if alone and alone[1] in values:
    return values[alone[1]]
  # A name that the row does not have is left as it stands: BibTeX is full of braces.
  return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), value)
