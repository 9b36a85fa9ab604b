"""Paraphrases: each sentence is read as an event, and the same is what tells of the same event."""

import re

import pytest

from flan_jax.collections.demo.generators import paraphrase
from tests.collections.demo import asked

# Each form, with the parts of the event in whatever order it has them.
FORMS = {
  "stressed": r"[Ii]t was (?P<doer>\w+) who (?P<done>\w+) the (?P<thing>\w+)",
  "passive": r"[Tt]he (?P<thing>\w+) was (?P<done>\w+) by (?P<doer>\w+)",
  "giver": r"(?P<doer>\w+) (?P<done>\w+) the (?P<thing>\w+) to (?P<receiver>\w+)",
  "receiver": r"(?P<receiver>\w+) (?P<done>\w+) the (?P<thing>\w+) from (?P<doer>\w+)",
  "short": r"(?P<doer>\w+) (?P<done>\w+) (?P<receiver>[A-Z]\w+) the (?P<thing>\w+)",
  "active": r"(?P<doer>\w+) (?P<done>\w+) the (?P<thing>\w+)",
}
SAME_DEED = {"hidden": "hid", "bought": "sold", "borrowed": "lent", "got": "gave"}
FORM_OF = {
  **{f"{source}_to_{form}": form for source in FORMS for form in ("active", "passive", "stressed")},
  **{"to_receiver": "receiver", "to_giver": "giver", "person_before_thing": "short", "thing_before_person": "giver"},
}


def read(clause):
  """The form of a clause and the event that it tells of."""
  for form, pattern in FORMS.items():
    if match := re.fullmatch(pattern, clause):
      event = match.groupdict()
      return form, event | {"done": SAME_DEED.get(event["done"], event["done"])}
  raise AssertionError(clause)


@pytest.mark.parametrize("question", [question for question in paraphrase.ASKS if question in FORM_OF])
def test_another_form_tells_of_the_same_event(question):
  for text, what, _, answer in asked.examples(paraphrase, question):
    assert read(answer) == (FORM_OF[what], read(text)[1])
    assert answer != text


@pytest.mark.parametrize("question", ["same_voice", "same_trade", "differ_voice", "differ_trade"])
def test_sentences_are_the_same_where_their_events_are(question):
  for text, what, _, answer in asked.examples(paraphrase, question):
    first, second = text.rstrip(".").split(". ")
    assert first != second
    assert (read(first)[1] == read(second)[1]) == ((answer == "yes") == what.startswith("same"))


@pytest.mark.parametrize("question", ["pick_same", "pick_other"])
def test_of_two_sentences_one_is_the_same(question):
  for text, what, _, answer in asked.examples(paraphrase, question):
    first, *shown = text.rstrip(".").split(". ")
    found = [clause for clause in shown if (read(clause)[1] == read(first)[1]) == (what == "pick_same")]
    assert found == [answer]
