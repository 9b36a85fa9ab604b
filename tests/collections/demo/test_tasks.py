"""Laws of all tasks of the demo: what an example holds, that nothing but the text gives its answer, what is narrated.

That the answers are right is shown in a file for each generator.
"""

import collections
import importlib
import random
import re

import pytest

from flan_jax.data import related_clusters, specs
from flan_jax.data.rendering import Renderer

# Of each generator, by name, its tables of phrasings.
TABLES = ("ASKS", "QUESTIONS", "TOWN_OF", "ONWARD", "SAME", "WHICH", "CHECK")
CHAINS = ("chains", "new_chains", "deep_chains")


def _generated(spec):
  return "generator" in spec.reader and not spec.inverted_of and spec.type != "text"


SPECS = {name: spec for name in specs.task_names("demo") if _generated(spec := specs.get_task(name))}
CLUSTERS = {spec.cluster: [] for spec in SPECS.values()}
for _spec in SPECS.values():
  CLUSTERS[_spec.cluster].append(_spec.name)
NAMES = sorted({spec.reader["generator"].removeprefix("demo.") for spec in SPECS.values()})
MODULES = {name: importlib.import_module(f"flan_jax.collections.demo.generators.{name}") for name in NAMES}


def of_task(spec, n=120):
  generate = MODULES[spec.reader["generator"].removeprefix("demo.")].generate
  return [generate(random.Random(f"{spec.name} {i}"), **spec.reader["params"]) for i in range(n)]


@pytest.fixture(scope="module")
def examples():
  """By task 120 examples; of chains, which are many and alike, 6."""
  return {name: of_task(spec, 6 if spec.cluster in CHAINS else 120) for name, spec in SPECS.items()}


def test_at_least_two_hundred_tasks_in_twelve_clusters_of_six_or_more():
  assert len(SPECS) >= 200
  assert len(CLUSTERS) >= 12
  assert min(map(len, CLUSTERS.values())) >= 6


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_an_example_is_short_and_another_instruction_has_another_answer(cluster, examples):
  for task in CLUSTERS[cluster]:
    kind = specs.get_type(SPECS[task].type)
    for fields in examples[task]:
      assert set(kind.fields) <= set(fields) <= {*kind.fields, *kind.optional}
      assert fields.get("choices", [fields["answer"]]).count(fields["answer"]) == 1
      assert 1 <= len(fields["answer"].split()) <= 9
      assert sum(len(fields[name].split()) for name in kind.fields if name != "answer") <= 40
      if "other_answer" in fields:
        others = {name.removeprefix("other_") for name in fields if name.startswith("other_")} & {*kind.instruction}
        assert others
        assert all(fields[f"other_{name}"] != fields[name] for name in others)
        assert fields["other_answer"] != fields["answer"]
        assert fields["other_answer"] in fields.get("other_choices", fields.get("choices", [fields["other_answer"]]))


@pytest.mark.parametrize("cluster", [cluster for cluster in CLUSTERS if cluster not in CHAINS])
def test_neither_the_instruction_nor_a_place_gives_the_answer(cluster, examples):
  for task in CLUSTERS[cluster]:
    if "which_town" in task:  # which of two towns has what is asked for one need not read in the text
      continue
    (instruction,) = specs.get_type(SPECS[task].type).instruction
    drawn = examples[task]
    chance = sum(1 / len(fields.get("choices", "12")) for fields in drawn) / len(drawn)
    answers_of = collections.defaultdict(collections.Counter)
    for fields in drawn:
      answers_of[fields[instruction]][fields["answer"]] += 1
    often = [answers for answers in answers_of.values() if answers.total() > 20]  # others name somebody or something
    # A phrasing has some 30 of 120 examples, of which the commonest answer has a share of chance +- 0.09.
    assert sum(max(answers.values()) for answers in often) <= (chance + 0.2) * sum(
      map(collections.Counter.total, often)
    ), task
    places = collections.Counter(fields["choices"].index(fields["answer"]) for fields in drawn if "choices" in fields)
    assert not places or max(places.values()) / len(drawn) < chance + 0.2, task


def test_each_of_a_few_choices_is_right_of_held_out_examples_too(examples):
  """A task whose held-out examples all have one answer measures a habit. The one that does waits for the next base."""
  one_sided = []
  for name, spec in SPECS.items():
    few = {choice for fields in examples[name] for choice in fields.get("choices", ())}
    if few and few <= {"yes", "no", "maybe"}:
      renderer = Renderer(spec, formats=[("zero_shot", 1)])
      of = [renderer.source[int(index)].fields["answer"] for index in renderer.splits.held_out]
      if set(of) != few:
        one_sided.append(name)
  assert one_sided == ["demo.same_flag"]


def test_no_instruction_is_given_in_two_units_of_clusters(examples):
  """What leaves together is all that an instruction is known from."""
  clusters_of = collections.defaultdict(set)
  for name, of in examples.items():
    instruction = specs.get_type(SPECS[name].type).instruction
    for fields in of:
      for field in instruction:
        clusters_of[fields[field]].add(SPECS[name].cluster)
  for clusters in {frozenset(clusters) for clusters in clusters_of.values()}:
    for cluster in clusters:
      leaving = {name for collection, name in related_clusters.leaving_with((f"demo.{cluster}",))}
      assert clusters <= leaving


@pytest.mark.parametrize("name", MODULES)
def test_narrations_tell_everything_in_few_words_and_instruct_nobody(name):
  module = MODULES[name]
  told = [module.narrate(random.Random(i)) for i in range(2500)]
  said = "\n".join(told)
  assert not re.search(r"[{}]|\n\n|\b(Question|Answer|Options?|Input|Output|Task|Instruction|Please|you|your)\b", said)
  lengths = sorted(len(text.split()) for text in told)
  assert lengths[-1] <= 60
  assert lengths[len(lengths) * 95 // 100] <= 45
  # Every way to ask is there; what stands in braces is another word each time.
  asked = [phrase for table in TABLES for phrases in getattr(module, table, {}).values() for phrase in phrases]
  forms = {re.sub(r"\\{\w+\\}", r"[\\w ]+?", re.escape(phrase)) for phrase in asked}
  assert [form for form in forms if not re.search(form, said)] == []


def test_every_instruction_can_be_said_in_four_ways():
  # Which of two towns: two ways for each value that they may have.
  for module in MODULES.values():
    for name in TABLES:
      for phrases in getattr(module, name, {}).values():
        assert len(set(phrases)) >= (2 if name == "WHICH" else 4)
