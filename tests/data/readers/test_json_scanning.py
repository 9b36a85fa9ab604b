"""The parts of a JSON file are found without parsing: the same as json.loads finds, or told with file and line."""

import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data.readers import json_arrays, json_scanning

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
  ['"', "\\", '\\"', "]}", "[,", "\n"]
)
values = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
  lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
  max_leaves=10,
)
records = st.lists(st.dictionaries(texts, values, max_size=4), max_size=6)


def opened(folder, content: bytes) -> json_scanning.JsonFile:
  (folder / "f.json").write_bytes(content)
  return json_scanning.JsonFile(folder / "f.json")


@settings(max_examples=100, deadline=None)
@given(value=st.dictionaries(texts, values, max_size=5), indent=st.sampled_from([None, 0, 2]), ascii_only=st.booleans())
def test_the_members_are_those_that_json_parses(tmp_path_factory, value, indent, ascii_only):
  text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
  file = opened(tmp_path_factory.mktemp("json"), text.encode())
  assert {key: file.value(span) for key, span in file.members(file.root).items()} == value


@settings(max_examples=100, deadline=None)
@given(rows=records, indent=st.sampled_from([None, 0, 3]), mark=st.booleans(), depth=st.integers(0, 2))
def test_any_records_come_back_at_their_lines(tmp_path_factory, rows, indent, mark, depth):
  folder = tmp_path_factory.mktemp("json")
  value = rows
  for _ in range(depth):
    value = {"other": [{}], "a b": value}
  text = json.dumps(value, indent=indent, ensure_ascii=False)
  (folder / "f.json").write_bytes(b"\xef\xbb\xbf" * mark + text.encode())
  reader = json_arrays.open_json({"json": "f.json", "rows": ".".join(["a b"] * depth)}, folder)
  assert [reader.read(row) for row in range(len(reader))] == rows
  assert [reader.read(row) for row in reversed(range(len(reader)))] == rows[::-1]
  lines = [int(reader.place(row).rpartition(":")[2]) for row in range(len(reader))]
  assert lines == sorted(lines)
  if indent is not None:
    starts = [
      number for number, line in enumerate(text.split("\n"), 1) if line.startswith(" " * indent * (depth + 1) + "{")
    ]
    assert set(lines) <= set(starts)


@settings(max_examples=200, deadline=None)
@given(content=st.text('{}[]",:\\ a1\n-', max_size=40).map(str.encode) | st.binary(max_size=60))
def test_any_bytes_give_records_or_a_reason(tmp_path_factory, content):
  folder = tmp_path_factory.mktemp("json")
  (folder / "f.json").write_bytes(content)
  told = []
  try:
    reader = json_arrays.open_json({"json": "f.json"}, folder)
    for row in range(len(reader)):
      try:
        assert isinstance(reader.read(row), dict)
      except ValueError as error:
        told.append(f"{reader.place(row)}: {error}")
  except errors.FlanJaxError as error:
    told.append(str(error))
  assert all(re.match(rf"{folder}/f\.json(:\d+)?: .", text) for text in told)
  assert bool(told) != _is_array_of_objects(content)


def _is_array_of_objects(content: bytes) -> bool:
  try:
    value = json.loads(content)
  except ValueError:
    return False
  return isinstance(value, list) and all(isinstance(item, dict) for item in value)


@pytest.mark.parametrize(
  ("content", "reason"),
  [
    ("", "the file is empty"),
    (" \n", "the file is empty"),
    ('[{"a": 1},\n{"a": ', r":2: the object that starts here does not end"),
    ('[{"a": 1}\n{"a": 2}]', r":2: ',' or '\]' was expected"),
    ('[{"a": 1},\n]', r":2: a JSON value was expected"),
    ('[{"a": 1}]\n[2]', r":2: something follows"),
    ("3", r":1: a JSON array was expected, not a single value"),
    ('{"n": 1, "data": [{}], "more": []}', r"`rows:` must name an array, here: data, more"),
  ],
)
def test_a_file_that_is_no_array_is_told(tmp_path, content, reason):
  (tmp_path / "f.json").write_text(content, encoding="utf-8")
  with pytest.raises(errors.FlanJaxError, match=rf"f\.json.*{reason}"):
    len(json_arrays.open_json({"json": "f.json"}, tmp_path))


def test_a_path_that_leads_nowhere_is_told(tmp_path):
  (tmp_path / "f.json").write_text('{"data": {"train": []}}', encoding="utf-8")
  with pytest.raises(errors.FlanJaxError, match=r"f\.json: there is no key 'test'; its keys: train"):
    len(json_arrays.open_json({"json": "f.json", "rows": "data.test"}, tmp_path))
  with pytest.raises(errors.FlanJaxError, match=r"data is an object; `rows:` must name an array, here: data\.train"):
    len(json_arrays.open_json({"json": "f.json", "rows": "data"}, tmp_path))


@pytest.mark.parametrize("value", ["[" * 199 + "]" * 199, '"' + "[{" * 500 + '"', "[" + "[1]," * 500 + "[]]"])
def test_many_brackets_are_no_depth(tmp_path, value):
  (tmp_path / "f.json").write_text(f'[{{"a": {value}}}]', encoding="utf-8")
  assert json_arrays.open_json({"json": "f.json"}, tmp_path).read(0) == {"a": json.loads(value)}


@pytest.mark.parametrize(
  ("element", "reason"),
  [
    ("[1]", "a JSON object was expected, not list"),
    ('{"a": 01}', "Expecting ',' delimiter"),
    ('{"a": "\\ud800"}', "surrogate"),
    *(('{"a": ' + "[" * n + "]" * n + "}", "nested too deeply") for n in (200, 500, 900, 99_999)),
    ('{"a": ' * 201 + "1" + "}" * 201, "nested too deeply"),
  ],
)
def test_a_malformed_record_is_told_where_it_is(tmp_path, element, reason):
  (tmp_path / "f.json").write_text(f'[{{"a": 1}},\n\n{element}, {{"a": NaN}}]', encoding="utf-8")
  reader = json_arrays.open_json({"json": "f.json"}, tmp_path)
  with pytest.raises(ValueError, match=reason):
    reader.read(1)
  assert reader.place(1) == f"{tmp_path}/f.json:3"
  assert math.isnan(reader.read(2)["a"])


def test_the_fingerprint_is_that_of_the_bytes(tmp_path):
  prints = []
  for text in ('[{"a": 1}]', '[{"a": 2}]', '[{"a": 1}]'):
    (tmp_path / "f.json").write_text(text, encoding="utf-8")
    prints.append(json_arrays.open_json({"json": "f.json"}, tmp_path).fingerprint())
  assert prints[0] == prints[2] != prints[1]
