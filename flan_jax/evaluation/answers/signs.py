"""Signs: the words that say where in an output its answer stands, and where the next question begins.

They are data: the closers that our own rationales end in (collections/closers.yaml; the renderer draws from the very
same list, so that what is rendered is read back) and the signs of published outputs (collections/answer_signs.yaml).
"""

import dataclasses
import functools
import re
from collections.abc import Sequence

from flan_jax.data import specs
from flan_jax.errors import FlanJaxError

# What a word ends before: no letter but of scripts without spaces ("答えはBです"); "A's" and "A-frame" are other words.
WORD_ENDS = r"(?!(?![\u0e00-\u0e7f\u3040-\u9fff])\w|['’]|-\w)"
_SLOT = re.compile(r"\{\{\s*answer\s*\}\}")
# What a tokenizer's or a chat's end of text looks like once it is text.
_ENDS_OF_TEXT = ("</s>", "<pad>", "<|endoftext|>", "<|im_end|>", "<|eot_id|>")
_BEGINS_TEXT = re.compile(r"\s*(?:(?:<pad>|<s>)\s*)*")


@dataclasses.dataclass(frozen=True, slots=True)
class Hit:
  """A sign in an output.

  Attributes:
    start: where the sign begins.
    end: where `rest` begins.
    rest: what follows it: up to the end of the line (of the next line that has words), or the next sign.
    tails: what may end its sentence after the answer.
    dots: whether 1.234 is a thousand and more in its language.
    ends_text: whether nothing but whitespace comes after `rest`.
  """

  start: int
  end: int
  rest: str
  tails: tuple[str, ...]
  dots: bool
  ends_text: bool


def hits(text: str) -> list[Hit]:
  """All signs in a text, in their order, in time linear in its length."""
  signs = _signs()
  words_end = len(text.rstrip())
  matches = signs.matches(text)
  found = []
  ends = [match.start() for match in matches[1:]] + [len(text)]
  for match, end in zip(matches, ends, strict=False):
    line_end = text.find("\n", match.end(), end)
    stop = end if line_end < 0 else line_end
    sign = signs.of(match)
    rest = text[match.end() : stop]
    found.append(Hit(match.start(), match.end(), rest, sign.tails, sign.language in signs.dotted, stop >= words_end))
  return found


def own_text(output: str, blank_line: bool = False) -> tuple[int, int]:
  """(start, end) of what answers the question: not what begins a text, not a next question that the model invents.

  Args:
    blank_line: only a question after a blank line counts, for tasks whose answers may hold questions.
  """
  signs = _signs()
  start = _BEGINS_TEXT.match(output).end()
  ends = [place for mark in _ENDS_OF_TEXT if (place := output.find(mark, start + 1)) > 0]
  found = (signs.after_blank_line if blank_line else signs.question).search(output, start + 1)
  ends += [found.start()] if found else []
  if not blank_line and (answered := next(iter(signs.matches(output)), None)):
    # Vocabularies without line breaks, T5's among them: after an answer a question may begin on the same line.
    found = signs.question_on_line.search(output, answered.end())
    ends += [found.start()] if found else []
  return start, min([*ends, len(output)])


def dot_groups(language: str) -> bool:
  """Whether a number of that language has dots between its thousands."""
  return language in _signs().dotted


@dataclasses.dataclass(frozen=True)
class _Sign:
  """A sentence that gives the answer, without the answer."""

  head: str  # in lower case
  tails: tuple[str, ...]  # the longest first
  language: str
  spaced: bool

  @property
  def in_words(self) -> bool:
    """Whether it begins where a word begins."""
    return self.spaced and self.head[0].isalnum()

  @property
  def units(self) -> list[str]:
    """Patterns of its characters, and of what follows it: "the answer is" is not in "the answer isn't"."""
    characters = [r"\s+" if c == " " else re.escape(c) for c in " ".join(self.head.split())]
    if self.head[-1] in "-–":
      return [*characters, r"(?=\s)\s*"]  # a dash that is no minus
    return [*characters, r"(?!\w):?\s*" if self.spaced and self.head[-1].isalnum() else r"\s*"]


@dataclasses.dataclass(frozen=True)
class _Signs:
  """All signs as a few patterns."""

  pattern: re.Pattern[str]
  by_head: dict[str, _Sign]  # by its head without spaces and the colon after it
  headers: re.Pattern[str]
  question: re.Pattern[str]
  question_on_line: re.Pattern[str]
  after_blank_line: re.Pattern[str]
  dotted: frozenset[str]

  def matches(self, text: str) -> list[re.Match[str]]:
    """Of signs that begin at the same place the longest: "答えは：" over "答えは"."""
    # Lower case by hand: patterns that ignore case are three times as slow; 'İ' is the one letter that becomes two.
    lower = "".join(c if len(c.lower()) > 1 else c.lower() for c in text) if "İ" in text else text.lower()
    # A header says that reasoning comes, and looks like a sign.
    return list(self.pattern.finditer(self.headers.sub(lambda match: " " * len(match[0]), lower)))

  def of(self, match: re.Match[str]) -> _Sign:
    """The sign that matched."""
    found = "".join(match[0].split())
    return self.by_head.get(found) or self.by_head[found.removesuffix(":")]


@functools.cache
def _signs() -> _Signs:
  entries = specs.answer_signs()
  signs = _merged(
    [("English", True, text) for text in specs.closers()]
    + [(entry.language, entry.spaced, text) for entry in entries for text in entry.signs]
  )
  in_words = _trie([sign.units for sign in signs if sign.in_words])
  others = _trie([sign.units for sign in signs if not sign.in_words])
  questions = _trie([list(map(re.escape, question)) for entry in entries for question in entry.questions])
  next_question = rf"[ \t]*(?:\*\*)?{questions}\s?[:：]"
  return _Signs(
    pattern=re.compile(rf"(?<!\w){in_words}|{others}"),
    by_head={"".join(sign.head.split()): sign for sign in signs},
    headers=re.compile(_trie([list(map(re.escape, header.lower())) for entry in entries for header in entry.headers])),
    question=re.compile(rf"\n{next_question}"),
    question_on_line=re.compile(rf"(?<!\n) {next_question}"),
    after_blank_line=re.compile(rf"\n[ \t]*\n{next_question}"),
    dotted=frozenset(entry.language for entry in entries if entry.groups == "."),
  )


def _merged(texts: Sequence[tuple[str, bool, str]]) -> list[_Sign]:
  """One sign for each head, with all tails that it may have."""
  merged: dict[str, _Sign] = {}
  for language, spaced, text in texts:
    head, tail = _parted(text)
    known = merged.get(head)
    tails = sorted({tail, *(known.tails if known else ())}, key=len, reverse=True)
    merged[head] = _Sign(head, tuple(tails), known.language if known else language, spaced)
  return list(merged.values())


def _parted(text: str) -> tuple[str, str]:
  """(what stands before the answer, in lower case; what stands after it)."""
  parts = _SLOT.split(text)
  if len(parts) != 2 or not parts[0].strip():
    raise FlanJaxError(
      f"closer {text!r} must have '{{{{ answer }}}}' once and after some words, by which an answer is found again"
    )
  return parts[0].strip().lower(), parts[1].strip()


def _trie(sequences: Sequence[Sequence[str]]) -> str:
  """A pattern of any of the sequences, the longest that is there; each character of a text is looked at once."""
  branches: dict[str, list[Sequence[str]]] = {}
  for units in sequences:
    branches.setdefault(units[0], []).append(units[1:])
  patterns = []
  # What ends a sign ("\\s*" and the like) comes after the signs that go on.
  for unit in sorted(branches, key=lambda unit: [] in branches[unit]):
    rest = [units for units in branches[unit] if units]
    ends = len(rest) < len(branches[unit])
    patterns.append(unit + (_trie(rest) + ("?" if ends else "") if rest else ""))
  return "(?:" + "|".join(patterns) + ")"
