"""Metrics by name: a number in [0, 1] for an answer against the references of its example.

A task's spec names its metrics; `exact_match` is also what every row of results.json holds. A metric is a row of
METRICS: a function of the answer and the references (best over references where there are several).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence

from flan_jax.errors import unknown_name

Metric = Callable[[str, Sequence[str]], float]


def exact_match(answer: str, references: Sequence[str]) -> float:
  """1.0 if the answer equals a reference, else 0.0, after the normalisation that `normalised` declares.

  >>> exact_match(" New\\n York", ["New York"])
  1.0
  >>> exact_match("new york", ["New York"])
  0.0
  """
  return float(normalised(answer) in {normalised(reference) for reference in references})


def normalised(text: str) -> str:
  """The declared normalisation of `exact_match`: Unicode NFC, runs of whitespace to one space, ends stripped.

  Case and punctuation stand: several tasks ask for nothing else ("write it in capitals").
  """
  return re.sub(r"\s+", " ", unicodedata.normalize("NFC", text)).strip()


METRICS: Mapping[str, Metric] = {"exact_match": exact_match}


def get_metric(name: str) -> Metric:
  """The metric of that name.

  Raises:
    UsageError: if there is none, naming the nearest.
  """
  if name not in METRICS:
    raise unknown_name("metric", name, METRICS, ", ".join(sorted(METRICS)))
  return METRICS[name]
