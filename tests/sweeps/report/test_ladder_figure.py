"""The ladder tells from rung to rung what was planted: paired where tasks are the same, beside base and ceiling."""

import dataclasses
import itertools

import pyarrow as pa
import pytest

from flan_jax.sweeps.report.derived import with_bases_at_their_best
from flan_jax.sweeps.report.figure import Figure
from flan_jax.sweeps.report.ladder import BASE, CEILING, ladder
from flan_jax.sweeps.report.ladder_figure import ladder_figure
from flan_jax.sweeps.report.reading import Reading
from flan_jax.sweeps.report.reading import read as as_written
from flan_jax.sweeps.report.words import NOT_PRETRAINED
from tests.sweeps.made_up_ladder import LADDER, Levels, made_up_ladder

AXES = {"control": ["untuned", "tuned", "ceiling"], "seed": [0, 1]}
RUNGS = ("new examples", "new wordings", "new compositions", "dev clusters", "final clusters")


@pytest.fixture(scope="module")
def table() -> pa.Table:
  return made_up_ladder(AXES, evaluations=LADDER)


def read(table: pa.Table) -> Reading:
  return with_bases_at_their_best(as_written(table))


def of(table: pa.Table) -> Figure:
  return ladder_figure(read(table))


def test_every_rung_has_base_tuned_and_ceiling_in_order(table):
  figure = of(table)
  assert [panel.categories for panel in figure.panels] == [RUNGS] * 2
  assert [panel.y_unit for panel in figure.panels] == ["percent", "corrected"]
  series = {each.name: each.points for each in figure.panels[0].series}
  assert list(series) == ["base", "tuned", "ceiling", "chance"]
  assert all([point.x for point in points] == list(RUNGS) for points in series.values())
  tuned, ceiling = ([point.y for point in series[name]] for name in ("tuned", "ceiling"))
  assert tuned[1] > tuned[2] > tuned[3]
  assert all(above > mine + 0.1 for above, mine in zip(ceiling[3:], tuned[3:], strict=True))
  chance = figure.panels[1].series[0].points  # corrected, of the base: near guessing on all rungs
  assert all(point.low < 0.35 for point in chance)


def test_a_gap_is_what_both_rungs_score_and_paired_over_the_tasks_of_both(table):
  found = ladder(read(table))
  wordings, compositions = found.gap(0, "tuned"), found.gap(1, "tuned")
  assert (wordings.tasks, compositions.tasks) == (22, 0)
  for index, gap in enumerate((wordings, compositions)):
    before, after = (rung.accuracy.mean(rung.place("tuned")).value for rung in found.rungs[index : index + 2])
    assert (gap.before, gap.after, gap.accuracy.value) == pytest.approx((before, after, after - before))
    assert gap.accuracy.low < gap.accuracy.value < gap.accuracy.high
    changes = [rung.corrected.mean(rung.place("tuned")).value for rung in found.rungs[index : index + 2]]
    assert gap.corrected.value == pytest.approx(changes[1] - changes[0])
  assert compositions.accuracy.high < 0


def test_over_the_same_tasks_what_is_hard_about_them_cancels():
  """The two rungs differ by one logit in every task; how the tasks differ is not in the gap."""
  levels = Levels(task=1.5, seeds=0.0, tuned={**Levels().tuned, "new_examples": 0.5, "new_wordings": -0.5})
  found = ladder(read(made_up_ladder(AXES, levels, questions=1000, evaluations=LADDER[:2])))
  gap, rung = found.gap(0, "tuned").accuracy, found.rungs[0]
  mean = rung.accuracy.mean(rung.place("tuned"))
  assert gap.high - gap.low < 0.6 * (mean.high - mean.low)
  assert gap.high < 0


def test_findings_begin_with_the_gaps_and_hold_the_last_rung_against_the_paper(table):
  findings = of(table).findings
  assert [each.main for each in findings] == [True] * 4 + [False] * 5
  assert [each.verdict for each in findings] == ["no claim"] * 8 + ["supports"]
  for each, (before, after) in zip(findings, itertools.pairwise(RUNGS), strict=False):
    assert each.sentence.startswith(f"From {before} to {after}, the accuracy of tuned changes from ")
    assert "base changes by" in each.sentence
    assert "ceiling changes by" in each.sentence
  assert "over the 22 tasks of both" in findings[0].sentence
  assert "over other tasks" in findings[1].sentence
  assert "the base asked as suits it best (continuation)" in findings[-1].sentence


def test_the_base_is_asked_in_its_best_format_and_the_figure_says_which(table):
  found = ladder(read(table))
  assert [rung.base_asked for rung in found.rungs] == ["continuation", "zero-shot", *["continuation"] * 3]
  at_best = made_up_ladder(AXES, Levels(base=-1.0, continued=-4.0), evaluations=LADDER)
  assert {rung.base_asked for rung in ladder(read(at_best)).rungs} <= {"zero-shot", "few-shot"}
  assert any("zero-shot on new wordings" in note for note in of(table).notes)


def test_without_a_base_the_papers_gain_is_not_what_is_measured():
  last = of(made_up_ladder({**AXES, "control": ["untuned", "tuned"]}, base=False, evaluations=LADDER)).findings[-1]
  assert last.verdict == "can't tell"
  assert NOT_PRETRAINED in last.sentence


def test_what_is_missing_is_told(table):
  few = made_up_ladder(AXES, missing=["control-ceiling_seed-0", "control-ceiling_seed-1"], evaluations=LADDER[:3])
  figure = of(few)
  assert [series.name for series in figure.panels[0].series] == [BASE, "tuned", "chance"]
  assert any("2 of 5 runs have no score (2 failed)" in note for note in figure.notes)
  found = ladder(read(table))
  lacking = dataclasses.replace(found, rungs=found.rungs[:3])
  assert lacking.gap(1, CEILING)
  assert of(made_up_ladder(AXES, evaluations=LADDER[:1])) is None
  assert of(made_up_ladder(AXES, evaluations=["deep"])) is None


def test_tasks_that_some_runs_have_seen_and_others_not_are_no_rung(table):
  split = [
    "held_out" if row["evaluation"] == "new_wordings" and row["axis.seed"] == 1 else row["split"]
    for row in table.to_pylist()
  ]
  mixed = table.set_column(table.column_names.index("split"), "split", pa.array(split, pa.string()))
  figure = of(mixed)
  assert figure.panels[0].categories == (RUNGS[0], *RUNGS[2:])
  assert any("Rungs left out" in note and "new wordings" in note for note in figure.notes)


def test_without_controls_each_combination_of_axes_is_a_series():
  figure = of(made_up_ladder({"tasks": [10, 100], "seed": [0]}, evaluations=LADDER[:2]))
  assert [series.name for series in figure.panels[0].series] == ["10 tasks", "100 tasks", "chance"]
