"""A table of one sweep or several as runs, what was measured of them, and each run's scores."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute

from flan_jax.evaluation.held_out.rows import FORMATS
from flan_jax.evaluation.suite_runs.normalised import TERMS, normalised
from flan_jax.sweeps.results import columns
from flan_jax.sweeps.sweep import NORMALISED_AVERAGE, Value

AXIS = "axis."
VALID, CORRECTED, RANK, SWAP = "valid", "corrected", "rank", "swap"
# Measures of a mixture beside its accuracy, as an axis has them.
BESIDE = {
  VALID: "valid answers",
  CORRECTED: "chance-corrected accuracy",
  RANK: "accuracy of the likeliest choice",
  SWAP: "inputs right under both of two instructions",
}
DIFFERENCE = "difference"  # of two measures, task by task: a metric that no table has, see `derived`
Key = tuple[str, str]  # of a run: sweep and name
_SUITES = {"mmlu": "MMLU", "bbh": "BBH", "tydiqa": "TyDiQA", "mgsm": "MGSM"}
_MODES = {"direct": "direct prompts", "cot": "chain-of-thought prompts"}
CLUSTERS = ("dev", "final")  # what the evaluations of the two draws of held-out clusters are called
_VARIANTS = {name: f"{words} prompts" for name, words in FORMATS.items()}


@dataclasses.dataclass(frozen=True)
class Run:
  """What the table says of a run: its columns but those of observations, and its axes by name."""

  sweep: str
  name: str
  axes: Mapping[str, Value]
  facts: Mapping[str, Any]

  @property
  def key(self) -> Key:
    return self.sweep, self.name

  @property
  def tuned(self) -> bool:
    return self.facts["tuned"] is not False

  @property
  def pretrained(self) -> bool:
    """Whether it began with a checkpoint; else with random parameters."""
    return self.facts["initial_checkpoint"] is not None or self.facts["pretraining_flops"] is not None

  @property
  def seed(self) -> int | None:
    seed = self.axes.get("seed")
    return self.facts["seed"] if seed is None else seed


@dataclasses.dataclass(frozen=True)
class Measure:
  """One kind of score: of all its tasks, asked in one way. `suite` is '' for the normalised average of suites."""

  evaluation: str
  suite: str
  variant: str
  metric: str
  mixture: bool  # it is of a mixture's held-out examples, not of a suite
  where: str = ""  # its evaluation in words, where the table has several of mixtures

  @property
  def name(self) -> str:
    """As `Sweep.score` says it."""
    return f"{self.evaluation}/{self.metric if self.metric == NORMALISED_AVERAGE else self.variant}"

  @property
  def label(self) -> str:
    """For people: 'zero-shot prompts', 'MMLU, direct prompts'."""
    if self.metric == NORMALISED_AVERAGE:
      return "normalised average"
    if self.mixture:
      return _VARIANTS.get(self.variant, self.variant) + (f" ({self.where})" if self.where else "")
    mode, _, paths = self.variant.partition("@")
    suite = _SUITES.get(self.suite, self.suite.replace("_", " "))
    return f"{suite}, {_MODES.get(mode, mode)}{f', {paths} paths' if paths else ''}"

  @property
  def format(self) -> str:
    """For people, of a mixture: 'zero-shot'."""
    return FORMATS.get(self.variant, self.variant)

  @property
  def score(self) -> str:
    """What an axis of it is called."""
    return BESIDE.get(self.metric, self.metric.replace("_", " "))

  @property
  def reasons(self) -> bool:
    """Whether its prompts ask for the reasoning first."""
    return "cot" in self.variant

  @property
  def lowest(self) -> float:
    """What it cannot fall below; above 1 none can be."""
    return 0.0 if self.bounded else -1.0 if self.metric == DIFFERENCE else -math.inf

  @property
  def bounded(self) -> bool:
    """Whether it is a share of 1; a chance-corrected score and a difference can fall below 0."""
    return self.metric not in (NORMALISED_AVERAGE, CORRECTED, DIFFERENCE)


@dataclasses.dataclass(frozen=True)
class TaskScore:
  """Of one task of one run; `n` is 0 where it is no share of so many examples."""

  value: float
  n: int = 0
  chance: float | None = None
  split: str = ""  # 'seen', 'held_out', or '' where nothing is said of it
  cluster: str = ""
  stratum: str = ""  # a mean over tasks is the sum over strata of the means within
  no_answer: float | None = None  # share of outputs in which none was found


@dataclasses.dataclass(frozen=True)
class Reading:
  """A table, taken apart.

  Attributes:
    runs: all of them, those without a score too.
    measures: those with any score, the one to look at first at the front.
    scores: by measure and run, by task.
    averages: by measure and run, what the table has as the average over all tasks.
    curves: by quantity and run, the loss by step.
    ladders: by sweep that has one, the evaluations in the order of its rungs.
    base_asked: by evaluation, the formats whose scores untuned runs have in any: see `derived`.
    base_choice: by evaluation, those of which these are the best.
    base_as_asked: by measure and untuned run, what it scores in the measure's own format.
  """

  runs: tuple[Run, ...]
  measures: tuple[Measure, ...]
  scores: Mapping[Measure, Mapping[Key, Mapping[str, TaskScore]]]
  averages: Mapping[Measure, Mapping[Key, TaskScore]]
  curves: Mapping[str, Mapping[Key, Mapping[int, float]]]
  ladders: Mapping[str, tuple[str, ...]]
  base_asked: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
  base_choice: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
  base_as_asked: Mapping[Measure, Mapping[Key, Mapping[str, TaskScore]]] = dataclasses.field(default_factory=dict)

  def base_formats(self, evaluation: str) -> str:
    """In words."""
    return " or ".join(FORMATS.get(name, name) for name in self.base_asked.get(evaluation, ()))

  def base_alone(self, evaluation: str) -> bool:
    """Whether untuned runs were asked in one usual format only, so that another one may suit them better."""
    return len(self.base_choice.get(evaluation, ())) == 1

  def base_below_its_best(self, evaluation: str) -> bool:
    """Whether untuned runs had no choice of formats here and one elsewhere: here they would stand too low beside it."""
    return self.base_alone(evaluation) and any(len(choice) > 1 for choice in self.base_choice.values())

  @property
  def of_mixtures(self) -> list[Measure]:
    """The measures of mixtures, in the order of the ladders, after these what is on none."""
    rungs = [name for ladder in self.ladders.values() for name in ladder]
    found = [measure for measure in self.measures if measure.mixture]
    return sorted(found, key=lambda each: rungs.index(each.evaluation) if each.evaluation in rungs else len(rungs))


def read(table: pa.Table) -> Reading:
  """A table as `columns` says; values that are null or NaN are not there."""
  runs = _runs(table)
  scores: dict[Measure, dict[Key, dict[str, TaskScore]]] = defaultdict(lambda: defaultdict(dict))
  averages: dict[Measure, dict[Key, TaskScore]] = defaultdict(dict)
  curves: dict[str, dict[Key, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
  last = _last_steps(rows := _rows(table))
  several = len({row["evaluation"] for row in rows if _of_mixture(row)}) > 1
  for row in rows:
    key = (row["sweep"] or "", row["run"] or "")
    if row["quantity"] != "score":
      if row["step"] is not None:
        curves[row["quantity"]][key][row["step"]] = row["value"]
    elif row["step"] == last[_place(row)] and row["metric"] != "normalised":
      measure = _measure(row, several)
      if row["task"]:
        scores[measure][key][row["task"]] = _task_score(row)
      elif not row["cluster"] and (row["split"] != "seen" or key not in averages[measure]):
        averages[measure][key] = _task_score(row)
  _add_normalised(scores, averages)
  for measure, of_runs in averages.items():
    for key, average in of_runs.items():
      if not scores[measure][key]:  # no task of it: the average is all there is to draw from
        scores[measure][key][""] = average
  measures = _ordered(scores, {run.facts["score"] for run in runs})
  return Reading(tuple(runs), measures, scores, averages, curves, _ladders(rows))


def evaluation_in_words(name: str) -> str:
  """What a report calls an evaluation.

  >>> evaluation_in_words("new_wordings"), evaluation_in_words("dev")
  ('new wordings', 'dev clusters')
  """
  return f"{name} clusters" if name in CLUSTERS else name.replace("_", " ")


def _runs(table: pa.Table) -> list[Run]:
  """In the table's order; an axis belongs to the sweeps in which it has a value anywhere."""
  facts = [name for name in columns.RUN if name in table.column_names]
  axes = [name for name in table.column_names if name.startswith(AXIS)]
  found: dict[Key, dict[str, Any]] = {}
  for row in table.select([*facts, *axes]).to_pylist():
    found.setdefault((row["sweep"] or "", row["run"] or ""), row)
  varied: dict[str, set[str]] = defaultdict(set)
  for (sweep, _), row in found.items():
    varied[sweep] |= {name for name in axes if row[name] is not None}
  return [
    Run(
      sweep,
      name,
      {axis[len(AXIS) :]: row[axis] for axis in axes if axis in varied[sweep]},
      {fact: row.get(fact) for fact in columns.RUN},
    )
    for (sweep, name), row in found.items()
  ]


def _rows(table: pa.Table) -> list[dict[str, Any]]:
  """The observations that have a value."""
  there = pa.compute.is_finite(pa.compute.fill_null(table["value"].cast(pa.float64()), math.nan))
  return table.filter(there).select(["sweep", "run", "tuned", *columns.OBSERVATION]).to_pylist()


def _place(row: Mapping[str, Any]) -> tuple[Any, ...]:
  return row["sweep"], row["run"], row["evaluation"], row["suite"], row["variant"]


def _last_steps(rows: list[dict[str, Any]]) -> dict[tuple[Any, ...], int | None]:
  """Where several checkpoints of a run were asked, the last of them is what is told."""
  last: dict[tuple[Any, ...], int | None] = {}
  for row in rows:
    if row["quantity"] == "score":
      known = last.setdefault(_place(row), row["step"])
      if known is None or (row["step"] is not None and row["step"] > known):
        last[_place(row)] = row["step"]
  return last


def _ladders(rows: Sequence[Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
  found: dict[str, dict[int, str]] = defaultdict(dict)
  for row in rows:
    if row["rung"] is not None:
      found[row["sweep"] or ""][row["rung"]] = row["evaluation"]
  return {sweep: tuple(rungs[rung] for rung in sorted(rungs)) for sweep, rungs in found.items()}


def _of_mixture(row: Mapping[str, Any]) -> bool:
  return row["split"] in ("seen", "held_out")


def _measure(row: Mapping[str, Any], several: bool) -> Measure:
  """Args: several: whether the table has several evaluations of mixtures, which are told apart by their names."""
  names = ("evaluation", "suite", "variant", "metric")
  where = evaluation_in_words(row["evaluation"]) if several and _of_mixture(row) else ""
  return Measure(*(row[name] or "" for name in names), mixture=_of_mixture(row), where=where)


def _task_score(row: Mapping[str, Any]) -> TaskScore:
  split, cluster = row["split"] or "", row["cluster"] or ""
  return TaskScore(row["value"], row["n"] or 0, row["chance"], split, cluster, no_answer=row["no_answer"])


def _add_normalised(
  scores: dict[Measure, dict[Key, dict[str, TaskScore]]], averages: Mapping[Measure, Mapping[Key, TaskScore]]
) -> None:
  """Gives the normalised average the tasks that it is made of, so that they can be drawn again.

  A task of a suite has the sum of its chance-corrected scores over the modes that count, over six; suites are strata.
  """
  for measure in [each for each in averages if each.metric == NORMALISED_AVERAGE]:
    terms = [each for each in scores if each.evaluation == measure.evaluation and (each.suite, each.variant) in TERMS]
    for key in averages[measure]:
      made = [(term, task, score) for term in terms for task, score in scores[term].get(key, {}).items()]
      if {(term.suite, term.variant) for term, _, _ in made} == set(TERMS) and len(terms) == len(TERMS):
        sums: dict[tuple[str, str], float] = defaultdict(float)
        for term, task, score in made:
          sums[term.suite, task] += normalised(score.value, min(score.chance or 0.0, 0.99)) / len(TERMS)
        scores[measure][key] = {
          f"{suite}.{task}": TaskScore(value, chance=0.0, stratum=suite) for (suite, task), value in sums.items()
        }


def _ordered(
  scores: Mapping[Measure, Mapping[Key, Mapping[str, TaskScore]]], first: Collection[str]
) -> tuple[Measure, ...]:
  """One metric of each way of asking, the one that most runs have; none of those that stand beside a score.

  Those that are the score of a sweep come first, then the normalised average, then the others as in FORMATS.
  """
  kept: dict[tuple[str, str, str], Measure] = {}
  for measure in scores:
    if any(scores[measure].values()) and measure.metric not in BESIDE:
      name = (measure.evaluation, measure.suite, measure.variant)
      if name not in kept or len(scores[measure]) > len(scores[kept[name]]):
        kept[name] = measure
  ways = [*FORMATS, "direct"]
  order = {measure: index for index, measure in enumerate(kept.values())}

  def place(measure: Measure) -> tuple[Any, ...]:
    way = ways.index(measure.variant) if measure.mixture and measure.variant in ways else order[measure]
    evaluation = [*{m.evaluation: 0 for m in order}].index(measure.evaluation)
    return measure.name not in first, measure.metric != NORMALISED_AVERAGE, evaluation, way

  return tuple(sorted(order, key=place))
