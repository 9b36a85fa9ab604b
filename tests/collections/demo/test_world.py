"""Facts, passages, coreference, NLI and records: laws of all their tasks and of what is told of them.

That answers are right is shown in test_world_answers and test_nli.
"""

import collections
import random
import re

import pytest

from flan_jax.collections.demo.generators import coreference, facts, nli, passages, records
from flan_jax.data import specs

MODULES = {"facts": facts, "passages": passages, "coreference": coreference, "nli": nli, "records": records}
TABLES = ("ASKS", "QUESTIONS", "TOWN_OF", "ONWARD", "SAME", "WHICH", "CHECK")
TASKS = [name for name in specs.task_names("demo") if specs.get_task(name).cluster in MODULES]
DIRECT = [name for name in TASKS if not specs.get_task(name).inverted_of]


def drawn(task, n):
  spec = specs.get_task(task)
  return [MODULES[spec.cluster].generate(random.Random(f"{task} {i}"), **spec.reader["params"]) for i in range(n)]


def instruction(fields):
  return fields["ask"] if "ask" in fields else fields["question"]


@pytest.mark.parametrize("task", DIRECT)
def test_choices_hold_the_answer_and_another_instruction_has_another_answer(task):
  kind = specs.get_type(specs.get_task(task).type)
  examples = drawn(task, 40)
  for fields in examples:
    assert set(kind.fields) <= set(fields) <= {*kind.fields, *kind.optional}
    assert fields.get("choices", [fields["answer"]]).count(fields["answer"]) == 1
    if "other_answer" in fields:
      assert fields["other_answer"] != fields["answer"]
      assert fields["other_answer"] in fields.get("other_choices", fields.get("choices", [fields["other_answer"]]))
      assert fields[f"other_{kind.instruction[0]}"] != instruction(fields)
  assert "town_of" in task or any("other_answer" in fields for fields in examples)


# Of a town that has something one need not read in the text; all other instructions say nothing of their answers.
@pytest.mark.parametrize("task", [task for task in DIRECT if "which_town" not in task])
def test_no_instruction_alone_gives_its_answer(task):
  answers_of = collections.defaultdict(collections.Counter)
  for fields in drawn(task, 200):
    answers_of[instruction(fields)][fields["answer"]] += 1
  for answers in answers_of.values():
    assert answers.total() < 40 or max(answers.values()) / answers.total() < 0.7


@pytest.mark.parametrize("cluster", MODULES)
def test_narrations_tell_everything_in_few_words_and_instruct_nobody(cluster):
  module = MODULES[cluster]
  told = [module.narrate(random.Random(i)) for i in range(3000)]
  said = "\n".join(told)
  assert not re.search(r"[{}]|\n\n|\b(Question|Answer|Options?|Input|Output|Task|Instruction|Please|you|your)\b", said)
  lengths = sorted(len(text.split()) for text in told)
  assert lengths[-1] <= 55
  assert lengths[len(lengths) * 95 // 100] <= 45
  # Every way to ask is there; what stands in braces is another word each time.
  asked = [phrase for name in TABLES for phrases in getattr(module, name, {}).values() for phrase in phrases]
  assert [phrase for phrase in asked if not re.search(re.sub(r"\\{\w+\\}", r"[\\w ]+?", re.escape(phrase)), said)] == []


def test_every_instruction_can_be_said_in_four_ways():
  # Which of two towns: two ways for each value that they may have.
  for module in MODULES.values():
    for name in TABLES:
      for phrases in getattr(module, name, {}).values():
        assert len(set(phrases)) >= (2 if name == "WHICH" else 4)
