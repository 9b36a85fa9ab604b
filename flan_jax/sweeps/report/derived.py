"""Measures that are made of others, task by task, so that all that is known of measures holds for these: of a base that
is asked as suits it best, and of one way of asking less another on the same checkpoint and examples."""

import dataclasses
import statistics
from collections.abc import Collection, Iterable, Mapping

from flan_jax.evaluation.held_out.differences import BEFORE
from flan_jax.sweeps.report.reading import BESIDE, DIFFERENCE, Key, Measure, Reading, Run, TaskScore


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


def best_prompting(reading: Reading, measure: Measure, runs: Iterable[Run]) -> str:
  """In which format the untuned among some runs score best, on average over runs and the tasks of a measure.

  A task that has no prompts of a format counts in that of the measure, as `with_base_asked` has it.
  """
  untuned = [run.key for run in runs if not run.tuned and reading.scores[measure].get(run.key)]
  means = {}
  for variant in dict.fromkeys([measure.variant, *BEFORE]):
    scores = with_base_asked(reading, measure, variant).scores[measure]
    means[variant] = statistics.fmean([score.value for key in untuned for score in scores[key].values()] or [0.0])
  return max(means, key=means.get)  # of equals the first, that of the measure


def with_base_asked(reading: Reading, measure: Measure, variant: str) -> Reading:
  """The reading in which a measure has of untuned runs the scores of another format, of tasks that were asked in it."""
  other = found(reading, measure.evaluation, variant, measure.metric if measure.metric in BESIDE else "")
  if other is None or other == measure:
    return reading
  scores = dict(reading.scores[measure])
  for run in reading.runs:
    if not run.tuned and run.key in scores:
      theirs = reading.scores[other].get(run.key, {})
      scores[run.key] = {task: theirs.get(task, score) for task, score in scores[run.key].items()}
  return _with(reading, measure, scores)


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
