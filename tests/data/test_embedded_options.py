"""An options list inside a question becomes choices, and a letter becomes the option's text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.data import embedded_options

words = st.text("abc xyz019", min_size=1, max_size=8).map(str.strip).filter(bool)
LINES = {"dashes": "- {text}", "letters": "({letter}) {text}", "both": "- ({letter}) {text}"}


@given(
  options=st.lists(words, min_size=2, max_size=8, unique=True), style=st.sampled_from(sorted(LINES)), data=st.data()
)
def test_a_written_list_is_read_back(options, style, data):
  listed = [LINES[style].format(letter=letter, text=text) for letter, text in zip("ABCDEFGH", options, strict=False)]
  right = data.draw(st.integers(0, len(options) - 1))
  answer = options[right] if style == "dashes" else f"({'ABCDEFGH'[right]})"
  record = {"question": "Which?\nOptions:\n" + "\n".join(listed), "answer": answer, "rationale": "r"}
  assert embedded_options.taken_apart(record, "question") == {
    "question": "Which?",
    "answer": options[right],
    "choices": options,
    "rationale": "r",
  }


def test_a_question_without_a_list_stays():
  record = {"question": "Options: what are they?", "answer": "(A)"}
  assert embedded_options.taken_apart(record, "question") == record


@pytest.mark.parametrize(
  ("listed", "answer", "told"),
  [
    ("(A) 1\n(B) 2", "(C)", "none of the options"),
    ("(A) km\n(B) km", "(A)", "are all 'km'"),
    ("", "(A)", "not a list of lines"),
  ],
)
def test_a_list_that_makes_no_sense_is_malformed(listed, answer, told):
  with pytest.raises(ValueError, match=told):
    embedded_options.taken_apart({"question": f"q\nOptions:\n{listed}", "answer": answer}, "question")


def test_a_record_without_the_columns_is_left_to_the_types_check():
  assert embedded_options.taken_apart({"answer": "x"}, "question") == {"answer": "x"}
  with pytest.raises(ValueError, match="none of the options"):
    embedded_options.taken_apart({"question": "q\nOptions:\n- a\n- b"}, "question")


def test_copies_of_an_option_are_one_choice():
  taken = embedded_options.taken_apart({"question": "q\nOptions:\n- a\n- b\n- a", "answer": "a"}, "question")
  assert taken["choices"] == ["a", "b"]
