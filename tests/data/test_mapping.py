"""A record becomes a type's fields as the spec says; whatever it holds, the outcome is fields, or a reason."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.data import mapping, specs
from flan_jax.data.readers import NoExample

KIND = specs.TaskType(
  name="k",
  collection="t",
  fields=("question", "answer"),
  optional=("choices", "hint"),
  target="{{ answer }}",
  wordings={},
)


def mapped(record, fields=None, kind=KIND, **changes):
  values = {"name": "t.t", "collection": "t", "reader": {}, "type": "k", "cluster": "c", "fields": fields or {}}
  return mapping.mapped(record, specs.TaskSpec(**{**values, **changes}), kind)


def test_columns_paths_lists_and_expressions():
  record = {"q": " Why? ", "a": {"text": ["so", "thus"]}, "x.y": 3, "one": "A", "two": "B", "year": 1999}
  fields = {
    "question": "{{ q|trim }} ({{ year }})",
    "answer": "a.text.1",
    "choices": ["one", "two"],
    "hint": "x.y",
  }
  assert mapped(record, fields) == {
    "question": "Why? (1999)", "answer": "thus", "choices": ["A", "B"], "hint": "3"
  }  # fmt: skip
  assert mapped(record, {**fields, "choices": "{{ a.text + [one] }}"})["choices"] == ["so", "thus", "A"]


@pytest.mark.parametrize(
  ("label", "how", "named"),
  [
    (1, {}, "no"),
    ("0", {}, "yes"),
    ("2", {"first": 1}, "no"),
    ("B", {}, "no"),
    ("(a)", {}, "yes"),
    ("maybe", {}, "maybe"),
    ("z9", {"markers": "names"}, "no"),
    ("1", {"markers": "numbers"}, "maybe"),  # a marker of the record's own is not counted
  ],
)
def test_a_choice_is_named_by_index_letter_text_or_marker(label, how, named):
  record = {"question": "q", "label": label, "names": ["y7", "z9", "x"], "numbers": ["3", "2", "1"]}
  fields = {"answer": {"choice": "label", **how}}
  assert mapped(record, fields, choices=("yes", "no", "maybe"))["answer"] == named
  without = specs.TaskType(**{**vars(KIND), "optional": ()})
  assert mapped(record, fields, without, choices=("yes", "no", "maybe")) == {"question": "q", "answer": named}


def test_several_answers_are_references_each_once():
  fields = mapped({"question": "q", "answer": ["one", " two ", "one", ""]})
  assert (fields["answer"], fields[mapping.REFERENCES]) == ("one", ["one", "two"])
  assert mapping.REFERENCES not in mapped({"question": "q", "answer": "one"})


def test_what_is_absent_in_a_list_of_answers_is_no_answer():
  assert mapped({"question": "q", "answer": [None, "one", float("nan"), 2]})[mapping.REFERENCES] == ["one", "2"]
  assert "hint" not in mapped({"question": "q", "answer": "a", "hint": float("nan")})


@pytest.mark.parametrize("digits", [("1", "2", "3", "4", "5"), (" 1", "2 ", "3", "4", "5")])
def test_a_number_that_is_also_an_option_must_be_told_which_it_is(digits):
  record = {"question": "q", "label": 1}
  with pytest.raises(ValueError, match=r"'1' is ambiguous.*'2'.*`first: 0` or `first: 1`.*the column alone"):
    mapped(record, {"answer": {"choice": "label"}}, choices=digits)
  assert mapped(record, {"answer": {"choice": "label", "first": 0}}, choices=digits)["answer"] == "2"
  assert mapped(record, {"answer": {"choice": "label", "first": 1}}, choices=digits)["answer"] == "1"
  assert mapped(record, {"answer": "label"}, choices=digits)["answer"] == "1"
  assert mapped({**record, "label": 5}, {"answer": {"choice": "label"}}, choices=digits)["answer"] == "5"


def test_a_letter_that_is_also_an_option_must_be_told_which_it_is():
  record, blood = {"question": "q", "label": "B"}, ("AB", "A", "B", "O")
  with pytest.raises(ValueError, match="'B' is ambiguous"):
    mapped(record, {"answer": {"choice": "label"}}, choices=blood)
  assert mapped(record, {"answer": {"choice": "label", "first": 0}}, choices=blood)["answer"] == "A"
  assert mapped({**record, "label": "O"}, {"answer": {"choice": "label"}}, choices=blood)["answer"] == "O"
  assert mapped(record, {"answer": {"choice": "label"}}, choices=("A", "B"))["answer"] == "B"


@pytest.mark.parametrize(
  ("record", "fields", "reason"),
  [
    ({"question": "q", "answer": []}, {}, "the list of answers is empty"),
    ({"question": "q", "answer": ["", " ", None, float("nan")]}, {}, "the list of answers is empty"),
    ({"question": "q", "label": -1}, {"answer": {"choice": "label"}}, "the record has no label"),
  ],
)
def test_a_record_without_an_answer_is_no_example(record, fields, reason):
  with pytest.raises(NoExample, match=reason):
    mapped(record, fields, choices=("a", "b"))


@pytest.mark.parametrize(
  ("record", "fields", "reason"),
  [
    ({"question": "q"}, {}, r"the field 'answer' \(column 'answer', absent; there are question\) is empty"),
    ({"question": " ", "answer": "a"}, {}, r"the field 'question' \(column 'question'\) is empty"),
    ({"question": {"a": 1}, "answer": "a"}, {}, "the column 'question' holds dict, not text"),
    ({"question": True, "answer": "a"}, {}, "the column 'question' holds bool, not text"),
    ({"question": "q", "label": 7}, {"answer": {"choice": "label"}}, "the label '7' names no option: there are 2"),
    ({"question": "q", "label": "seven"}, {"answer": {"choice": "label"}}, "'seven' names none of the options"),
    ({"question": "q"}, {"answer": {"choice": "label"}}, "there is no label"),
    ({"question": "q", "label": float("nan")}, {"answer": {"choice": "label"}}, "there is no label"),
    ({"question": "q", "answer": float("nan")}, {}, "the field 'answer' .* is empty"),
    ({"question": "q", "answer": ["one", True]}, {}, "the column 'answer' holds a list of other things than texts"),
    ({"question": "q", "answer": ["one", {"a": 1}]}, {}, "the column 'answer' holds a list of other things"),
    ({"question": "q", "answer": "a", "hint": ["one", None]}, {}, "the column 'hint' holds a list of other things"),
    ({"question": "q"}, {"answer": "{{ nothing.at_all }}"}, "cannot be computed: 'nothing' is undefined"),
    ({"question": "q"}, {"answer": "{{ 1 / 0 }}"}, "cannot be computed"),
    ({"question": "q"}, {"answer": "{{ question['__cl' + 'ass__'] }}"}, "cannot be computed: it reads '__class__'"),
    ({"question": "q"}, {"answer": "{{ question * 999999999 }}"}, "cannot be computed: it loops too much"),
  ],
)
def test_a_malformed_record_says_why(record, fields, reason):
  with pytest.raises(ValueError, match=reason):
    mapped(record, fields, choices=("a", "b"))


values = st.recursive(
  st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
  lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
  max_leaves=6,
)
forms = st.sampled_from(
  ["question", "x", "x.0", "x.y.0", ["x", "y"], "{{ x }}", "{{ x[0] }} and {{ y }}", {"choice": "x"}]
)


@settings(max_examples=300, deadline=None)
@given(
  record=st.dictionaries(st.sampled_from(["question", "answer", "choices", "x", "y"]), values),
  fields=st.dictionaries(st.sampled_from(["question", "answer", "choices", "hint"]), forms),
)
def test_any_record_is_fields_or_a_reason(record, fields):
  try:
    made = mapped(record, fields)
  except (ValueError, NoExample):
    return
  assert made["question"]
  assert made["answer"]
  lists = {name: value for name, value in made.items() if isinstance(value, list)}
  assert all(isinstance(value, str) for name, value in made.items() if name not in lists)
  assert all(isinstance(item, str) for items in lists.values() for item in items)
