"""Steps on lists: they do what their phrases say, in chains too, and what is held out stands in no narration."""

import random
import re

import pytest

from flan_jax.collections.demo.generators import lists
from flan_jax.data import specs

PHRASES = {phrase: name for name, (_, phrases) in lists.STEPS.items() for phrase in phrases}
ANY_PHRASE = re.compile("|".join(sorted(map(re.escape, PHRASES), key=len, reverse=True)))


def after(given, names):
  for name in names:
    given = lists.STEPS[name][0](given)
  return " ".join(given)


def examples(names, n):
  return [lists.generate(random.Random(seed), " ".join(names)) for seed in range(n)]


@pytest.mark.parametrize(
  ("step", "answer"),
  [
    ("reverse", "d c b a"),
    ("drop_first", "b c d"),
    ("drop_last", "a b c"),
    ("rotate_left", "b c d a"),
    ("rotate_right", "d a b c"),
    ("swap_ends", "d b c a"),
    ("swap_front", "b a c d"),
    ("double_first", "a a b c d"),
    ("double_last", "a b c d d"),
    ("keep_two", "a b"),
    ("first", "a"),
    ("last", "d"),
    ("second", "b"),
    ("count", "four"),
  ],
)
def test_steps_do_what_their_phrases_say(step, answer):
  assert after(["a", "b", "c", "d"], [step]) == answer


@pytest.mark.parametrize("group", [lists.SINGLE, lists.TRAINED, lists.NEW, lists.DEEP], ids=["1", "2", "new", "3"])
def test_an_answer_is_what_the_steps_that_are_asked_for_lead_to(group):
  for names in group:
    for fields in examples(names, 5):
      given = (fields.get("words") or fields["text"]).strip("[]").split()
      asked = [value for key, value in fields.items() if key == "ask" or re.fullmatch("[a-z]+_step", key)]
      assert tuple(PHRASES[ask] for ask in asked) == names
      assert fields["answer"] == after(given, names)
      between = [after(given, names[:i]) for i in range(1, len(names))]
      assert re.findall("step gives ([^.]*)", fields.get("rationale", "")) == between


def test_another_last_step_of_the_same_cluster_leads_to_another_answer():
  without = set()
  for group in (lists.SINGLE, lists.TRAINED, lists.NEW):
    for names in group:
      for fields in examples(names, 5):
        other = fields.get("other_ask") or fields.get("other_second_step")
        if not other:
          without.add(names)
          continue
        instead = (*names[:-1], PHRASES[other])
        given = (fields.get("words") or fields["text"]).strip("[]").split()
        assert instead in group
        assert after(given, instead) == fields["other_answer"] != fields["answer"]
  assert without == {("keep_two", "last"), ("keep_two", "second")}  # of two words the last one is the second one


def test_steps_that_are_undone_have_one_beginning():
  for name in lists.UNDONE:
    ends = {after(given, [name]) for given in (("a", "b", "c"), ("b", "a", "c"), ("c", "a", "b"), ("a", "c", "b"))}
    assert len(ends) == 4
  inverted = {task for task in specs.task_names("demo") if specs.get_task(task).cluster == "steps"}
  assert {f"demo.step_{name}_inverted" for name in lists.UNDONE} == {each for each in inverted if "inverted" in each}


def test_the_tasks_are_those_that_the_generator_knows():
  groups = {"steps": lists.SINGLE, "chains": lists.TRAINED, "new_chains": lists.NEW, "deep_chains": lists.DEEP}
  for cluster, group in groups.items():
    tasks = [spec for spec in map(specs.get_task, specs.task_names("demo")) if spec.cluster == cluster]
    assert {tuple(spec.reader["params"]["steps"].split()) for spec in tasks} == set(group)


def test_what_is_new_is_made_of_what_is_known():
  assert not set(lists.NEW) & set(lists.TRAINED)
  assert {first for first, _ in lists.NEW} <= {first for first, _ in lists.TRAINED}
  assert {second for _, second in lists.NEW} <= {second for _, second in lists.TRAINED}
  assert {pair for a, b, c in lists.DEEP for pair in ((a, b), (b, c))} <= set(lists.TRAINED)


def test_narrations_have_right_results_and_nothing_that_is_held_out():
  told = set()
  for seed in range(4000):
    text = lists.narrate(random.Random(seed))
    names = tuple(PHRASES[phrase] for phrase in ANY_PHRASE.findall(text))
    told.add(names)
    if names:
      given = re.search(r"\[([^]]*)\]", text)[1].split()
      assert after(given, names) in text
  assert told - {()} <= {*lists.SINGLE, *lists.TRAINED}
  assert told >= {*lists.SINGLE, *lists.TRAINED}
