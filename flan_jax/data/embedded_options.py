"""Answer options that a dataset wrote inside its question, taken out again.

Published chain-of-thought files end many a question with an 'Options:' list and answer with the option's letter:

    question: 'Find x.\\nOptions:\\n(A) 3\\n(B) 4'        answer: '(B)'

Whether a prompt lists the options, and how, is drawn by the renderer, and the target is the option's text. So:

    question: 'Find x.'     choices: ['3', '4']          answer: '4'
"""

import re
from collections.abc import Mapping
from typing import Any


def taken_apart(record: Mapping[str, Any], field: str) -> dict[str, Any]:
  """The record with `choices` instead of an options list at the end of `field`; unchanged where there is no list.

  Args:
    record: raw columns; `answer` is the option's text or its letter in brackets.
    field: the column whose text may end with 'Options:' and a line an option ('- text', '(A) text' or '- (A) text').

  Raises:
    ValueError: the lines are no options, fewer than two of them differ, or the answer is none of them.
  """
  question, separator, listed = str(record.get(field, "")).rpartition("\nOptions:\n")
  if not separator:
    return dict(record)
  options = [_OPTION.fullmatch(line.strip()) for line in listed.strip().split("\n")]
  if not all(options):
    raise ValueError(f"the options in {field!r} are not a list of lines '- text' or '(A) text'")
  # Some published lists repeat an option; as texts the copies are one choice.
  choices = list(dict.fromkeys(option["text"].strip() for option in options))
  if len(choices) < 2:
    raise ValueError(f"the options in {field!r} are all {choices[0]!r}")
  answer = str(record.get("answer", "")).strip()
  answer = {option["mark"]: option["text"].strip() for option in options if option["mark"]}.get(answer, answer)
  if answer not in choices:
    raise ValueError(f"the answer {answer!r} is none of the options {choices}")
  return {**record, field: question, "choices": choices, "answer": answer}


_OPTION = re.compile(r"(?:- )?(?P<mark>\([A-Z]\))?\s*(?P<text>.+)")
