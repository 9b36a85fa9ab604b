"""Equal examples: the steps of a run follow from the rows that its own stream really gives."""

import dataclasses

import pytest

from flan_jax.data.mixtures import get_mixture
from flan_jax.data.objectives import PrefixLM
from flan_jax.data.prepare import prepare
from flan_jax.data.stream import Position
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.sweeps import budgets
from flan_jax.sweeps.plan import Plan, PlannedRun
from flan_jax.sweeps.sweep import Axis, EqualExamples, EqualSteps, Evaluation, Sweep
from flan_jax.training.schedules import WarmupLinear
from tests.training.toy_run import LENGTHS, prepare_toy, toy_run

TWO = "demo(tasks=2)"


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
  """The toy task, and two tasks."""
  folder = tmp_path_factory.mktemp("stores")
  prepare_toy(folder)
  vocabulary = load_vocabulary("demo")
  prepare(get_mixture(TWO), data_dir=None, vocabulary=vocabulary, lengths=LENGTHS, store_dir=folder, processes=1)
  return folder


def sweep_of(budget: EqualSteps | EqualExamples) -> Sweep:
  return Sweep(
    name="toy",
    axes=[Axis(name="seed", values=[0, 1])],
    evaluations=[Evaluation(name="held_out", mixture="demo_held_out")],
    score="held_out/zero_shot",
    budget=budget,
  )


def walked(training, examples: int) -> int:
  """Steps until the batches, read one by one, hold so many examples."""
  stream, position, seen, steps = budgets.stream_of(training), Position(), 0, 0
  while seen < examples:
    batch, position = stream.batch(position)
    seen += int(batch["decoder_segment_ids"].max(axis=1).sum())
    steps += 1
  return steps


@pytest.mark.parametrize("settings", [{}, {"seed": 3, "batch_size": 3}, {"mixture_or_task_name": TWO, "window": 100}])
@pytest.mark.parametrize("examples", [1, 43, 44, 500])
def test_steps_hold_the_examples_and_one_less_does_not(stores, tmp_path, settings, examples):
  """Within the first window, at its end, just behind it, and far into the later ones."""
  training = toy_run(tmp_path / "run", stores, 1, **settings)
  assert budgets.steps_for(training, examples) == walked(training, examples)
  assert not (tmp_path / "run").exists()


def test_an_objective_makes_other_rows_and_so_other_steps(tmp_path):
  training = toy_run(tmp_path / "run", tmp_path, 1, objective=PrefixLM())
  assert budgets.steps_for(training, 300) == walked(training, 300)


def test_all_runs_of_a_sweep_train_on_as_many_examples(stores, tmp_path):
  """Two mixtures, of which one has longer examples and so needs more rows; a schedule ends with its run."""
  mixtures = {"one": "demo.number_smallest", "two": TWO}
  schedule = WarmupLinear(warmup_steps=2, total_steps=7)
  runs = [
    PlannedRun(
      name, {"mixture": name}, toy_run(tmp_path / name, stores, 7, mixture_or_task_name=each, schedule=schedule)
    )
    for name, each in mixtures.items()
  ]
  untuned = dataclasses.replace(runs[0], name="untuned", tuned=False)
  plan = budgets.resolved(Plan(sweep_of(EqualExamples(400)), tmp_path, (*runs, untuned)))
  for before, after in zip(runs, plan.runs, strict=False):
    assert after.training.train_steps == after.training.schedule.total_steps == walked(before.training, 400)
  assert plan.runs[2] == untuned
  assert plan.runs[0].training.train_steps != plan.runs[1].training.train_steps


def test_equal_steps_change_nothing(tmp_path):
  """Not even stores are looked for: there are none here, nor such a mixture."""
  training = toy_run(tmp_path / "run", tmp_path, 7, mixture_or_task_name="none.such")
  plan = Plan(sweep_of(EqualSteps()), tmp_path, (PlannedRun("seed-0", {"seed": 0}, training),))
  assert budgets.resolved(plan) == plan


def test_no_examples_are_no_run(stores, tmp_path):
  with pytest.raises(UsageError, match="at least one"):
    budgets.steps_for(toy_run(tmp_path, stores, 1), 0)
