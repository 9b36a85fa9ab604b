"""Before the first run starts: what runs share is prepared once, and what is measured of them is there."""

import os
import pathlib
from collections.abc import Sequence

from flan_jax.data import formats, mixtures
from flan_jax.data.preparation import prepare_together
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.suite_runs import suite_plan
from flan_jax.evaluation.suite_runs.suite_request import SuiteRequest, splits_by_suite
from flan_jax.progress import Progress, silently
from flan_jax.sweeps import folder
from flan_jax.sweeps.budgets import STORE_FIELDS, fields_of, resolved
from flan_jax.sweeps.plan import Plan, PlannedRun
from flan_jax.sweeps.sweep import EqualExamples, Evaluation
from flan_jax.training import feed, resuming
from flan_jax.training.train import Training


def made_ready(plan: Plan, stores: bool = True, progress: Progress = silently) -> Plan:
  """The plan with its folder written, its evaluations looked at and its runs as long as its budget says.

  Args:
    stores: whether those of the runs are made; where a run's length follows from them they are anyway.

  Raises:
    FlanJaxError: see `check_evaluations`, `check_beginnings`, `folder.write`, `prepare`.
  """
  check_evaluations(plan)
  check_beginnings(plan)
  if isinstance(plan.sweep.budget, EqualExamples):
    prepare(plan, progress)
    plan = resolved(plan)
    folder.write(plan)
  else:
    folder.write(plan)  # first: it refuses another sweep's folder, and stores may take hours
    if stores:
      prepare(plan, progress)
  return plan


def prepare(plan: Plan, progress: Progress = silently) -> None:
  """Makes the stores that runs read and that do not stand yet, each once.

  Raises:
    FlanJaxError: see `Preparation.stores`.
  """
  wanted = [
    feed.preparation(training, load_vocabulary(training.vocabulary, training.data_dir))
    for training in distinct(plan.runs)
  ]
  prepare_together(wanted, plan.sweep.name, progress)


def distinct(runs: Sequence[PlannedRun]) -> list[Training]:
  """Of runs that read the same stores one's settings."""
  found = {fields_of(run.training, STORE_FIELDS): run.training for run in runs if run.trains}
  return list(found.values())


def check_evaluations(plan: Plan) -> None:
  """Looks whether all that is to be measured can be, before runs that take days find out.

  Raises:
    FlanJaxError: a mixture, format, suite or mode does not exist, or its files are not there.
  """
  told = {(run.training.data_dir, run.training.missing) for run in plan.runs}
  for evaluation in plan.sweep.evaluations:
    for data_dir, missing in sorted(told, key=str):
      try:
        _check(evaluation, data_dir, missing)
      except FlanJaxError as error:
        raise type(error)(f"evaluation {evaluation.name}: {error}") from error


def check_beginnings(plan: Plan) -> None:
  """Looks whether the checkpoints on this machine that runs begin with are there, and fit them.

  Raises:
    FlanJaxError: one does not.
  """
  told = set()
  for run in plan.runs:
    training = run.training
    path = training.initial_checkpoint_path
    if path is None or "://" in path or (path, training.model, training.vocabulary) in told:
      continue
    vocabulary = load_vocabulary(training.vocabulary, training.data_dir)
    try:
      if resuming.initial_checkpoint(path, training.model, vocabulary.sha256, run.folder):  # no run that goes on
        told.add((path, training.model, training.vocabulary))
    except FlanJaxError as error:
      raise type(error)(f"run {run.name}: {error}") from error


def _check(evaluation: Evaluation, data_dir: str | None, missing: str) -> None:
  if evaluation.mixture is not None:
    for name in evaluation.formats:
      formats.get_format(name)
    mixtures.installed(mixtures.get_mixture(evaluation.mixture, data_dir), data_dir, missing)
  else:
    request = SuiteRequest(
      checkpoint=os.devnull,
      suites=evaluation.suites,
      modes=evaluation.modes,
      splits=splits_by_suite(evaluation.split),
      examples=1,  # of each task: enough to see that it can be asked
      data_dir=None if data_dir is None else pathlib.Path(data_dir),
      missing=missing,
    )
    suite_plan.planned(request)
