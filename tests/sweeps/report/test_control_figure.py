"""Controls, ways and reasoning first: each finds what was planted, is fair to the base, and says what it is about."""

import pyarrow as pa
import pytest

from flan_jax.sweeps.report.control_figure import LABELS, control_figure
from flan_jax.sweeps.report.derived import with_bases_at_their_best
from flan_jax.sweeps.report.figure import Figure, Finding
from flan_jax.sweeps.report.figures import figures
from flan_jax.sweeps.report.reading import Reading
from flan_jax.sweeps.report.reading import read as as_written
from flan_jax.sweeps.report.reasoning_figure import reasoning_figure
from flan_jax.sweeps.report.way_figure import FINETUNED, INSTRUCTED, PROMPTED, way_figure
from tests.sweeps.made_up_ladder import CONTROLS, Levels, made_up_ladder

ASKED = ("new_examples", "new_compositions", "dev", "final", "deep")


@pytest.fixture(scope="module")
def table() -> pa.Table:
  return made_up_ladder({"control": CONTROLS, "seed": [0, 1]}, evaluations=ASKED)


def read(table: pa.Table) -> Reading:
  return with_bases_at_their_best(as_written(table))


def told(figure: Figure, beginning: str) -> list[Finding]:
  return [each for each in figure.findings if each.sentence.startswith(beginning)]


def rows(figure: Figure, panel: int = 0) -> dict[str, float]:
  return {point.x: point.y for point in figure.panels[panel].series[0].points}


def test_each_control_is_a_row_of_each_measure(table):
  figure = control_figure(read(table))
  assert list(rows(figure)) == list(LABELS.values())
  assert [panel.y_label for panel in figure.panels[:4]] == [
    "accuracy",
    "inputs right under both of two instructions",
    "valid answers",
    "accuracy",
  ]
  # Of the last rung, though the sweep's score is of another.
  assert figure.panels[0].title.endswith("(final clusters), held-out tasks; base: continuation")
  assert "rationale prompts" in figure.panels[3].title
  assert [panel.chance is None for panel in figure.panels[:4]] == [False, True, True, False]  # in this made-up table


def test_controls_tell_what_was_planted(table):
  figure = control_figure(read(table))
  (instructions, swapped, *others), (shuffled, *_), (random,) = (
    told(figure, beginning) for beginning in ("With instructions", "With each task's own", "Begun with the base")
  )
  assert instructions.verdict == "supports"
  assert "right under both of two instructions" in swapped.sentence
  assert ["form asked for" in each.sentence for each in others] == [True]  # nothing is ranked in this made-up table
  assert all(each.low > 0 for each in (instructions, swapped, random))
  assert shuffled.effect > 0.05
  assert "Elsewhere: new compositions +" in instructions.sentence
  tuned, swapped, valid = told(figure, "Tuned instead of the base")
  assert [each.verdict for each in (swapped, valid)] == ["no claim"] * 2
  assert "In zero-shot prompts, as the others were asked, the base scores" in tuned.sentence
  assert "new examples" not in instructions.sentence  # of tasks trained on nothing is said
  (needed, harmless) = told(figure, "With rationales among")
  assert needed.verdict == "supports"
  assert "rationale prompts" in needed.sentence
  assert "Elsewhere: new compositions +" in needed.sentence
  assert abs(harmless.effect) < 0.1


def test_the_ceiling_has_seen_the_tasks_and_the_others_are_still_held_out(table):
  figure = control_figure(read(table))
  (ceiling,) = told(figure, "With these tasks among those trained on")
  assert ceiling.verdict == "supports"
  assert "12 held-out tasks" in ceiling.sentence
  assert rows(figure)[LABELS["ceiling"]] > 0.9


def test_the_base_is_asked_as_suits_it_best(table):
  at_zero_shot = {
    row["task"]: row["value"]
    for row in table.to_pylist()
    if (row["evaluation"], row["variant"], row["metric"]) == ("final", "zero_shot", "accuracy") and not row["tuned"]
  }
  figure = control_figure(read(table))
  assert rows(figure)["base"] > at_zero_shot[""] + 0.05
  assert any(
    "continuation on new examples, new compositions, dev clusters, final clusters" in note for note in figure.notes
  )


def test_a_sweep_of_controls_has_no_general_figure_of_them(table):
  assert [figure.name for figure in figures(table)] == ["ladder", "controls", "reasoning", "compute"]


def test_some_controls_are_enough():
  few = made_up_ladder({"control": ["tuned", "none"], "seed": [0]}, evaluations=["dev"])
  figure = control_figure(read(few))
  assert list(rows(figure)) == ["no instructions", "tuned"]
  assert [each.claim != "" for each in figure.findings] == [True, False, False]
  assert control_figure(read(made_up_ladder({"tasks": [1, 2]}, evaluations=["dev"]))) is None


def ways() -> pa.Table:
  axes = {"control": ["untuned", "tuned", "ceiling"], "seed": [0, 1]}
  table = made_up_ladder(axes, evaluations=["dev"])
  values = {"untuned": PROMPTED, "tuned": INSTRUCTED, "ceiling": FINETUNED}
  names = ["axis.way" if name == "axis.control" else name for name in table.column_names]
  index = table.column_names.index("axis.control")
  column = pa.array([values[value] for value in table["axis.control"].to_pylist()])
  return table.set_column(index, "axis.control", column).rename_columns(names)


def test_what_was_finetuned_on_one_task_is_asked_the_others():
  """Of many tasks its own is none to compare on."""
  table = ways()
  split = ["held_out" if row["task"] != "demo.calendar_0" else row["split"] for row in table.to_pylist()]
  figure = way_figure(read(table.set_column(table.column_names.index("split"), "split", pa.array(split))))
  assert "of 11 held-out tasks" in figure.findings[0].sentence
  assert "11 tasks" in figure.panels[0].series[0].points[0].text


def test_three_ways():
  figure = way_figure(read(ways()))
  assert [label[:2] for label in rows(figure)] == ["A:", "B:", "C:"]
  a, b, c = rows(figure).values()
  assert a > c > b
  assert [each.verdict for each in figure.findings[:2]] == ["supports", "no claim"]
  assert [each.low > 0 for each in figure.findings[:2]] == [True, True]


def test_reasoning_first_is_paired_with_answering_directly(table):
  figure = reasoning_figure(read(table))
  names = ("new examples", "new compositions", "dev clusters", "final clusters", "deep")
  assert figure.panels[0].categories == names
  differences = {point.x: point for point in figure.panels[0].series[0].points}
  levels = [{point.x: point.y for point in series.points} for series in figure.panels[1].series]
  for name in names:
    assert differences[name].y == pytest.approx(levels[1][name] - levels[0][name])
  assert differences["deep"].low > 0.05
  by_name = dict(zip(names, figure.findings, strict=True))
  assert (by_name["deep"].verdict, by_name["new examples"].verdict) == ("supports", "no claim")
  kinds = {series.name: series.points for series in figure.panels[0].series}
  assert all(point.y < 0 for point in kinds["no rationales"])


def test_reasoning_is_compared_over_the_tasks_that_have_rationales():
  table = made_up_ladder({"control": ["tuned"], "seed": [0, 1]}, evaluations=["dev"])
  kept = [row["variant"] != "cot" or row["cluster"] != "calendar" for row in table.to_pylist()]
  figure = reasoning_figure(read(table.filter(pa.array(kept))))
  assert "(6 tasks that have rationales)" in figure.findings[0].sentence
  assert reasoning_figure(read(table.filter(pa.array([v != "cot" for v in table["variant"].to_pylist()])))) is None


def test_levels_are_planted_as_they_are_read():
  """What the table is made of says what the figures should find."""
  table = made_up_ladder({"control": ["tuned"], "seed": [0]}, Levels(cluster=0, task=0, seeds=0), evaluations=["dev"])
  share = [row["value"] for row in table.to_pylist() if (row["variant"], row["metric"]) == ("zero_shot", "corrected")]
  assert sum(share) / len(share) == pytest.approx(0.55, abs=0.08)  # of a logit of 0.2
