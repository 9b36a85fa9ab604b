"""Leave-one-out, curves and compute: they find what was planted, and survive what is missing."""

import math

import pyarrow as pa
import pytest

from flan_jax.sweeps.report.figure import Figure
from flan_jax.sweeps.report.figures import figures
from flan_jax.sweeps.report.words import NOT_PRETRAINED
from tests.sweeps.made_up_sweep import Effects, made_up_table

CLUSTERS = {"without": ["none", "chains", "kinds", "passages"], "seed": [0, 1, 2]}


def named(table: pa.Table, name: str) -> Figure | None:
  return next((each for each in figures(table) if each.name == name), None)


def series_of(figure: Figure, panel: int = 0) -> dict[str, dict]:
  return {each.name: {point.x: point for point in each.points} for each in figure.panels[panel].series}


def test_clusters_left_out_score_lower_as_planted():
  figure = named(made_up_table(CLUSTERS, Effects(left_out=-2.0), losses=False), "clusters")
  series = series_of(figure)
  assert figure.panels[0].categories == ("chains", "kinds", "passages")
  assert set(series) == {"left out", "trained on"}
  assert all(series["left out"][cluster].y < series["trained on"][cluster].y for cluster in figure.panels[0].categories)
  gap = next(finding for finding in figure.findings if "itself among those trained on" in finding.sentence)
  assert gap.low > 0


def test_a_group_that_is_left_out_is_each_of_its_clusters():
  table = made_up_table(CLUSTERS, Effects(left_out=-2.0), losses=False)
  values = ["demo_reading" if value == "passages" else value for value in table["axis.without"].to_pylist()]
  grouped = table.set_column(table.column_names.index("axis.without"), "axis.without", pa.array(values))
  assert series_of(named(grouped, "clusters")) == series_of(named(table, "clusters"))


def test_without_an_untuned_run_nothing_is_said_of_the_papers_finding():
  figure = named(made_up_table(CLUSTERS, losses=False), "clusters")
  assert [finding.verdict for finding in figure.findings if finding.claim] == ["can't tell"]
  assert any("No untuned run" in note for note in figure.notes)


def test_clusters_against_untuned():
  axes = {"tasks": [0, 100], **CLUSTERS}
  figure = named(made_up_table(axes, losses=False, base=True), "clusters")
  assert set(series_of(figure)) == {"left out", "trained on", "untuned"}
  assert figure.findings[0].verdict == "supports"
  fresh = named(made_up_table(axes, losses=False), "clusters").findings[0]
  assert fresh.verdict == "can't tell"
  assert NOT_PRETRAINED in fresh.sentence
  assert fresh.low > 0


def test_one_cluster_one_seed_and_failed_runs():
  axes = {"without": ["none", "chains"], "seed": [0]}
  figure = named(made_up_table(axes, losses=False), "clusters")
  assert all(point.low < point.high for point in figure.panels[0].series[0].points)
  assert any("One seed" in note for note in figure.notes)
  alone = named(made_up_table(axes, losses=False, states={"without-none_seed-0": "failed"}), "clusters")
  assert set(series_of(alone)) == {"left out"}
  assert any("1 failed" in note for note in alone.notes)
  assert named(made_up_table(axes, losses=False, states={"without-chains_seed-0": "failed"}), "clusters") is None


def test_curves_are_means_over_seeds_of_each_kind_of_loss():
  table = made_up_table({"tasks": [0, 10, 160], "seed": [0, 1, 2]})
  figure = named(table, "training")
  assert [panel.title for panel in figure.panels] == [
    "Training loss",
    "New examples of tasks trained on",
    "Tasks never seen",
  ]
  assert [series.name for series in figure.panels[0].series] == ["10 tasks", "160 tasks"]
  last = figure.panels[0].series[0].points[-1]
  values = [
    row["value"]
    for row in table.to_pylist()
    if row["quantity"] == "loss" and row["tasks"] == 10 and row["step"] == last.x
  ]
  assert len(values) == 3
  assert last.y == pytest.approx(sum(values) / 3)
  assert last.low < min(values)
  assert last.high > max(values)


def test_runs_under_way_have_curves_without_scores():
  axes = {"tasks": [10, 160], "seed": [0]}
  states = {"tasks-10_seed-0": "running", "tasks-160_seed-0": "failed"}
  figure = named(made_up_table(axes, states=states), "training")
  assert [series.name for series in figure.panels[0].series] == ["10 tasks"]
  assert figure.panels[0].series[0].points[-1].low is None
  assert any("2 runs did not reach the last step" in note for note in figure.notes)


def test_long_curves_are_thinned_and_keep_their_ends():
  table = made_up_table({"seed": [0]})
  row = next(row for row in table.to_pylist() if row["quantity"] == "loss")
  rows = [{**row, "step": step, "value": math.nan if step == 5 else 1 / step} for step in range(1, 2001)]
  long = pa.Table.from_pylist(rows, schema=table.schema)
  points = named(long, "training").panels[0].series[0].points
  assert len(points) <= 151
  assert (points[0].x, points[-1].x) == (1, 2000)


def test_compute_stands_beside_the_papers():
  figure = named(made_up_table({"model": ["t5_1_1_small", "t5_1_1_xl"], "seed": [0, 1]}, base=True), "compute")
  series = series_of(figure)
  assert series["Flan-T5, tuning"][2849757184.0].y == 5.6e19
  assert series["T5, pretraining"][2849757184.0].y == 9.0e21
  assert set(series["tuning, ours"]) == {76961152.0, 2849757184.0}
  finding = figure.findings[0]
  assert finding.verdict == "supports"
  assert finding.effect == pytest.approx(3500 * 32 * 36.5 / 1e9)  # of 1e9 tokens, as the table was made up


def test_without_pretraining_the_share_of_it_is_not_told():
  figure = named(made_up_table({"seed": [0]}), "compute")
  assert figure.findings[0].verdict == "can't tell"
  assert figure.findings[0].effect is None
  assert "random parameters" in figure.findings[0].sentence


def test_a_part_of_a_run_does_not_make_tuning_cheaper():
  axes = {"model": ["t5_1_1_small", "t5_1_1_xl"], "seed": [0, 1]}
  states = {
    "model-t5_1_1_small_seed-0": "stopped",
    "model-t5_1_1_xl_seed-0": "running",
    "model-t5_1_1_xl_seed-1": "failed",
  }
  whole, parts = (named(made_up_table(axes, base=True, states=each), "compute") for each in ({}, states))
  ours = series_of(parts)["tuning, ours"]
  assert set(ours) == {76961152.0}
  assert ours[76961152.0].y == series_of(whole)["tuning, ours"][76961152.0].y
