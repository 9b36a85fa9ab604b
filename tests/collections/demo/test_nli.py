"""What follows is what holds in every possible world: yes in all that the premises allow, no in none, else maybe."""

import itertools
import random
import re

import pytest

from flan_jax.collections.demo.generators import nli, words


def subsets(things):
  return [frozenset(chosen) for n in range(len(things) + 1) for chosen in itertools.combinations(things, n)]


def kin(kind):
  """The members of a kind; a thing is its own only one."""
  return words.KINDS.get(kind, (kind,))


def has(sentence, owned):
  """Of a set of what somebody has: 'Ada has a fox.', 'Ada has no animal.'"""
  article, noun = re.fullmatch(r"\w+ has (\w+) (\w+)\.", sentence).groups()
  return bool(owned & set(kin(noun))) == (article != "no")


def is_there(sentence, there):
  """Of the set of things in the one place."""
  if found := re.fullmatch(r"The (\w+) is (not )?in the \w+\.", sentence):
    return (found[1] in there) == (not found[2])
  quantifier, kind = re.fullmatch(r"(Every|No|Some) (\w+) is in the \w+\.", sentence).groups()
  members = set(kin(kind))
  return {"Every": members <= there, "No": not members & there, "Some": bool(members & there)}[quantifier]


def took(sentence, takers):
  who, negated = re.match(r"(\w+) (did not )?t", sentence).groups()
  return {"Somebody": bool(takers), "Nobody": not takers}.get(who, (who in takers) == (not negated))


def stands(sentence, place):
  """Of the place where somebody is."""
  one, *other = re.findall(r"in the (\w+)", sentence)
  return place in (one, *other) if " not " not in sentence else place != one


def went(sentence, those):
  names = [name for name in words.PEOPLE if name in re.findall(r"\w+", sentence)]
  there = [name in those for name in names]
  if "Neither" in sentence or "not" in sentence:
    return not any(there)
  return any(there) if " or " in sentence else all(there)


def is_like(sentence, world):
  """Of where everything is and what of it is like that."""
  places, like = world
  if found := re.fullmatch(r"(All|Nothing|Something) in the (\w+) is \w+\.", sentence):
    there = [like[thing] for thing in like if places[thing] == found[2]]
    return {"All": all(there), "Nothing": not any(there), "Something": any(there)}[found[1]]
  if found := re.fullmatch(r"The (\w+) is in the (\w+)\.", sentence):
    return places[found[1]] == found[2]
  thing, negated = re.fullmatch(r"The (\w+) is (not )?\w+\.", sentence).groups()
  return like[thing] == (not negated)


def is_older(sentence, order):
  one, other = re.fullmatch(r"(\w+) is older than (\w+)\.", sentence).groups()
  return order.index(one) < order.index(other)


def counts(sentence, number):
  how, said = re.fullmatch(r"\w+ has (more than |less than )?(\d+) of \w+\.", sentence).groups()
  return {"more than ": number > int(said), "less than ": number < int(said), None: number == int(said)}[how]


def worlds(question, text):
  """All that may be the case, as far as the text's words can tell it apart."""
  spoken = re.findall(r"\w+", text)
  named = [name for name in words.PEOPLE if name in spoken]
  places = [place for place in words.PLACES if place in spoken]
  if question in ("kind", "every"):
    # A kind that is named brings all its members, a thing only itself.
    return subsets(sorted({member for noun in spoken for member in kin(noun)} & set(words.THINGS)))
  if question == "property":
    thing = next(word for word in spoken if word in words.THINGS)
    return [
      ({thing: here, "one": places[0], "two": places[-1]}, {thing: a, "one": b, "two": c})
      for here in places
      for a, b, c in itertools.product((True, False), repeat=3)
    ]
  return {
    "somebody": subsets([*named, "Zoe"]),
    "where": [*places, "elsewhere"],
    "both": subsets(named),
    "older": list(itertools.permutations(named)),
    "number": range(25),
  }[question]


HOLDS = {
  "kind": has,
  "every": is_there,
  "somebody": took,
  "where": stands,
  "both": went,
  "property": is_like,
  "older": is_older,
  "number": counts,
}


@pytest.mark.parametrize("question", nli.RELATIONS)
def test_what_follows_holds_in_every_world_that_the_premises_allow(question):
  for polarity in nli.ASKS:
    for seed in range(60):
      fields = nli.generate(random.Random(seed), question, polarity)
      *premises, last = re.findall(r"[^.]+\.", fields["text"].replace(". ", "."))
      holds = HOLDS[question]
      allowed = [w for w in worlds(question, fields["text"]) if all(holds(premise, w) for premise in premises)]
      assert allowed
      so = [holds(last, world) for world in allowed]
      follows = "yes" if all(so) else "maybe" if any(so) else "no"
      reversed_ = {"yes": "no", "no": "yes", "maybe": "maybe"}[follows]
      right = (follows, reversed_) if polarity == "true" else (reversed_, follows)
      assert (fields["answer"], fields.get("other_answer", "maybe")) == right


def test_every_relation_has_as_many_of_each_answer():
  for question in nli.RELATIONS:
    answers = [nli.generate(random.Random(seed), question)["answer"] for seed in range(600)]
    assert all(150 < answers.count(label) < 250 for label in nli.LABELS)
