"""What a run's evaluations found, as rows of the table: results.json of both kinds."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.held_out.averages import Average, averages_by_cluster, averages_by_split
from flan_jax.evaluation.held_out.rows import MEASURES, Row
from flan_jax.sweeps.plan import PlannedRun
from flan_jax.sweeps.results import headline


def observations(run: PlannedRun, evaluation: str, step: int | None) -> list[dict[str, Any]]:
  """The scores of one evaluation by column of the table, those of tasks before averages; [] where it is not done.

  Args:
    evaluation: its name.
    step: of the checkpoint that was measured.

  Raises:
    FlanJaxError: results.json is something else.
  """
  content = headline.results(run.folder, evaluation)
  if content is None:
    return []
  common = {"quantity": "score", "evaluation": evaluation, "step": step}
  try:
    if "suites" in content:
      return [{**common, **each} for each in _of_suites(content)]
    return [{**common, **each} for each in _of_mixture(content, run.fresh)]
  except (KeyError, TypeError, AttributeError, ValueError) as error:
    path = headline.path_of(run.folder, evaluation)
    raise FlanJaxError(f"{path}: not the results of an evaluation ({type(error).__name__}: {error})") from None


def _of_mixture(content: Mapping[str, Any], fresh: bool) -> Iterator[dict[str, Any]]:
  rows = headline.rows(content, fresh)
  suite = {"suite": content["about"]["name"]}
  for row in rows:
    yield from ({**suite, "task": row.task, **each} for each in _measured(row, [row]))
  for average in _averages(content, rows, fresh):
    of = [
      row
      for row in rows
      if (row.split, row.format) == (average.split, average.format) and average.cluster in (None, row.cluster)
    ]
    yield from ({**suite, "task": "", **each} for each in _measured(average, of))


def _averages(content: Mapping[str, Any], rows: Sequence[Row], fresh: bool) -> list[Average]:
  """Those of clusters before those of splits: as they are written, where they are of the rows' splits."""
  written = [] if fresh else content["averages"]
  if all(each["cluster"] is None for each in written):  # from before there were averages of clusters
    return [*averages_by_cluster(rows), *averages_by_split(rows)]
  return [Average.from_json(each) for each in sorted(written, key=lambda each: each["cluster"] is None)]


def _measured(found: Row | Average, rows: Sequence[Row]) -> Iterator[dict[str, Any]]:
  """Every measure that was taken, accuracy first; `rows` are those that it is of."""
  for measure in MEASURES:
    value = found.score(measure)
    if value is not None:
      low, high = found.interval(measure)
      yield {
        "split": found.split,
        "cluster": found.cluster or "",
        "variant": found.format,
        "metric": measure,
        "value": value,
        "n": found.asked(measure),
        "low": low,
        "high": high,
        "chance": _chance(measure, [row for row in rows if row.score(measure) is not None]),
        "no_answer": statistics.fmean(row.no_answer_after for row in rows) if measure == "accuracy" else None,
      }


def _chance(measure: str, rows: Sequence[Row]) -> float | None:
  """Of guessing, the mean over the rows that have the measure; None where a file from before does not tell."""
  if measure == "valid":
    return None
  of = {"corrected": lambda row: 0.0, "swap": lambda row: row.swap_chance}.get(measure, lambda row: row.chance)
  chances = [of(row) for row in rows]
  return None if None in chances else statistics.fmean(chances)


def _of_suites(content: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
  """Rows of what has right answers. Tasks that a suite's average leaves out (TyDiQA's English) are left out here too:
  averages are those of the rows above them."""
  for suite, variant, found in headline.figures_of_suites(content):
    metric = found["metric"]
    if not metric or found["average"] is None:
      continue
    common = {"suite": suite, "variant": variant, "metric": metric, "cluster": "", "task": ""}
    for task, of_task in found["tasks"].items():
      if of_task["counts"]:
        yield {**common, "cluster": of_task["group"] or "", "task": task, **_figures(of_task, of_task[metric])}
    for group, of_group in found["groups"].items():
      yield {**common, "cluster": group, **_figures(of_group, of_group["average"])}
    yield {**common, **_figures(found, found["average"])}
    if found["normalised"] is not None:
      yield {**common, "metric": "normalised", "value": found["normalised"], "n": found["n"]}
  if content["normalised_average"] is not None:
    nothing = dict.fromkeys(("suite", "cluster", "task", "variant"), "")
    yield {**nothing, "metric": "normalised_average", "value": content["normalised_average"]}


def _figures(found: Mapping[str, Any], value: float) -> dict[str, Any]:
  low, high = found["interval"]
  figures = {name: found[name] for name in ("n", "chance", "no_answer")}
  return {**figures, "value": value, "low": low, "high": high}
