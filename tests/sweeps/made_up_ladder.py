"""The table of a sweep of controls that nobody ran, asked on every rung of a ladder, with levels that are planted.

    made_up_ladder({"control": CONTROLS, "seed": [0, 1, 2]})

The tasks of the first two rungs are the same; those of the others are of clusters of their own.
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flan_jax.draws import hash64
from flan_jax.evaluation.intervals import wilson
from flan_jax.evaluation.suite_runs.normalised import normalised as corrected
from flan_jax.sweeps.report.reading import CORRECTED, SWAP, VALID
from flan_jax.sweeps.results import table as tables
from flan_jax.sweeps.sweep import Value
from tests.sweeps.made_up_sweep import columns_of

CONTROLS = ("untuned", "tuned", "none", "shuffled", "random", "no_cot", "ceiling")
_TRAINED = {"chains": 6, "kinds": 4, "sums": 4, "facts": 4, "nli": 4}
# Of each evaluation its clusters with how many tasks they have.
EVALUATIONS = {
  "new_examples": _TRAINED,
  "new_wordings": _TRAINED,
  "new_compositions": {"new_chains": 8},
  "dev": {"opposites": 6, "calendar": 6},
  "final": {"grammar": 6, "records": 6},
  "deep": {"deep_chains": 6},
}
LADDER = tuple(EVALUATIONS)[:-1]
VARIANTS = ("zero_shot", "few_shot", "cot", "continuation")


@dataclasses.dataclass(frozen=True)
class Levels:
  """Logits of the way from chance to all right, zero-shot unless something else is said.

  Attributes:
    tuned: by evaluation.
    base, continued: of the base, on prompts as the tuned get them and on those of a narrative.
    ceiling: of what was tuned on everything.
    controls: what a control changes on tasks that were not trained on.
    reasons: what reasoning first changes, by evaluation, where training has rationales; without them nothing is right.
    cluster, task, seeds: standard deviations over clusters, tasks and runs.
  """

  tuned: Mapping[str, float] = dataclasses.field(
    default_factory=lambda: dict(zip(EVALUATIONS, (3.5, 2.8, 1.2, 0.2, 0.0, -2.5), strict=True))
  )
  base: float = -4.0
  continued: float = -1.8
  ceiling: float = 3.0
  controls: Mapping[str, float] = dataclasses.field(
    default_factory=lambda: {"none": -1.5, "shuffled": -1.2, "random": -2.5, "no_cot": 0.0}
  )
  reasons: Mapping[str, float] = dataclasses.field(default_factory=lambda: {"new_compositions": 1.0, "deep": 2.0})
  cluster: float = 0.2
  task: float = 0.3
  seeds: float = 0.1


def made_up_ladder(
  axes: Mapping[str, Sequence[Value]],
  levels: Levels | None = None,
  *,
  name: str = "controls",
  base: bool = True,
  questions: int = 40,
  missing: Collection[str] = (),
  evaluations: Collection[str] = tuple(EVALUATIONS),
) -> pa.Table:
  """The table of a grid with an axis `control`, as `collecting.collect` makes it.

  Args:
    base: whether there is a base checkpoint; else untuned runs are of random parameters, one a seed.
    missing: names of runs without any score.
    evaluations: those that were made.
  """
  levels, rows, untuned = levels or Levels(), [], False
  for values in itertools.product(*axes.values()):
    cell = dict(zip(axes, values, strict=True))
    if cell.get("control") == "untuned" and base:
      if untuned:
        continue
      untuned, cell = True, {axis: value if axis == "control" else None for axis, value in cell.items()}
    run = columns_of(name, cell, base, tuned=cell.get("control") != "untuned")
    run |= {"score": "dev/zero_shot", "state": "failed" if run["run"] in missing else "finished"}
    if cell.get("control") == "random":
      run["initial_checkpoint"] = run["pretraining_flops"] = None
    found = [] if run["run"] in missing else list(_observations(run, cell.get("control", "tuned"), levels, questions))
    rows += [{**run, **each} for each in found if each["evaluation"] in evaluations] or [run]
  return tables.from_rows(rows, axes)


def tasks_of(evaluation: str) -> list[tuple[str, str, float]]:
  """(cluster, task, chance) of an evaluation; every other task has two choices."""
  return [
    (cluster, f"demo.{cluster}_{number}", 0.5 if number % 2 else 0.05)
    for cluster, count in EVALUATIONS[evaluation].items()
    for number in range(count)
  ]


def planted(levels: Levels, evaluation: str, control: str, variant: str) -> float:
  """The logit of a run's score, without what is drawn."""
  seen = evaluation in ("new_examples", "new_wordings")
  if control == "untuned":
    return levels.continued if variant == "continuation" else levels.base
  logit = levels.ceiling if control == "ceiling" and not seen else levels.tuned[evaluation]
  logit += 0.0 if seen else levels.controls.get(control, 0.0)
  if variant == "cot":
    logit += -8.0 if control == "no_cot" else levels.reasons.get(evaluation, 0.0)
  return logit


def _observations(run: Mapping[str, Any], control: str, levels: Levels, questions: int) -> Iterator[dict[str, Any]]:
  for evaluation in EVALUATIONS:
    for variant in VARIANTS if evaluation != "new_wordings" else VARIANTS[:1]:
      for metric in ("accuracy", *((VALID, SWAP) if variant == VARIANTS[0] else ())):
        scored = list(_tasks(run, control, levels, evaluation, variant, metric, questions))
        yield from (*scored, _average(scored))
        if metric == "accuracy":
          above = [_corrected(row) for row in scored]
          yield from (*above, _average(above))


def _average(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  mean = {name: sum(row[name] for row in rows) / len(rows) for name in ("value", "low", "high", "chance")}
  return {**rows[0], **mean, "cluster": "", "task": ""}


def _corrected(row: Mapping[str, Any]) -> dict[str, Any]:
  moved = {name: corrected(row[name], row["chance"]) for name in ("value", "low", "high")}
  return {**row, **moved, "metric": CORRECTED, "chance": 0.0}


def _tasks(
  run: Mapping[str, Any], control: str, levels: Levels, evaluation: str, variant: str, metric: str, questions: int
) -> Iterator[dict[str, Any]]:
  trained = run["tuned"] and (evaluation in LADDER[:2] or control == "ceiling")
  logit = planted(levels, evaluation, control, variant) + levels.seeds * _normal("run", run["config"])
  answers = np.random.default_rng(hash64("answers", run["config"], evaluation, variant, metric))
  for cluster, task, chance in tasks_of(evaluation):
    own = levels.cluster * _normal("cluster", cluster) + levels.task * _normal("task", task)
    right = 1 / (1 + math.exp(-logit - own))
    share = {"accuracy": chance + (1 - chance) * right, VALID: right**0.2, SWAP: right**2}[metric]
    count = int(answers.binomial(questions, share))
    low, high = wilson(count, questions)
    yield {
      "quantity": "score",
      "evaluation": evaluation,
      "rung": LADDER.index(evaluation) + 1 if evaluation in LADDER else None,
      "suite": f"demo_{evaluation}",
      "split": "seen" if trained else "held_out",
      "cluster": cluster,
      "task": task,
      "variant": variant,
      "metric": metric,
      "step": run["steps"],
      "value": count / questions,
      "n": questions,
      "low": low,
      "high": high,
      "chance": chance if metric == "accuracy" else 0.0,
      "no_answer": 0.01,
    }


@functools.cache
def _normal(*key: str) -> float:
  return float(np.random.default_rng(hash64("made up ladder", *key)).standard_normal())
