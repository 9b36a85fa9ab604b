"""Small records ("name: Ada | job: baker | pet: fox") and sentences: one into the other, fields read and changed."""

import random

from flan_jax.collections.demo.generators import asking, words

Record = dict[str, str]

JOBS: tuple[str, ...] = ("baker", "cook", "doctor", "farmer", "painter", "sailor", "teacher", "tailor")
VALUES: dict[str, tuple[str, ...]] = {
  "name": words.PEOPLE,
  "job": JOBS,
  "pet": words.KINDS["animal"],
  "food": words.KINDS["food"],
  "place": words.PLACES,
}

ASKS: dict[str, tuple[str, ...]] = {
  "field": ("give the {key}", "read off the {key}", "say what stands under {key}", "look up the {key}"),
  "key": (
    "name the field of {value}",
    "say which field has {value}",
    "tell where {value} stands",
    "look up the field with {value}",
  ),
  "to_sentence": (
    "make a sentence of the record",
    "write the record as a sentence",
    "turn the fields into a sentence",
    "say in a sentence what the record holds",
  ),
  "to_record": (
    "make a record of the sentence",
    "write the sentence as a record",
    "turn the sentence into fields",
    "fill a record from the sentence",
  ),
  "values": (
    "keep only the values",
    "write the values without their fields",
    "list what the fields hold",
    "leave out the names of the fields",
  ),
  "keys": (
    "keep only the names of the fields",
    "write the fields without their values",
    "list which fields there are",
    "leave out all values",
  ),
  "drop": (
    "leave out the {key}",
    "remove the {key} from the record",
    "write the record without the {key}",
    "cross out the field {key}",
  ),
  "change": (
    "change the {key} to {value}",
    "put {value} under {key}",
    "write {value} into the field {key}",
    "make {value} the {key}",
  ),
  "missing": (
    "name the field without a value",
    "say which field is empty",
    "tell which value is missing",
    "look up the empty field",
  ),
  "check": (
    "tell whether the {key} is {value}",
    "say if {value} stands under {key}",
    "check if the field {key} has {value}",
    "decide whether the record has {value} as {key}",
  ),
  "find": (
    "find the name that goes with {value}",
    "say whose record has {value}",
    "look up who stands beside {value}",
    "give the name in the record with {value}",
  ),
  "same": (
    "tell whether both records have the same {key}",
    "say if the {key} is the same in both records",
    "check if the two share the {key}",
    "decide whether the records agree in the {key}",
  ),
}


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`, a key of ASKS, of type `do`."""
  return _QUESTIONS[question](rng)


def narrate(rng: random.Random) -> str:
  """Somebody works on a record, or a record and what it says."""
  if rng.random() < 0.25:
    return _tale(rng)
  return asking.retold(rng, generate(rng, rng.choice(tuple(_QUESTIONS))))


def written(record: Record) -> str:
  """'name: Ada | job: baker'."""
  return " | ".join(f"{key}: {value}" for key, value in record.items())


def sentence(record: Record) -> str:
  """'Ada is a baker and has a fox', of a record with a name and one or two more fields, in their order."""
  said = {
    "job": lambda value: f"is {words.with_article(value)}",
    "pet": lambda value: f"has {words.with_article(value)}",
    "food": lambda value: f"wants the {value}",
    "place": lambda value: f"is in the {value}",
  }
  clauses = [said[key](value) for key, value in record.items() if key != "name"]
  return f"{record['name']} {' and '.join(clauses)}"


def _record(rng: random.Random, fields: int, name_first: bool = False) -> Record:
  """A name and other fields in drawn order."""
  keys = ["name", *rng.sample([key for key in VALUES if key != "name"], fields - 1)]
  if not name_first:
    rng.shuffle(keys)
  return {key: rng.choice(VALUES[key]) for key in keys}


def _ask(rng: random.Random, question: str, **what: str) -> str:
  return rng.choice(ASKS[question]).format(**what)


def _field(rng: random.Random) -> asking.Fields:
  record = _record(rng, 3)
  key, other = rng.sample(list(record), 2)
  return {
    "text": written(record),
    "ask": _ask(rng, "field", key=key),
    "answer": record[key],
    "choices": list(record.values()),
    "other_ask": _ask(rng, "field", key=other),
    "other_answer": record[other],
  }


def _key(rng: random.Random) -> asking.Fields:
  record = _record(rng, 3)
  key, other = rng.sample(list(record), 2)
  return {
    "text": written(record),
    "ask": _ask(rng, "key", value=record[key]),
    "answer": key,
    "choices": list(record),
    "other_ask": _ask(rng, "key", value=record[other]),
    "other_answer": other,
  }


def _to_sentence(rng: random.Random) -> asking.Fields:
  record = _record(rng, rng.choice((2, 3)), name_first=True)
  return {
    "text": written(record),
    "ask": _ask(rng, "to_sentence"),
    "answer": sentence(record),
    "other_ask": _ask(rng, "values"),
    "other_answer": " ".join(record.values()),
  }


def _to_record(rng: random.Random) -> asking.Fields:
  record = _record(rng, rng.choice((2, 3)), name_first=True)
  key = rng.choice(list(record))
  return {
    "text": f"{sentence(record)}.",
    "ask": _ask(rng, "to_record"),
    "answer": written(record),
    "other_ask": _ask(rng, "field", key=key),
    "other_answer": record[key],
  }


def _values(rng: random.Random) -> asking.Fields:
  record = _record(rng, rng.choice((2, 3)))
  return {
    "text": written(record),
    "ask": _ask(rng, "values"),
    "answer": " ".join(record.values()),
    "other_ask": _ask(rng, "keys"),
    "other_answer": " ".join(record),
  }


def _keys(rng: random.Random) -> asking.Fields:
  fields = _values(rng)
  return {
    "text": fields["text"],
    "ask": fields["other_ask"],
    "answer": fields["other_answer"],
    "other_ask": fields["ask"],
    "other_answer": fields["answer"],
  }


def _drop(rng: random.Random) -> asking.Fields:
  record = _record(rng, 3)
  key, other = rng.sample(list(record), 2)
  without = [written({k: value for k, value in record.items() if k != dropped}) for dropped in (key, other)]
  return {
    "text": written(record),
    "ask": _ask(rng, "drop", key=key),
    "answer": without[0],
    "other_ask": _ask(rng, "drop", key=other),
    "other_answer": without[1],
  }


def _change(rng: random.Random) -> asking.Fields:
  record = _record(rng, 2)
  new = {key: rng.choice([value for value in VALUES[key] if value != record[key]]) for key in record}
  key, other = rng.sample(list(record), 2)
  return {
    "text": written(record),
    "ask": _ask(rng, "change", key=key, value=new[key]),
    "answer": written(record | {key: new[key]}),
    "other_ask": _ask(rng, "change", key=other, value=new[other]),
    "other_answer": written(record | {other: new[other]}),
  }


def _missing(rng: random.Random) -> asking.Fields:
  record = _record(rng, 3)
  key, other = rng.sample(list(record), 2)
  return {
    "text": written(record | {key: "?"}),
    "ask": _ask(rng, "missing"),
    "answer": key,
    "choices": list(record),
    "other_ask": _ask(rng, "field", key=other),
    "other_answer": record[other],
    "other_choices": [value for name, value in record.items() if name != key],
  }


def _check(rng: random.Random) -> asking.Fields:
  record = _record(rng, 3)
  key = rng.choice(list(record))
  wrong = rng.choice([value for value in VALUES[key] if value != record[key]])
  right = rng.random() < 0.5
  asked, other = (record[key], wrong) if right else (wrong, record[key])
  return {
    "text": written(record),
    "ask": _ask(rng, "check", key=key, value=asked),
    "answer": "yes" if right else "no",
    "rationale": f"The {key} is {record[key]}.",
    "choices": ["yes", "no"],
    "other_ask": _ask(rng, "check", key=key, value=other),
    "other_answer": "no" if right else "yes",
  }


def _two(rng: random.Random, alike: bool) -> tuple[str, list[Record]]:
  """The field beside the name, and two records of different people that agree in it or do not."""
  key = rng.choice([key for key in VALUES if key != "name"])
  names, values = rng.sample(words.PEOPLE, 2), rng.sample(VALUES[key], 2)
  return key, [{"name": names[i], key: values[0 if alike else i]} for i in range(2)]


def _find(rng: random.Random) -> asking.Fields:
  key, records = _two(rng, alike=False)
  i = rng.randrange(2)
  return {
    "text": "; ".join(map(written, records)),
    "ask": _ask(rng, "find", value=records[i][key]),
    "answer": records[i]["name"],
    "choices": [record["name"] for record in records],
    "other_ask": _ask(rng, "find", value=records[1 - i][key]),
    "other_answer": records[1 - i]["name"],
  }


def _same(rng: random.Random) -> asking.Fields:
  alike = rng.random() < 0.5
  key, records = _two(rng, alike)
  fields = {
    "text": "; ".join(map(written, records)),
    "ask": _ask(rng, "same", key=key),
    "answer": "yes" if alike else "no",
    "rationale": f"The one has {records[0][key]}, the other {records[1][key]}.",
    "choices": ["yes", "no"],
  }
  return fields | {"other_ask": _ask(rng, "same", key="name"), "other_answer": "no"} if alike else fields


_QUESTIONS = {
  "field": _field,
  "key": _key,
  "to_sentence": _to_sentence,
  "to_record": _to_record,
  "values": _values,
  "keys": _keys,
  "drop": _drop,
  "change": _change,
  "missing": _missing,
  "check": _check,
  "find": _find,
  "same": _same,
}


def _tale(rng: random.Random) -> str:
  """A record and its sentence, or a field and its value, in plain words."""
  record = _record(rng, 2, name_first=True)
  key = next(reversed(record))
  return rng.choice(
    (
      f"In the book stood {written(record)}. That means that {sentence(record)}.",
      f"{sentence(record)}. So the record says {written(record)}.",
      f"The record says {written(record)}. Its {key} is {record[key]} and its name is {record['name']}.",
      f"The {key} of {record['name']} is {record[key]}, so {record[key]} stands under {key}.",
    )
  )
