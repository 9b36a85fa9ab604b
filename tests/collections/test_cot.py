"""The chain-of-thought collection on the published files: counts, honest options, every format."""

import collections
import csv

import pytest

from flan_jax.data import formats, rendering, sources, specs

# Rows of the published files, and how many of them list options that are all the same text ('(A) kmph (B) kmph').
ROWS = {
  "gsm8k": (7473, 0),
  "aqua": (2728, 6),
  "ecqa": (7112, 0),
  "qasc": (1084, 0),
  "strategyqa": (2061, 0),
  "creak": (6915, 0),
  "sensemaking": (6070, 0),
}
CHOICES = {"gsm8k": 0, "aqua": 5, "ecqa": 5, "qasc": 8, "strategyqa": 2, "creak": 2, "sensemaking": 2}


@pytest.fixture(params=sorted(ROWS))
def renderer(request, shared_data) -> rendering.Renderer:
  return rendering.Renderer(f"cot.{request.param}", shared_data)


def some(renderer: rendering.Renderer) -> list[sources.Example]:
  return [renderer.source[i] for i in range(0, len(renderer.source), 97)]


def test_nine_sets_in_four_categories_two_sets_not_here(shared_data):
  declared = [specs.get_task(name) for name in specs.task_names("cot")]
  assert collections.Counter(spec.dataset for spec in declared) == dict.fromkeys((*ROWS, "esnli", "qed"), 4)
  present = [spec for spec in declared if sources.missing_file(spec, shared_data) is None]
  assert {spec.dataset for spec in present} == set(ROWS)


def test_the_categories_are_the_catalogues(shared_data):
  with (shared_data / "flan_collection_info.csv").open(encoding="utf-8", newline="") as file:
    rows = {(row["Dataset"], row["Generic Task Category"]) for row in csv.DictReader(file) if row["Source"] == "CoT"}
  turned = [spec for spec in map(specs.get_task, specs.task_names("cot")) if spec.inverted_of]
  names = {
    "question generation": "Question Generation",
    "explanation generation": "Explanation Generation",
    "question and answer from explanation": "Generate Question and Answer from Explanation",
  }
  published = {(dataset.partition("_")[2], category) for dataset, category in rows if category in names.values()}
  assert {(spec.dataset, names[spec.category]) for spec in turned} == published
  assert len(turned) == 27
  for spec in turned:
    assert spec.tags == ("inverted",)
    assert spec.cluster == specs.get_task(spec.inverted_of).cluster


@pytest.mark.parametrize("turned", ["question", "explanation", "question_and_answer"])
@pytest.mark.parametrize("name", ["aqua", "qasc", "sensemaking", "strategyqa"])
def test_a_set_turned_round_has_the_examples_of_the_set(name, turned, shared_data):
  source = sources.open_source(specs.get_task(f"cot.{name}"), shared_data)
  other = rendering.Renderer(f"cot.{name}_{turned}", shared_data)
  assert len(other.source) == len(source)
  for i in range(0, len(source), 499):
    fields = source[i].fields
    made = other.render(other.source[i], format="zero_shot")
    assert (
      made.targets
      == {
        "question": fields["question"],
        "explanation": fields["rationale"],
        "question_and_answer": f"{fields['question']}\nAnswer: {fields['answer']}",
      }[turned]
    )
    assert made.choices == ()
    assert (fields["rationale"] in made.inputs) == (turned != "explanation")


def test_every_row_is_an_example_or_a_told_problem(renderer):
  rows, malformed = ROWS[renderer.spec.name.removeprefix("cot.")]
  assert len(renderer.source) == rows - malformed
  assert len(renderer.source.problems) == malformed
  assert all("are all" in problem.reason for problem in renderer.source.problems)


def test_every_format_renders_whole(renderer):
  for example in some(renderer):
    for form in renderer.formats:
      made = renderer.render(example, format=form)
      assert "{{" not in made.inputs + made.targets
      assert "\\n" not in made.inputs + made.targets
      assert example.fields["question"] in made.inputs
      assert made.targets.startswith(example.fields["rationale"] if formats.FORMATS[form].rationale else made.answer)
      assert made.shots == len(made.exemplar_ids) == (0 if form in ("zero_shot", "cot") else made.shots)


def test_a_letter_is_the_target_only_where_the_prompt_asks_for_it(renderer):
  most = CHOICES[renderer.spec.name.removeprefix("cot.")]
  for example in some(renderer):
    made = renderer.render(example, format="zero_shot")
    assert len(made.choices) <= most
    assert (made.answer in made.choices) == bool(most)
    asked = [style.request for style in specs.option_styles() if style.request and style.request in made.inputs]
    assert asked if made.answer != example.fields["answer"] else not asked
    assert not (made.answer.startswith("(") and made.answer.endswith(")") and len(made.answer) == 3) or asked


def test_no_list_of_options_is_left_where_none_is_shown(renderer):
  if renderer.spec.show_options == "in_question":
    pytest.skip("the list is the question")
  for example in some(renderer):
    for form in renderer.formats:
      made = renderer.render(example, format=form)
      heads = sum(made.inputs.count(f"\n{head}\n") for head in {style.head for style in specs.option_styles()})
      assert heads == (1 + made.shots if made.options_shown else 0)
