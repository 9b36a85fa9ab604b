"""Figures find what was planted in a table, say no more than it shows, and survive what is missing."""

import dataclasses
import math

import pyarrow as pa
import pyarrow.compute
import pytest

from flan_jax.sweeps.report.figure import Figure
from flan_jax.sweeps.report.figures import figures
from flan_jax.sweeps.report.words import NOT_PRETRAINED
from flan_jax.sweeps.results import table as tables
from tests.sweeps.made_up_sweep import Effects, made_up_table

SEEDS = {"seed": [0, 1, 2]}
TASKS = {"tasks": [0, 10, 40, 160], **SEEDS}
SIZES = {"model": ["t5_demo_small", "t5_demo", "t5_demo_large"]}


def figures_of(table: pa.Table) -> dict[str, Figure]:
  found = figures(table)
  for each in found:
    sound(each)
  return {each.name: each for each in found}


def sound(figure: Figure) -> None:
  """What holds of every figure: x of its scale, no NaN, an order in intervals, fits within the points."""
  assert figure.panels
  assert figure.findings
  for panel in figure.panels:
    for series in panel.series:
      xs = [point.x for point in series.points]
      assert len(set(xs)) == len(xs)
      assert all((x in panel.categories) if panel.x_scale == "category" else math.isfinite(x) for x in xs)
      assert panel.x_scale == "category" or xs == sorted(xs)
      for point in (*series.points, *series.fit):
        assert math.isfinite(point.y)
        assert point.low is None or point.low <= point.y <= point.high
      if series.fit:
        trained = [x for x in xs if x > 0]
        assert len(trained) >= 3
        assert series.fit[0].x == pytest.approx(min(trained))
        assert series.fit[-1].x == pytest.approx(max(trained))
  for finding in figure.findings:
    assert (finding.verdict == "no claim") == (not finding.claim)
    assert "nan" not in finding.sentence


def changed(table: pa.Table, column: str, of) -> pa.Table:
  values = [of(row) for row in table.to_pylist()]
  index = table.column_names.index(column)
  return table.set_column(index, table.schema.field(column), pa.array(values, table.schema.field(column).type))


def verdicts(figure: Figure) -> list[str]:
  return [finding.verdict for finding in figure.findings if finding.claim]


def test_more_tasks_that_help_support_the_paper():
  figure = figures_of(made_up_table(TASKS, Effects(tasks=1.0), losses=False, base=True))["tasks"]
  assert verdicts(figure) == ["supports"] * 4
  assert figure.findings[0].low > 0.1
  assert "With 160 tasks to train on instead of 10" in figure.findings[0].sentence


def test_more_tasks_that_harm_contradict_it():
  figure = figures_of(made_up_table(TASKS, Effects(tasks=-0.8), losses=False))["tasks"]
  assert verdicts(figure)[0] == "contradicts"
  assert figure.findings[0].high < 0


def test_more_tasks_that_change_nothing_do_not_support_it():
  figure = figures_of(made_up_table(TASKS, Effects(tasks=0.0), losses=False))["tasks"]
  assert verdicts(figure)[0] != "supports"


def test_each_size_is_a_series_with_its_untuned_run_at_0():
  figure = figures_of(made_up_table({**TASKS, **SIZES}, losses=False))["tasks"]
  ours = [series for series in figure.panels[0].series if not series.published]
  assert [series.name for series in ours] == SIZES["model"]
  assert all([point.x for point in series.points] == [0, 10, 40, 160] for series in ours)
  assert any("fitted together" in finding.sentence for finding in figure.findings)


def test_an_untuned_run_of_one_base_stands_in_every_series_of_its_model():
  table = made_up_table({"tasks": [0, 10, 160], "learning_rate": [0.001, 0.01], **SEEDS}, base=True, losses=False)
  ours = figures_of(table)["tasks"].panels[0].series
  assert [[point.x for point in series.points] for series in ours] == [[0, 10, 160]] * 2
  assert ours[0].points[0].y == ours[1].points[0].y


def test_the_figure_of_sizes_has_the_untuned_beside_the_tuned():
  figure = figures_of(made_up_table({"tasks": [0, 160], **SIZES, **SEEDS}, losses=False, base=True))["size"]
  assert [series.name for series in figure.panels[0].series] == ["untuned", "tuned"]
  assert verdicts(figure) == ["supports", "supports"]


def test_published_points_stand_among_ours_where_measure_and_axis_are_the_papers():
  figure = figures_of(made_up_table({"tasks": [0, 9, 1836], **SEEDS}, suites=True, losses=False))["tasks"]
  first = figure.panels[0]
  assert first.title == "Normalised average"
  assert {series.source for series in first.series} == {"ours", "Chung et al. 2022, Table 3"}
  palm = next(series for series in first.series if series.name == "PaLM 540B")
  assert [(point.x, point.y) for point in palm.points] == [
    (0, 0.491),
    (9, 0.526),
    (89, 0.57),
    (282, 0.575),
    (1836, 0.585),
  ]


def test_published_points_of_another_measure_have_a_panel_of_their_own():
  figure = figures_of(made_up_table(TASKS, losses=False))["tasks"]
  assert [all(series.published for series in panel.series) for panel in figure.panels] == [False] * 3 + [True]
  assert any("shape" in note for note in figure.notes)


def test_the_normalised_average_has_an_interval_over_tasks_with_one_seed():
  figure = figures_of(made_up_table({"tasks": [0, 10, 160], "seed": [0]}, suites=True, losses=False))["tasks"]
  points = figure.panels[0].series[0].points
  assert all(point.low < point.y < point.high for point in points)


def test_rationales():
  figure = figures_of(made_up_table({"cot": [False, True], **SEEDS}, Effects(cot=1.5), losses=False))["cot"]
  assert figure.panels[0].categories == ("without rationales", "with rationales")
  assert verdicts(figure)[0] == "supports"
  without = figures_of(made_up_table({"cot": [False, True], **SEEDS}, Effects(cot=-1.5), losses=False))["cot"]
  assert verdicts(without)[0] == "contradicts"


def test_outputs_without_an_answer_in_the_form_asked_for_are_told():
  table = made_up_table({"cot": [False, True], **SEEDS}, Effects(cot=1.5), losses=False)
  told = "Outputs without an answer in the form asked for: 100.0% (without rationales)."
  assert not any(told in finding.sentence for finding in figures_of(table)["cot"].findings)

  def lost(row):
    return 1.0 if row["axis.cot"] is False and row["variant"] == "cot" else row["no_answer"]

  found = figures_of(changed(table, "no_answer", lost))["cot"].findings
  assert ["rationale prompts" in finding.sentence for finding in found] == [told in each.sentence for each in found]
  assert {each.verdict for each in found if told in each.sentence and each.claim} == {"can't tell"}
  assert any(told in finding.sentence for finding in found)


def test_formats_compare_the_mix_with_one_kind_alone():
  figure = figures_of(made_up_table({"few_shot": [1.0, 0.5, 0.0], **SEEDS}, Effects(few_shot=2.0), losses=False))[
    "formats"
  ]
  assert figure.panels[0].categories == ("zero-shot only", "50% few-shot", "few-shot only")
  assert verdicts(figure) == ["contradicts", "contradicts"]  # as planted: each kind is best served by itself


def test_examples_are_compared_from_64_on():
  table = made_up_table({"examples_per_task": [8, 64, 1000], **SEEDS}, Effects(examples_per_task=0.6), losses=False)
  figure = figures_of(table)["examples_per_task"]
  assert "With 1,000 examples a task instead of 64" in figure.findings[0].sentence
  assert verdicts(figure) == ["contradicts"]


def test_an_axis_that_is_not_known_has_a_general_figure():
  table = made_up_table({"optimizer": ["adafactor", "adam"], "dropout": [0.0, 0.1], **SEEDS}, losses=False)
  found = figures_of(table)
  assert {"optimizer", "dropout"} <= found.keys()
  assert verdicts(found["optimizer"]) == []
  assert "flatters" in found["optimizer"].findings[0].sentence


@pytest.mark.parametrize("axis", ["size", "formats", "score", "clusters", "training", "compute"])
def test_an_axis_that_is_called_as_a_figure_of_others_has_its_own(axis):
  found = figures(made_up_table({axis: ["a", "b"], "seed": [0, 1]}))
  assert [figure.name for figure in found] == [f"axis_{axis}", "training", "compute"]
  assert found[0].panels[0].categories == ("a", "b")
  assert verdicts(found[0]) == []


def test_one_seed_one_value_no_axis():
  one = figures_of(made_up_table({"tasks": [10], "seed": [0]}, losses=False))["tasks"]
  assert any("One seed" in note for note in one.notes)
  few = figures_of(made_up_table({"tasks": [0, 10, 160], "seed": [0]}, losses=False))["tasks"]
  assert all("one seed each" in finding.sentence for finding in few.findings if finding.claim)
  assert any("No untuned run" in note for note in one.notes)
  assert "can't tell" in verdicts(one)
  assert figures_of(made_up_table({"seed": [0, 1]}, losses=False))["score"].panels


def test_never_a_line_through_two_points():
  figure = figures_of(made_up_table({"tasks": [0, 10, 160], **SEEDS}, losses=False))["tasks"]
  assert not any(series.fit for series in figure.panels[0].series)
  assert not any("ten times" in finding.sentence for finding in figure.findings)


def test_missing_cells_and_failed_runs_are_told():
  states = {"tasks-160_seed-0": "failed", "tasks-160_seed-1": "running"}
  table = made_up_table(TASKS, missing=["tasks-10_seed-1"], states={**states, "tasks-160_seed-2": "waiting"})
  figure = figures_of(table)["tasks"]
  assert any("3 of 11 runs have no score (1 failed, 1 running and 1 waiting)" in note for note in figure.notes)
  assert any("No score at 1 place of the grid: t5_demo at 160" in note for note in figure.notes)
  assert any("2 to 3 seeds a cell" in note for note in figure.notes)


def test_only_failed_runs_have_no_figure_of_scores():
  states = {f"tasks-{tasks}_seed-{seed}": "failed" for tasks in TASKS["tasks"] for seed in SEEDS["seed"]}
  assert "tasks" not in figures_of(made_up_table(TASKS, states=states))


def test_nan_is_nothing():
  table = made_up_table({"tasks": [0, 10, 160], **SEEDS}, losses=False)
  some = changed(table, "value", lambda row: math.nan if row["run"].endswith("seed-1") else row["value"])
  assert any("3 of 9 runs have no score" in note for note in figures_of(some)["tasks"].notes)
  assert [each.name for each in figures(changed(table, "value", lambda row: math.nan))] == ["compute"]


def test_tasks_that_a_run_lacks_leave_it_out():
  table = made_up_table({"tasks": [0, 10, 160], **SEEDS}, losses=False)
  lacking = changed(
    table, "value", lambda row: None if (row["run"], row["task"]) == ("tasks-10_seed-0", "who") else row["value"]
  )
  assert any("Left out" in note and "tasks-10_seed-0" in note for note in figures_of(lacking)["tasks"].notes)


def test_only_tasks_that_no_run_was_trained_on_are_compared():
  table = made_up_table({"tasks": [0, 10, 160], **SEEDS}, losses=False)
  seen = changed(table, "split", lambda row: "seen" if (row["tasks"], row["task"]) == (160, "who") else row["split"])
  assert "11 held-out tasks" in figures_of(seen)["tasks"].findings[0].sentence


def test_averages_alone_are_enough():
  table = made_up_table({"tasks": [0, 10, 160], **SEEDS}, losses=False)
  figure = figures_of(table.filter(pa.compute.equal(table["task"], "")))["tasks"]
  assert any("seeds alone" in note for note in figure.notes)
  assert figure.findings[0].low is not None


def test_several_sweeps_at_once():
  one = made_up_table({"tasks": [0, 10, 160], **SEEDS}, name="one", losses=False)
  two = made_up_table({"tasks": [0, 10, 40, 160], "seed": [0]}, name="two", losses=False)
  other = made_up_table({"cot": [False, True], **SEEDS}, name="three", losses=False)
  found = figures_of(tables.together([one, two, other]))
  assert {"tasks", "cot"} <= found.keys()
  assert [series.name for series in found["tasks"].panels[0].series] == ["one", "two"]
  assert [len(series.points) for series in found["tasks"].panels[0].series] == [3, 4]


def test_an_empty_table_has_no_figures():
  assert figures(made_up_table(TASKS, losses=False).slice(0, 0)) == []


def test_the_same_table_gives_the_same_figures():
  table = made_up_table({"tasks": [0, 10, 160], **SEEDS})
  assert [dataclasses.asdict(each) for each in figures(table)] == [dataclasses.asdict(each) for each in figures(table)]


def test_scores_at_the_floor_or_at_the_top_tell_nothing():
  for base in (-9.0, 9.0):
    table = made_up_table(TASKS, Effects(base=base, tasks=0.0, untuned=base, task=0.0, seeds=0.0), losses=False)
    figure = figures_of(table)["tasks"]
    assert set(verdicts(figure)) == {"can't tell"}
    assert all("tell nothing of an effect" in finding.sentence for finding in figure.findings if finding.claim)


def test_two_points_are_not_joined():
  figure = figures_of(made_up_table({"tasks": [10, 160], **SEEDS}, losses=False))["tasks"]
  assert not figure.panels[0].series[0].joined


def test_evaluations_that_are_unfair_to_some_runs_are_not_drawn():
  table = made_up_table({"tasks": [0, 10, 160], **SEEDS}, losses=False)
  few_shot = changed(
    table,
    "split",
    lambda row: (
      "seen" if row["variant"] == "few_shot" and (row["tasks"] == 160) == (row["task"] < "k") else row["split"]
    ),
  )
  figure = figures_of(few_shot)["tasks"]
  assert [panel.title for panel in figure.panels[:2]] == [
    "Zero-shot prompts, held-out tasks",
    "Rationale prompts, held-out tasks",
  ]
  assert any("Not drawn: held_out/few_shot" in note for note in figure.notes)


def test_tasks_counted_as_in_a_paper_are_told():
  table = made_up_table({"tasks": [0, 89, 1836], **SEEDS}, losses=False)
  fewer = changed(table, "tasks", lambda row: 60 if row["tasks"] == 89 else row["tasks"])
  assert any("89 stands for 60" in note for note in figures_of(fewer)["tasks"].notes)


def test_where_the_gain_is_among_the_tasks():
  """From 0 to the number next to a sixth of the most, against from there on."""
  early = figures_of(made_up_table(TASKS, Effects(tasks=0.1, untuned=-4.0), losses=False, base=True))["tasks"]
  told = next(finding for finding in early.findings if "gain" in finding.sentence)
  assert told.sentence.startswith("Up to 40 tasks")
  assert told.verdict == "supports"
  late_effects = Effects(tasks=4.0, untuned=-4.0, base=-4.0)
  late = figures_of(made_up_table(TASKS, late_effects, losses=False, base=True))["tasks"]
  assert next(finding for finding in late.findings if "gain" in finding.sentence).verdict == "contradicts"


def test_a_loss_has_no_part_that_is_gained_early():
  """Scores fall with more tasks, late more than early: the gain up to the middle is the larger, and is none."""
  effects = Effects(tasks=-2.0, untuned=0.0, base=1.5)
  figure = figures_of(made_up_table(TASKS, effects, losses=False, base=True))["tasks"]
  told = next(finding for finding in figure.findings if "gain" in finding.sentence)
  assert told.low > 0
  assert told.verdict == "can't tell"
  assert "not surely above 0" in told.sentence


def test_without_a_number_of_tasks_near_a_sixth_nothing_is_said_of_the_first_sixth():
  figure = figures_of(made_up_table({"tasks": [0, 80, 160], **SEEDS}, losses=False, base=True))["tasks"]
  assert not any(finding.sentence.startswith("Up to") for finding in figure.findings)


def test_without_pretraining_the_papers_gain_is_not_what_is_measured():
  """The effect is told, and its verdict is not that of a paper whose models were pretrained."""
  table = made_up_table({**TASKS, **SIZES}, Effects(tasks=1.0), losses=False)
  found = figures_of(table)
  for figure, from_untuned in (("tasks", (1, 2)), ("size", (2,))):
    findings = found[figure].findings
    held = [each for each in findings if each.claim]
    fresh = [each for each in held if NOT_PRETRAINED in each.sentence]
    assert len(fresh) == len(from_untuned)
    assert all(each.verdict == "can't tell" and each.low > 0 for each in fresh)
    assert {each.verdict for each in held if each not in fresh} == {"supports"}
    assert any("random parameters" in note for note in found[figure].notes)


def test_the_score_of_the_sweep_is_what_its_findings_are_about():
  table = made_up_table({"tasks": [0, 10, 160], **SEEDS}, losses=False)
  assert figures_of(table)["tasks"].panels[0].title.startswith("Zero-shot")
  about_cot = changed(table, "score", lambda row: "held_out/cot")
  figure = figures_of(about_cot)["tasks"]
  assert figure.panels[0].title.startswith("Rationale prompts")
  assert "rationale prompts" in figure.findings[0].sentence


def test_an_untuned_run_stands_beside_those_that_began_with_it():
  """Not beside those of another checkpoint of the same shape."""
  table = made_up_table({"tasks": [0, 10, 160], "base": ["one", "two"], "seed": [0]}, losses=False)
  known = changed(table, "initial_checkpoint", lambda row: f"gs://{row['axis.base'] or 'one'}")
  series = figures_of(known)["tasks"].panels[0].series
  assert [[point.x for point in each.points] for each in series] == [[0, 10, 160], [10, 160]]


def test_runs_of_unknown_size_are_told():
  table = made_up_table({**SIZES, "seed": [0]}, losses=False)
  unknown = changed(table, "parameters", lambda row: None if row["model"] == "t5_demo" else row["parameters"])
  assert any(
    "does not tell their parameters: model-t5_demo_seed-0" in note for note in figures_of(unknown)["size"].notes
  )


def of_split(table: pa.Table, split) -> pa.Table:
  return changed(table, "split", lambda row: row["split"] and split(row))


def test_a_finding_about_tasks_never_seen_is_not_held_against_tasks_trained_on():
  table = made_up_table({**SIZES, **SEEDS}, losses=False)
  figure = figures_of(of_split(table, lambda row: "seen"))["size"]
  told = figure.findings[0]
  assert told.low > 0
  assert told.verdict == "can't tell"
  assert "tasks never seen" in told.sentence


def test_runs_that_were_trained_on_some_of_the_tasks_are_not_held_against_others():
  """Each task was trained on by one of the sizes alone: nothing can be compared fairly."""

  def half(row):
    return "seen" if (row["model"] == "t5_demo_large") == (row["task"] < "k") else "held_out"

  figure = figures_of(of_split(made_up_table({**SIZES, **SEEDS}, losses=False), half))["size"]
  assert figure.findings[0].low > 0
  assert set(verdicts(figure)) == {"can't tell"}
  assert "no fair comparison" in figure.findings[0].sentence


def test_one_task_says_nothing_of_others():
  table = made_up_table({**SIZES, **SEEDS}, losses=False)
  one = table.filter(pa.compute.equal(table["task"], "who"))
  told = figures_of(one)["size"].findings[0]
  assert told.low > 0
  assert (told.verdict, "One task says nothing" in told.sentence) == ("can't tell", True)


def test_means_that_are_all_the_same_have_no_highest():
  table = made_up_table({"optimizer": ["adafactor", "adam"], **SEEDS}, losses=False)
  same = figures_of(changed(table, "value", lambda row: 0.5))["optimizer"].findings
  assert same[0].sentence.startswith("All 2 means of the score on zero-shot prompts of 12 held-out tasks are the same")


def test_sizes_of_all_series_are_told():
  missing = [f"cot-True_model-t5_demo_large_seed-{seed}" for seed in SEEDS["seed"]]
  table = made_up_table({"cot": [False, True], **SIZES, **SEEDS}, losses=False, missing=missing)
  assert "With 1.1M and 3.3M parameters instead of 420k" in figures_of(table)["size"].findings[0].sentence


def test_a_difference_of_shares_is_at_most_a_whole():
  effects = Effects(base=9.0, untuned=-9.0, tasks=0.0)
  figure = figures_of(made_up_table(TASKS, effects, questions=10, losses=False, base=True))["tasks"]
  assert all(-1 <= finding.low <= finding.high <= 1 for finding in figure.findings[:3] if finding.low is not None)
