"""Laws of scores in the table and of the one that is shown: they are those of results.json, of either kind."""

import dataclasses
import json
import os
import pathlib
import time

import pytest

from flan_jax.errors import FlanJaxError
from flan_jax.evaluation.held_out.results import Results
from flan_jax.evaluation.held_out.rows import Row
from flan_jax.evaluation.intervals import mean_over_clusters, wilson
from flan_jax.sweeps.plan import EVALUATIONS, PlannedRun
from flan_jax.sweeps.results import columns, scores
from flan_jax.sweeps.results.headline import Score, headline
from tests.evaluation import made_up
from tests.training.toy_run import toy_run

STEP = 7


@pytest.fixture
def run(tmp_path) -> PlannedRun:
  return PlannedRun("a", {}, toy_run(tmp_path, tmp_path / "store", 8))


def put(run: PlannedRun, results: dict) -> None:
  """As an evaluation called 'e'; a time that no other file had tells that it is new."""
  path = run.folder / EVALUATIONS / "e" / "results.json"
  path.parent.mkdir(parents=True, exist_ok=True)
  path.write_text(json.dumps(results))
  os.utime(path, ns=(time.time_ns(), time.time_ns()))


def row(task: str, right: int, n: int = 20, split: str = "held_out", cluster: str = "c", form: str = "cot") -> Row:
  return Row(split, cluster, task, form, n, 0.25, None, right / n, None, wilson(right, n), None, 0.1)


def of_mixture(*rows: Row) -> dict:
  return json.loads(Results({"name": "demo_held_out"}, list(rows), []).json())


ROWS = (row("a", 4), row("b", 10, 40), row("x", 18, cluster="d"), row("s", 20, split="seen"))
HELD_OUT = mean_over_clusters(tuple(each.tally("accuracy") for each in ROWS[:3]))


def test_scores_of_a_mixture_are_its_rows_and_their_averages(run):
  put(run, of_mixture(*ROWS))
  found = scores.observations(run, "e", STEP)
  assert all(set(each) <= set(columns.OBSERVATION) for each in found)
  assert {each["metric"] for each in found} == {"accuracy"}  # nothing else was measured
  tasks = {each["task"]: each for each in found if each["task"]}
  assert {task: (each["value"], each["n"], each["low"], each["high"]) for task, each in tasks.items()} == {
    each.task: (each.after, each.n, *each.after_ci) for each in ROWS
  }
  means = {(each["split"], each["cluster"]): each for each in found if not each["task"]}
  assert list(means) == [("seen", "c"), ("held_out", "c"), ("held_out", "d"), ("seen", ""), ("held_out", "")]
  whole = means["held_out", ""]
  assert whole["value"] == pytest.approx((0.2 + 0.25 + 0.9) / 3)
  assert (whole["low"], whole["high"]) == HELD_OUT
  assert (whole["n"], whole["chance"], whole["no_answer"]) == (80, 0.25, pytest.approx(0.1))
  assert {each["suite"] for each in found} == {"demo_held_out"}
  assert {each["step"] for each in found} == {STEP}


def test_every_measure_is_there_where_it_was_taken(run):
  """As results.json has it, averages too."""
  measured = {
    "valid_after": 0.9,
    "corrected_after": 0.4,
    "rank_after": 0.5,
    "swap_after": 0.25,
    "ranked": 10,
    "pairs": 8,
    "swap_chance": 0.05,
  }
  rows = [
    dataclasses.replace(row("a", 11), **measured),
    dataclasses.replace(row("b", 11), valid_after=0.5, chance=0.05),
  ]
  put(run, of_mixture(*rows))
  found = scores.observations(run, "e", STEP)
  of_task = {each["metric"]: each for each in found if each["task"] == "a"}
  expected = {"accuracy": (0.55, 20), "valid": (0.9, 20), "corrected": (0.4, 20), "rank": (0.5, 10), "swap": (0.25, 8)}
  assert {name: (each["value"], each["n"]) for name, each in of_task.items()} == expected
  assert (of_task["rank"]["low"], of_task["rank"]["high"]) == wilson(5, 10)
  chances = {"accuracy": 0.25, "valid": None, "corrected": 0.0, "rank": 0.25, "swap": 0.05}
  assert {name: each["chance"] for name, each in of_task.items()} == chances
  whole = {each["metric"]: each for each in found if not each["task"] and not each["cluster"]}
  assert {name: each["value"] for name, each in whole.items()} == pytest.approx(
    {"accuracy": 0.55, "valid": 0.7, "corrected": 0.4, "rank": 0.5, "swap": 0.25}
  )
  assert all(each["low"] < each["value"] < each["high"] for each in whole.values())
  assert (whole["accuracy"]["chance"], whole["rank"]["chance"]) == pytest.approx((0.15, 0.25))  # b has no choices
  put(run, of_mixture(dataclasses.replace(rows[0], swap_chance=None)))  # as files were before they told it
  assert [each["chance"] for each in scores.observations(run, "e", STEP) if each["metric"] == "swap"] == [None] * 3


def test_a_fresh_network_has_seen_nothing(run):
  """Step 0 names the tasks that it would have been trained on."""
  put(run, of_mixture(*ROWS))
  fresh = dataclasses.replace(run, tuned=False)
  assert {each["split"] for each in scores.observations(fresh, "e", 0)} == {"held_out"}
  assert headline(run.folder, "e/cot", fresh.fresh).value == pytest.approx((0.2 + 0.25 + 0.9 + 1) / 4)


def test_scores_of_suites_are_their_figures(run):
  content = made_up.results(made_up.answers())
  content["suites"]["mmlu"]["modes"]["direct"]["n"]["1"]["tasks"]["anatomy"]["counts"] = False
  content["suites"]["mmlu"]["modes"]["direct"]["n"]["1"]["normalised"] = 0.125
  put(run, {**content, "normalised_average": 0.2})
  found = scores.observations(run, "e", STEP)
  assert all(set(each) <= set(columns.OBSERVATION) for each in found)
  assert {(each["suite"], each["variant"]) for each in found} == {
    ("mmlu", "direct"),
    ("mmlu", "cot@8"),
    ("mgsm", "cot"),
    ("mgsm", "cot@8"),
    ("", ""),
  }
  direct = [each for each in found if (each["suite"], each["variant"]) == ("mmlu", "direct")]
  figure = content["suites"]["mmlu"]["modes"]["direct"]["n"]["1"]
  assert {each["task"]: each["value"] for each in direct if each["task"]} == {
    task: figure["tasks"][task]["exact_match"] for task in figure["tasks"] if task != "anatomy"
  }
  assert [each["value"] for each in direct if each["metric"] == "normalised"] == [0.125]
  whole = [each for each in direct if not each["task"] and not each["cluster"]]
  assert [whole[0][name] for name in ("value", "low", "high")] == [figure["average"], *figure["interval"]]
  assert found[-1]["metric"] == "normalised_average"
  assert found[-1]["value"] == 0.2


def test_what_has_no_right_answers_has_no_scores(run):
  content = made_up.results(made_up.answers())
  for figure in content["suites"]["mgsm"]["modes"]["cot"]["n"].values():
    figure |= {"metric": "", "average": None, "interval": None}
  put(run, content)
  assert {each["suite"] for each in scores.observations(run, "e", STEP)} == {"mmlu"}


def test_the_headline_is_of_held_out_tasks_or_of_seen_ones_or_over_suites(run):
  put(run, of_mixture(*ROWS))
  assert headline(run.folder, "e/cot") == Score(pytest.approx(0.45), *HELD_OUT, 80, "held_out")
  assert headline(run.folder, "e/zero_shot") is None
  put(run, of_mixture(ROWS[3]))
  assert headline(run.folder, "e/cot") == Score(1.0, *wilson(20, 20), 20, "seen")
  content = made_up.results(made_up.answers())
  put(run, content)
  means = {suite: of["modes"]["cot"]["n"]["8"] for suite, of in content["suites"].items()}
  several = headline(run.folder, "e/cot@8")
  mean = pytest.approx((means["mmlu"]["average"] + means["mgsm"]["average"]) / 2)
  assert several == Score(mean, None, None, means["mmlu"]["n"] + means["mgsm"]["n"])
  alone = content["suites"]["mmlu"]["modes"]["direct"]["n"]["1"]
  assert headline(run.folder, "e/direct") == Score(alone["average"], *alone["interval"], alone["n"])
  assert headline(run.folder, "e/normalised_average") is None
  put(run, {**content, "normalised_average": 0.2})
  assert headline(run.folder, "e/normalised_average") == Score(0.2)


@pytest.mark.parametrize(
  "text", ["", "{", "[]", "null", '{"rows": []}', '{"suites": {}}', '{"about": {}, "rows": [{}], "averages": []}']
)
def test_what_is_no_results_is_said_and_shown_as_nothing(run, text):
  path = pathlib.Path(run.folder / EVALUATIONS / "e" / "results.json")
  assert (scores.observations(run, "e", STEP), headline(run.folder, "e/cot")) == ([], None)
  path.parent.mkdir(parents=True)
  path.write_text(text)
  assert headline(run.folder, "e/cot") is None
  with pytest.raises(FlanJaxError, match="not the results of an evaluation"):
    scores.observations(run, "e", STEP)
