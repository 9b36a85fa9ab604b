"""What an evaluation of suites asks: each suite's questions in each of its modes."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from flan_jax import progress
from flan_jax.data.sources import MissingDataError, MissingFile
from flan_jax.errors import UsageError, unknown_name
from flan_jax.evaluation.suite_runs.suite_request import SuiteRequest
from flan_jax.evaluation.suites.question import Question
from flan_jax.evaluation.suites.questions import questions
from flan_jax.evaluation.suites.suite import Suite, get_suite
from flan_jax.evaluation.suites.suite_tasks import SuiteTask, installed, known_names, missing_file, suite_tasks


@dataclasses.dataclass(frozen=True)
class SuitePlan:
  """One suite of a request.

  Attributes:
    modes: those that it is asked in.
    tasks: names of the tasks that are asked.
    full_names: of those tasks, as training names them.
    of_tasks: how many the suite has.
    of_counted: how many of those its average is made of.
    absent: what is missing of the tasks that were wanted.
    questions: in the order of modes and tasks.
  """

  suite: Suite
  modes: tuple[str, ...]
  tasks: tuple[str, ...]
  full_names: tuple[str, ...]
  of_tasks: int
  of_counted: int
  absent: tuple[MissingFile, ...]
  questions: tuple[Question, ...]

  @property
  def split(self) -> str:
    """The split that is asked."""
    return self.questions[0].split


def planned(request: SuiteRequest) -> tuple[SuitePlan, ...]:
  """The suites of a request, in its order; with missing='skip' those of which something is here.

  Raises:
    UsageError: a suite, task, language, split or mode does not exist, or nothing is left to ask.
    MissingDataError: files are not here.
  """
  suites = [get_suite(name) for name in request.suites]
  doubled = {suite.name for suite in suites if [each.name for each in suites].count(suite.name) > 1}
  if doubled:
    raise UsageError(f"--suite: {', '.join(sorted(doubled))} is there twice")
  strangers = request.splits.keys() - {"", *(suite.name for suite in suites)}
  if strangers:
    raise UsageError(f"--split: {', '.join(sorted(strangers))} is not among the suites that are asked")
  _check_names(request, suites)
  found, absent = [], []
  with progress.shown("writing prompts", len(suites), "suites") as advance:
    for suite in suites:
      try:
        found.append(_planned(request, suite))
      except MissingDataError as error:
        absent.append(error)
        if request.missing != "skip":
          raise
      advance(1)
  if not found:
    raise absent[0]
  return tuple(found)


def _planned(request: SuiteRequest, suite: Suite) -> SuitePlan:
  modes = _modes(request, suite)
  split = _split(request, suite)
  tasks = _tasks(request, suite, split)
  how = {"shots": request.shots, "prompts": request.prompts}
  try:
    present, absent = installed(suite, tasks, request.data_dir, modes, request.missing, **how)
  except MissingDataError as error:
    raise MissingDataError(f"{error}{_other_splits(request, suite, split, modes, how)}") from None
  names = tuple(dict.fromkeys(task.name for task in present))
  asked = [
    question
    for mode in modes
    for question in questions(
      suite,
      request.data_dir,
      mode=mode,
      split=split,
      shots=request.shots,
      examples=request.examples,
      tasks=names,
      seed=request.seed,
      prompts=request.prompts,
    )
  ]
  if not asked:
    raise UsageError(f"--suite {suite.name}: no question is left of what is asked for")
  everything = {task.name for task in suite_tasks(suite, request.data_dir, split=split)}
  counted = sum(map(suite.averaged, everything))
  full_names = tuple(dict.fromkeys(task.spec.name for task in present))
  return SuitePlan(suite, modes, names, full_names, len(everything), counted, absent, tuple(asked))


def _tasks(request: SuiteRequest, suite: Suite, split: str | None) -> tuple[SuiteTask, ...]:
  wanted = {what: wanted_of(request, suite, what, split) for what in NARROWING}
  return suite_tasks(suite, request.data_dir, split=split, **wanted)


def _other_splits(
  request: SuiteRequest, suite: Suite, split: str | None, modes: tuple[str, ...], how: dict[str, Any]
) -> str:
  """What to say of the splits whose files are here, where those of the one that is asked are not."""
  told = ""
  for other in suite.splits.keys() - {split or suite.split}:
    lacking = [missing_file(suite, task, request.data_dir, modes[0], **how) for task in _tasks(request, suite, other)]
    if None in lacking:
      told += f" The split {other} has {lacking.count(None):,} tasks here (--split {suite.name}={other})."
  return told


NARROWING = ("languages", "tasks")


def wanted_of(request: SuiteRequest, suite: Suite, what: str, split: str | None) -> tuple[str, ...] | None:
  """Which `what`, 'languages' or 'tasks', are wanted of a suite: those of the request that it has, or all (None)."""
  wanted = getattr(request, what)
  known = wanted and known_names(suite, request.data_dir, split, what)
  return tuple(name for name in wanted if name in known) or None if wanted else wanted


def _check_names(request: SuiteRequest, suites: Sequence[Suite]) -> None:
  """That each wanted language and task is one of some suite."""
  for what in NARROWING:
    for name in getattr(request, what) or ():
      known = [known_names(suite, request.data_dir, _split(request, suite), what) for suite in suites]
      if not any(name in names for names in known):
        of = f"{what.removesuffix('s')} of {', '.join(suite.name for suite in suites)}"
        raise unknown_name(of, name, sorted(frozenset().union(*known)), "flan-jax inspect --suite NAME")


def _split(request: SuiteRequest, suite: Suite) -> str | None:
  return request.splits.get(suite.name, request.splits.get(""))


def _modes(request: SuiteRequest, suite: Suite) -> tuple[str, ...]:
  """Those of the request that the suite has prompts for; without a request those that its paper reports."""
  known = suite.prompts.get(request.prompts, {})
  wanted = request.modes or suite.reported
  has = tuple(mode for mode in wanted if mode in known)
  if not has:
    suite.asked(wanted[0], request.prompts)  # raises, saying what there is
  return has
