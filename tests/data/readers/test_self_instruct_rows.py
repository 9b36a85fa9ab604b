"""Self-Instruct's and Alpaca's files: a row an instance, whatever the file's shape."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import readers

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
solid = texts.filter(str.strip)
pairs = st.fixed_dictionaries({"input": texts, "output": solid})
records = st.one_of(
  st.fixed_dictionaries({"instruction": solid, "input": texts, "output": solid}),
  st.fixed_dictionaries({"instruction": solid, "instances": st.lists(pairs, min_size=1, max_size=3)}),
)


def opened(folder, content):
  (folder / "f.json").write_text(content, encoding="utf-8")
  return readers.open_rows({"self_instruct": "f.json"}, folder)


@settings(max_examples=60, deadline=None)
@given(st.lists(records, min_size=1, max_size=5), st.booleans(), st.sampled_from([None, 2]))
def test_lines_and_one_array_give_the_same_rows(tmp_path_factory, made, as_array, indent):
  content = json.dumps(made, indent=indent) if as_array else "\n".join(map(json.dumps, made))
  rows = opened(tmp_path_factory.mktemp("si"), content)
  expected = [
    {"instruction": record["instruction"], "input": instance["input"], "output": instance["output"]}
    for record in made
    for instance in record.get("instances", [record])
  ]
  assert [rows.read(row) for row in range(len(rows))] == expected
  assert len({rows.id(row) for row in range(len(rows))}) == len(rows)
  assert all(rows.place(row).startswith(rows.file) for row in range(len(rows)))


def test_no_input_is_an_empty_input(tmp_path):
  rows = opened(tmp_path, json.dumps([{"instruction": "Name a colour.", "input": "<noinput>", "output": "Red"}]))
  assert rows.read(0)["input"] == ""


@pytest.mark.parametrize(
  ("record", "reason"),
  [
    ({"input": "a", "output": "b"}, "no instruction"),
    ({"instruction": "a", "input": "a", "output": ""}, "output is empty"),
    ({"instruction": "a", "input": None, "output": "c"}, "no input"),
    ({"instruction": "a", "input": 3, "output": "c"}, "input is not a text"),
    ({"instruction": "a", "instances": []}, "instances are not a list"),
    ({"instruction": "a", "instances": ["b"]}, "instance 0 is not an object"),
    ([], "a JSON object was expected"),
  ],
)
def test_a_malformed_record_is_told(tmp_path, record, reason):
  rows = opened(tmp_path, "\n\n".join(map(json.dumps, [{"instruction": "a", "output": "b"}, record])))
  assert len(rows) == 2
  assert rows.place(1).endswith(":3")
  with pytest.raises(ValueError, match=reason):
    rows.read(1)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60) | st.lists(records, max_size=2).map(lambda made: json.dumps(made)[:-3].encode()))
def test_any_bytes_give_rows_or_a_reason(tmp_path_factory, content):
  path = tmp_path_factory.mktemp("si") / "f.json"
  path.write_bytes(content)
  try:
    rows = readers.open_rows({"self_instruct": path.name}, path.parent)
    for row in range(len(rows)):
      assert rows.read(row)["output"]
  except (errors.FlanJaxError, ValueError) as error:
    reason = str(error)
    assert reason


def test_the_175_seed_tasks(shared_data):
  rows = readers.open_rows({"self_instruct": "self_instruct/seed_tasks.jsonl"}, shared_data)
  assert len([rows.read(row) for row in range(len(rows))]) == 175
