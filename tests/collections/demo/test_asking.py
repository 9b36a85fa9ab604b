"""Laws of all that is asked of one text: sums, reviews, paraphrases, Zorish, the calendar, opposites, grammar.

That answers are right is shown in a file for each of them.
"""

import collections
import random
import re

import pytest

from flan_jax.collections.demo.generators import (
  asking,
  calendar_,
  grammar,
  language,
  opposites,
  paraphrase,
  sentiment,
  sums,
)
from flan_jax.data import specs

MODULES = {
  "sums": sums,
  "sentiment": sentiment,
  "paraphrase": paraphrase,
  "language": language,
  "calendar": calendar_,
  "opposites": opposites,
  "grammar": grammar,
}
SPECS = [specs.get_task(task) for task in specs.task_names("demo") if specs.get_task(task).cluster in MODULES]
TASKS = {spec.name: spec for spec in SPECS if not spec.inverted_of}


@pytest.fixture(scope="module", params=TASKS)
def drawn(request):
  """A task's spec and 120 of its examples."""
  spec = TASKS[request.param]
  generate, params = MODULES[spec.cluster].generate, spec.reader["params"]
  return spec, [generate(random.Random(f"{spec.name} {i}"), **params) for i in range(120)]


def test_choices_hold_the_answer_and_the_other_has_another(drawn):
  spec, examples = drawn
  kind = specs.get_type(spec.type)
  (instruction,) = kind.instruction
  for fields in examples:
    assert set(kind.fields) <= set(fields) <= {*kind.fields, *kind.optional}
    assert fields.get("choices", [fields["answer"]]).count(fields["answer"]) == 1
    assert len(fields["text"].split()) <= 20
    assert 1 <= len(fields["answer"].split()) <= 7
    if "other_answer" in fields:
      assert fields["other_answer"] != fields["answer"]
      assert fields["other_answer"] in fields.get("other_choices", [fields["other_answer"]])
      assert ("choices" in fields) == ("other_choices" in fields)
      assert fields[f"other_{instruction}"] != fields[instruction]


def test_neither_the_instruction_nor_a_place_gives_the_answer(drawn):
  spec, examples = drawn
  (instruction,) = specs.get_type(spec.type).instruction
  chance = sum(1 / len(fields.get("choices", "12")) for fields in examples) / len(examples)
  answers_of = collections.defaultdict(collections.Counter)
  for fields in examples:
    answers_of[fields[instruction]][fields["answer"]] += 1
  often = [answers for answers in answers_of.values() if answers.total() > 10]  # others name somebody or something
  # A phrasing has some 30 of 120 examples, of which the commonest answer has a share of chance +- 0.09.
  assert sum(max(answers.values()) for answers in often) <= (chance + 0.2) * sum(answers.total() for answers in often)
  places = collections.Counter(fields["choices"].index(fields["answer"]) for fields in examples if "choices" in fields)
  assert not places or max(places.values()) / len(examples) < chance + 0.2


def test_every_question_is_a_task_and_phrased_in_four_ways():
  for cluster, module in MODULES.items():
    asked = {spec.reader["params"]["question"] for spec in TASKS.values() if spec.cluster == cluster}
    assert asked == set(module._MAKERS)
    assert all(len(set(phrases)) >= 4 for phrases in module.ASKS.values())
    assert len(asked) >= 6


def test_what_is_asked_of_a_text_has_one_type_each():
  for module in MODULES.values():
    assert all(len({phrase.endswith("?") for phrase in phrases}) == 1 for phrases in module.ASKS.values())


@pytest.mark.parametrize("cluster", MODULES)
def test_narrations_ask_everything_in_few_words_and_instruct_nobody(cluster):
  module = MODULES[cluster]
  told = [module.narrate(random.Random(i)) for i in range(2500)]
  said = "\n".join(told)
  assert not re.search(r"[{}]|\n\n|\b(Question|Answer|Options?|Input|Output|Task|Instruction|Please|you|your)\b", said)
  assert sorted(len(text.split()) for text in told)[len(told) * 95 // 100] <= 45
  forms = {re.sub(r"\\{\w+\\}", r"\\w+", re.escape(phrase)) for phrases in module.ASKS.values() for phrase in phrases}
  assert [form for form in forms if not re.search(form, said)] == []


def test_another_instruction_is_of_its_type_with_choices_like_it_and_another_answer():
  asks = {"sum": ("add",) * 4, "more": ("name",) * 4, "who": ("Who?",) * 4, "same": ("say",) * 4}
  replies = {
    "sum": asking.Reply("3"),
    "more": asking.Reply("Ada", choices=("Ada", "Ben")),
    "who": asking.Reply("Ada"),
    "same": asking.Reply("3"),
  }
  for asked in asks:
    assert "other_answer" not in asking.example(random.Random(0), asking.Matter("text", replies), asked, asks)
  replies["same"] = asking.Reply("4")
  fields = asking.example(random.Random(0), asking.Matter("text", replies), "sum", asks)
  assert fields == {"text": "text", "ask": "add", "answer": "3", "other_ask": "say", "other_answer": "4"}
