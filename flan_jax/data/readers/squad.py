"""{squad: FILE}: SQuAD's JSON (also TyDiQA-GoldP's), data[].paragraphs[].{context, qas[]}: a row a question."""

import array
import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xxhash
from jaxtyping import Int64

from flan_jax import errors
from flan_jax.data.readers import json_scanning
from flan_jax.data.readers.json_scanning import Span

# TyDiQA's ids begin with the language: 'korean-3543942044825767374-0'.
_TYDIQA_LANGUAGES = (
  *("arabic", "bengali", "english", "finnish", "indonesian", "japanese"),
  *("korean", "russian", "swahili", "telugu", "thai"),
)


class SquadRows:
  """Questions with columns id, title, context, question, answers (texts, [] if there is none) and TyDiQA's language.

  Memory holds a few numbers a question and a paragraph, never texts.
  """

  def __init__(self, path: pathlib.Path):
    self.file = str(path)
    self._json = json_scanning.JsonFile(path)

  def __len__(self) -> int:
    return len(self._scanned[0])

  def read(self, row: int) -> dict[str, Any]:
    questions, paragraphs = self._scanned
    start, end, _, paragraph = questions[row].tolist()
    asked = self._json.value(Span(start, end))
    if not isinstance(asked, dict):
      raise ValueError(f"a question is {type(asked).__name__}, not a JSON object")
    title, context = (self._text(*paragraphs[paragraph, at : at + 2].tolist()) for at in (0, 2))
    record = {
      "id": _named(asked, "id", (str, int)),
      "title": title,
      "context": context,
      "question": _named(asked, "question", str),
      "answers": [_answer(one) for one in _named(asked, "answers", list)],
    }
    language, dash, _ = str(record["id"]).partition("-")
    return {**record, "language": language.capitalize()} if dash and language in _TYDIQA_LANGUAGES else record

  def id(self, row: int) -> str:
    return str(row)  # SQuAD's own ids are unique in its releases, but nothing in the format makes them so

  def place(self, row: int) -> str:
    return f"{self.file}:{self._scanned[0][row, 2]}"

  def fingerprint(self) -> str:
    return f"{xxhash.xxh3_64_intdigest(self._json.bytes, seed=len(self._json.bytes)):016x}"

  @functools.cached_property
  def _scanned(self) -> tuple[Int64[np.ndarray, "questions 4"], Int64[np.ndarray, "paragraphs 4"]]:
    """(Start, end, line and paragraph of each question; start and end of each paragraph's title and context)."""
    questions, paragraphs = array.array("q"), array.array("q")
    for title, context, asked in self._paragraphs():
      for start, end, line in zip(asked.starts, asked.ends, asked.lines, strict=True):
        questions.extend((start, end, line, len(paragraphs) // 4))
      paragraphs.extend((title.start, title.end, context.start, context.end))
    return tuple(np.array(numbers, np.int64).reshape(-1, 4) for numbers in (questions, paragraphs))

  def _paragraphs(self) -> Iterator[tuple[Span, Span, json_scanning.Elements]]:
    data = self._member(self._json.members(self._json.root), "data", self._json.root)
    for article_span in self._spans(data):
      article = self._json.members(article_span)
      for paragraph_span in self._spans(self._member(article, "paragraphs", article_span)):
        paragraph = self._json.members(paragraph_span)
        context = self._member(paragraph, "context", paragraph_span)
        questions = self._json.elements(self._member(paragraph, "qas", paragraph_span))
        yield article.get("title", Span(0, 0)), context, questions

  def _spans(self, span: Span) -> Iterator[Span]:
    elements = self._json.elements(span)
    return (Span(*bounds) for bounds in zip(elements.starts.tolist(), elements.ends.tolist(), strict=True))

  def _member(self, members: Mapping[str, Span], key: str, within: Span) -> Span:
    if key not in members:
      place = f"{self.file}:{self._json.line(within.start)}"
      raise errors.FlanJaxError(
        f"{place}: SQuAD's {key!r} is not here; the keys are {', '.join(members) or 'none'} "
        "(a file is {data: [{title, paragraphs: [{context, qas: [...]}]}]})"
      )
    return members[key]

  def _text(self, start: int, end: int) -> str:
    value = self._json.value(Span(start, end)) if end else ""
    if not isinstance(value, str):
      raise ValueError(f"the title or context is {type(value).__name__}, not text")
    return value


def open_squad(entry: Mapping[str, Any], data_dir: pathlib.Path) -> SquadRows:
  """The rows of {squad: FILE}."""
  return SquadRows(data_dir / entry["squad"])


def _named(question: Mapping[str, Any], key: str, kind: type | tuple[type, ...]) -> Any:
  if key not in question:
    raise ValueError(f"the question has no {key!r}")
  if not isinstance(question[key], kind) or isinstance(question[key], bool):
    raise ValueError(f"the question's {key!r} is {type(question[key]).__name__}")
  return question[key]


def _answer(answer: Any) -> str:
  text = answer.get("text") if isinstance(answer, dict) else None
  if not isinstance(text, str):
    raise ValueError("an answer has no 'text'")
  return text
