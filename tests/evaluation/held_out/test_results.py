"""Rows, averages, samples and results.json."""

import json

import pytest

from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.held_out.averages import averages_by_cluster, averages_by_split
from flan_jax.evaluation.held_out.results import Results, draw_samples
from flan_jax.evaluation.held_out.rows import rows_of
from flan_jax.evaluation.intervals import mean_over_tasks, wilson

SCHEMA = {"split", "cluster", "task", "format", "n", "chance", "before", "after", "before_ci", "after_ci"}


@pytest.fixture
def made(compared):
  return [
    *compared("c.seen", "zero_shot", 1, 9, 10, choices=4),
    *compared("c.new", "zero_shot", 0, 6, 12, cluster="tales"),
    *compared("c.new", "few_shot", 3, 3, 12, cluster="tales", silent=2),
    *compared("c.newer", "zero_shot", 0, 2, 10, cluster="tales"),
  ]


def test_a_row_for_each_task_and_format(made):
  rows = rows_of(made, {"c.seen"}, {})
  assert [(row.split, row.task, row.format) for row in rows] == [
    ("seen", "c.seen", "zero_shot"),
    ("held_out", "c.new", "zero_shot"),
    ("held_out", "c.newer", "zero_shot"),
    ("held_out", "c.new", "few_shot"),
  ]
  seen, few = rows[0], rows[3]
  assert (seen.n, seen.chance, seen.before, seen.after) == (10, 0.25, 0.1, 0.9)
  assert (seen.before_ci, seen.after_ci) == (wilson(1, 10), wilson(9, 10))
  assert (few.chance, few.no_answer_before, few.no_answer_after) == (0.0, 2 / 12, 2 / 12)


def test_chance_is_a_mean_over_examples(answered):
  made = answered("c.t", "zero_shot", 1, 2, choices=2) + answered("c.t", "zero_shot", 1, 2, choices=0)
  assert rows_of(made, (), {})[0].chance == 0.25


def test_without_a_checkpoint_before(made):
  rows = rows_of([each._replace(before=None) for each in made], (), {})
  assert all(row.before is None and row.before_ci is None and row.no_answer_before is None for row in rows)
  assert all(average.before is None and average.before_ci is None for average in averages_by_split(rows))


def test_averages_weigh_tasks_alike(made):
  rows = rows_of(made, {"c.seen"}, {})
  held_out = averages_by_split(rows)[1]
  assert (held_out.split, held_out.format, held_out.tasks, held_out.n) == ("held_out", "zero_shot", 2, 22)
  assert held_out.after == pytest.approx((6 / 12 + 2 / 10) / 2)
  assert held_out.after_ci == mean_over_tasks([(6, 12), (2, 10)])
  assert [average.cluster for average in averages_by_cluster(rows)] == ["lists", "tales", "tales"]


def test_samples_are_of_different_held_out_tasks_first(made):
  samples = draw_samples(made, rows_of(made, {"c.seen"}, {}))
  assert [sample["split"] for sample in samples] == ["held_out", "held_out", "seen"]
  assert {sample["task"] for sample in samples} == {"c.seen", "c.new", "c.newer"}
  assert samples == draw_samples(reversed(made), rows_of(made, {"c.seen"}, {}))
  other = [draw_samples(made, rows_of(made, (), {}), seed) for seed in range(5)]
  assert any(each != other[0] for each in other)


def test_results_json_has_the_declared_schema_and_reads_back(made, tmp_path):
  rows = rows_of(made, {"c.seen"}, {})
  results = Results({"name": "c", "notes": []}, rows, draw_samples(made, rows))
  results.write(tmp_path / "results.json")
  content = json.loads((tmp_path / "results.json").read_text())
  for row in content["rows"]:
    assert set(row) >= SCHEMA
    assert row["split"] in ("seen", "held_out")
    for which in ("before", "after"):
      low, high = row[f"{which}_ci"]
      assert 0 <= low <= row[which] <= high <= 1
  assert Results.read(tmp_path / "results.json") == results


@pytest.mark.parametrize("content", ["", "[]", '{"rows": []}', '{"about": {}, "rows": [{}], "samples": []}'])
def test_another_file_is_refused_by_name(content, tmp_path):
  (tmp_path / "results.json").write_text(content)
  with pytest.raises(FlanJaxError, match=r"results\.json: not the results"):
    Results.read(tmp_path / "results.json")
  with pytest.raises(FlanJaxError, match="no such file"):
    Results.read(tmp_path / "other.json")
