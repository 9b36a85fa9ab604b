"""A table is taken apart without losing or inventing a score."""

import pyarrow as pa
import pytest

from flan_jax.sweeps.report.reading import NORMALISED_AVERAGE, read
from tests.sweeps.made_up_sweep import made_up_table

AXES = {"tasks": [0, 10], "seed": [0, 1]}


def test_runs_have_their_axes_and_measures_their_order():
  reading = read(made_up_table(AXES))
  assert [run.axes for run in reading.runs][-1] == {"tasks": 10, "seed": 1}
  assert [run.tuned for run in reading.runs] == [False, False, True, True]
  assert [measure.variant for measure in reading.measures] == ["zero_shot", "few_shot", "cot"]
  assert set(reading.curves) == {"loss", "held_out_loss", "unseen_loss"}


def test_the_normalised_average_is_that_of_its_tasks():
  reading = read(made_up_table(AXES, suites=True))
  measure = reading.measures[0]
  assert measure.metric == NORMALISED_AVERAGE
  for key, tasks in reading.scores[measure].items():
    strata: dict[str, list[float]] = {}
    for score in tasks.values():
      strata.setdefault(score.stratum, []).append(score.value)
    assert set(strata) == {"mmlu", "bbh", "tydiqa", "mgsm"}
    mean = sum(sum(some) / len(some) for some in strata.values())
    assert mean == pytest.approx(reading.averages[measure][key].value)


def test_without_all_six_terms_the_average_stands_alone():
  table = made_up_table(AXES, suites=True)
  kept = [row for row in table.to_pylist() if row["suite"] != "mgsm"]
  reading = read(pa.Table.from_pylist(kept, schema=table.schema))
  assert all(set(tasks) == {""} for tasks in reading.scores[reading.measures[0]].values())


def test_the_last_checkpoint_counts():
  table = made_up_table({"seed": [0]}, losses=False)
  earlier = [{**row, "step": 10, "value": 0.0} for row in table.to_pylist()]
  for rows in (earlier + table.to_pylist(), table.to_pylist() + earlier):
    reading = read(pa.Table.from_pylist(rows, schema=table.schema))
    assert reading.scores == read(table).scores


def test_several_metrics_of_one_way_are_one_measure():
  table = made_up_table({"seed": [0]}, losses=False)
  rows = [*table.to_pylist(), *({**row, "metric": "f1", "value": 0.9} for row in table.to_pylist())]
  measures = read(pa.Table.from_pylist(rows, schema=table.schema)).measures
  assert [measure.metric for measure in measures] == ["exact_match"] * 3
