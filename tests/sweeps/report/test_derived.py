"""Measures made of others: a base stands at its best in all usual formats, one way less another is task by task."""

import pyarrow as pa
import pytest

from flan_jax.evaluation.held_out.differences import BEFORE
from flan_jax.sweeps.report import derived
from flan_jax.sweeps.report.reading import SWAP, Reading, read
from tests.sweeps.made_up_ladder import VARIANTS, Levels, made_up_ladder

AXES = {"control": ["untuned", "tuned"], "seed": [0]}
BASE, TUNED = ("controls", "control-untuned"), ("controls", "control-tuned_seed-0")


@pytest.fixture(scope="module")
def table() -> pa.Table:
  return made_up_ladder(AXES, evaluations=["dev"])


@pytest.fixture(scope="module")
def written(table) -> Reading:
  return read(table)


def scores(reading: Reading, variant: str, run: tuple[str, str], metric: str = "") -> dict[str, float]:
  measure = derived.found(reading, "dev", variant, metric)
  return {task: score.value for task, score in reading.scores[measure][run].items()}


def test_a_base_has_the_scores_of_its_best_format_in_all_usual_ones(written):
  made = derived.with_bases_at_their_best(written)
  assert made.base_asked == {"dev": ("continuation",)}
  assert made.base_formats("dev") == "continuation"
  assert made.base_choice == {"dev": BEFORE}
  for variant in BEFORE[:2]:
    measure = derived.found(written, "dev", variant)
    assert made.base_as_asked[measure] == {BASE: written.scores[measure][BASE]}
  for variant in BEFORE:
    assert scores(made, variant, BASE) == scores(written, "continuation", BASE)
  assert scores(made, "cot", BASE) == scores(written, "cot", BASE)
  for variant in VARIANTS:
    assert scores(made, variant, TUNED) == scores(written, variant, TUNED)
  assert scores(made, "zero_shot", BASE, SWAP) == scores(written, "zero_shot", BASE, SWAP)  # asked in no other


def test_a_task_without_the_best_format_keeps_its_own(table):
  kept = [(row["variant"], row["cluster"]) != ("continuation", "calendar") for row in table.to_pylist()]
  few = read(table.filter(pa.array(kept)))
  made = derived.with_bases_at_their_best(few)
  own, best = scores(few, "zero_shot", BASE), scores(few, "continuation", BASE)
  assert made.base_asked == {"dev": ("continuation",)}
  assert scores(made, "zero_shot", BASE) == {**own, **best}
  assert 0 < len(best) < len(own)


def test_what_is_best_may_be_zero_shot():
  made = derived.with_bases_at_their_best(
    read(made_up_ladder(AXES, Levels(base=0.0, continued=-5.0), evaluations=["dev"]))
  )
  assert made.base_asked["dev"][0] in ("zero_shot", "few_shot")


def test_one_measure_less_another_is_task_by_task(written):
  first, second = (derived.found(written, "dev", variant) for variant in ("cot", "zero_shot"))
  made, difference = derived.minus(derived.of_tasks(written, second, ["demo.calendar_0"]), first, second)
  expected = scores(written, "cot", TUNED)["demo.calendar_0"] - scores(written, "zero_shot", TUNED)["demo.calendar_0"]
  assert {task: score.value for task, score in made.scores[difference][TUNED].items()} == {"demo.calendar_0": expected}
  assert not difference.bounded
