"""Leave-one-out: each cluster of tasks by runs that were trained without it, with it, and not at all."""

import dataclasses
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from flan_jax.data import related_clusters
from flan_jax.errors import first_of
from flan_jax.sweeps.report import published_points
from flan_jax.sweeps.report.axes import CLUSTERS_AXIS, UNTUNED
from flan_jax.sweeps.report.claims import claim
from flan_jax.sweeps.report.figure import Figure, Finding, Panel, Point, Series
from flan_jax.sweeps.report.notes import of_bases, of_missing_runs
from flan_jax.sweeps.report.reading import Measure, Reading, Run, TaskScore
from flan_jax.sweeps.report.statistics import Cell, Estimate, Sample
from flan_jax.sweeps.report.words import NOT_PRETRAINED, counted, finding, percent, with_interval

LEFT_OUT, TRAINED = "left out", "trained on"
_WAYS = (LEFT_OUT, TRAINED, UNTUNED)
# [way][cluster][seed] -> a score a task of the cluster, in one order.
_Scores = Mapping[str, Mapping[str, Mapping[int | None, list[TaskScore]]]]


def cluster_figure(reading: Reading) -> Figure | None:
  """The figure of the axis that leaves clusters out; None where no run left one out whose tasks were asked."""
  runs = [run for run in reading.runs if CLUSTERS_AXIS in run.axes]
  found = {measure: _by_cluster(reading, measure, runs) for measure in reading.measures if measure.mixture}
  found = {measure: scores for measure, scores in found.items() if scores[LEFT_OUT]}
  if not found:
    return None
  measure = max(found, key=lambda each: len(found[each][LEFT_OUT]))
  scores = found[measure]
  clusters = sorted(scores[LEFT_OUT])
  ways = [way for way in _WAYS if scores[way]]
  return Figure(
    name="clusters",
    title="Clusters left out of training",
    panels=[
      Panel(
        _series(scores, clusters, ways),
        "cluster",
        measure.score,
        f"{measure.label[0].upper()}{measure.label[1:]}, a cluster at a time",
        x_scale="category",
        categories=tuple(clusters),
      ),
      published_points.by_clusters(),
      published_points.without_sources(),
    ],
    findings=_findings(scores, clusters, measure, all(run.pretrained for run in runs)),
    notes=[*_notes(scores, clusters), *of_bases(runs, reading), *of_missing_runs(runs, reading)],
  )


def _by_cluster(reading: Reading, measure: Measure, runs: Sequence[Run]) -> _Scores:
  """What each way scores on the clusters that some run left out, by seed."""
  scored = reading.scores[measure]
  left = defaultdict(set)  # cluster -> tasks that its runs left out
  for run in runs:
    if run.tuned:
      for task, score in scored.get(run.key, {}).items():
        if score.split == "held_out" and _is_of(score.cluster, run.axes[CLUSTERS_AXIS]):
          left[score.cluster].add(task)
  rows: dict[str, dict[str, dict[int | None, list[list[TaskScore]]]]]
  rows = {way: defaultdict(lambda: defaultdict(list)) for way in _WAYS}
  for cluster, tasks in left.items():
    for run in runs:
      of_run = scored.get(run.key, {})
      if all(task in of_run for task in tasks):
        some = [of_run[task] for task in sorted(tasks)]
        if way := _way(run, some, cluster):
          rows[way][cluster][run.seed].append(some)
  return {
    way: {cluster: {seed: _mean(several) for seed, several in seeds.items()} for cluster, seeds in of_way.items()}
    for way, of_way in rows.items()
  }


def _is_of(cluster: str, value: object) -> bool:
  """Whether the axis' value names the cluster, 'nli' or with its collection 'flan2021.nli', or its group."""
  if not isinstance(value, str) or not cluster:
    return False
  group = {name for _, name in related_clusters.of_group(value)}
  return cluster in (value, value.rpartition(".")[2], *group)


def _way(run: Run, scores: Sequence[TaskScore], cluster: str) -> str | None:
  if not run.tuned:
    return UNTUNED
  if _is_of(cluster, run.axes[CLUSTERS_AXIS]):
    return LEFT_OUT
  return TRAINED if all(score.split == "seen" for score in scores) else None


def _mean(several: Sequence[Sequence[TaskScore]]) -> list[TaskScore]:
  """Of runs of one seed that were trained on the cluster: they left out none, or others."""
  return [
    dataclasses.replace(scores[0], value=statistics.fmean(score.value for score in scores))
    for scores in zip(*several, strict=True)
  ]


def _series(scores: _Scores, clusters: Sequence[str], ways: Sequence[str]) -> list[Series]:
  points: dict[str, list[Point]] = defaultdict(list)
  for cluster in clusters:
    there = [way for way in ways if scores[way].get(cluster)]
    sample = Sample([_cell(scores[way][cluster].values(), way) for way in there])
    for way, weights in zip(there, np.eye(len(there)), strict=True):
      mean = sample.estimate(weights).within(0.0, 1.0)
      seeds, tasks = scores[way][cluster], next(iter(scores[way][cluster].values()))
      told = f"{cluster}, {way}: {percent(mean.value)}"
      told += f"\n{counted(len(tasks), 'task')}, {counted(len(seeds), 'seed')}"
      points[way].append(Point(cluster, mean.value, mean.low, mean.high, told))
  return [Series(way, points[way], joined=False) for way in ways]


def _cell(seeds: Iterable[Sequence[TaskScore]], way: str) -> Cell:
  rows = list(seeds)
  values = np.array([[score.value for score in row] for row in rows])
  return Cell(values, np.array([score.n for score in rows[0]], dtype=float), trained=way != UNTUNED)


def _findings(scores: _Scores, clusters: Sequence[str], measure: Measure, pretrained: bool) -> list[Finding]:
  of = claim("clusters", "unseen_clusters")
  found = []
  for before, after, what, held_against in (
    (UNTUNED, LEFT_OUT, "Tuned on the other clusters instead of untuned", of),
    (LEFT_OUT, TRAINED, "With the cluster itself among those trained on instead of left out", None),
  ):
    both = [cluster for cluster in clusters if scores[before].get(cluster) and scores[after].get(cluster)]
    if both:
      effect, means = _difference(scores, both, before, after)
      text = f"{what}, the score on {measure.label}, averaged over {counted(len(both), 'cluster')}, changes from"
      text = f"{text} {percent(means[0])} to {percent(means[1])}, {with_interval(effect)}."
      if held_against and max(len(scores[after][cluster]) for cluster in both) == 1:
        text = f"{text} This is of one seed each."
      unfit = "One cluster says nothing of others." if len(both) == 1 else ""
      found.append(finding(text, effect, held_against, unfit=unfit if pretrained else NOT_PRETRAINED))
    elif held_against:
      found.append(finding("Nothing to compare: no untuned run was asked these clusters.", None, held_against))
  return [*found, *_above_chance(scores, clusters)]


def _difference(
  scores: _Scores, clusters: Sequence[str], before: str, after: str
) -> tuple[Estimate, tuple[float, float]]:
  """The change of the mean over clusters, which are drawn as tasks are elsewhere."""
  sample = Sample([_over_clusters(scores[way], clusters, way) for way in (before, after)])
  return sample.estimate([-1.0, 1.0]).within(-1.0, 1.0), (float(sample.means[0]), float(sample.means[1]))


def _over_clusters(of_way: Mapping[str, Mapping], clusters: Sequence[str], way: str) -> Cell:
  """A row a seed that all clusters have; without such one row, of means over the seeds that there are."""
  shared = set.intersection(*(set(of_way[cluster]) for cluster in clusters))
  means = {
    cluster: {seed: statistics.fmean(score.value for score in row) for seed, row in of_way[cluster].items()}
    for cluster in clusters
  }
  rows = [[means[cluster][seed] for cluster in clusters] for seed in sorted(shared, key=str)]
  rows = rows or [[statistics.fmean(means[cluster].values()) for cluster in clusters]]
  asked = [sum(score.n for score in next(iter(of_way[cluster].values()))) for cluster in clusters]
  return Cell(np.array(rows), np.array(asked, dtype=float), trained=way != UNTUNED)


def _above_chance(scores: _Scores, clusters: Sequence[str]) -> list[Finding]:
  """Of left-out clusters, against guessing among their options; nothing where a task has no known chance."""
  tasks = [score for cluster in clusters for row in scores[LEFT_OUT][cluster].values() for score in row]
  if any(score.chance is None for score in tasks):
    return []
  guessed = {
    cluster: {seed: [TaskScore(score.chance) for score in row] for seed, row in scores[LEFT_OUT][cluster].items()}
    for cluster in clusters
  }
  effect, means = _difference({**scores, UNTUNED: guessed}, clusters, UNTUNED, LEFT_OUT)
  text = (
    f"Left-out clusters score {percent(means[1])} where guessing scores {percent(means[0])}, {with_interval(effect)}"
  )
  return [finding(f"{text}, averaged over {counted(len(clusters), 'cluster')}.", effect, None)]


def _notes(scores: _Scores, clusters: Sequence[str]) -> list[str]:
  seeds = [len(scores[LEFT_OUT][cluster]) for cluster in clusters]
  notes = ["Intervals of points are over a cluster's tasks, those of the sentences over clusters."]
  if max(seeds) == 1:
    notes.append("One seed each: what another seed would change is not in the intervals, so they are too narrow.")
  elif min(seeds) < max(seeds):
    notes.append(f"{min(seeds)} to {max(seeds)} seeds a cluster.")
  if lacking := [cluster for cluster in clusters if not scores[TRAINED].get(cluster)]:
    notes.append(f"No run that was trained on it was asked: {first_of(lacking)}.")
  if not any(scores[UNTUNED].values()):
    notes.append("No untuned run: what tuning on other clusters changes is not measured here.")
  return notes
