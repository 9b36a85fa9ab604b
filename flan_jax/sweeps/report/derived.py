"""Measures that are made of others, task by task, so that all that is known of measures holds for these: of a base that
is asked as suits it best, and of one way of asking less another on the same checkpoint and examples."""

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from flan_jax.evaluation.held_out.differences import BEFORE
from flan_jax.sweeps.report.reading import BESIDE, DIFFERENCE, Key, Measure, Reading, TaskScore


def found(reading: Reading, evaluation: str, variant: str, metric: str = "") -> Measure | None:
  """The measure of a mixture that an evaluation has, asked in one way; None where it has none.

  Args:
    metric: one of BESIDE; '' is the score itself.
  """
  for measure, scores in reading.scores.items():
    of_metric = measure.metric == metric if metric else measure.metric not in (*BESIDE, DIFFERENCE)
    if (measure.evaluation, measure.variant) == (evaluation, variant) and measure.mixture and of_metric and scores:
      return measure
  return None


def with_bases_at_their_best(reading: Reading) -> Reading:
  """The reading in which untuned runs have, of prompts in any of BEFORE, the scores of the format that suits them best.

  What tuning is held against is then the best that prompting gives: a base may know an answer, and not see from a
  zero-shot prompt that it is asked for. The best is that on average over tasks and over untuned runs that begin alike,
  an evaluation at a time. A task that has no prompts of that format keeps the scores of its own.
  """
  scores, asked, choice, as_asked = dict(reading.scores), defaultdict(dict), defaultdict(dict), defaultdict(dict)
  for keys in _untuned(reading):
    for evaluation in dict.fromkeys(measure.evaluation for measure in reading.of_mixtures):
      means = _usual(reading, evaluation, keys)
      best = max(means, key=means.get, default=None)  # of equals the first
      asked[evaluation] |= dict.fromkeys([best] if means else [])
      choice[evaluation] |= means
      for measure in [each for each in scores if each.evaluation == evaluation and each.variant in means]:
        if measure.variant != best:
          as_asked[measure] |= {key: scores[measure][key] for key in keys if key in scores[measure]}
          scores[measure] = {**scores[measure], **_asked_in(reading, measure, best, keys)}
  told = [{name: tuple(formats) for name, formats in each.items() if formats} for each in (asked, choice)]
  return dataclasses.replace(reading, scores=scores, base_asked=told[0], base_choice=told[1], base_as_asked=as_asked)


def _usual(reading: Reading, evaluation: str, keys: Iterable[Key]) -> dict[str, float]:
  """What runs score in those of BEFORE that they were asked in, over the tasks of the first of these."""
  asked = {name: measure for name in BEFORE if (measure := found(reading, evaluation, name))}
  asked = {name: measure for name, measure in asked.items() if any(reading.scores[measure].get(key) for key in keys)}
  first = next(iter(asked.values()), None)
  return {name: _mean(_asked_in(reading, first, name, keys)) for name in asked}


def _untuned(reading: Reading) -> list[list[Key]]:
  """Untuned runs that differ in their seed alone."""
  alike: dict[tuple[Any, ...], list[Key]] = defaultdict(list)
  for run in reading.runs:
    if not run.tuned:
      alike[run.sweep, run.facts["model"], run.facts["initial_checkpoint"]].append(run.key)
  return list(alike.values())


def _asked_in(reading: Reading, measure: Measure, variant: str, keys: Iterable[Key]) -> dict[Key, dict[str, TaskScore]]:
  """What runs score by a measure, in another format where a task was asked in it."""
  other = found(reading, measure.evaluation, variant, measure.metric if measure.metric in BESIDE else "")
  theirs = reading.scores[other] if other else {}
  return {
    key: {task: theirs.get(key, {}).get(task, score) for task, score in reading.scores[measure][key].items()}
    for key in keys
    if key in reading.scores[measure]
  }


def _mean(scores: Mapping[Key, Mapping[str, TaskScore]]) -> float:
  values = [score.value for of_run in scores.values() for score in of_run.values()]
  return statistics.fmean(values) if values else 0.0


def of_tasks(reading: Reading, measure: Measure, tasks: Collection[str]) -> Reading:
  """The reading in which a measure has some tasks alone."""
  kept = {
    key: {task: score for task, score in of_run.items() if task in tasks}
    for key, of_run in reading.scores[measure].items()
  }
  return _with(reading, measure, kept)


def minus(reading: Reading, measure: Measure, other: Measure) -> tuple[Reading, Measure]:
  """With what each task of a run scores more in one measure than in another."""
  made = dataclasses.replace(measure, metric=DIFFERENCE)
  scores = {
    key: {
      task: dataclasses.replace(score, value=score.value - theirs[task].value, n=0, chance=None, no_answer=None)
      for task, score in of_run.items()
      if task in theirs
    }
    for key, of_run in reading.scores[measure].items()
    if (theirs := reading.scores[other].get(key))
  }
  return _with(reading, made, scores), made


def _with(reading: Reading, measure: Measure, scores: Mapping[Key, Mapping[str, TaskScore]]) -> Reading:
  return dataclasses.replace(reading, scores={**reading.scores, measure: scores})
