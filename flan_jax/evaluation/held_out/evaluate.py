"""The evaluation itself: the same held-out prompts to one checkpoint or two, answers to results.

A folder gets a journal of each checkpoint, by which an evaluation that was killed goes on, and then the lines of each
checkpoint's answers (in one order, so that line i of both files is the same prompt) and results.json.
"""

import dataclasses
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from flan_jax import atomic, progress
from flan_jax.data import specs
from flan_jax.data.formats import DEFAULT_SHOTS
from flan_jax.errors import UsageError, first_of
from flan_jax.evaluation import asking, journal
from flan_jax.evaluation.answered import Answered, write_answered
from flan_jax.evaluation.answering import Answerer, Described
from flan_jax.evaluation.asking import AnswerOptions, Asked
from flan_jax.evaluation.held_out.differences import differences, headlines
from flan_jax.evaluation.held_out.examples import formats_of, held_out_questions, opened, training_answers
from flan_jax.evaluation.held_out.results import Results, draw_samples
from flan_jax.evaluation.held_out.rows import Compared, rows_of
from flan_jax.evaluation.held_out.training_answers import TrainingAnswers
from flan_jax.evaluation.identity import of_checkpoint, of_questions
from flan_jax.interop import loading

RESULTS = "results.json"
PREDICTIONS = {"after": "predictions.jsonl", "before": "predictions_before.jsonl"}
JOURNALS = {"after": journal.FILE, "before": "journal_before.jsonl"}


@dataclasses.dataclass(frozen=True)
class Request:
  """What to measure.

  Attributes:
    checkpoint: the checkpoint 'after': whatever `loading.open_source` takes.
    before: a checkpoint to compare with, asked the very same prompts; None for none.
    name: of the task or mixture, for the record.
    tasks: full names of its tasks that are installed.
    missing: those whose files are not there, for the record.
    formats: names of formats; a task is asked in those that its type has.
    examples: the most held-out examples of a task in each format.
    unseen_wordings: asks zero-shot in the wordings that no run trains on.
    rank: how the choices of prompts are ranked as well (see `ranking.RANKS`); None does not.
    swap: asks examples that have another instruction under that one, too.
    max_input_tokens: few-shot prompts drop exemplars until they fit; None for the length it was trained with.
    max_new_tokens: an output is cut there; None for the length it was trained with.
    vocabulary: for checkpoints that carry none; a name or a SentencePiece file.
  """

  checkpoint: str | os.PathLike
  name: str
  tasks: tuple[str, ...]
  missing: tuple[str, ...] = ()
  before: str | os.PathLike | None = None
  formats: tuple[str, ...] = ("zero_shot", "few_shot", "cot")
  examples: int = 100
  shots: tuple[int, int] = DEFAULT_SHOTS
  seed: int = 0
  unseen_wordings: bool = False
  rank: str | None = None
  swap: bool = False
  max_input_tokens: int | None = None
  max_new_tokens: int | None = None
  vocabulary: str | None = None
  data_dir: Path | None = None


def evaluate(
  request: Request, output: Path | None = None, say: Callable[[str], object] = lambda text: None
) -> tuple[Results, list[Compared]]:
  """Renders the prompts, asks the checkpoints what they have not answered yet (one at a time in memory), compares.

  Args:
    output: the folder that keeps answers and results; None keeps nothing. What it has of this very request is not asked
      again; the journals of another evaluation of held-out examples become NAME.old.jsonl, its other files are written
      over.
    say: gets a line for people where the folder has something already.

  Raises:
    UsageError: a task or format is unknown, no task has any of the formats, a checkpoint is not there or has no
      vocabulary, or the folder holds an evaluation of suites.
    FlanJaxError: a checkpoint cannot be read, or another process is at the same evaluation.
  """
  _require_formats(request)
  paths = {"after": request.checkpoint, **({} if request.before is None else {"before": request.before})}
  sources = {which: loading.open_source(path) for which, path in paths.items()}
  after, *_ = [Described.of(source, request.vocabulary, request.data_dir) for source in sources.values()]
  asked, answers = _asked(request, after.fits(request.max_input_tokens))
  with atomic.kept_or_temporary(output) as folder:
    answered = {which: _answered(request, which, source, asked, folder, say) for which, source in sources.items()}
    compared = [Compared(*each) for each in zip(*answered.values(), strict=True)]
    rows = rows_of(compared, after.trained_tasks or (), answers)
    found = draw_samples(compared, rows), differences(compared, rows), headlines(compared, rows)
    results = Results(_about(request, after.trained_tasks), rows, *found)
    for which, file in PREDICTIONS.items():
      if which in answered:
        write_answered(folder / file, answered[which])
      else:
        (folder / file).unlink(missing_ok=True)  # of an evaluation that this one takes the place of
    results.write(folder / RESULTS)
  return results, compared


def _answered(
  request: Request,
  which: str,
  source: loading.Source,
  asked: Sequence[Asked],
  folder: Path,
  say: Callable[[str], object],
) -> list[Answered]:
  """What a checkpoint answers, by its journal."""
  path = folder / JOURNALS[which]
  # Results need no targets, and they would be a second pass over every prompt.
  options = AnswerOptions(rank=request.rank or "sum", targets=False)
  with journal.opened(path, _identity(request, source, asked), makes_room=True) as kept:
    if kept.answered:
      say(f"{path}: {len(kept.answered):,} of {len(asked):,} prompts have been answered ({which})")
    return asking.ask(asked, kept, lambda: _answerer(request, which), options, f"answering ({which})")


def _identity(request: Request, source: loading.Source, asked: Sequence[Asked]) -> dict[str, Any]:
  """JSON values that are equal for two evaluations of a checkpoint if and only if it gives the same answers."""
  return {
    "checkpoint": of_checkpoint(source),
    "held_out": of_questions([each.question for each in asked]),
    "decoding": {"max_new_tokens": request.max_new_tokens, "rank": request.rank},
    "vocabulary": request.vocabulary,
  }


def _answerer(request: Request, which: str) -> Answerer:
  path = request.checkpoint if which == "after" else request.before
  return Answerer.load(path, request.vocabulary, request.data_dir)


def _require_formats(request: Request) -> None:
  if not any(_formats_of(request, task) for task in request.tasks):
    kept = ", in wordings kept for evaluation" if request.unseen_wordings else ""
    raise UsageError(f"no task of {request.name} has prompts in the format {' or '.join(request.formats)}{kept}")


def _formats_of(request: Request, task: str) -> tuple[str, ...]:
  return formats_of(task, request.formats, request.data_dir, request.unseen_wordings)


def _asked(request: Request, fits: Callable[[str], bool]) -> tuple[list[Asked], dict[str, TrainingAnswers]]:
  """All questions, and what the training answers of each task that has some say."""
  asked, answers = [], {}
  with progress.shown("rendering held-out examples", len(request.tasks), "tasks") as advance:
    for task in request.tasks:
      formats = _formats_of(request, task)
      if formats:
        how = {name: getattr(request, name) for name in ("seed", "shots", "unseen_wordings")}
        renderer = opened(task, request.data_dir, formats, **how)
        ways = {"fits": fits, "rank": request.rank is not None, "swap": request.swap}
        questions = held_out_questions(renderer, formats, request.examples, request.name, seed=request.seed, **ways)
        asked += [Asked(question, 1, request.max_new_tokens) for question in questions]
        answers[task] = training_answers(renderer)
      advance(1)
  if not asked:
    raise UsageError(f"no task of {request.name} has a held-out example: there is nothing to ask")
  return asked, answers


def _about(request: Request, trained_tasks: tuple[str, ...] | None) -> dict:
  """What was measured, for whoever reads results.json, and notes on what to beware of."""
  return {
    "checkpoint": str(request.checkpoint),
    "before": None if request.before is None else str(request.before),
    "name": request.name,
    "metric": "exact_match",
    "examples": request.examples,
    "shots": list(request.shots),
    "seed": request.seed,
    "unseen_wordings": request.unseen_wordings,
    "rank": request.rank,
    "swap": request.swap,
    "notes": [*_notes_on_training(request, trained_tasks), *_notes_on_tasks(request)],
  }


def _notes_on_training(request: Request, trained_tasks: tuple[str, ...] | None) -> Iterator[str]:
  if trained_tasks is None:
    yield f"{request.checkpoint} does not say what it was trained on: every task stands as held out"
    return
  ours = set(trained_tasks) & set(specs.task_names(None, request.data_dir))  # a user's own SeqIO tasks have no cluster
  cluster = {task: specs.get_task(task, request.data_dir).cluster for task in (*ours, *request.tasks)}
  clusters = {cluster[task] for task in ours}
  near = [task for task in request.tasks if task not in trained_tasks and cluster[task] in clusters]
  if near:
    yield f"not trained on, but of clusters that were: {first_of(near)}. They stand as held out"


def _notes_on_tasks(request: Request) -> Iterator[str]:
  if request.missing:
    yield f"left out, since their files are not here: {first_of(request.missing)}"
  for name in request.formats:
    without = [
      task
      for task in request.tasks
      if not formats_of(task, [name], request.data_dir, request.unseen_wordings and name == "zero_shot")
    ]
    if without:
      yield f"{len(without)} of {len(request.tasks)} tasks have no {name} prompts: {first_of(without)}"
