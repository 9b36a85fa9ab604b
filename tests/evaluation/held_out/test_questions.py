"""What a run is asked while it trains: held out, in turn over tasks, the same each time; and what counts as unseen."""

import json

import pytest

from flan_jax.data import related_clusters, specs
from flan_jax.data.mixtures import MixtureSpec, Part, get_mixture
from flan_jax.data.rendering import Renderer
from flan_jax.evaluation.held_out.examples import held_out_prompts
from flan_jax.evaluation.held_out.questions import from_json, questions, to_json, unseen_mixture


def ask(mixture, n, **settings):
  return questions(mixture, None, n, **{"fits_prompt": lambda _: True, "fits": lambda _: True, **settings})


@pytest.fixture(scope="module")
def demo():
  return get_mixture("demo")


@pytest.fixture(scope="module")
def asked(demo):
  return ask(demo, 40)


def test_they_are_held_out_and_come_in_turn_over_tasks(demo, asked):
  assert len({each.inputs for each in asked}) == len(asked) == 40
  assert {each.task for each in asked} <= set(demo.tasks)
  for each in asked:
    source, splits = (renderer := Renderer(each.task)).source, renderer.splits
    assert each.example_id in {source[i].id for i in splits.held_out.tolist()}
    assert each.example_id not in {source[i].id for i in splits.train.tolist()}
  assert len({each.task for each in asked[:8]}) == 8


def test_the_format_is_the_one_that_is_mostly_trained_on(asked):
  assert {each.format for each in asked} == {"zero_shot"}
  weights = {"cot": 9, "zero_shot": 1}
  tasks = ("demo.chain_reverse_first", "demo.number_next", "demo.step_reverse_inverted")
  mixture = MixtureSpec("m", (Part("p", tasks, formats=tuple(weights.items())),))
  reasoning = ask(mixture, 40)
  assert {each.format for each in reasoning} == {"cot", "zero_shot"}  # some types have no rationales
  kinds = {each.task: specs.get_type(specs.get_task(each.task).type).wordings for each in reasoning}
  assert all((each.format == "cot") == ("cot" in kinds[each.task]) for each in reasoning)


def test_they_are_always_the_same_and_another_seed_gives_others(demo, asked):
  assert ask(demo, 40) == asked
  assert ask(demo, 40, seed=1) != asked
  assert [from_json(json.loads(json.dumps(to_json(each)))) for each in asked] == asked


def test_what_does_not_fit_is_left_out(demo):
  short = ask(demo, 20, fits=lambda each: len(each.inputs) < 80)
  assert short
  assert all(len(each.inputs) < 80 for each in short)


def test_one_task_gives_as_many_as_it_has():
  mixture = get_mixture("demo.number_smallest")
  held_out = len(Renderer("demo.number_smallest").splits.held_out)
  assert len(ask(mixture, 1000)) == held_out > 4


def test_unseen_tasks_of_the_demo_are_those_that_it_keeps_back_and_that_share_nothing_with_it(demo):
  unseen = unseen_mixture(demo, demo.tasks, None)
  compositions = get_mixture("demo_compositions")  # their steps are trained on
  asked_forward = {task for task in unseen.tasks if not task.endswith("_inverted")}
  assert asked_forward == set(get_mixture("demo_held_out").tasks) - set(compositions.tasks)
  assert unseen.parts[0].formats == demo.parts[0].formats


@pytest.mark.parametrize("name", ["flan2021(without=['sentiment'])", "flan2021(tasks=9)"])
def test_no_unseen_task_is_related_to_one_that_was_trained_on(name):
  mixture = get_mixture(name)
  unseen = unseen_mixture(mixture, mixture.tasks, None)
  for task in unseen.tasks if unseen else ():
    spec = specs.get_task(task)
    leaving = [f"{spec.collection}.{spec.cluster}"]
    assert not any(related_clusters.held_out(specs.get_task(seen), leaving) for seen in mixture.tasks)
    assert not spec.evaluation_only


def test_what_was_trained_on_before_is_not_unseen(demo):
  everything = get_mixture("demo_all")
  assert unseen_mixture(demo, everything.tasks, None) is None
  assert unseen_mixture(demo, [*everything.tasks, "a_user_s_own_task"], None) is None


def test_a_question_with_several_answers_is_asked_once(monkeypatch):
  def twice(*arguments, **settings):
    return [prompt for prompt in held_out_prompts(*arguments, **settings) for _ in range(2)]

  mixture = get_mixture("demo.number_smallest")
  expected = ask(mixture, 8)
  monkeypatch.setattr("flan_jax.evaluation.held_out.questions.held_out_prompts", twice)
  assert ask(mixture, 8) == expected
