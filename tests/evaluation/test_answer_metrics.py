"""Exact match under its declared normalisation, and nothing more lenient."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.errors import UsageError
from flan_jax.evaluation.metrics import METRICS, exact_match, get_metric, normalised


@given(text=st.text())
def test_normalisation_is_idempotent(text):
  assert normalised(normalised(text)) == normalised(text)


@given(text=st.text())
def test_a_text_matches_itself_with_other_whitespace(text):
  assert exact_match(f"\n {text}  ", ["something else", text]) == 1.0


@pytest.mark.parametrize(
  ("answer", "references"), [("", ["a"]), ("A", ["a"]), ("a.", ["a"]), ("a", []), ("1,000", ["1000"])]
)
def test_what_does_not_match(answer, references):
  assert exact_match(answer, references) == 0.0


def test_composed_and_decomposed_letters_are_the_same():
  assert exact_match("cafe\u0301", ["caf\u00e9"]) == 1.0


def test_metrics_by_name():
  assert get_metric("exact_match") is METRICS["exact_match"]
  with pytest.raises(UsageError, match="Nearest: exact_match"):
    get_metric("exactmatch")
