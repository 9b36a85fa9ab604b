"""Held-out prompts: never a training example, the same examples in each format, shortened by exemplars only."""

import dataclasses

import pytest

from flan_jax.data import instructions, mixtures, specs
from flan_jax.data.rendering import Renderer
from flan_jax.errors import UsageError
from flan_jax.evaluation import asking
from flan_jax.evaluation.held_out.examples import as_question, formats_of, held_out_prompts, held_out_questions, opened
from flan_jax.evaluation.held_out.ways import SWAPPED, parted

TASK = "cot.gsm8k"


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
  folder = tmp_path_factory.mktemp("data")
  (folder / "cot").mkdir()
  lines = (f"How many apples are {i} apples?\t{i}\tI count them. There are {i}.\n" for i in range(400))
  (folder / "cot" / "gsm8k_train.tsv").write_text("".join(lines))
  return folder


def test_formats_that_a_task_has():
  assert formats_of(TASK, ["cot", "zero_shot"]) == ("cot", "zero_shot")
  with pytest.raises(UsageError, match="Nearest"):
    formats_of("cot.gsm8", ["cot"])


def test_only_held_out_examples_are_asked_the_same_in_each_format(data_dir):
  prompts = held_out_prompts(TASK, data_dir, ["zero_shot", "few_shot", "cot"], 10)
  renderer = Renderer(TASK, data_dir)
  held_out = {renderer.source[int(i)].id for i in renderer.splits.held_out}
  asked = {name: [p.example_id for p in prompts if p.format == name] for name in ("zero_shot", "few_shot", "cot")}
  assert asked["zero_shot"] == asked["few_shot"] == asked["cot"]
  assert len(set(asked["cot"])) == 10
  assert set(asked["cot"]) <= held_out
  assert all(not set(p.exemplar_ids) & held_out for p in prompts)


def test_an_answer_ends_with_its_sentence_where_a_story_can_ask_for_it(data_dir):
  told = as_question(held_out_prompts("demo.step_reverse", None, ["few_shot"], 1)[0])
  (answer,) = told.references
  outputs = (f"{answer}. Then Dan", f"{answer}.", answer, f"{answer} Then Dan")
  assert [asking.read(asking.Asked(told, 1), [output]).correct for output in outputs] == [True, True, True, False]
  assert as_question(held_out_prompts(TASK, data_dir, ["few_shot"], 1)[0]).kind == "verbatim"
  sentences = dataclasses.replace(held_out_prompts("demo.step_reverse", None, ["few_shot"], 1)[0], references=("A. B",))
  assert as_question(sentences).kind == "verbatim"  # the answer is longer than a sentence


def test_more_examples_begin_with_fewer(data_dir):
  few, many = (held_out_prompts(TASK, data_dir, ["zero_shot"], n) for n in (3, 12))
  assert many[:3] == few
  assert held_out_prompts(TASK, data_dir, ["zero_shot"], 3, seed=1) != few


def test_asking_for_more_than_there_are_gives_all(data_dir):
  renderer = Renderer(TASK, data_dir)
  assert len(held_out_prompts(TASK, data_dir, ["zero_shot"], 10_000)) == len(renderer.splits.held_out)


def test_exemplars_are_dropped_until_a_prompt_fits_and_the_query_stays(data_dir):
  free = held_out_prompts(TASK, data_dir, ["few_shot"], 8, shots=(5, 5))
  longest = min(len(prompt.inputs) for prompt in free) * 2 // 3
  fitted = held_out_prompts(TASK, data_dir, ["few_shot"], 8, shots=(5, 5), fits=lambda text: len(text) <= longest)
  assert {prompt.shots for prompt in free} == {5}
  for before, after in zip(free, fitted, strict=True):
    assert 1 <= after.shots < 5
    assert after.exemplar_ids == before.exemplar_ids[: after.shots]
    assert len(after.inputs) <= longest
  never = held_out_prompts(TASK, data_dir, ["few_shot", "zero_shot"], 8, fits=lambda text: False)
  assert {prompt.shots for prompt in never} == {0, 1}


@pytest.mark.parametrize("mixture", ["demo_dev", "demo_final"])
def test_but_for_the_instruction_both_prompts_of_a_swapped_pair_are_the_same(mixture):
  """So that who does not read it says the same twice, and is wrong once: other options, listed, would give it away."""
  pairs, passed_over = 0, 0
  for task in mixtures.get_mixture(mixture).tasks:
    kind = specs.get_type(specs.get_task(task).type)
    if not kind.instruction:
      continue
    renderer = opened(task, None, ("zero_shot",))
    asked = held_out_questions(renderer, ("zero_shot",), 8, mixture, swap=True)
    own = {each.id: each for each in asked if parted(each.variant)[1] != SWAPPED}
    examples = {each.id: each for each in map(renderer.source.__getitem__, map(int, renderer.splits.held_out))}
    swapped = [each for each in asked if parted(each.variant)[1] == SWAPPED]
    pairs += len(swapped)
    passed_over += sum(renderer.can_swap(examples[id]) for id in own) - len(swapped)
    for other in swapped:
      fields = examples[other.id].fields
      texts = (own[other.id].prompt, fields), (other.prompt, instructions.swapped(fields))
      assert len({_uninstructed(text, fields, kind.instruction) for text, fields in texts}) == 1
      assert own[other.id].references != other.references
  assert pairs > 150
  assert 0 < passed_over < pairs / 2  # facts and kinds have pairs with other options


def _uninstructed(prompt, fields, names):
  for name in names:
    for said in (fields[name], fields[name][0].upper() + fields[name][1:]):
      prompt = prompt.replace(said, "...")
  return prompt
