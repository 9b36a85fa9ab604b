"""Rendered P3 in both published shapes; empty targets are counted, not dropped and not errors."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import readers
from flan_jax.data.readers import p3

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
solid = texts.filter(str.strip)
anything = st.recursive(
  st.none() | st.booleans() | st.integers() | texts,
  lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
  max_leaves=5,
)


@given(solid, solid, st.sampled_from(["", "<|endoftext|>", " <|endoftext|>\n"]), st.lists(solid, max_size=3))
def test_both_shapes_give_the_same_columns(given_text, said, end, choices):
  first = p3.parsed(json.dumps({"prompt": given_text, "completion": said + end, "answer_choices": choices}))
  second = p3.parsed(
    json.dumps({"inputs_pretokenized": given_text, "targets_pretokenized": said, "answer_choices": choices})
  )
  assert first == second
  assert first["input"] == given_text.strip()
  assert first["output"] == said.strip()
  assert first.get("choices", []) == [choice.strip() for choice in choices]


@pytest.mark.parametrize("said", ["", "<|endoftext|>", " \n<|endoftext|>"])
def test_an_empty_target_is_no_example(said):
  with pytest.raises(readers.NoExample, match="no target"):
    p3.parsed(json.dumps({"prompt": "Why?", "completion": said}))


def test_wrong_options_of_rank_classification_are_no_examples():
  line = {"inputs_pretokenized": "Why?", "targets_pretokenized": "No", "is_correct": False}
  with pytest.raises(readers.NoExample, match="wrong option"):
    p3.parsed(json.dumps(line))
  assert p3.parsed(json.dumps({**line, "is_correct": True}))["output"] == "No"


@settings(max_examples=200)
@given(
  st.one_of(
    texts,
    st.dictionaries(
      st.sampled_from(["prompt", "completion", "inputs_pretokenized", "targets_pretokenized", "answer_choices"]),
      anything,
    ).map(json.dumps),
  )
)
def test_any_line_gives_columns_or_a_reason(line):
  try:
    columns = p3.parsed(line)
  except (ValueError, readers.NoExample) as error:
    reason = str(error)
    assert reason
  else:
    assert columns["input"].strip()
    assert columns["output"].strip()


def test_the_real_sample(shared_data):
  counts = {"examples": 0, "no_example": 0, "empty_files": 0}
  for path in sorted((shared_data / "p3").glob("*.jsonl")):
    try:
      rows = readers.open_rows({"p3": path.name}, path.parent)
    except errors.FlanJaxError as error:
      reason = str(error)
      assert reason == f"{path}: the file is empty"
      counts["empty_files"] += 1
      continue
    for row in range(len(rows)):
      try:
        assert not rows.read(row)["output"].endswith("|>")
        counts["examples"] += 1
      except readers.NoExample:
        counts["no_example"] += 1
  assert counts == {"examples": 9376 - 360, "no_example": 360, "empty_files": 2}
