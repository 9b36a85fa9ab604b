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
from flan_jax.sweeps.report.words import NOT_PRETRAINED, percent
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
  on = {name: [point.x for point in points] for name, points in series.items()}
  assert on.pop("base") == [RUNGS[0], *RUNGS[2:]]  # it was asked new wordings zero-shot alone
  assert all(each == list(RUNGS) for each in on.values())
  tuned, ceiling = ([point.y for point in series[name]] for name in ("tuned", "ceiling"))
  assert tuned[1] > tuned[2] > tuned[3]
  assert all(above > mine + 0.1 for above, mine in zip(ceiling[3:], tuned[3:], strict=True))
  chance = figure.panels[1].series[0].points  # corrected, of the base: near guessing on all rungs
  assert all(point.low < 0.35 for point in chance)


def test_a_gap_is_what_both_rungs_score_and_paired_over_the_tasks_of_both(table):
  found = ladder(read(table))
  wordings, compositions = (found.gap(*step, "tuned") for step in found.steps[:2])
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
  gap, rung = found.gap(*found.steps[0], "tuned").accuracy, found.rungs[0]
  mean = rung.accuracy.mean(rung.place("tuned"))
  assert gap.high - gap.low < 0.6 * (mean.high - mean.low)
  assert gap.high < 0


def test_findings_begin_with_the_gaps_and_hold_the_last_rung_against_the_paper(table):
  findings = of(table).findings
  assert [each.main for each in findings] == [True] * 4 + [False] * 4
  assert [each.verdict for each in findings] == ["no claim"] * 7 + ["supports"]
  steps = [*itertools.pairwise(RUNGS[:4]), (RUNGS[2], RUNGS[4])]  # final clusters are no further away than dev's
  for each, (before, after) in zip(findings, steps, strict=False):
    assert each.sentence.startswith(f"From {before} to {after}, ")
    assert ("base changes by" in each.sentence) == (RUNGS[1] not in (before, after))
    assert "ceiling changes by" in each.sentence
  assert "the accuracy of tuned changes from 9" in findings[0].sentence
  assert "over the 22 tasks of both; corrected for chance by" in findings[0].sentence
  found = ladder(read(table))
  assert findings[2].effect == found.gap(*found.steps[2], "tuned").corrected.value
  assert "over other tasks, the accuracy of tuned corrected for chance changes by" in findings[2].sentence
  assert "the base asked as suits it best (continuation)" in findings[-1].sentence
  assert "In zero-shot prompts, as the others were asked, the base scores 2" in findings[-1].sentence
  left = found.rungs[-1].corrected.mean(found.rungs[-1].place("tuned"))
  assert (
    f"Corrected for chance tuned has {percent(left.value)} (95% interval {percent(left.low)} to"
    in findings[-1].sentence
  )


def test_the_base_is_asked_in_its_best_format_and_the_figure_says_which(table):
  found = ladder(read(table))
  assert [rung.base_asked for rung in found.rungs if rung.has(BASE)] == ["as suits it best (continuation)"] * 4
  at_best = made_up_ladder(AXES, Levels(base=-1.0, continued=-4.0), evaluations=LADDER)
  assert not any("continuation" in rung.base_asked for rung in ladder(read(at_best)).rungs)
  assert any("left out" in note and "zero-shot on new wordings" in note for note in of(table).notes)


def test_a_base_that_was_asked_zero_shot_alone_is_no_fair_before(table):
  """It stands there as it was asked, and the paper's finding is not held against it."""
  alone = [variant in ("zero_shot", None) for variant in table["variant"].to_pylist()]
  figure = of(table.filter(pa.array(alone)))
  last = figure.findings[-1]
  assert "the base asked in zero-shot prompts alone scores" in last.sentence
  assert "others may suit it better" in last.sentence
  assert last.verdict == "can't tell"
  assert [point.x for point in figure.panels[0].series[0].points] == list(RUNGS)
  assert not any("flatters" in note for note in figure.notes)


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
  assert lacking.gap(*lacking.steps[1], CEILING)
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


def test_tasks_that_no_run_happened_to_be_trained_on_are_no_rung_of_new_examples(table):
  rows = table.to_pylist()
  seen = {(row["evaluation"], row["task"]) for row in rows if row["split"] == "seen" and row["task"]}
  few = sorted(seen)[::2]  # the others are seen by nobody
  split = [row["split"] if (row["evaluation"], row["task"]) in few else "held_out" for row in rows]
  split = [
    "held_out" if row["axis.seed"] == 1 and row["evaluation"] in LADDER[:2] else each
    for row, each in zip(rows, split, strict=True)
  ]
  mixed = table.set_column(table.column_names.index("split"), "split", pa.array(split, pa.string()))
  assert of(mixed).panels[0].categories == RUNGS[2:]


def test_without_controls_each_combination_of_axes_is_a_series():
  figure = of(made_up_ladder({"tasks": [10, 100], "seed": [0]}, evaluations=LADDER[:2]))
  assert [series.name for series in figure.panels[0].series] == ["10 tasks", "100 tasks", "chance"]
