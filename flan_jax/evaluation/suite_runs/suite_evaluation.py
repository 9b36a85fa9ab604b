"""An evaluation of suites: questions to answers to files, going on where an earlier process was killed.

A folder gets `journal.jsonl` while questions are answered, then `predictions.jsonl` and `results.json`, which are
functions of what was requested and answered alone: no times, no order of finishing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from flan_jax.atomic import write_atomically
from flan_jax.decoding.selection import Sample
from flan_jax.evaluation import asking, journal
from flan_jax.evaluation.answered import Answered, write_answered
from flan_jax.evaluation.asking import AnswerOptions, Asked
from flan_jax.evaluation.suite_runs import published
from flan_jax.evaluation.suite_runs.suite_plan import SuitePlan, planned
from flan_jax.evaluation.suite_runs.suite_request import SuiteRequest, folder_of, identity
from flan_jax.evaluation.suite_runs.suite_results import results_of
from flan_jax.evaluation.suite_runs.toxicity import TOXIC, Scorer, get_scorer, scored
from flan_jax.interop import loading

PREDICTIONS, RESULTS = "predictions.jsonl", "results.json"


def evaluate(
  request: SuiteRequest, output: Path | None, load: Callable[[], Any], say: Callable[[str], object]
) -> tuple[dict[str, Any], Path]:
  """Asks what has not been answered yet, and writes the folder's files.

  Args:
    request: what to measure.
    output: the folder; None for one that belongs to this request.
    load: gives the `answering.Answerer` of the request's checkpoint; not called where all has been answered.
    say: gets a line for people before the first question is asked.

  Returns:
    (the content of results.json, the folder).

  Raises:
    UsageError: something that is named does not exist, or the folder holds another evaluation.
    FlanJaxError: a checkpoint or a file of questions cannot be read, or another process is at the same evaluation.
  """
  options = AnswerOptions(Sample(request.temperature, request.top_k, request.top_p), request.seed, request.rank)
  scorer = get_scorer(request.scorer) if request.scorer else None
  for name in request.beside:
    published.row(name)
  source = loading.open_source(request.checkpoint)
  plans = planned(request)
  content = identity(request, source, [question for plan in plans for question in plan.questions])
  folder = output or folder_of(request, content)
  asked = _asked(request, plans)
  with journal.opened(folder / journal.FILE, content) as kept:
    say(_opening(folder, len(kept.answered), len(asked)))
    answered = asking.ask(asked, kept, load, options)
  if scorer is not None:
    answered = _with_toxicity(plans, answered, scorer)
  results = results_of(request, plans, answered, source)
  write_answered(folder / PREDICTIONS, answered)
  write_atomically(folder / RESULTS, (json.dumps(results, indent=2, ensure_ascii=False) + "\n").encode())
  return results, folder


def _asked(request: SuiteRequest, plans: Sequence[SuitePlan]) -> list[Asked]:
  """Each question for each number of paths; a ranked one once, since nothing is drawn there."""
  found = []
  for plan in plans:
    paths = request.paths or (plan.suite.samples,)
    for n in paths:
      for question in plan.questions:
        prompts = plan.suite.asked(question.mode, request.prompts)
        if not question.ranked or n == paths[0]:
          most = request.max_new_tokens or prompts.max_new_tokens
          found.append(Asked(question, 1 if question.ranked else n, most, prompts.stop))
  return found


def _with_toxicity(plans: Sequence[SuitePlan], answered: Sequence[Answered], scorer: Scorer) -> list[Answered]:
  """With the scores of outputs whose suite asks for them: of all continuations of a prompt the highest counts."""
  names = {plan.suite.name for plan in plans if plan.suite.scores == "toxicity"}
  continued = [each for each in answered if each.suite in names]
  outputs = [[path["output"] for path in each.paths] if each.paths else [each.output] for each in continued]
  highest = {each.key: max(scores) for each, scores in zip(continued, scored(outputs, scorer), strict=True)}
  return [
    replace(each, scores={"toxic": float(highest[each.key] >= TOXIC), "highest_toxicity": highest[each.key]})
    if each.key in highest
    else each
    for each in answered
  ]


def _opening(folder: Path, done: int, everything: int) -> str:
  if done == everything:
    return f"In {folder} all {everything:,} questions have been answered"
  going_on = f"going on after {done:,} of" if done else "asking"
  return f"In {folder}: {going_on} {everything:,} questions; interrupted, the same command goes on"
