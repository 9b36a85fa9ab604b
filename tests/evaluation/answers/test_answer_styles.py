"""Model outputs of our own making in every published style of answering, and what each of them answers.

A row: kind, mode, output, answer (None: there is none), and what of the question the extractor is told. `LISTED` stands
for four options.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flan_jax.evaluation.answers.equality import same_answer
from flan_jax.evaluation.answers.extraction import read_answer, reading
from flan_jax.evaluation.answers.options import listed_options

LISTED = ("Paris", "London", "Rome", "Oslo")
YES_NO = ("Yes", "No")
VALIDITY = ("valid", "invalid")

DIRECT_OPTIONS = [
  ("B", "(B)"),
  ("b.", "(B)"),
  ("(b)", "(B)"),
  ("B) London", "(B)"),
  ("B. London", "(B)"),
  ("B: London", "(B)"),
  ("B London", "(B)"),
  ("(B) London", "(B)"),
  ("London.", "(B)"),
  ("london", "(B)"),
  ("A: (B)", "(B)"),  # the prompt's 'A:' said again
  ("I think it is (C).", "(C)"),
  ("Option C is right", "(C)"),
  ("C is correct.", "(C)"),
  ("\\boxed{B}", "(B)"),
  ("$\\boxed{\\text{B}}$", "(B)"),
  ("**B**", "(B)"),
  ("答えはBです。", "(B)"),
  ("B\n\nQ: And then?\nA: C", "(B)"),
  ("B</s>", "(B)"),
  ("<pad> (B)</s><pad>", "(B)"),
  ("A", "(A)"),
  ("a", "(A)"),
  ("A man is walking.", None),  # an article
  ("I think so.", None),
  ("It is London.", None),
  ("None of them.", None),
  ("E", None),  # four are listed
  ("", None),
]
REASONED_OPTIONS = [
  ("The capital is London. So the answer is (B).", "(B)"),
  ("So the answer is B", "(B)"),
  ("The answer is: \n\n(B)", "(B)"),
  ("the answer is (B", "(B)"),  # cut off
  ("The answer is choice B", "(B)"),
  ("**Answer: B**", "(B)"),
  ("**Answer:** B. London", "(B)"),
  ("So the answer is London.", "(B)"),
  ("So the answer is London (B).", "(B)"),
  ("The correct answer is option D: Oslo.", "(D)"),
  ("Therefore the answer is C because Rome is.", "(C)"),
  ("The answer is (B), not (A).", "(B)"),
  ("The answer is not (A) but (B).", "(B)"),
  ("The answer is (A). Wait, no. The answer is (B).", "(B)"),
  ("The answer is (B). That the answer is supported by the passage is clear.", "(B)"),
  ("The answer is (B).\n\nQ: Next?\nA: Let's think step by step. The answer is (C).", "(B)"),
  ("They say it is A.\n(B)", "(B)"),
  ("They say it is A.\nB.", "(B)"),
  ("They say it is A.\n(B) London", "(B)"),
  ("The answer is a.", "(A)"),
  ("The answer is A man of means.", None),
  ("The answer is not (A).", None),
  ("The answer is (A) or (B).", None),
  ("The answer is either (A) or (B).", None),
  ("The answer is A or B.", None),
  ("The answer is both (A) and (C).", None),
  ("The answer is (A)(B).", None),
  ("The answer is Berlin.", None),
  ("(A) is wrong, since it is Paris. (B) is right.", None),
  ("They say so.\nSo it is London.", None),
]


@pytest.mark.parametrize(
  ("mode", "output", "answer"),
  [("direct", *row) for row in DIRECT_OPTIONS] + [("cot", *row) for row in REASONED_OPTIONS],
)
def test_options(mode, output, answer):
  assert read_answer(output, mode=mode, kind="option", listed=LISTED) == answer
  written = None if answer is None else answer.strip("()")
  assert read_answer(output, mode=mode, kind="option", choices=("A", "B", "C", "D"), listed=LISTED) == written


def test_an_options_text_may_look_like_a_letter():
  assert read_answer("A man is walking.", mode="direct", kind="option", listed=("man is walking", "none")) == "(A)"
  assert read_answer("B", mode="direct", kind="option", listed=("B", "A")) == "(B)"  # blood groups: the letter is meant
  assert read_answer("(A) True (B) False", mode="direct", kind="option") == "(A)"


def test_texts_of_options_in_every_guise():
  listed = ("0", "-sqrt(34)", "Neither is right.", "twice", "twice", "not paid")
  for text, answer in (("-sqrt(34)", "(B)"), ("Neither is right", "(C)"), ("twice", None), ("not paid", "(F)")):
    for style in ("{}", "The answer is {}.", "**Answer:** {}", "\\boxed{{{}}}"):
      assert read_answer(style.format(text), mode="direct", kind="option", listed=listed) == answer


@pytest.mark.parametrize(
  ("prompt", "listed"),
  [
    ("Q: Old?\nOptions:\n(A) x\n(B) y\n(C) z\nA: (A)\n\nQ: New?\nOptions:\n(A) a b\n(B) c\nA:", ("a b", "c")),
    ("Q: Old?\n(A) 1 (B) 2\nA: The answer is (A).\n\nQ: New?\n(A) 3 (B) 4 (C) 5\nA: Let's", ("3", "4", "5")),
    ("Old?\nA. 1\nB. 2\nAnswer: B\n\nNew?\nA. one or two\nB. 4\nAnswer:", ("one or two", "4")),
    (
      "Q: Which?\n(A) Only (II) (B) Only (I) (C) (I) and (II) (D) none\nA:",
      ("Only (II)", "Only (I)", "(I) and (II)", "none"),
    ),
    ("Is (A) one or (B) two right?\nA. one\nB. two\nC. 3\nAnswer:", ("one", "two", "3")),
    ("Which?\nA. one\nB. two\nC. (A) and (B)\nD. none\nAnswer:", ("one", "two", "(A) and (B)", "none")),
    ("Old?\nA. 1\nB. 2\nC. 3\nAnswer: B\n\nNew?\n(A) 4 (B) 5\nA: Let's", ("4", "5")),
    ("Q: How many?\nA:", ()),
    ("Q: Is (A) right?\nA:", ()),
  ],
)
def test_the_options_that_a_prompts_last_question_lists(prompt, listed):
  assert listed_options(prompt) == listed


@pytest.mark.parametrize(
  ("mode", "output", "answer", "choices"),
  [
    ("direct", "yes.", "Yes", YES_NO),
    ("direct", "Yes, because it is.", "Yes", YES_NO),
    ("direct", "No", "No", YES_NO),
    ("direct", "- invalid", "invalid", VALIDITY),
    ("direct", "The argument is invalid.", "invalid", VALIDITY),
    ("direct", "TRUE", "True", ("True", "False")),
    ("direct", "No one knows.", None, YES_NO),
    ("direct", "Yes or No", None, YES_NO),
    ("direct", "not True", None, ("True", "False")),
    ("cot", "So the answer is Yes.", "Yes", YES_NO),
    ("cot", "So the answer is no", "no", ("yes", "no")),
    ("cot", "The answer is **No**.", "No", YES_NO),
    ("cot", "Is 1 < 2? Yes. Is 3 < 2? So the answer is No.", "No", YES_NO),
    ("cot", "not ( True ) = False. So the answer is False.\n\nQ: True and True", "False", ("True", "False")),
    ("cot", "Z = not True = False\nFalse", "False", ("True", "False")),
    ("cot", "So the answer is valid.", "valid", VALIDITY),
    ("cot", "The answer is not valid.", None, VALIDITY),
    ("cot", "He said Yes in the middle. So we go.", None, YES_NO),
    ("cot", "Yes, he did. But no one knows.", None, YES_NO),
    ("cot", "The answer is Yes or No.", None, YES_NO),
    ("cot", "The answer is no one.", None, YES_NO),
  ],
)
def test_labels(mode, output, answer, choices):
  assert read_answer(output, mode=mode, kind="label", choices=choices) == answer


@pytest.mark.parametrize(
  ("output", "answer"),
  [
    ("The answer is $1,800.00.", "1800"),
    ("The answer is 18 dollars per day.", "18"),
    ("The answer is 25%.", "25"),
    ("The answer is 18.0", "18"),
    ("The answer is 12,34,567.", "1234567"),  # lakhs
    ("The answer is -5.", "-5"),
    ("The answer is −5.", "-5"),
    ("The answer is -$5.", "-5"),
    ("The answer is $-5.", "-5"),
    ("The answer is 5 + 6 = 11.", "11"),
    ("The answer is 11. 5 + 6 = 12.", "11"),
    ("The answer is 3/4.", "3/4"),
    ("The answer is 2 1/2 cups.", "5/2"),
    ("The answer is Rs. 500.", "500"),
    ("The answer is 1,5.", "1.5"),
    ("The answer is 70.000.", "70"),
    ("The final answer is: $\\boxed{18}$. I hope it is correct.", "18"),
    ("The answer is $\\boxed{1{,}234}$", "1234"),
    ("The answer is \\boxed{\\frac{1}{2}}", "1/2"),
    ("5 + 6 = 11\n#### 11", "11"),
    ("#### 1,234", "1234"),
    ("5 + 6 = 11\n11", "11"),
    ("So it is\n$18.", "18"),
    ("The answer is 7. The answer is 8.\n\nQuestion: And 9?\nThe answer is 9.", "8"),
    ("Schritt-für-Schritt-Antwort: 5 + 6 = 11. Die Antwort ist 70.000.", "70000"),
    ("Die Antwort lautet 1.234,5.", "1234.5"),
    ("Die Antwort ist 12,50 Euro.", "12.5"),
    ("La respuesta es 70.000 dólares.", "70000"),
    ("La réponse est 70 000 $.", "70000"),
    ("Ответ — 70 000.", "70000"),
    ("Ответ - 11.", "11"),
    ("Ответ: -11.", "-11"),
    ("Jibu ni 11.", "11"),
    ("উত্তর হল ১,২৩,৪৫৬।", "123456"),
    ("คำตอบคือ ๑๒", "12"),
    ("答案是：１８。", "18"),
    ("答えは１８個です。", "18"),
    ("సమాధానం ౧౮.", "18"),
    ("So the answer is ١٨.", "18"),
    ("The answer is 12/14/1937.", None),
    ("The answer is 10:30.", None),
    ("The answer is 18 or 20.", None),
    ("The answer is eleven.", None),
    ("She has 5. She buys 6. Total 11.", None),
    ("Step-by-Step Answer: She has 5 and buys 6.", None),
    ("", None),
  ],
)
def test_numbers_after_a_rationale(output, answer):
  assert read_answer(output, mode="cot", kind="number") == answer


@pytest.mark.parametrize(
  ("output", "answer", "language"),
  [
    ("18", "18", "English"),
    ("18.", "18", "English"),
    ("018 eggs", "18", "English"),
    ("$1,800", "1800", "English"),
    ("The answer is 18.", "18", "English"),
    ("He has 5 + 6 = 11 balls.", "11", "English"),
    ("-0", "0", "English"),
    ("70.000", "70000", "German"),
    ("70.000", "70", "English"),
    ("৭০,০০০", "70000", "Bengali"),
    ("None", None, "English"),
  ],
)
def test_numbers_alone(output, answer, language):
  assert read_answer(output, mode="direct", kind="number", language=language) == answer


@pytest.mark.parametrize(
  ("output", "answer"),
  [
    ("Paris.", "Paris"),
    ('"Paris"', "Paris"),
    ("The answer is Paris.", "Paris"),
    ("Answer: 6 June 1944", "6 June 1944"),
    ("1999\n\nQ: And then?", "1999"),
    ("১৯৯৯।", "১৯৯৯"),
    (" \n", None),
  ],
)
def test_spans(output, answer):
  assert read_answer(output, mode="direct", kind="span") == answer


@pytest.mark.parametrize(
  ("output", "answer"),
  [
    ("owl goat.", "owl goat"),
    ("[owl goat]. Then Dan heard", "[owl goat]"),
    ("owl goat", "owl goat"),
    ('no." Mira went home.', "no"),
    ("3.5 goats. So", "3.5 goats"),
    ("owl\ngoat", "owl"),
    (". That was where Gus", None),
    ("", None),
  ],
)
def test_what_a_story_tells_ends_with_its_sentence(output, answer):
  assert read_answer(output, mode="direct", kind="told") == answer


def test_an_answer_alone_is_one_though_reasoning_was_asked_for():
  """Who was not trained to reason first says the answer, and a rationale that does not come to one has none."""
  for output, answer in (
    ("owl goat", "owl goat"),
    ("An owl is an animal.", None),
    ("An owl. So yes. Answer: no", "no"),
  ):
    assert read_answer(output, mode="cot", kind="told") == answer


def test_brackets_of_a_box_are_not_the_answers():
  for answer in ("} ] >", "> }", "ant bee"):
    assert read_answer(f"So $\\boxed{{{answer}}}$.", mode="cot", kind="text") == answer


@pytest.mark.parametrize(
  ("answer", "reference", "kind", "same"),
  [
    ("B", "(B)", "option", True),
    ("(B)", "B", "option", True),
    ("(A)", "(B)", "option", False),
    ("(B)", "Monsters, Inc", "option", False),
    ("yes", "Yes", "label", True),
    ("valid", "invalid", "label", False),
    ("70000", "70,000", "number", True),
    ("1800", "$1,800.00", "number", True),
    ("0.5", "1/2", "number", True),
    ("15", "1,5", "number", False),
    ("15", "1.5", "number", False),
    ("-5", "5", "number", False),
    ("18", "eighteen", "number", False),
    ("the U.S.", "US", "span", True),
    ("1998", "1999", "span", False),
    ("] ] )", "] ] )", "text", True),
    ("**] ] )**.", "] ] )", "text", True),
    ("] ]", "] ] )", "text", False),
    ("arson, aspect", "arson aspect", "text", False),  # BIG-Bench Hard compares the words as they stand
    ("Arson", "arson", "text", False),
    (" a\n b ", "a b", "verbatim", True),
    ("a b.", "a b", "verbatim", False),  # a full stop may be what was asked for
    ("**a b**", "a b", "verbatim", False),
    (" a\n b ", "a b", "told", True),
  ],
)
def test_when_two_answers_are_the_same(answer, reference, kind, same):
  assert same_answer(answer, reference, kind) == same


@pytest.mark.parametrize(
  ("mode", "output", "rest"),
  [
    ("cot", "It is 1,800. So the answer is $1,800. Q", "$1,800. Q"),
    ("cot", "<pad> 18 and 18.\n18 eggs\n\nQ: 18?", "18 eggs\n\nQ: 18?"),
    ("cot", "#### 18\n\nQ: New?\n#### 18", "18\n\nQ: New?\n#### 18"),
    ("direct", "<pad> 18", "18"),
    ("direct", "Answer: 18", "18"),
  ],
)
def test_where_an_answer_begins(mode, output, rest):
  assert output[reading(output, mode=mode, kind="number").start :] == rest


STYLES = {
  "direct": ["{}", "{}.", " {}\n", "The answer is {}.", "**{}**", "Answer: {}", "{}\n\nQ: And (A)?\nA: 3", "{}</s>"],
  "cot": [
    "2 + 2 = 4, as for (A). So the answer is {}.",
    "Perhaps (C), or 12. The answer is: {}",
    "Yes or no? Therefore, the answer is **{}**.",
    "1 < 2.\n**Final Answer:** {}",
    "1 < 2.\n#### {}",
    "Hence $\\boxed{{{}}}$.",
    "So the answer is {}.\n\nQ: And the next one?\nA: The answer is (A), 7, No.",
    "It must be so.\n{}",
  ],
}
numbers = st.integers(-10_000_000, 10_000_000)


def number_forms(n):
  return [str(n), f"{n:,}", f"{n}.0", f"${n:,}" if n >= 0 else f"-${-n:,}", f"{n} apples", f"{n:,}%"]


@given(n=numbers, other=numbers, style=st.integers(0, 7), form=st.integers(0, 5))
def test_every_style_of_a_number_is_right_and_of_another_number_wrong(n, other, style, form):
  for mode, styles in STYLES.items():
    for written in (n, other):
      answer = read_answer(styles[style].format(number_forms(written)[form]), mode=mode, kind="number")
      assert answer is not None
      assert same_answer(answer, str(n), "number") == (written == n)


@given(right=st.integers(0, 3), other=st.integers(0, 3), style=st.integers(0, 7), form=st.integers(0, 6))
def test_every_style_of_an_option_is_right_and_of_another_wrong(right, other, style, form):
  for mode, styles in STYLES.items():
    for i in (right, other):
      letter, text = "ABCD"[i], LISTED[i]
      forms = [f"({letter})", letter, f"{letter})", f"option {letter}", f"({letter}) {text}", f"{letter}. {text}", text]
      answer = read_answer(styles[style].format(forms[form]), mode=mode, kind="option", listed=LISTED)
      assert answer is not None
      assert same_answer(answer, f"({'ABCD'[right]})", "option") == (i == right)


@given(right=st.booleans(), style=st.integers(0, 7), change=st.sampled_from([str.lower, str.upper, str.capitalize]))
def test_every_style_of_a_label_is_right_and_of_another_wrong(right, style, change):
  for choices in (YES_NO, VALIDITY, ("True", "False")):
    for mode, styles in STYLES.items():
      for choice in choices:
        answer = read_answer(styles[style].format(change(choice)), mode=mode, kind="label", choices=choices)
        assert answer == choice
        assert same_answer(answer, choices[right], "label") == (choice == choices[right])
