"""{natural_instructions: FILE.json}: the official task files of (Super-)NaturalInstructions, an instance a record.

Columns: definition, input, output (a list of references). The publisher's solved examples are `exemplars()` and
`negatives()`: definition, input, output, explanation.
"""

import functools
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import xxhash

from flan_jax import errors
from flan_jax.data.readers import json_scanning


class TaskFile:
  """The instances of a task file by random access (see readers.rows.Rows); the file is scanned, not held parsed."""

  def __init__(self, path: pathlib.Path):
    """Opens it. What is read later raises FlanJaxError where the file is not JSON or lacks a part, naming the line."""
    self.file = str(path)
    self._json = json_scanning.JsonFile(path)
    self._latest: tuple[int, Any] = (-1, None)  # an example's id and its record are asked for one after the other

  def __len__(self) -> int:
    return len(self._instances)

  def read(self, row: int) -> dict[str, Any]:
    """{definition, input, output: [...]}. Raises ValueError with the instance's id and what is wrong with it."""
    instance = self._instance(row)
    if not isinstance(instance, dict):
      raise ValueError(f"instance {row} is {_kind(instance)}, not an object")
    name = f"instance {_own_id(instance, row)!r}"
    given, output = instance.get("input"), instance.get("output")
    if not isinstance(given, str):
      raise ValueError(f"{name} has no input" if given is None else f"{name}: its input is {_kind(given)}, not text")
    references = [output] if isinstance(output, str) else output
    if not isinstance(references, list | None) or not all(isinstance(text, str) for text in references or ()):
      raise ValueError(f"{name}: its output is not a text or a list of texts")
    references = [text for text in references or () if text.strip()]
    if not references:
      raise ValueError(f"{name} has no output")
    return {"definition": self.definition, "input": given, "output": references}

  def id(self, row: int) -> str:
    """The instance's own id, or its number where it has none; the second of the same id becomes 'ID#2'."""
    renamed = self._renamed.get(row)
    return self._own_id(row) if renamed is None else renamed

  def place(self, row: int) -> str:
    """'FILE:LINE' of where the instance starts."""
    return f"{self.file}:{self._instances.lines[row]}"

  def fingerprint(self) -> str:
    """Of all bytes."""
    return f"{xxhash.xxh3_64_intdigest(self._json.bytes, seed=len(self._json.bytes)):016x}"

  def exemplars(self) -> list[dict[str, str]]:
    """The positive examples that have an input and an output (publishers write '-' for none)."""
    return self._solved("Positive Examples")

  def negatives(self) -> list[dict[str, str]]:
    """The negative examples that have an input and an output; the explanation says what is wrong."""
    return self._solved("Negative Examples")

  @functools.cached_property
  def definition(self) -> str:
    """The task's definition: the first where there are several, as Tk-Instruct has it."""
    value = self._member("Definition")
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts or not isinstance(texts[0], str) or not texts[0].strip():
      line = self._json.line(self._members["Definition"].start)
      raise errors.FlanJaxError(f"{self.file}:{line}: the Definition is neither a text nor a list of texts")
    return texts[0].strip()

  @functools.cached_property
  def _members(self) -> dict[str, json_scanning.Span]:
    return self._json.members(self._json.root)

  @functools.cached_property
  def _instances(self) -> json_scanning.Elements:
    self._require("Instances")
    return self._json.elements(self._members["Instances"])

  @functools.cached_property
  def _renamed(self) -> dict[int, str]:
    """The ids of those rows whose own id an earlier row has."""
    renamed: dict[int, str] = {}
    seen: set[int] = set()  # hashes: 8 bytes an instance, and only while they are compared
    for row in range(len(self)):
      own = name = self._own_id(row)
      number = 1
      while (key := xxhash.xxh3_64_intdigest(name.encode())) in seen:
        number += 1
        name = f"{own}#{number}"
      seen.add(key)
      if name != own:
        renamed[row] = name
    return renamed

  def _own_id(self, row: int) -> str:
    try:
      return _own_id(self._instance(row), row)
    except ValueError:  # not JSON, which `read` tells
      return str(row)

  def _instance(self, row: int) -> Any:
    latest_row, latest = self._latest
    if latest_row != row:
      latest = self._json.value(self._instances, row)
      self._latest = (row, latest)
    return latest

  def _solved(self, key: str) -> list[dict[str, str]]:
    value = self._member(key) if key in self._members else []
    found = []
    for example in value if isinstance(value, list) else []:
      if not isinstance(example, dict):
        continue
      output = example.get("output")
      texts = {
        "input": example.get("input"),
        "output": output[0] if isinstance(output, list) and output else output,
        "explanation": example.get("explanation", example.get("reason", "")),
      }
      texts = {name: text.strip() if isinstance(text, str) else "" for name, text in texts.items()}
      if texts["input"] not in _NONE and texts["output"] not in _NONE:
        found.append({"definition": self.definition, **texts})
    return found

  def _member(self, key: str) -> Any:
    self._require(key)
    try:
      return self._json.value(self._members[key])
    except ValueError as error:
      raise errors.FlanJaxError(f"{self.file}:{self._json.line(self._members[key].start)}: {key}: {error}") from None

  def _require(self, key: str) -> None:
    if key not in self._members:
      raise errors.FlanJaxError(f"{self.file}: no task file of NaturalInstructions: it has no {key!r}")


def open_task(entry: Mapping[str, Any], data_dir: pathlib.Path) -> TaskFile:
  """The rows of {natural_instructions: FILE.json}."""
  return TaskFile(data_dir / entry["natural_instructions"])


def described(path: str | os.PathLike) -> dict[str, Any]:
  """What a task file says of the task: Categories, Source, Definition, languages, Instance License, and more.

  In the published files all but the licence stands before the examples and the licence at the very end, so that two
  small reads do (0.1 ms, and there are 1,616 files); any other order is found by a look through the whole file.

  Raises:
    FlanJaxError: it is no JSON object.
  """
  with open(path, "rb") as file:
    head = file.read(_HEAD)
    file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
    tail = file.read()
  stop = _EXAMPLES.search(head)
  if stop and tail.rstrip().endswith(b"}"):
    try:
      told = json_scanning.parsed(head[: stop.start()] + b"}")
    except ValueError:
      return _looked_through(pathlib.Path(path))
    licence = _LICENCE.search(tail)
    if told.keys() >= _TOLD and (licence or "Instance License" in told):
      return {**({"Instance License": json.loads(licence[1])} if licence else {}), **told}
  return _looked_through(pathlib.Path(path))


def _looked_through(path: pathlib.Path) -> dict[str, Any]:
  file = json_scanning.JsonFile(path)
  members = file.members(file.root)
  try:
    return {key: file.value(span) for key, span in members.items() if key not in _LONG}
  except ValueError as error:
    raise errors.FlanJaxError(f"{path}: {error}") from None


_TOLD = {"Definition", "Categories", "Source", "Input_language", "Output_language"}
_HEAD, _TAIL = 16384, 2048  # bytes; definitions and lists of contributors have a few kilobytes
_LONG = ("Positive Examples", "Negative Examples", "Instances")
# In a string the quotes would be escaped, so these are keys.
_EXAMPLES = re.compile(rb',\s*"(?:%s)"\s*:' % "|".join(_LONG).encode())
_LICENCE = re.compile(rb'"Instance License"\s*:\s*(\[[^\[\]]*\]|"[^"\\]*")\s*\}\s*\Z')
_NONE = ("", "-")


def _own_id(instance: Any, row: int) -> str:
  own = instance.get("id") if isinstance(instance, dict) else None
  return str(own) if isinstance(own, str | int) and str(own).strip() else str(row)


def _kind(value: Any) -> str:
  return {dict: "an object", list: "a list", str: "a text", type(None): "null"}.get(type(value), "a number or boolean")
