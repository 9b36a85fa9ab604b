"""Rows, averages, samples and results.json."""

import json

import pytest

from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.held_out.averages import averages_by_cluster, averages_by_split
from flan_jax.evaluation.held_out.results import Results, draw_samples
from flan_jax.evaluation.held_out.rows import rows_of
from flan_jax.evaluation.held_out.training_answers import TrainingAnswers
from flan_jax.evaluation.held_out.ways import RANKED, SWAPPED, variant
from flan_jax.evaluation.intervals import Tally, mean_over_clusters, wilson

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


def test_chance_is_what_always_saying_the_commonest_answer_gets_where_that_is_more(answered):
  made = [*answered("c.t", "zero_shot", 6, 10, choices=4), *answered("c.u", "zero_shot", 6, 10)]
  answers = {"c.t": TrainingAnswers(0.1), "c.u": TrainingAnswers(0.5)}
  rows = rows_of(made, (), answers)
  assert [row.chance for row in rows] == [0.25, 0.5]
  assert [row.corrected_after for row in rows] == pytest.approx([0.35 / 0.75, 0.2])
  (average,) = averages_by_split(rows)
  assert average.corrected_after == pytest.approx((0.35 / 0.75 + 0.2) / 2)
  assert average.corrected_after_ci[0] < average.corrected_after < average.corrected_after_ci[1]
  always = rows_of(answered("c.v", "zero_shot", 10, 10), (), {"c.v": TrainingAnswers(1.0)})
  assert always[0].corrected_after == 0.0


def test_other_ways_to_ask_are_scores_of_the_same_row(compared):
  """A pair counts where both of its answers are right: ranks and swaps of examples 0, 1, ..."""
  made = [
    *compared("c.t", "zero_shot", 0, 6, 10, choices=2),
    *compared("c.t", variant("zero_shot", RANKED), 5, 9, 10, choices=2),
    *compared("c.t", variant("zero_shot", SWAPPED), 8, 8, 8, choices=2),
    *compared("c.u", "zero_shot", 1, 1, 10),
  ]
  rows = rows_of(made, (), {})
  assert [(row.format, row.n, row.ranked, row.pairs) for row in rows] == [
    ("zero_shot", 10, 10, 8),
    ("zero_shot", 10, 0, 0),
  ]
  first, second = rows
  assert (first.after, first.rank_before, first.rank_after) == (0.6, 0.5, 0.9)
  assert (first.swap_before, first.swap_after) == (0.0, 0.75)
  assert (second.rank_after, second.swap_after) == (None, None)
  assert first.interval("swap") == wilson(6, 8)
  assert (first.swap_chance, second.swap_chance) == (0.25, None)
  (average,) = averages_by_split(rows)
  assert (average.rank_after, average.rank_tasks, average.swap_after, average.pairs) == (0.9, 1, 0.75, 8)
  assert len(draw_samples(made, rows)) == 2


def test_without_a_checkpoint_before(made):
  rows = rows_of([each._replace(before=None) for each in made], (), {})
  assert all(row.before is None and row.before_ci is None and row.no_answer_before is None for row in rows)
  assert all(average.before is None and average.before_ci is None for average in averages_by_split(rows))


def test_averages_weigh_tasks_alike(made):
  rows = rows_of(made, {"c.seen"}, {})
  held_out = averages_by_split(rows)[1]
  assert (held_out.split, held_out.format, held_out.tasks, held_out.n) == ("held_out", "zero_shot", 2, 22)
  assert held_out.after == pytest.approx((6 / 12 + 2 / 10) / 2)
  assert held_out.after_ci == mean_over_clusters((Tally("tales", (0, 1), (6, 6)), Tally("tales", (0, 1), (8, 2))))
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
