"""Answers about the demo's small world, found a second way: by looking them up and by reading."""

import collections
import itertools
import random
import re

import pytest

from flan_jax.collections.demo.generators import coreference, facts, passages, records, words


def drawn(module, *arguments, n=150):
  return [module.generate(random.Random(seed), *arguments) for seed in range(n)]


def test_the_closed_book_is_one_world():
  rulers, rivers, products, flags, roads = zip(*(known.values() for known in facts.FACTS.values()), strict=True)
  assert len(set(rulers)) == len(set(products)) == len(facts.TOWNS)
  assert set(collections.Counter(rivers).values()) == set(collections.Counter(flags).values()) == {2}
  assert set(roads) == set(facts.TOWNS)
  assert len(set(itertools.accumulate(facts.TOWNS, lambda town, _: facts.FACTS[town]["road"]))) == len(facts.TOWNS)


# Everything that is said in any form, with the town, the attribute and the value.
BOOK = {
  form.format(town=town, value=value): (town, attribute, value)
  for town, known in facts.FACTS.items()
  for attribute, value in known.items()
  for form in facts.STATEMENTS[attribute]
}
TRUE = set(BOOK.values())


def towns_in(text):
  return [word for word in re.findall(r"\w+", text) if word in facts.TOWNS]


@pytest.mark.parametrize("attribute", facts.ATTRIBUTES)
def test_a_fact_stands_in_the_book(attribute):
  for fields in drawn(facts, "attribute", attribute):
    assert (*towns_in(fields["text"]), attribute, fields["answer"]) in TRUE
  if attribute in facts.TOWN_OF:
    for fields in drawn(facts, "town_of", attribute):
      assert any((fields["answer"], attribute, word) in TRUE for word in fields["text"].split())
  if attribute in facts.ONWARD:
    for fields in drawn(facts, "onward", attribute):
      (town,) = towns_in(fields["text"])
      assert any(
        (town, "road", onward) in TRUE and (onward, attribute, fields["answer"]) in TRUE for onward in facts.TOWNS
      )
      assert all(f"{said}." in BOOK for said in fields["rationale"].rstrip(".").split(". "))


def test_of_two_towns_the_book_knows_which_and_whether():
  for attribute in facts.WHICH:
    for fields in drawn(facts, "which", attribute):
      having = [t for t in towns_in(fields["text"]) for word in fields["ask"].split() if (t, attribute, word) in TRUE]
      assert having == [fields["answer"]]
  for attribute in facts.SAME:
    for fields in drawn(facts, "same", attribute):
      one, two = towns_in(fields["text"])
      shared = [value for town, name, value in TRUE if town == one and name == attribute and (two, name, value) in TRUE]
      assert bool(shared) == (fields["answer"] == "yes")
  for polarity in facts.CHECK:
    for fields in drawn(facts, "check", polarity):
      assert (fields["answer"] == "yes") == ((fields["text"] in BOOK) == (polarity == "true"))


def asked_of(fields, candidates):
  """The first of the candidates that the question names."""
  asked = re.findall(r"\w+", fields["question"])
  return next(word for word in asked if word in candidates)


def test_passages_hold_their_answers():
  for question in ("who", "where", "what", "whether"):
    for fields in drawn(passages, question):
      told = re.findall(r"(\w+) (?:took|carried|brought) the (\w+) to the (\w+)\.", fields["text"])
      taker, place, taken = {t: p for p, t, _ in told}, {t: s for _, t, s in told}, {p: t for p, t, _ in told}
      if question == "what":
        assert fields["answer"] == taken[asked_of(fields, taken)]
      elif question == "whether":
        assert (fields["answer"] == "yes") == (taken[asked_of(fields, taken)] == asked_of(fields, taker))
      else:
        assert fields["answer"] == {"who": taker, "where": place}[question][asked_of(fields, taker)]


def test_passages_of_two_steps_are_counted_joined_and_ordered():
  for fields in drawn(passages, "how_many"):
    places = re.findall(r"went to the (\w+)", fields["text"])
    assert fields["answer"] == words.NUMBERS[places.count(asked_of(fields, words.PLACES))]
  for fields in drawn(passages, "carried"):
    taker = {thing: name for name, thing in re.findall(r"(\w+) took the (\w+)", fields["text"])}
    gone = dict(re.findall(r"(\w+) went to the (\w+)", fields["text"]))
    assert fields["answer"] == gone[taker[asked_of(fields, taker)]]
  for question, end in (("first", 0), ("last", -1)):
    for fields in drawn(passages, question):
      told = re.findall(r"(\w+) came (before|after) (\w+)\.", fields["text"])
      before = {(a, b) if how == "before" else (b, a) for a, how, b in told}
      orders = itertools.permutations({name for pair in before for name in pair})
      fitting = [order for order in orders if all(order.index(a) < order.index(b) for a, b in before)]
      assert [order[end] for order in fitting] == [fields["answer"]]


def test_passages_asked_as_questions_are_asked_as_instructions():
  for question in passages.QUESTIONS:
    for seed in range(20):
      one, two = (passages.generate(random.Random(seed), question, form) for form in ("question", "do"))
      assert (one["text"], one["answer"]) == (two["text"], two["answer"])


SHE = {"Ada", "Cleo", "Eva", "Hana", "Jill", "Lena"}


def test_she_is_a_woman_he_is_a_man_and_they_are_two():
  for fields in drawn(coreference, "met"):
    met = re.match(r"(\w+) met (\w+)", fields["text"]).groups()
    wanted = re.search(r"\b(she|he)\b", fields["ask"]).group()
    assert [fields["answer"]] == [name for name in met if (name in SHE) == (wanted == "she")]
  for fields in drawn(coreference, "taken"):
    met = re.match(r"(\w+) met (\w+)", fields["text"]).groups()
    takes = {thing: pronoun for pronoun, thing in re.findall(r"\b(she|he) took the (\w+)", fields["text"].lower())}
    wanted = takes[asked_of(fields, takes)]
    assert [fields["answer"]] == [name for name in met if (name in SHE) == (wanted == "she")]
  for fields in drawn(coreference, "they"):
    assert (" and " in fields["answer"]) == (re.search(r"\b(she|he|they)\b", fields["ask"]).group() == "they")
    assert fields["answer"] in fields["text"].split(". ")[0]
  for fields in drawn(coreference, "rewrite"):
    told = fields["text"].split(". ")[1].rstrip(".")
    assert fields["answer"].split()[1:] == told.split()[1:]
    assert (fields["answer"].split()[0] in SHE) == told.startswith("She")


# Of whom each reason is said: the verb, the reason, and whether it is the one named first.
MEANT = {
  ("gave", "had two"): 0,
  ("gave", "was hungry"): 1,
  ("asked", "needed it"): 0,
  ("asked", "had two"): 1,
  ("lent", "was warm"): 0,
  ("lent", "was cold"): 1,
  ("waited", "was early"): 0,
  ("waited", "was late"): 1,
  ("helped", "was kind"): 0,
  ("helped", "was tired"): 1,
  ("went", "was lost"): 0,
  ("went", "knew the way"): 1,
  ("fit", "was too big"): 0,
  ("fit", "was too small"): 1,
  ("broke", "was too heavy"): 0,
  ("broke", "was too weak"): 1,
  ("reach", "was too short"): 0,
  ("reach", "was too high"): 1,
  ("put", "was too light"): 0,
  ("put", "was free"): 1,
}


def meant_and_other(text):
  """Whom or what the pronoun after 'because' means, and whom it does not."""
  told, because = text.rstrip(".").split(" because ")
  (place,) = [MEANT[key] for key in MEANT if key[0] in told.split() and because.endswith(key[1])]
  people = [word for word in told.split() if word in words.PEOPLE]
  named = people if not because.startswith("it ") else [f"the {w}" for w in told.split() if w in words.THINGS]
  return named[place], named[1 - place]


def test_reasons_say_whom_and_what_is_meant():
  for question in ("reason", "fit", "who_reason", "what_fit"):
    for fields in drawn(coreference, question):
      assert fields["answer"] == meant_and_other(fields["text"])[0]
  for question in ("not_reason", "not_fit", "who_not_reason", "what_not_fit"):
    for fields in drawn(coreference, question):
      assert fields["answer"] == meant_and_other(fields["text"])[1]
  for fields in drawn(coreference, "check"):
    assert (meant_and_other(fields["text"])[0] in fields["ask"]) == (fields["answer"] == "yes")


def record_of(text):
  return dict(field.split(": ") for field in text.split(" | "))


def test_records_are_read_and_changed():
  for question in ("field", "key", "missing", "check"):
    for fields in drawn(records, question):
      record, asked = record_of(fields["text"]), fields["ask"].split()
      keys, values = [key for key in record if key in asked], [value for value in record.values() if value in asked]
      if question == "field":
        assert fields["answer"] == record[keys[-1]]
      elif question == "key":
        assert record[fields["answer"]] == values[-1]
      elif question == "missing":
        assert record[fields["answer"]] == "?"
      else:
        assert (fields["answer"] == "yes") == (record[keys[-1]] in asked)
  for fields in drawn(records, "drop"):
    left, record = record_of(fields["answer"]), record_of(fields["text"])
    assert left.items() < record.items()
    assert (record.keys() - left.keys()).pop() in fields["ask"].split()
  for fields in drawn(records, "change"):
    new, record = record_of(fields["answer"]), record_of(fields["text"])
    assert list(new) == list(record)
    assert [(key in fields["ask"], new[key] in fields["ask"]) for key in record if new[key] != record[key]] == [
      (True, True)
    ]


def test_records_are_written_as_sentences_and_back():
  for fields in drawn(records, "to_sentence"):
    record = record_of(fields["text"])
    assert [word for word in fields["answer"].split() if word in record.values()] == list(record.values())
    assert records.sentence(record) == fields["answer"]
  for fields in drawn(records, "to_record"):
    assert records.sentence(record_of(fields["answer"])) == fields["text"].rstrip(".")
  for fields in drawn(records, "values"):
    assert dict(zip(fields["other_answer"].split(), fields["answer"].split(), strict=True)) == record_of(fields["text"])


def test_two_records_are_compared():
  for fields in drawn(records, "find"):
    found = [
      record["name"]
      for record in map(record_of, fields["text"].split("; "))
      if set(record.values()) & set(fields["ask"].split())
    ]
    assert found == [fields["answer"]]
  for fields in drawn(records, "same"):
    one, two = map(record_of, fields["text"].split("; "))
    (key,) = [key for key in one if key in fields["ask"].split()]
    assert (one[key] == two[key]) == (fields["answer"] == "yes")
