"""A question of a suite: the very text that a model gets, and what counts as right."""

import dataclasses

MODES = ("direct", "cot")  # the answer alone, or reasoning first

# How the answer stands in an output and when two are the same (evaluation.extraction and .equality).
KINDS = (
  "option",  # the letter of a listed option: (B)
  "label",  # one of a few words: Yes, invalid
  "number",  # 1,234.50 or ১২
  "span",  # words of a passage, compared as SQuAD does: case, punctuation and articles go
  "text",  # any text, compared but for whitespace, emphasis and a full stop
  "verbatim",  # the same, compared but for whitespace alone: where a full stop may be the answer
  "told",  # the same, as stories tell it: an answer ends with its sentence, whatever is told next
)


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
  """One thing that is asked.

  Attributes:
    suite: its name.
    task: its name within the suite: 'abstract_algebra', 'de', 'word_sorting'.
    id: unique within (suite, task, variant); the same whatever mode, shots and prompt.
    mode: one of MODES.
    prompt: the whole input, exemplars included.
    references: all accepted answers, the first of them the one that is printed; empty where no answer is right.
    kind: one of KINDS.
    choices: answers that can be ranked, written like `references`; empty where the answer is free.
    listed: the texts of a prompt's lettered options, in their order; empty where none are listed.
    metrics: names of metrics (see `metrics`); the first is the one that averages are made of.
    ranked: whether the answer is the likeliest of `choices`, rather than what the model writes.
    shots: exemplars in the prompt.
    exemplars: where they come from, for the record: 'dev', 'train', 'published', 'another dev question', '' for none.
    variant: the prompt's name where a task is asked in several; '' otherwise.
    split: of the data: 'validation', 'test', ...
    group: what the suite's tasks are grouped by: 'stem', 'nlp', 'Textual Entailment'; '' for none.
    language: of the question.
  """

  suite: str
  task: str
  id: str
  mode: str
  prompt: str
  references: tuple[str, ...]
  kind: str
  choices: tuple[str, ...] = ()
  listed: tuple[str, ...] = ()
  metrics: tuple[str, ...] = ("exact_match",)
  ranked: bool = False
  shots: int = 0
  exemplars: str = ""
  variant: str = ""
  split: str = ""
  group: str = ""
  language: str = "English"
