"""Answers about the demo's small world, found a second way: by looking them up and by reading."""

import collections
import itertools
import random
import re

from flan_jax.collections.demo.generators import coreference, facts, passages, records, words


def drawn(module, *arguments, n=100):
  """Examples, each also as the swap asks it."""
  for seed in range(n):
    fields = module.generate(random.Random(seed), *arguments)
    yield fields
    if "other_answer" in fields:
      others = {name.removeprefix("other_"): value for name, value in fields.items() if name.startswith("other_")}
      yield {name: value for name, value in fields.items() if not name.startswith("other_")} | others


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


# What each phrase asks for, and of which town.
ASKED = {
  phrase: (table, attribute)
  for table in ("ASKS", "ONWARD", "TOWN_OF", "SAME", "CHECK")
  for attribute, phrases in getattr(facts, table).items()
  for phrase in phrases
}


def test_a_fact_stands_in_the_book():
  examples = [drawn(facts, "attribute", name) for name in facts.ATTRIBUTES]
  examples += [drawn(facts, "onward", name) for name in facts.ONWARD]
  for fields in itertools.chain(*examples):
    (town,), (table, attribute) = towns_in(fields["text"]), ASKED[fields["ask"]]
    if table == "ONWARD":
      (town,) = [onward for onward in facts.TOWNS if (town, "road", onward) in TRUE]
    assert (town, attribute, fields["answer"]) in TRUE
    if "rationale" in fields:
      assert all(f"{said}." in BOOK for said in fields["rationale"].rstrip(".").split(". "))
  for name in facts.TOWN_OF:
    for fields in drawn(facts, "town_of", name):
      assert any((fields["answer"], name, word) in TRUE for word in fields["text"].split())


def test_of_two_towns_the_book_knows_which_and_whether():
  for attribute in facts.WHICH:
    for fields in drawn(facts, "which", attribute):
      having = [t for t in towns_in(fields["text"]) for word in fields["ask"].split() if (t, attribute, word) in TRUE]
      assert having == [fields["answer"]]
  for fields in itertools.chain(*(drawn(facts, "same", attribute) for attribute in facts.SAME)):
    _, attribute = ASKED[fields["ask"]]
    one, two = (
      {value for town, name, value in TRUE if (town, name) == (t, attribute)} for t in towns_in(fields["text"])
    )
    assert (one == two) == (fields["answer"] == "yes")
  for fields in itertools.chain(*(drawn(facts, "check", polarity) for polarity in facts.CHECK)):
    _, polarity = ASKED[fields["ask"]]
    assert (fields["answer"] == "yes") == ((fields["text"] in BOOK) == (polarity == "true"))
    assert fields["rationale"] in BOOK


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
    asked = asked_of(fields, words.PLACES)
    assert fields["answer"] == words.NUMBERS[places.count(asked)]
  for fields in drawn(passages, "carried"):
    taker = {thing: name for name, thing in re.findall(r"(\w+) took the (\w+)", fields["text"])}
    gone = dict(re.findall(r"(\w+) went to the (\w+)", fields["text"]))
    assert fields["answer"] == gone[taker[asked_of(fields, taker)]]
  for fields in itertools.chain(drawn(passages, "first"), drawn(passages, "last")):
    told = re.findall(r"(\w+) came (before|after) (\w+)\.", fields["text"])
    before = {(a, b) if how == "before" else (b, a) for a, how, b in told}
    orders = itertools.permutations({name for pair in before for name in pair})
    (order,) = [order for order in orders if all(order.index(a) < order.index(b) for a, b in before)]
    assert fields["answer"] == order[-1 if "last" in fields["question"] or "after all" in fields["question"] else 0]
    assert fields["rationale"] == f"The order is {', '.join(order)}."


def test_rationales_of_counts_name_those_who_went():
  for seed in range(100):
    fields = passages.generate(random.Random(seed), "how_many")
    asked = asked_of(fields, words.PLACES)
    went = re.findall(rf"(\w+) went to the {asked}\.", fields["text"])
    assert re.findall(r"[A-Z]\w+", fields["rationale"])[1:] == went
    assert f"In the {asked} " in fields["rationale"]


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
  for seed in range(50):
    fields = coreference.generate(random.Random(seed), "rewrite")
    told = fields["text"].split(". ")[1].rstrip(".")
    assert fields["answer"].split()[1:] == told.split()[1:]
    assert (fields["answer"].split()[0] in SHE) == told.startswith("She")
    assert fields["other_answer"] == fields["answer"].split()[0]


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
  asked_so = ("reason", "not_reason", "who_reason", "who_not_reason", "fit", "not_fit", "what_fit", "what_not_fit")
  for question in asked_so:
    for fields in drawn(coreference, question):
      asked = fields.get("ask") or fields["question"]
      not_meant = " not " in f" {asked} " or "beside" in asked
      assert fields["answer"] == meant_and_other(fields["text"])[not_meant]
      assert meant_and_other(fields["text"])[0] in fields.get("rationale", fields["answer"]) or not_meant
  for fields in drawn(coreference, "check"):
    assert (meant_and_other(fields["text"])[0] in fields["ask"]) == (fields["answer"] == "yes")


def record_of(text):
  return dict(field.split(": ") for field in text.split(" | "))


# What each phrase asks of a record.
PHRASES = [
  (question, re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>\\w+)", re.escape(phrase))))
  for question, phrases in records.ASKS.items()
  for phrase in phrases
]


def replied(text, ask):
  """The answer, from the text and the words of the ask alone."""
  question, found = next((question, found) for question, form in PHRASES if (found := form.fullmatch(ask)))
  key, value = (found.groupdict().get(name) for name in ("key", "value"))
  if ": " not in text:
    clauses = text.rstrip(".").split(" and ")
    said = {"is a": "job", "is an": "job", "has a": "pet", "has an": "pet", "wants the": "food", "is in the": "place"}
    name, clauses[0] = clauses[0].split(" ", 1)
    text = " | ".join(
      [f"name: {name}", *(f"{said[clause.rsplit(' ', 1)[0]]}: {clause.split()[-1]}" for clause in clauses)]
    )
  one, *two = (dict(field.split(": ") for field in record.split(" | ")) for record in text.split("; "))
  written = " | ".join(f"{name}: {held}" for name, held in one.items())
  return {
    "field": lambda: one[key],
    "key": lambda: next(name for name, held in one.items() if held == value),
    "missing": lambda: next(name for name, held in one.items() if held == "?"),
    "check": lambda: "yes" if one[key] == value else "no",
    "values": lambda: " ".join(one.values()),
    "keys": lambda: " ".join(one),
    "drop": lambda: " | ".join(field for field in written.split(" | ") if not field.startswith(key)),
    "change": lambda: written.replace(f"{key}: {one[key]}", f"{key}: {value}"),
    "find": lambda: next(record["name"] for record in (one, *two) if value in record.values()),
    "same": lambda: "yes" if one[key] == two[0][key] else "no",
    "to_record": lambda: written,
  }[question]()


def test_records_are_read_changed_and_compared():
  for question in records.ASKS:
    for fields in drawn(records, question):
      if fields["ask"] in records.ASKS["to_sentence"]:  # and back again
        assert fields["text"] == replied(f"{fields['answer']}.", records.ASKS["to_record"][0])
      else:
        assert fields["answer"] == replied(fields["text"], fields["ask"])
