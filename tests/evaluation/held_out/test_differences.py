"""Ways of asking are compared on the same examples; before is the best of what was asked."""

import json

import pytest

from flan_jax.evaluation.held_out.differences import differences, headlines
from flan_jax.evaluation.held_out.results import Results
from flan_jax.evaluation.held_out.rows import rows_of
from flan_jax.evaluation.intervals import Tally, mean_over_clusters


@pytest.fixture
def made(compared):
  """Of the first examples of a task so many are right."""
  return [
    *compared("c.a", "zero_shot", 1, 6, 12),
    *compared("c.a", "few_shot", 4, 6, 12),
    *compared("c.a", "continuation", 3, 0, 12),
    *compared("c.a", "cot", 0, 9, 10),
    *compared("c.b", "zero_shot", 2, 5, 10, cluster="tales"),
    *compared("c.b", "few_shot", 0, 5, 10, cluster="tales"),
    *compared("c.b", "continuation", 5, 5, 10, cluster="tales"),
  ]


def test_reasoning_minus_none_is_paired(made):
  found = {(each.which, each.cluster): each for each in differences(made, rows_of(made, (), {}))}
  assert set(found) == {(which, cluster) for which in ("before", "after") for cluster in (None, "lists")}
  after = found["after", None]
  assert (after.format, after.without, after.split, after.tasks, after.n) == ("cot", "zero_shot", "held_out", 1, 10)
  assert (after.accuracy, after.accuracy_without) == (0.9, 0.6)  # of the ten examples that have a rationale
  assert after.difference == pytest.approx(0.3)
  # Nobody is right without reasoning and wrong with it: a pair tells more than two shares.
  assert after.difference_ci == mean_over_clusters((Tally("lists", (-1, 0, 1), (0, 7, 3)),))
  assert found["before", None].difference == pytest.approx(-0.1)


def test_before_is_the_best_format_of_all_tasks_and_after_is_zero_shot(made):
  found = {each.cluster: each for each in headlines(made, rows_of(made, (), {}))}
  assert {cluster: each.before_format for cluster, each in found.items()} == {
    None: "continuation",  # (3/12 + 5/10) / 2 against (4/12 + 0) / 2
    "lists": "few_shot",
    "tales": "continuation",
  }
  whole = found[None]
  assert (whole.before, whole.after) == (pytest.approx(0.375), pytest.approx(0.5))
  assert whole.gain == pytest.approx(whole.after - whole.before)
  assert whole.gain_ci[0] < whole.gain < whole.gain_ci[1]
  assert (whole.tasks, whole.n, whole.after_format) == (2, 22, "zero_shot")


def test_a_format_that_only_some_tasks_have_is_not_the_best_of_all(made):
  without = [each for each in made if (each.after.task, each.after.variant) != ("c.b", "continuation")]
  whole = headlines(without, rows_of(without, (), {}))[0]
  assert (whole.cluster, whole.before_format, whole.tasks) == (None, "few_shot", 2)


def test_no_headline_without_a_checkpoint_before_and_splits_are_apart(made):
  alone = [each._replace(before=None) for each in made]
  assert headlines(alone, rows_of(alone, (), {})) == []
  assert {each.which for each in differences(alone, rows_of(alone, (), {}))} == {"after"}
  found = headlines(made, rows_of(made, {"c.a"}, {}))
  assert [(each.split, each.cluster) for each in found] == [
    ("seen", None),
    ("seen", "lists"),
    ("held_out", None),
    ("held_out", "tales"),
  ]


def test_they_are_in_results_json_and_read_back(made, tmp_path):
  rows = rows_of(made, (), {})
  results = Results({}, rows, [], differences(made, rows), headlines(made, rows))
  results.write(tmp_path / "results.json")
  assert Results.read(tmp_path / "results.json") == results
  content = json.loads((tmp_path / "results.json").read_text())
  assert content["headlines"][0]["before_format"] == "continuation"
  assert content["differences"][0]["which"] == "before"
