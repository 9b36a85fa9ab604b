"""Tables of sweeps that nobody ran, with effects that are planted: what a report says of them can be held against that.

    made_up_table({"tasks": [0, 10, 40, 160], "model": ["t5_demo_small", "t5_demo"], "seed": [0, 1, 2]})

Axes have the names that `report` knows; others change nothing, unless Effects.others says so. The same call gives the
same table; a run has the same values in a larger grid.
"""

import dataclasses
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from flan_jax.draws import hash64
from flan_jax.evaluation.intervals import mean_over_tasks, wilson
from flan_jax.evaluation.suite_runs.normalised import TERMS, normalised, normalised_average
from flan_jax.sweeps.results import table as tables
from flan_jax.sweeps.sweep import Value

# Parameters by the name of a model; computed from gin_configs/models, the three of the demo rounded.
SIZES = {
  "t5_demo_small": 420_000,
  "t5_demo": 1_050_368,
  "t5_demo_large": 3_300_000,
  "t5_1_1_small": 76_961_152,
  "t5_1_1_base": 247_577_856,
  "t5_1_1_large": 783_150_080,
  "t5_1_1_xl": 2_849_757_184,
}
# Held-out tasks by cluster, with their chance.
CLUSTERS = {
  "chains": {"reverse_last": 0.0, "first_of_sorted": 0.0, "count_odd": 0.0, "sum_of_even": 0.0},
  "kinds": {"is_kind": 0.5, "name_kind": 0.0, "find_member": 0.25},
  "odd_one_out": {"of_three": 1 / 3, "of_four": 0.25},
  "passages": {"who": 0.0, "where": 0.0, "how_many": 0.0},
}
# Suites of the normalised average: tasks with their chance by the paper's rule, and the modes.
SUITES = {
  "mmlu": ({"anatomy": 0.25, "virology": 0.25, "high_school_us_history": 0.25}, ("direct", "cot")),
  "bbh": ({"navigate": 0.5, "object_counting": 0.0, "geometric_shapes": 0.1, "word_sorting": 0.0}, ("direct", "cot")),
  "tydiqa": ({"arabic": 0.0, "bengali": 0.0, "finnish": 0.0}, ("direct",)),
  "mgsm": ({"de": 0.0, "th": 0.0, "bn": 0.0}, ("cot",)),
}
FORMATS = ("zero_shot", "few_shot", "cot")
LOSS_POINTS = 40
_STEPS, _EXAMPLES_A_STEP = 3500, 32
_GROWING = ("steps", "trained_examples", "trained_tokens", "flops", "train_seconds")


@dataclasses.dataclass(frozen=True)
class Effects:
  """What changes a task's score, in logits of the way from its chance to 1 (0.1 is some 2 points in the middle).

  Attributes:
    base: of ten tasks, at the size of t5_demo (of those called t5_1_1_*: of t5_1_1_large), with 3,000 examples a task.
    tasks: for ten times as many tasks.
    untuned: of a run that trains nothing, whatever its axes.
    model: for ten times as many parameters.
    examples_per_task: for ten times as many; those that a task has are 3,000.
    cot: of rationale-first prompts where the training has rationales, against where it has none.
    direct_of_cot: of the other prompts there.
    few_shot: of few-shot prompts where all training examples have exemplars, against none; of zero-shot prompts minus
      that.
    left_out: of a cluster's tasks where the axis `without` leaves it out.
    seeds, task: standard deviations over runs that differ in their seed alone, and over tasks.
    others: by (axis, value): {('learning_rate', 0.1): -2.0}.
  """

  base: float = -0.6
  tasks: float = 0.8
  untuned: float = -3.0
  model: float = 0.9
  examples_per_task: float = 0.1
  cot: float = 1.5
  direct_of_cot: float = 0.1
  few_shot: float = 0.5
  left_out: float = -1.2
  seeds: float = 0.1
  task: float = 0.5
  others: Mapping[tuple[str, Value], float] = dataclasses.field(default_factory=dict)


def made_up_table(
  axes: Mapping[str, Sequence[Value]],
  effects: Effects | None = None,
  *,
  name: str = "made_up",
  suites: bool = False,
  questions: int = 100,
  losses: bool = True,
  missing: Collection[str] = (),
  states: Mapping[str, str] | None = None,
  base: bool = False,
) -> pa.Table:
  """The table of a grid of these axes, as `collecting.collect` makes it.

  Args:
    suites: asks the paper's four suites (evaluation 'suites') instead of held-out tasks (evaluation 'held_out').
    questions: of a task in each format.
    losses: whether the runs that train have curves.
    missing: names of runs that are not in the table at all: 'tasks-10_seed-0'.
    states: by name of a run, where it is not 'finished': such a run has no scores, only a 'stopped' or 'running' one
      has a curve.
    base: whether there is a base checkpoint, so that untuned runs of one model are one run whatever their seed. As in a
      plan, an untuned run has no value of axes that change nothing in it.
  """
  effects, rows, seen = effects or Effects(), [], set()
  for values in itertools.product(*axes.values()):
    cell = _told(dict(zip(axes, values, strict=True)), axes, base)
    run = columns_of(name, cell, base, tuned=cell.get("tasks") != 0)
    if run["run"] in missing or (run["config"] in seen and not run["tuned"]):
      continue
    seen.add(run["config"])
    run["state"] = (states or {}).get(run["run"], "finished")
    if run["state"] != "finished":
      done = 0.4 if run["state"] in ("running", "stopped") else 0.0
      run |= {each: type(run[each])(done * run[each]) for each in _GROWING}
    found = list(_observations(run, effects, suites, questions, losses))
    rows += [{**run, **each} for each in found or [{}]]
  return tables.from_rows(rows, axes)


def write_made_up(folder: Path, axes: Mapping[str, Sequence[Value]], *args: Any, **options: Any) -> pa.Table:
  """`made_up_table` in a folder, as a sweep leaves it there."""
  table = made_up_table(axes, *args, **options)
  tables.save(table, folder)
  return table


def planted(effects: Effects, axes: Mapping[str, Value], tuned: bool, variant: str, cluster: str) -> float:
  """The logit of a run's scores in a cluster, without what is drawn of its seed and task."""
  if not tuned:
    return effects.untuned
  reasons = variant.startswith("cot")
  logit = effects.base
  logit += effects.tasks * math.log10(_number(axes.get("tasks"), 10) / 10)
  model = str(axes.get("model", "t5_demo"))
  middle = SIZES["t5_1_1_large" if model.startswith("t5_1_1") else "t5_demo"]
  logit += effects.model * math.log10(SIZES.get(model, middle) / middle)
  logit += effects.examples_per_task * math.log10(_number(axes.get("examples_per_task"), 3000) / 3000)
  with_rationales = axes.get("cot", True)
  logit += (effects.cot if reasons else effects.direct_of_cot) * (0.5 if with_rationales else -0.5)
  share = float(axes.get("few_shot", 0.5))
  logit += effects.few_shot * (share - 0.5) * {"few_shot": 1, "zero_shot": -1}.get(variant, 0)
  logit += effects.left_out if axes.get("without") == cluster else 0.0
  return logit + sum(effects.others.get(each, 0.0) for each in axes.items())


def _number(value: Value, otherwise: float) -> float:
  return float(value) if value else otherwise


def _told(cell: dict[str, Value], axes: Mapping[str, Sequence[Value]], base: bool) -> dict[str, Value]:
  """The values of a run, None of an axis that changes nothing where nothing is trained."""
  if cell.get("tasks") != 0:
    return cell
  matters = ("model", "tasks") if base else ("model", "tasks", "seed")
  return {axis: value if axis in matters or len(axes[axis]) == 1 else None for axis, value in cell.items()}


def columns_of(name: str, axes: Mapping[str, Value], base: bool, tuned: bool) -> dict[str, Any]:
  """The columns of a run, but its state."""
  shown = {axis: value for axis, value in axes.items() if value is not None}
  model, tasks = str(axes.get("model", "t5_demo")), int(axes.get("tasks", 100)) if tuned else 0
  examples = tasks * int(_number(axes.get("examples_per_task"), 3000))
  trained = _STEPS * _EXAMPLES_A_STEP if tuned else 0
  size = SIZES.get(model, SIZES["t5_demo"])
  seconds = _STEPS / 44 * size / SIZES["t5_demo"] if tuned else 0.0
  return {
    "sweep": name,
    "score": None,
    "run": "_".join(f"{axis}-{value}" for axis, value in shown.items()),
    **{f"axis.{axis}": value for axis, value in axes.items()},
    "tuned": tuned,
    "seed": int(axes.get("seed") or 0),
    "config": f"{hash64('config', *(f'{key}={value}' for key, value in sorted(shown.items()))):016x}",
    "model": model,
    "parameters": size,
    "mixture": f"demo(tasks={tasks})" if tuned else None,
    "tasks": tasks,
    "examples": examples,
    "tokens_per_example": 36.5 if tuned else None,
    "cot_share": (0.2 if axes.get("cot", True) else 0.0) if tuned else None,
    "few_shot_share": float(axes.get("few_shot", 0.5)) if tuned else None,
    "initial_checkpoint": f"gs://bases/{model}" if base else None,
    "train_steps": _STEPS if tuned else 0,
    "steps": _STEPS if tuned else 0,
    "trained_examples": trained,
    "trained_tokens": round(trained * 36.5),
    "flops": 6.0 * size * trained * 36.5,
    "pretraining_flops": 6.0 * size * 1e9 if base else None,
    "train_seconds": seconds,
    "evaluate_seconds": 12.0,
    "device": "cpu",
    "devices": 1,
  }


def _observations(
  run: Mapping[str, Any], effects: Effects, suites: bool, questions: int, losses: bool
) -> Iterator[dict[str, Any]]:
  axes = {column[5:]: value for column, value in run.items() if column.startswith("axis.")}
  if losses and run["tuned"] and run["state"] in ("finished", "running", "stopped"):
    yield from _losses(run, planted(effects, axes, True, "zero_shot", ""))
  if run["state"] != "finished":
    return
  asked = {**SUITES} if suites else {"demo_held_out": (None, FORMATS)}
  terms = {}
  for suite, (tasks, modes) in asked.items():
    clusters = {"": tasks} if suites else CLUSTERS
    for mode in modes:
      scored = [
        _task(run, axes, effects, suite, mode, cluster, task, chance, questions)
        for cluster, of_cluster in clusters.items()
        for task, chance in of_cluster.items()
      ]
      yield from scored
      yield from _averages(scored, clusters)
      if suites:
        term = sum(normalised(row["value"], row["chance"]) for row in scored) / len(scored)
        terms[suite, mode] = term
        yield {**_same(scored), "metric": "normalised", "value": term}
  if suites:
    about = {"quantity": "score", "evaluation": "suites", "suite": "", "cluster": "", "task": "", "variant": ""}
    average = normalised_average({term: terms[term] for term in TERMS}).value
    yield {**about, "metric": "normalised_average", "step": run["steps"], "value": average}


def _task(
  run: Mapping[str, Any],
  axes: Mapping[str, Value],
  effects: Effects,
  suite: str,
  variant: str,
  cluster: str,
  task: str,
  chance: float,
  questions: int,
) -> dict[str, Any]:
  """A task's row: right answers are drawn with the probability that is planted."""
  logit = planted(effects, axes, run["tuned"], variant, cluster)
  logit += effects.task * _normal("task", suite, task) + effects.seeds * _normal("run", run["config"])
  logit += 0.5 * effects.seeds * _normal("run and task", run["config"], task)
  share = chance + (1 - chance) / (1 + math.exp(-logit))
  right = int(_generator("answers", run["config"], suite, variant, task).binomial(questions, share))
  low, high = wilson(right, questions)
  return {
    "quantity": "score",
    "evaluation": "held_out" if suite == "demo_held_out" else "suites",
    "suite": suite,
    "split": None if suite != "demo_held_out" else "seen" if axes.get("without", cluster) != cluster else "held_out",
    "cluster": cluster,
    "task": task,
    "variant": variant,
    "metric": "exact_match",
    "step": run["steps"],
    "value": right / questions,
    "n": questions,
    "low": low,
    "high": high,
    "chance": chance,
    "no_answer": 0.01,
  }


def _averages(scored: Sequence[Mapping[str, Any]], clusters: Collection[str]) -> Iterator[dict[str, Any]]:
  """Over clusters and over all, of each split."""
  for split in dict.fromkeys(row["split"] for row in scored):
    for cluster in (*(each for each in clusters if each), ""):
      some = [row for row in scored if row["split"] == split and cluster in ("", row["cluster"])]
      if some:
        counts = [(round(row["value"] * row["n"]), row["n"]) for row in some]
        low, high = mean_over_tasks(counts, draws=200)
        figures = {name: sum(row[name] for row in some) / len(some) for name in ("value", "chance", "no_answer")}
        total = sum(row["n"] for row in some)
        yield {**_same(some), "cluster": cluster, **figures, "n": total, "low": low, "high": high}


def _same(some: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  """What an average has in common with its tasks."""
  names = ("quantity", "evaluation", "suite", "split", "variant", "metric", "step")
  return {**{name: some[0][name] for name in names}, "cluster": "", "task": ""}


def _losses(run: Mapping[str, Any], logit: float) -> Iterator[dict[str, Any]]:
  """Curves from ln(1024) down to a loss that is lower where scores are higher; that of unseen tasks is the highest."""
  noise = _generator("losses", run["config"])
  done = 1.0 if run["state"] == "finished" else 0.4
  for quantity, above, points in (("loss", 0.0, LOSS_POINTS), ("held_out_loss", 0.05, 7), ("unseen_loss", 0.6, 7)):
    last = math.exp(-0.5 * logit) * 0.5 + above
    for share in np.linspace(1 / points, 1, points):
      value = last + (math.log(1024) - last) * math.exp(-8 * share) + 0.02 * noise.standard_normal()
      if share <= done:
        yield {"quantity": quantity, "step": round(share * run["train_steps"]), "value": float(value)}


def _normal(*key: str) -> float:
  return float(_generator(*key).standard_normal())


def _generator(*key: str) -> np.random.Generator:
  return np.random.default_rng(hash64("made up sweep", *key))
