"""The extractor reads what a closer or a published sign was given, in any script, and never raises."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.data import specs
from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.answers import signs
from flan_jax.evaluation.answers.extraction import read_answer
from flan_jax.evaluation.suites.question import KINDS, MODES

CLOSERS = specs.closers()
SIGNS = [sign for entry in specs.answer_signs() for sign in entry.signs]
LISTED = ("Paris", "London", "a man of means", "None of the above")


def filled(template: str, answer: str) -> str:
  return re.sub(r"\{\{ ?answer ?\}\}", lambda _: answer, template)


def reads(output, kind, mode="cot", choices=(), listed=()):
  return read_answer(output, mode=mode, kind=kind, choices=choices, listed=listed)


answers = st.text(st.characters(categories=["L", "N", "P"], include_characters=" "), min_size=1, max_size=30).filter(
  lambda text: text == text.strip(" .") and not signs.hits(f" {text} ") and not text.startswith(":")
)


@given(answer=answers, closer=st.sampled_from(CLOSERS), rationale=st.text(max_size=80))
def test_finds_the_answer_that_a_closer_was_given(answer, closer, rationale):
  assert reads(f"{rationale}\n{filled(closer, answer)}", "text") == answer


@pytest.mark.parametrize("sign", SIGNS)
def test_a_published_sign_gives_its_answer_whatever_was_said_before(sign):
  for kind, answer in (("number", "37"), ("option", "(C)"), ("label", "Yes")):
    for rationale in ("", "5 + 6 = 11. ", "So (A) it is not.\n", "The answer is no. "):
      assert reads(rationale + filled(sign, answer), kind) == answer
      assert reads(rationale + filled(sign, answer).upper().replace("YES", "Yes"), kind) == answer


@given(output=st.text(), mode=st.sampled_from(MODES), kind=st.sampled_from(KINDS))
def test_never_raises_and_an_answer_re_read_gives_itself(output, mode, kind):
  check_re_reading(output, mode, kind)


PIECES = st.sampled_from(
  [
    *" \n.,:;()-*$%'\"{}“”‘’",
    *("A", "B", "(A)", "(b)", "or", "not", "but", "Paris", "a man", "yes", "No", "A:", "Q:", "</s>", "\\boxed{"),
    *("the answer is", "Answer:", "####", "উত্তর হল", "答えは", "です。", "1", "23", "4,5", "1.234", "৫", "½"),
  ]
)


@given(output=st.lists(PIECES, max_size=14).map(" ".join), mode=st.sampled_from(MODES), kind=st.sampled_from(KINDS))
def test_what_looks_like_answers_never_raises_and_re_reads(output, mode, kind):
  check_re_reading(output, mode, kind)


@given(
  output=st.lists(PIECES, max_size=8).map(" ".join),
  mode=st.sampled_from(MODES),
  kind=st.sampled_from(KINDS),
  choices=st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=4),
  listed=st.lists(st.one_of(PIECES, st.text(max_size=4)), max_size=4),
)
def test_whatever_the_choices_and_options_are_it_never_raises(output, mode, kind, choices, listed):
  answer = reads(output, kind, mode, choices=choices, listed=listed)
  if answer is not None and kind == "label" and choices:
    assert answer in choices
  assert reads("Valİd", "label", "direct", choices=("valid",)) is None  # 'i' to a pattern that ignores case


def check_re_reading(output, mode, kind):
  answer = read_answer(output, mode=mode, kind=kind, listed=LISTED)
  if answer is None:
    return
  assert answer == answer.strip() != ""
  if signs.hits(answer):
    return  # it was none where it stood, in quotation marks or after another
  # A rationale's text is not found without its sign.
  again = "direct" if kind in ("text", "verbatim", "told", "span") else mode
  assert read_answer(answer, mode=again, kind=kind, listed=LISTED) == answer


@pytest.mark.parametrize(("kind", "answer"), [("option", "(B)"), ("number", "11"), ("label", "Yes"), ("text", "a b")])
def test_a_question_that_begins_on_the_answers_line_is_no_part_of_it(kind, answer):
  """T5's vocabulary has no line breaks: what a model goes on to invent comes after a space."""
  for question in ("Q: Which?", "Question: How many?"):
    for mode in ("direct", "cot"):
      if kind == "text" and mode == "direct":
        continue  # there a text may hold questions
      output = f"First this. So the answer is {answer}. {question} A: So the answer is (A)."
      assert reads(output, kind, mode) == answer


def test_a_span_is_what_its_first_line_closes_with():
  assert reads("The answer is Rome.\nIt lies on the Tiber.", "span", "direct") == "Rome"
  assert reads("\\boxed{ , \n .", "span", "direct") == ","


@pytest.mark.parametrize("mode", MODES)
def test_a_span_has_no_marks_around_it_however_many_there_were(mode):
  sign = "" if mode == "direct" else "The answer is "
  for marked in ('"Rome"', "'Rome.'", "“‘Rome’.”", '** "Rome." **', "«Rome»."):
    assert reads(sign + marked, "span", mode) == "Rome"
  assert reads("' '", "span", mode) is None


@pytest.mark.parametrize("piece", ["The answer is ", "(A) or ", "1,1", "100 ", "\n", " ", "A ", "é", "\nQ:", "1/"])
def test_time_is_linear_in_the_output(piece):
  # A second or so; were it quadratic, half an hour.
  output = piece * (100_000 // len(piece))
  for kind in KINDS:
    for mode in MODES:
      reads(output, kind, mode, listed=LISTED)


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
    ("So the answer isn't known.", None),
    ("So the answer is 7.\n\nQ: and then?", "7"),
    ("Answer:7", "7"),
    ("Final answer: He ran.", "He ran."),  # this closer has no full stop of its own
    ("So the answer is He ran..", "He ran."),
  ],
)
def test_texts_after_a_rationale(output, answer):
  assert reads(output, "text") == answer


def test_a_text_without_rationale_is_the_output_itself():
  assert reads(" 4 apples.\n", "text", "direct") == "4 apples."
  assert reads("One line.\nQ: is a line too", "text", "direct") == "One line.\nQ: is a line too"
  assert reads(" \n ", "text", "direct") is None
  assert reads("So the answer is ] ] ).", "text", "direct") == "] ] )"


def test_a_closer_that_cannot_be_found_again_is_refused(monkeypatch):
  for closer in ("{{ answer }} it is.", "The answer.", "Is it {{ answer }} or {{ answer }}?"):
    monkeypatch.setattr(specs, "closers", lambda closer=closer: (closer,))
    with pytest.raises(FlanJaxError, match="closer"):
      signs._signs.__wrapped__()


def test_the_exemplars_of_mgsm_are_read_as_they_stand(shared_data):
  published = json.loads((shared_data / "mgsm" / "exemplars.json").read_text())
  numbers = [str(number) for number in published["EXEMPLAR_NUMBER_ANSWERS"]]
  for language, exemplars in published["MGSM_EXEMPLARS"].items():
    assert [reads(exemplar["a"], "number") for exemplar in exemplars.values()] == numbers, language


def test_the_exemplars_of_bbh_are_read_as_they_stand(shared_data):
  files = sorted((shared_data / "bbh" / "cot-prompts").glob("*.txt"))
  assert len(files) == 27
  for file in files:
    for block in file.read_text().split("\nA: ")[1:]:
      rationale = block.split("\n\nQ:")[0].strip()
      answer = rationale.rpartition("So the answer is ")[2].removesuffix(".")
      kind = _kind(answer)
      choices = (answer,) if kind == "label" else ()
      # The next question of the prompt, as a model would invent it, changes nothing.
      assert reads(rationale, kind, choices=choices) == reads(block, kind, choices=choices) == answer, file.name


def _kind(answer):
  if re.fullmatch(r"\([A-Z]\)", answer):
    return "option"
  if re.fullmatch(r"-?\d+", answer):
    return "number"
  return "label" if answer.lower() in ("yes", "no", "true", "false", "valid", "invalid") else "text"


def test_the_exemplars_of_mmlu_are_read_as_they_stand(shared_data):
  prompts = json.loads((shared_data / "mmlu_cot" / "mmlu-cot.json").read_text())
  assert len(prompts) == 57
  for subject, prompt in prompts.items():
    for block in prompt.split("\nA: ")[1:]:
      published = re.findall(r"The answer is (\(.\))\.", block.split("\n\nQ: ")[0])[-1]
      assert reads(block, "option") == published, subject
