"""The one figure of a run that tables show: what `Sweep.score` names, out of results.json of an evaluation."""

import dataclasses
import functools
import json
import pathlib
import statistics
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.held_out.averages import averages_by_split
from flan_jax.evaluation.held_out.rows import Row
from flan_jax.sweeps.plan import EVALUATIONS
from flan_jax.sweeps.sweep import NORMALISED_AVERAGE

_RESULTS = "results.json"


class Score(NamedTuple):
  """A share of 1 with its 95% interval (None where it has none), of how many questions it is, and of which split.

  Splits are 'held_out' and 'seen', of suites ''.
  """

  value: float
  low: float | None = None
  high: float | None = None
  n: int | None = None
  split: str = ""


def headline(folder: pathlib.Path, score: str, fresh: bool = False) -> Score | None:
  """The score of a run; None where it is not measured (yet), or cannot be read.

  Args:
    folder: of the run.
    score: 'EVALUATION/VARIANT', as in `Sweep`. Of a mixture it is the mean over the held-out tasks (over the seen ones
      where it has no others) in that format; of suites the mean over their averages in that mode, with an interval
      where it is one suite; 'EVALUATION/normalised_average' is the paper's.
    fresh: whether the run is of a network that nothing was trained on; see `rows`.
  """
  evaluation, _, variant = score.partition("/")
  try:
    content = results(folder, evaluation)
    if content is None:
      return None
    return _of_suites(content, variant) if "suites" in content else _of_mixture(content, variant, fresh)
  except (FlanJaxError, KeyError, TypeError, AttributeError):
    return None


def results(folder: pathlib.Path, evaluation: str) -> Mapping[str, Any] | None:
  """The content of results.json of an evaluation of a run, as `flan-jax eval` wrote it; None where there is none.

  Raises:
    FlanJaxError: it is something else.
  """
  path = path_of(folder, evaluation)
  try:
    return _read(path, path.stat().st_mtime_ns)
  except OSError:
    return None


def path_of(folder: pathlib.Path, evaluation: str) -> pathlib.Path:
  """Where an evaluation of a run has its results."""
  return folder / EVALUATIONS / evaluation / _RESULTS


def rows(content: Mapping[str, Any], fresh: bool) -> list[Row]:
  """The rows of a mixture's results.

  Args:
    fresh: step 0 of a fresh network names the tasks that it would have been trained on; of these it has seen none.
  """
  found = [Row.from_json(row) for row in content["rows"]]
  return [dataclasses.replace(row, split="held_out") for row in found] if fresh else found


def figures_of_suites(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
  """(suite, variant, its figures): a variant is the mode, of several paths with their number: 'cot@40'."""
  for suite, of_suite in content["suites"].items():
    for mode, of_mode in of_suite["modes"].items():
      for n, found in of_mode["n"].items():
        yield suite, mode if n == "1" else f"{mode}@{n}", found


@functools.lru_cache(maxsize=128)  # a live table asks again and again
def _read(path: pathlib.Path, written: int) -> Mapping[str, Any]:
  del written  # by which a new file is known
  try:
    content = json.loads(path.read_text(encoding="utf-8"))
    needed = ("suites", NORMALISED_AVERAGE) if "suites" in content else ("rows", "averages", "about")
    if lacking := [name for name in needed if name not in content]:
      raise ValueError(f"it has no {', '.join(lacking)}")
    return content
  except (ValueError, TypeError) as error:
    raise FlanJaxError(f"{path}: not the results of an evaluation ({error})") from None


def _of_mixture(content: Mapping[str, Any], variant: str, fresh: bool) -> Score | None:
  averages = {
    each["split"]: each for each in content["averages"] if each["format"] == variant and each["cluster"] is None
  }
  if fresh and "seen" in averages:
    mine = [row for row in rows(content, fresh) if row.format == variant]
    averages = {each.split: dataclasses.asdict(each) for each in averages_by_split(mine)}
  found = averages.get("held_out") or averages.get("seen")
  return found and Score(found["after"], *found["after_ci"], found["n"], found["split"])


def _of_suites(content: Mapping[str, Any], variant: str) -> Score | None:
  if variant == NORMALISED_AVERAGE:
    value = content[NORMALISED_AVERAGE]
    return None if value is None else Score(value)
  asked = [found for _, name, found in figures_of_suites(content) if name == variant and found["average"] is not None]
  if not asked:
    return None
  interval = asked[0]["interval"] if len(asked) == 1 else (None, None)
  return Score(statistics.fmean(each["average"] for each in asked), *interval, sum(each["n"] for each in asked))
