"""The published suites' files: every declared one that is here maps whole onto its type, by the publishers' counts."""

import collections
import csv
import re

import pytest

from flan_jax.data import rendering, sources, specs
from flan_jax.data.mapping import REFERENCES

SUITES = specs.task_names("suites")
# Samples of the publishers' files are smaller than the files; here by what they hold.
SAMPLES = {"suites.gsm8k": 400, "suites.tydiqa_en": 440, "suites.tydiqa_ko": 276, "suites.tydiqa_sw": 499}
# Published answers that are an option's text where all others are letters: their lists were split at commas.
TEXT_ANSWERS = {"suites.bbh_ruin_names": 2, "suites.bbh_movie_recommendation": 1}


def test_all_of_a_suite_is_asked_and_exemplars_are_others_of_it(shared_data):
  renderer = rendering.Renderer("suites.bbh_snarks", shared_data)
  assert len(renderer.splits.train) == 0
  assert len(renderer.splits.held_out) == len(renderer.source) == 178
  for i in range(20):
    made = renderer.render(renderer.source[i], format="few_shot", shots=3)
    assert made.shots == 3
    assert renderer.source[i].id not in made.exemplar_ids


def of(suite: str) -> list[str]:
  return [name for name in SUITES if suite in specs.get_task(name).tags]


def here(shared_data, suite: str) -> dict[str, sources.Source]:
  tasks = {name: specs.get_task(name) for name in of(suite)}
  return {
    name: sources.open_source(spec, shared_data)
    for name, spec in tasks.items()
    if sources.missing_file(spec, shared_data) is None
  }


def facts(shared_data, file: str) -> list[dict[str, str]]:
  with (shared_data.parent / "facts" / file).open(encoding="utf-8", newline="") as rows:
    return list(csv.DictReader(rows))


def test_suites_are_declared_whole_and_never_trained_on():
  assert {suite: len(of(suite)) for suite in ("bbh", "mmlu", "mgsm", "gsm8k", "tydiqa")} == {
    **{"bbh": 27, "mgsm": 11, "gsm8k": 1, "tydiqa": 9},
    "mmlu": 3 * 57,
  }
  assert sum(specs.get_task(name).examples for name in of("bbh")) == 6511
  for name in SUITES:
    spec = specs.get_task(name)
    assert spec.evaluation_only
    assert spec.inverted_of == ""


def test_subjects_and_subtasks_are_those_of_the_papers(shared_data):
  groups = {row["subject"]: row["group"] for row in facts(shared_data, "mmlu_subjects.csv")}
  found = {}
  for group in set(groups.values()):
    for name in of(f"mmlu_{group}"):
      subject, _, split = name.removeprefix("suites.mmlu_").rpartition("_")
      assert split in ("dev", "val", "test")
      found[subject] = group
  assert found == groups
  subtasks = {row["subtask"]: row for row in facts(shared_data, "bbh_subtasks.csv") if row["subtask"] != "MEAN"}
  declared = {name.removeprefix("suites.bbh_"): specs.get_task(name) for name in of("bbh")}
  assert {name: (spec.category, spec.examples) for name, spec in declared.items()} == {
    name: (row["group"], int(row["examples"])) for name, row in subtasks.items()
  }


@pytest.mark.parametrize(("suite", "files"), [("bbh", 27), ("mmlu", 66), ("mgsm", 11), ("gsm8k", 1), ("tydiqa", 3)])
def test_every_record_that_is_here_is_an_example(shared_data, suite, files):
  found = here(shared_data, suite)
  assert len(found) == files
  for name, source in found.items():
    assert source.lost == sources.Lost()
    expected = 5 if name.endswith("_dev") else SAMPLES.get(name, source.spec.examples)
    assert len(source) == (source.records if expected is None else expected), name


def test_bbh_answers_are_the_published_ones_among_what_the_question_lists(shared_data):
  texts = collections.Counter()
  for name, source in here(shared_data, "bbh").items():
    for i in range(len(source)):
      fields = source[i].fields
      choices = fields.get("choices", [])
      assert all(re.search(rf"(?m)^{re.escape(c)}", fields["question"]) for c in choices if c.startswith("("))
      texts[name] += bool(choices) and fields["answer"] not in choices
  assert +texts == TEXT_ANSWERS


def test_mmlu_asks_for_a_letter_beside_four_options(shared_data):
  for name, source in here(shared_data, "mmlu").items():
    renderer = rendering.Renderer(name, shared_data)
    for i in range(0, len(source), 50):
      made = renderer.render(source[i], format="zero_shot")
      assert made.options_shown
      assert len(made.choices) == 4
      assert made.answer in made.choices
      assert re.fullmatch(r"\(?[A-D1-4]\)?", made.answer)


def test_numbers_are_accepted_with_and_without_commas(shared_data):
  commas = 0
  for source in (*here(shared_data, "mgsm").values(), *here(shared_data, "gsm8k").values()):
    for i in range(len(source)):
      accepted = source[i].fields[REFERENCES]
      assert re.fullmatch(r"-?\d+", accepted[-1])
      assert [text.replace(",", "") for text in accepted] == [accepted[-1]] * len(accepted)
      commas += len(accepted) == 2
  assert commas == 11 * 4 + 4


def test_gsm8k_reasons_without_the_calculators_marks(shared_data):
  source = here(shared_data, "gsm8k")["suites.gsm8k"]
  for i in range(len(source)):
    rationale = source[i].fields["rationale"]
    assert not re.search(r"<<|>>|####", rationale)
  assert source[0].fields["rationale"].startswith("Janet sells 16 - 3 - 4 = 9 duck eggs a day.\nShe makes 9 * 2 = $18")


def test_tydiqa_answers_stand_in_their_passages(shared_data):
  for source in here(shared_data, "tydiqa").values():
    for i in range(len(source)):
      fields = source[i].fields
      assert all(answer in fields["passage"] for answer in fields[REFERENCES])
