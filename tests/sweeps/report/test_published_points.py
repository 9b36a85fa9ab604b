"""Published points are those of the tables, at the x that the papers give them."""

import csv

import pytest

from flan_jax.evaluation.suite_runs import published as table_5
from flan_jax.sweeps.report import published_points
from flan_jax.sweeps.report.reading import NORMALISED_AVERAGE, Measure


def test_table_3_agrees_with_table_5_where_they_tell_the_same_runs():
  """As printed, Flan-PaLM 8B and 62B with 1,836 tasks and the three PaLM untuned stand in both."""
  for size, tasks, row in (
    ("8B", "0", "palm_8b"),
    ("62B", "0", "palm_62b"),
    ("540B", "0", "palm_540b"),
    ("8B", "1836", "flan_palm_8b"),
    ("62B", "1836", "flan_palm_62b"),
  ):
    line = next(each for each in published_points.rows("scaling") if (each["params"], each["tasks"]) == (size, tasks))
    other = table_5.row(row)
    for (suite, mode), share in other.scores.items():
      assert float(line[f"{suite}_{mode}"]) == pytest.approx(100 * share)
    assert float(line[NORMALISED_AVERAGE]) == pytest.approx(100 * other.normalised_average)


def test_figures_are_those_of_the_facts(facts):
  """Each cell, as text."""
  others = [tuple(line.values()) for line in csv.DictReader((facts / "other_ablations.csv").open())]
  assert {tuple(line.values()) for line in published_points.rows("ablations")} <= set(others)
  told = {(line["params"], line["tasks"]): line for line in csv.DictReader((facts / "chung2022_scaling.csv").open())}
  lines = published_points.rows("scaling")
  assert {(line["params"], line["tasks"]) for line in lines} == told.keys()
  for line in lines:
    theirs = told[line["params"], line["tasks"]]
    renamed = {"norm_avg" if name == NORMALISED_AVERAGE else name: value for name, value in line.items()}
    assert {name: theirs[name] for name in renamed if name != "source"} | {"source": line["source"]} == renamed


def test_series_by_tasks_and_by_size():
  by_tasks = {series.name: series for series in published_points.by_tasks("mmlu_direct")}
  assert [point.y for point in by_tasks["PaLM 8B"].points] == [0.243, 0.263, 0.376, 0.477, 0.493]
  by_size = {series.name: series for series in published_points.by_size()}
  assert [point.x for point in by_size["Flan-T5"].points] == [8e7, 2.5e8, 7.8e8, 3e9, 1.1e10]
  assert [point.y for point in by_size["PaLM, 1836 tasks"].points] == [0.219, 0.388, 0.585]
  for series in (*by_tasks.values(), *by_size.values()):
    assert series.published
    assert series.source.startswith("Chung et al. 2022, Table")
    assert all(series.source in point.text for point in series.points)


@pytest.mark.parametrize(
  ("measure", "column"),
  [
    (Measure("e", "mmlu", "direct", "exact_match", mixture=False), "mmlu_direct"),
    (Measure("e", "mgsm", "cot", "exact_match", mixture=False), "mgsm_cot"),
    (Measure("e", "", "", NORMALISED_AVERAGE, mixture=False), NORMALISED_AVERAGE),
    (Measure("e", "mmlu", "cot@40", "exact_match", mixture=False), None),
    (Measure("e", "mmlu", "direct", "exact_match", mixture=True), None),  # a mixture that happens to be called so
    (Measure("e", "demo", "zero_shot", "exact_match", mixture=True), None),
  ],
)
def test_only_the_papers_measures_have_its_points(measure, column):
  assert published_points.column(measure) == column


def test_ablations_have_both_ends():
  rationales = published_points.with_and_without_rationales()
  assert {series.name: [point.y for point in series.points] for series in rationales.series}["MMLU"] == [0.475, 0.503]
  formats = published_points.with_and_without_few_shot()
  found = {series.name: [point.y for point in series.points] for series in formats.series}
  assert found["MMLU, few-shot prompts"] == [0.387, 0.524]
  sources = published_points.without_sources()
  assert sources.categories[0] == "nothing"
  assert all([point.x for point in series.points] == list(sources.categories) for series in sources.series)
  assert [point.x for point in published_points.by_clusters().series[0].points] == [1, 2, 3, 4, 5, 6, 7]
