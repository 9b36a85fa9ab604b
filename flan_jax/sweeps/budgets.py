"""How long a run is that shall see a number of examples: by its own stream's plans, from lengths alone, to the row."""

import dataclasses

import numpy as np

from flan_jax import progress
from flan_jax.data.store import TaskStore
from flan_jax.data.stream import Stream
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.sweeps.plan import Plan, PlannedRun
from flan_jax.sweeps.sweep import EqualExamples
from flan_jax.training import feed
from flan_jax.training.train import Training

# The fields of Training that its stores depend on, and the further ones that its rows do. Two runs that differ in none
# of them (two models, say) have the same stream, which is then planned once.
STORE_FIELDS = (
  "mixture_or_task_name",
  "task_feature_lengths",
  "vocabulary",
  "data_dir",
  "store_dir",
  "missing",
  "strict",
  "module",
  "objective",
  "render_seed",
  "variants",
)
STREAM_FIELDS = (*STORE_FIELDS, "batch_size", "seed", "window")


def fields_of(training: Training, names: tuple[str, ...]) -> str:
  """The values of some fields, as text that is equal where they are."""
  return repr([getattr(training, name) for name in names])


def resolved(plan: Plan) -> Plan:
  """The plan with each run's train_steps as its budget says; its stores stand.

  Runs of `EqualSteps` and those that train nothing stay as they are.

  Raises:
    FlanJaxError: see `stream_of`.
  """
  budget = plan.sweep.budget
  if not isinstance(budget, EqualExamples):
    return plan
  stores: dict[str, list[TaskStore]] = {}
  steps: dict[str, int] = {}
  runs = []
  for run in plan.runs:
    key = fields_of(run.training, STREAM_FIELDS)
    if run.tuned and key not in steps:
      steps[key] = steps_for(run.training, budget.examples, stores)
    runs.append(of_length(run, steps[key]) if run.tuned else run)
  return dataclasses.replace(plan, runs=tuple(runs))


def steps_for(training: Training, examples: int, known: dict[str, list[TaskStore]] | None = None) -> int:
  """The fewest steps whose batches hold at least so many examples.

  So a run sees that many and less than a batch more, in the order in which it trains: rows packed from windows of
  `training.window` examples and shuffled. One window is planned after another, each once: 0.05 s for 16,384 examples.

  Args:
    known: see `stream_of`.

  Raises:
    FlanJaxError: see `stream_of`.
  """
  stream = stream_of(training, known)
  return -(-rows_of(stream, examples) // stream.batch_rows)


def stream_of(training: Training, known: dict[str, list[TaskStore]] | None = None) -> Stream:
  """The stream of a run's batches. Its stores stand, or are made; nothing is written elsewhere.

  Args:
    known: stores by the settings that they depend on, so that those of many runs are looked for once; is added to.

  Raises:
    FlanJaxError: an unknown mixture, missing files, a damaged store; see `Preparation.stores`.
  """
  known = {} if known is None else known
  vocabulary = load_vocabulary(training.vocabulary, training.data_dir)
  key = fields_of(training, STORE_FIELDS)
  if key not in known:
    known[key] = feed.preparation(training, vocabulary).stores(progress=progress.shown)
  return feed.of_stores(training, vocabulary, known[key]).stream


def rows_of(stream: Stream, examples: int) -> int:
  """How many of a stream's rows it takes to see so many examples."""
  if examples < 1:
    raise UsageError(f"{examples} examples: a run is to see at least one")
  rows = window = 0
  while True:
    plan = stream.plan(window)
    if examples <= len(plan.task):
      # Rows 0 .. r hold starts[r + 1] examples.
      return rows + int(np.searchsorted(plan.starts[1:], examples)) + 1
    rows, window, examples = rows + plan.rows, window + 1, examples - len(plan.task)


def of_length(run: PlannedRun, steps: int) -> PlannedRun:
  """The run with so many steps; a schedule that ended with it still does."""
  training, schedule = run.training, run.training.schedule
  if getattr(schedule, "total_steps", None) == training.train_steps:
    schedule = dataclasses.replace(schedule, total_steps=steps)
  return dataclasses.replace(run, training=dataclasses.replace(training, train_steps=steps, schedule=schedule))
