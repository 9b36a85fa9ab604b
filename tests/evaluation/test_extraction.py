"""The extractor finds what a closer was given, and never raises."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.extraction import Extractor

CLOSERS = [
  "So the answer is {{ answer }}.",
  "The answer is ({{ answer }}).",
  "Answer: {{ answer }}",
  "Therefore, it must be {{ answer }}!",
  "All in all: {{answer}}.",
]
EXTRACTOR = Extractor(CLOSERS)

answers = st.text(st.characters(categories=["L", "N", "P"], include_characters=" "), min_size=1, max_size=30).filter(
  lambda text: text == text.strip() and not any(word in text.lower() for word in ("answer", "must", "all in"))
)


@given(answer=answers, closer=st.sampled_from([0, 2, 4]), rationale=st.text(max_size=80))
def test_finds_the_answer_that_a_closer_was_given(answer, closer, rationale):
  output = f"{rationale}\n{CLOSERS[closer].replace('{{ answer }}', answer).replace('{{answer}}', answer)}"
  assert EXTRACTOR.reasoned(output) == answer


@given(output=st.text())
def test_never_raises(output):
  for answer in (EXTRACTOR.direct(output), EXTRACTOR.reasoned(output)):
    assert answer is None or answer == answer.strip() != ""


@pytest.mark.parametrize(
  ("output", "answer"),
  [
    ("", None),
    ("   \n", None),
    ("It is 4.", None),
    ("So the answer is", None),
    ("So the answer is .", None),
    ("So the answer is 3. No: 2 + 2 = 4. So the answer is 4.", "4"),  # the last one counts
    ("so  the answer\nis 3.5.", "3.5"),  # case and whitespace as they come
    ("So the answer is 12", "12"),  # cut off before the full stop
    ("The answer is (B).", "B"),
    ("So the answer isn't known.", None),
    ("So the answer is 7.\n\nQ: and then?", "7"),
    ("Answer:7", "7"),
    ("Therefore, it must be Dr. No!", "Dr. No"),
  ],
)
def test_reasoned(output, answer):
  assert EXTRACTOR.reasoned(output) == answer


def test_direct_is_the_output_itself():
  assert EXTRACTOR.direct(" So the answer is 4.\n") == "So the answer is 4."
  assert EXTRACTOR.direct(" \n ") is None


@pytest.mark.parametrize("closer", ["{{ answer }} it is.", "The answer.", "Is it {{ answer }} or {{ answer }}?"])
def test_a_closer_that_cannot_be_found_again_is_refused(closer):
  with pytest.raises(FlanJaxError, match="closer"):
    Extractor([closer])
