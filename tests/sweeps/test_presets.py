"""Presets as experiments: runs differ in their axes alone, subsets are nested, what is held out is never trained on."""

import dataclasses
import functools
import itertools
import pathlib

import pytest

from flan_jax import configuration
from flan_jax.data import mixture_functions, mixtures, related_clusters, sources, specs, splits
from flan_jax.sweeps import planning
from flan_jax.sweeps.sweep import EqualExamples

PRESETS = configuration.config_names("sweeps")
DEMOS = [name for name in PRESETS if name.startswith("demo_")]
# What an axis may change in a run's settings, beside model_dir. `seed` chooses tasks where a sweep samples them.
CHANGES = {
  "rate": {"learning_rate"},
  "tasks": {"mixture_or_task_name"},
  "examples_per_task": {"mixture_or_task_name"},
  "cot": {"mixture_or_task_name"},
  "few_shot": {"mixture_or_task_name"},
  "without": {"mixture_or_task_name"},
  "way": {"mixture_or_task_name"},
  "control": {"mixture_or_task_name", "initial_checkpoint_path"},  # one of them
  "model": {"model"},
  "seed": {"seed"},
}
SAMPLED = {"demo_num_tasks", "demo_model_size", "flan2022_num_tasks"}


@functools.cache
def plan_of(name, quick=False):
  return planning.load(name, folder=pathlib.Path("/nowhere"), quick=quick)


def test_every_experiment_is_there_in_both_sizes():
  experiments = {"num_tasks", "model_size", "cot", "examples_per_task", "formats", "clusters"}
  both = {f"{size}_{each}" for size in ("demo", "flan2022") for each in experiments}
  assert both | {"demo_controls", "demo_learning_rate", "demo_three_ways"} == set(PRESETS)
  for each in experiments:
    small, large = (plan_of(f"{size}_{each}").sweep for size in ("demo", "flan2022"))
    assert [axis.name for axis in small.axes] == [axis.name for axis in large.axes]
    assert (small.name, large.name) == (f"demo_{each}", f"flan2022_{each}")


@pytest.mark.parametrize("name", PRESETS)
def test_runs_differ_in_their_axes_alone(name):
  plan = plan_of(name)
  budget = {"train_steps", "schedule"} if isinstance(plan.sweep.budget, EqualExamples) else set()
  for one, other in itertools.combinations([run for run in plan.runs if run.tuned], 2):
    axes = {axis for axis in one.axes if one.axes[axis] != other.axes[axis]}
    allowed = {"model_dir"} | budget | {setting for axis in axes for setting in CHANGES[axis]}
    if "seed" in axes and name in SAMPLED:
      allowed.add("mixture_or_task_name")
    if "model" in axes and name == "flan2022_model_size":  # as published, each size for steps of its own
      allowed |= {"train_steps", "initial_checkpoint_path"}
    differing = {
      field.name
      for field in dataclasses.fields(one.training)
      if getattr(one.training, field.name) != getattr(other.training, field.name)
    }
    assert differing <= allowed, (one.name, other.name)
    assert all(differing & CHANGES[axis] for axis in axes), (one.name, other.name)


@pytest.mark.parametrize("name", DEMOS)
def test_quick_is_one_wave_of_fewer_runs_on_the_same_axes(name):
  whole, quick = plan_of(name).sweep, plan_of(name, quick=True)
  assert [axis.name for axis in quick.sweep.axes] == [axis.name for axis in whole.axes]
  assert 2 <= sum(run.tuned for run in quick.runs) <= 4  # on four cores
  steps = {run.training.train_steps for run in quick.runs if run.tuned}
  assert max(steps) < min(run.training.train_steps for run in plan_of(name).runs if run.tuned)
  seeds = {run.axes["seed"] for run in plan_of(name).runs if run.tuned}
  assert seeds == {0, 1, 2}


@pytest.mark.parametrize("name", [name for name in DEMOS if name != "demo_clusters"])
def test_what_is_held_out_is_trained_on_by_no_run_but_the_ceiling_and_the_one_of_a_single_task(name):
  held_out = _clusters("demo_held_out") | _clusters("demo_deep")
  for run in (run for run in plan_of(name).runs if run.tuned):
    trained = _clusters(run.training.mixture_or_task_name)
    if run.axes.get("control") == "ceiling":
      assert trained == _clusters("demo") | held_out
    elif run.axes.get("way") == "finetune_one":
      assert _tasks(run) == mixtures.get_mixture(plan_of(name).sweep.evaluations[0].mixture).tasks
      assert trained <= _clusters("demo_final")
    else:
      assert not trained & held_out


def test_each_unit_of_the_demo_is_left_out_once():
  runs = [run for run in plan_of("demo_clusters").runs if run.tuned and run.axes["seed"] == 0]
  left_out = [_clusters("demo_all") - _clusters(run.training.mixture_or_task_name) for run in runs]
  assert left_out[0] == set()  # the ceiling
  for unit in left_out[1:]:
    leaving = [{name for _, name in related_clusters.leaving_with((f"demo.{cluster}",))} for cluster in unit]
    assert all(each == unit for each in leaving)
  assert sum(map(len, left_out)) == len(_clusters("demo_all"))


def test_demo_subsets_are_nested_within_a_seed_and_others_with_another():
  runs = [run for run in plan_of("demo_num_tasks").runs if run.tuned]
  of_seed = {seed: [set(_tasks(run)) for run in runs if run.axes["seed"] == seed] for seed in (0, 1, 2)}
  for subsets in of_seed.values():
    assert [len(tasks) for tasks in subsets] == [4, 16, 64, 256]
    assert all(few < more for few, more in itertools.pairwise(subsets))
  assert of_seed[0][1] != of_seed[1][1] != of_seed[2][1]
  sizes = [run for run in plan_of("demo_model_size").runs if run.axes["tasks"] == 16]
  assert len(sizes) == 9  # three sizes, three seeds: the tasks are the other sweep's
  assert all(set(_tasks(run)) == of_seed[run.axes["seed"]][1] for run in sizes)


def test_every_demo_task_has_the_examples_that_all_are_to_have():
  limits = {mixture_functions.parse(run.training.mixture_or_task_name).max_per_task for run in _demo_runs()}
  for task in mixtures.get_mixture("demo").tasks[::7]:  # all of them have, which takes four seconds of CPU
    assert len(splits.split(sources.open_source(specs.get_task(task), None)).train) >= max(limits)


def test_flan2022_takes_submixtures_in_the_order_of_the_paper():
  order = ["cot", "muffin", "t0_sf", "niv2"]
  for run in plan_of("flan2022_num_tasks").runs:
    asked = mixture_functions.parse(run.training.mixture_or_task_name)
    if not run.tuned:
      assert run.checkpoint.endswith("t5_1_1_lm100k_xl/checkpoint_1100000")
      continue
    assert asked.base == "flan2022_a"
    assert list(asked.parts) == order[: {9: 1, 89: 2, 282: 3}.get(run.axes["tasks"], 4)]
    assert (asked.tasks, asked.seed) == ((682, 0) if run.axes["tasks"] == 682 else (None, None))


def test_flan2022_sizes_train_as_flan_t5_does():
  for run in plan_of("flan2022_model_size").runs:
    size = run.axes["model"].rpartition("_")[2]
    assert run.training.initial_checkpoint_path.endswith(f"lm100k_{size}/checkpoint_1100000")
    if run.tuned:
      published = _published(size, run)
      assert dataclasses.replace(run.training, seed=published.seed) == published


def _published(size, run):
  """runs/flan_t5_SIZE.gin with the places of a run."""
  places = {name: getattr(run.training, name) for name in ("model_dir", "initial_checkpoint_path")}
  configuration.parse(
    configuration.lines(
      gin_files=[f"gin_configs/runs/flan_t5_{size}.gin"],
      bindings=[f"MODEL_DIR={places['model_dir']}", f"INITIAL_CHECKPOINT_PATH={places['initial_checkpoint_path']}"],
    )
  )
  return configuration.build()


def _clusters(mixture):
  return {specs.get_task(task).cluster for task in mixtures.get_mixture(mixture).tasks}


def _tasks(run):
  return mixtures.get_mixture(run.training.mixture_or_task_name).tasks


def _demo_runs():
  return [run for name in DEMOS for run in plan_of(name).runs if run.tuned]
