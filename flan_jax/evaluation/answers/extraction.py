"""The answer in an output: one extractor for every suite, mixture and sample.

The last sign counts (`signs`), as in the scripts of BIG-Bench Hard, GSM8K and Flan; an answer-only output needs none.
A rationale that ends in no sign has no answer, unless its last line is nothing but an answer. What the model goes on to
invent, the next question, is cut off first.

Never raises, whatever a model wrote; takes time linear in the length of the output.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from flan_jax.evaluation.answers import signs
from flan_jax.evaluation.answers.numbers import AMBIGUOUS, NumberReader
from flan_jax.evaluation.answers.options import OptionReader

_LABELS = ("Yes", "No", "True", "False", "valid", "invalid")  # where a task names none
_OUTER = " \t\n*_\"'`$“”‘’«»「」『』()[]{}<>:=–—-\\"
_STOPS = ".。।!！"


class Reading(NamedTuple):
  """An answer, and where in the output it begins."""

  answer: str
  start: int


def read_answer(
  output: str,
  *,
  mode: str,
  kind: str,
  choices: Sequence[str] = (),
  listed: Sequence[str] = (),
  language: str = "English",
) -> str | None:
  """The answer that an output gives, in the one way that its kind is written; None if it gives none.

  >>> read_answer("Two and two are 4. The answer is 4 apples.", mode="cot", kind="number")
  '4'
  >>> read_answer("Two and two are 4.", mode="cot", kind="number") is None
  True
  >>> read_answer("b. London", mode="direct", kind="option", listed=("Paris", "London"))
  '(B)'

  Args:
    output: what the model wrote.
    mode: 'direct' or 'cot', see `suites.question.MODES`.
    kind: one of `suites.question.KINDS`.
    choices: answers that can be ranked; an option or a label is written like them.
    listed: the texts of the options that the prompt lists.
    language: of the question, by which '1.234' is read where no sign says it.
  """
  found = reading(output, mode=mode, kind=kind, choices=choices, listed=listed, language=language)
  return found and found.answer


def reading(
  output: str,
  *,
  mode: str,
  kind: str,
  choices: Sequence[str] = (),
  listed: Sequence[str] = (),
  language: str = "English",
) -> Reading | None:
  """As `read_answer`, and where the answer begins: right after its sign, or with its line."""
  start, end = signs.own_text(output, blank_line=kind in ("text", "verbatim", "told") and mode == "direct")
  text = output[start:end]
  reader = _reader(kind, choices, listed, language)
  found = signs.hits(text)
  if mode == "direct" and not reader.short:
    first = _first_line_ends(text) if kind == "span" else 0  # of a span the first line counts, and what it closes with
    found = [hit for hit in found if (hit.ends_text or hit.start < first) and _begins_sentence(text, hit.start)]
  for hit in reversed(found if reader.short else found[-1:]):
    answer = reader.after(hit.rest, hit)
    if answer is not None:
      return Reading(answer, start + hit.end) if answer else None
  line = 0 if mode == "direct" else text.rstrip().rfind("\n") + 1
  answer = (reader.direct if mode == "direct" else reader.alone)(text[line:].strip())
  return Reading(answer, start + line) if answer else None


class _Reader(Protocol):
  """What can be read of one kind of answer; all give None for no answer.

  Attributes:
    short: answers of the kind can be told from other text, so that an unreadable sign gives way to the one before it
      and a line that is nothing but an answer is found without a sign.
  """

  short: bool

  def after(self, text: str, hit: signs.Hit | None = None) -> str | None:
    """The answer that stands after a sign; '' where there are several."""

  def alone(self, text: str) -> str | None:
    """The answer, if the text is nothing but one."""

  def direct(self, text: str) -> str | None:
    """The answer of an output without reasoning and without a sign."""


class _LabelReader:
  """Reads one of a few words, written as the choices are."""

  short = True

  def __init__(self, choices: Sequence[str]):
    self._choices = {" ".join(choice.casefold().split()): choice for choice in choices or _LABELS}
    label = "|".join(re.escape(choice) for choice in sorted(self._choices, key=len, reverse=True))
    self._label = re.compile(rf"(?:{_FILLERS})*({label}){signs.WORD_ENDS}", re.IGNORECASE)
    self._another = re.compile(rf"\s*(?:/|\||\bor\b|\band\b)\s*(?:{label})(?!\w)", re.IGNORECASE)

  def after(self, text: str, hit: signs.Hit | None = None) -> str | None:
    text = " ".join(text.split()).lstrip(_OUTER)
    found = self._label.match(text)
    if not found or _OTHER_WORDS.match(text, found.end()):
      return None
    return AMBIGUOUS if self._another.match(text, found.end()) else self._choices.get(found[1].casefold())

  def alone(self, text: str) -> str | None:
    return self._choices.get(" ".join(text.casefold().split()).strip(_OUTER + _STOPS))

  def direct(self, text: str) -> str | None:
    first = text.split("\n", 1)[0].lstrip(_OUTER)
    first = first[2:].lstrip(_OUTER) if first.startswith("A:") else first
    found = self._label.match(first)
    if found and _NEW_CLAUSE.match(first, found.end()):
      return self.after(first)
    return self.alone(text) or self.alone(text.rsplit("\n", 1)[-1])


class _TextReader:
  """Reads any text: an output as it stands, or what follows its sign up to the line's end."""

  short = False

  def after(self, text: str, hit: signs.Hit | None = None) -> str | None:
    text = text.strip()
    for tail in hit.tails if hit else ():
      if tail in ("}", "</answer>") and tail in text:  # brackets close where they close, whatever stands after them
        text = text[: text.rindex(tail)]
        break
      if text.endswith(tail):
        text = text.removesuffix(tail)
        break
    return text.rstrip() or None

  def alone(self, text: str) -> str | None:
    return text if text and not re.search(r"\w", text) else None  # brackets, as of BBH's dyck_languages, do not reason

  def direct(self, text: str) -> str | None:
    return text or None


class _ToldReader(_TextReader):
  """Reads a sentence that the prompt began: a base model that learned from stories goes on with the next one.

  Its answers hold no end of a sentence and rationales do: what has none is nothing but an answer, though the prompt
  asks to reason first. Who does not reason is held against who does by what is right, not by how it is written.
  """

  def after(self, text: str, hit: signs.Hit | None = None) -> str | None:
    return self.direct(super().after(text, hit) or "")

  def alone(self, text: str) -> str | None:
    return text if text and not _SENTENCE_ENDS.search(text) else None

  def direct(self, text: str) -> str | None:
    return _SENTENCE_ENDS.split(text, maxsplit=1)[0].strip() or None


_SENTENCE_ENDS = re.compile(r"[.!?][.!?\"'”’]*(?=\s|$)|\n")


class _SpanReader(_TextReader):
  """Reads words of a passage: one line, whose full stop and quotation marks are not the passage's."""

  def after(self, text: str, hit: signs.Hit | None = None) -> str | None:
    return self.direct(text)

  def alone(self, text: str) -> str | None:
    return self.direct(text) if super().alone(text) else None

  def direct(self, text: str) -> str | None:
    line = text.strip().split("\n", 1)[0].strip()
    stripped = line.rstrip(_STOPS + " ") or line
    for opening, closing in (*_QUOTES, ("**", "**")):
      inner = stripped[len(opening) : -len(closing)]
      if len(stripped) > 2 * len(opening) and stripped == opening + inner + closing and opening not in inner:
        return self.direct(inner)
    return stripped or None


_QUOTES = ('""', "''", "“”", "‘’", "«»", "「」", "『』", "``")
# What may stand between a sign and a label: 'clearly Yes', 'that the argument is invalid'.
_FILLERS = r"(?:clearly|definitely|certainly|probably|most likely|simply|therefore|deductively|that|the argument is)\s+"
# 'No one', 'no longer', 'not' are not the label 'No'.
_OTHER_WORDS = re.compile(r"\s+(?:one|longer|more|matter|doubt)\b", re.IGNORECASE)
# After an answer-only label: nothing, punctuation, or words that explain it.
_NEW_CLAUSE = re.compile(
  r"\s*(?:$|[^\w\s]|(?:it|he|she|they|we|you|i|because|since|as|the|this|that|there|or|and)\b)", re.IGNORECASE
)


def _reader(kind: str, choices: Sequence[str], listed: Sequence[str], language: str) -> _Reader:
  if kind == "option":
    return OptionReader(choices, listed)
  if kind == "label":
    return _LabelReader(choices)
  if kind == "number":
    return NumberReader(signs.dot_groups(language))
  return {"span": _SpanReader, "told": _ToldReader}.get(kind, _TextReader)()


def _first_line_ends(text: str) -> int:
  end = text.find("\n", len(text) - len(text.lstrip()))
  return len(text) if end < 0 else end


def _begins_sentence(text: str, start: int) -> bool:
  before = text[max(0, start - 8) : start].rstrip(" *\t")
  return not before or before[-1] in ".!?。।:\n"
