"""What is asked of one text, and what else can be: sums, reviews, paraphrases, Zorish, calendar, opposites, grammar."""

import random

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


def test_every_question_is_a_task():
  for cluster, module in MODULES.items():
    asked = {spec.reader["params"]["question"] for spec in TASKS.values() if spec.cluster == cluster}
    assert asked == set(module._MAKERS)


def test_what_is_asked_of_a_text_has_one_type_each():
  for module in MODULES.values():
    assert all(len({phrase.endswith("?") for phrase in phrases}) == 1 for phrases in module.ASKS.values())


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
