"""{squad: FILE}: SQuAD's JSON, also TyDiQA-GoldP's and XQuAD's: data[].paragraphs[].{context, qas[]}, a row a question."""

import array
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import xxhash

from flan_jax import errors
from flan_jax.data.readers import json_scanning
from flan_jax.data.readers.json_scanning import Span

# TyDiQA's ids begin with the language: 'korean-3543942044825767374-0'.
_TYDIQA_LANGUAGES = (
  "arabic bengali english finnish indonesian japanese korean russian swahili telugu thai".split()  # fmt: skip
)


class SquadRows:
  """Questions with columns id, title, context, question, answers (texts, [] where there is none) and maybe language.

  Memory holds a few numbers a question and a paragraph, never texts.
  """

  def __init__(self, path: pathlib.Path):
    self.file = str(path)
    self._json = json_scanning.JsonFile(path)

  @functools.cached_property
  def _spans(self) -> "dict[str, np.ndarray]":
    """By question: its own span and line, and those of its paragraph's context and its article's title."""
    columns = {name: array.array("q") for name in ("qa", "qa_end", "line", "context", "context_end", "title", "title_end")}
    for title, context, questions in self._paragraphs():
      for start, end, line in zip(questions.starts, questions.ends, questions.lines, strict=True):
        values = (start, end, line, context.start, context.end, title.start, title.end)
        for column, value in zip(columns.values(), values, strict=True):
          column.append(int(value))
    return {name: np.array(column, np.int64) for name, column in columns.items()}
