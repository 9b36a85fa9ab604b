"""The same said in other words: who sold is who was bought from, what somebody found was found by them."""

import random
from collections.abc import Callable

from flan_jax.collections.demo.generators import asking, words
from flan_jax.collections.demo.generators.asking import Matter, Reply

_SAME = (
  "tell whether both sentences say the same",
  "say if the two sentences mean the same",
  "judge whether the second sentence repeats the first",
  "tell if the meaning stays the same",
)
_DIFFER = (
  "tell whether the two sentences differ in meaning",
  "say if the second sentence says something else",
  "judge whether the meaning has changed",
  "tell if one sentence contradicts the other",
)
_ACTIVE = (
  "say it in the active voice",
  "begin with the one who did it",
  "put the doer first",
  "turn it into an active sentence",
)
_PASSIVE = (
  "say it in the passive voice",
  "begin with the thing",
  "put the thing first",
  "turn it into a passive sentence",
)
_STRESSED = (
  "stress who did it",
  "begin with the words it was",
  "make it clear who it was",
  "turn it into a sentence with it was",
)
ASKS: asking.Asks = {
  "active_to_passive": _PASSIVE,
  "active_to_stressed": _STRESSED,
  "passive_to_active": _ACTIVE,
  "passive_to_stressed": _STRESSED,
  "stressed_to_active": _ACTIVE,
  "stressed_to_passive": _PASSIVE,
  "to_receiver": (
    "tell it from the side of the one who receives",
    "begin with the receiver",
    "say what the receiver did",
    "make the receiver the doer",
  ),
  "to_giver": (
    "tell it from the side of the one who gives",
    "begin with the giver",
    "say what the giver did",
    "make the giver the doer",
  ),
  "person_before_thing": (
    "say it without the word to",
    "put the receiver before the thing",
    "name the receiver right after the verb",
    "move the receiver to the middle",
  ),
  "thing_before_person": (
    "say it with the word to",
    "put the thing before the receiver",
    "name the thing right after the verb",
    "move the receiver to the end",
  ),
  "same_voice": _SAME,
  "same_trade": _SAME,
  "differ_voice": _DIFFER,
  "differ_trade": _DIFFER,
  "pick_same": (
    "find the sentence that says the same as the first",
    "say which later sentence repeats the first",
    "pick the one that means what the first means",
    "quote the sentence that agrees with the first",
  ),
  "pick_other": (
    "find the sentence that says something else than the first",
    "say which later sentence changes the meaning of the first",
    "pick the one that does not mean what the first means",
    "quote the sentence that does not agree with the first",
  ),
}
_DONE = ("found", "lost", "painted", "carried", "cleaned", "mended", "hid", "washed")
_PARTICIPLES = {"hid": "hidden"}
_TRADES = {"sold": "bought", "lent": "borrowed", "gave": "got"}  # what the giver did -> what the receiver did
_YES_NO = ("yes", "no")


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`, a key of ASKS."""
  return asking.example(rng, _MAKERS[question](rng), question, ASKS)


def narrate(rng: random.Random) -> str:
  """A sentence that somebody said in other words, or both sayings side by side."""
  if rng.random() < 0.7:
    return asking.retold(rng, generate(rng, rng.choice(list(_MAKERS))))
  active, passive, stressed = _voices(rng)
  giver, receiver, short = _trade(rng)
  told = (
    f"{_capital(active)}. That is to say, {passive}.",
    f"{_capital(passive)}. In other words, {stressed}.",
    f"{_capital(stressed)}, which means that {active}.",
    f"{giver}, so {receiver}.",
    f"{receiver}. That means the same as: {giver}.",
    f"{giver}. One may also say that {short}.",
    f"{short}, or in other words {receiver}.",
  )
  return rng.choice(told)


def _capital(clause: str) -> str:
  return clause[0].upper() + clause[1:]


def _voices(rng: random.Random) -> tuple[str, str, str]:
  """Active, passive, and with the doer stressed."""
  return _said(rng.choice(words.PEOPLE), rng.choice(_DONE), rng.choice(words.THINGS))


def _said(person: str, done: str, thing: str) -> tuple[str, str, str]:
  passive = f"the {thing} was {_PARTICIPLES.get(done, done)} by {person}"
  return f"{person} {done} the {thing}", passive, f"it was {person} who {done} the {thing}"


def _trade(rng: random.Random) -> tuple[str, str, str]:
  """From the giver's side, from the receiver's, and the giver's with the receiver before the thing."""
  giver, receiver = rng.sample(words.PEOPLE, 2)
  return _traded(giver, receiver, rng.choice(list(_TRADES)), rng.choice(words.THINGS))


def _traded(giver: str, receiver: str, gave: str, thing: str) -> tuple[str, str, str]:
  return (
    f"{giver} {gave} the {thing} to {receiver}",
    f"{receiver} {_TRADES[gave]} the {thing} from {giver}",
    f"{giver} {gave} {receiver} the {thing}",
  )


def _rewritten(source: str) -> Callable[[random.Random], Matter]:
  """A clause in one voice, with the replies in the two others."""

  def make(rng: random.Random) -> Matter:
    said = dict(zip(("active", "passive", "stressed"), _voices(rng), strict=True))
    replies = {f"{source}_to_{voice}": Reply(clause) for voice, clause in said.items() if voice != source}
    return Matter(said[source], replies)

  return make


def _given(rng: random.Random) -> Matter:
  giver, receiver, short = _trade(rng)
  return Matter(giver, {"to_receiver": Reply(receiver), "person_before_thing": Reply(short)})


def _given_short(rng: random.Random) -> Matter:
  giver, receiver, short = _trade(rng)
  return Matter(short, {"to_receiver": Reply(receiver), "thing_before_person": Reply(giver)})


def _received(rng: random.Random) -> Matter:
  giver, receiver, _ = _trade(rng)
  return Matter(receiver, {"to_giver": Reply(giver)})


def _two(rng: random.Random, said: Callable[..., tuple[str, str, str]], kind: str) -> Matter:
  """Two sentences; where they differ, in one word or in who did it."""
  parts, true = _parts(rng, said), rng.random() < 0.5
  then = parts if true else _changed(rng, parts, said)
  i, j = rng.sample(range(3), 2)
  first, second = said(*parts)[i], said(*then)[j]
  why = f"{'Both say' if true else 'The second says'} that {said(*then)[0]}."
  yes, no = Reply("yes", why, _YES_NO), Reply("no", why, _YES_NO)
  replies = {f"same_{kind}": yes if true else no, f"differ_{kind}": no if true else yes}
  return Matter(f"{_capital(first)}. {_capital(second)}.", replies)


def _parts(rng: random.Random, said: Callable[..., tuple[str, str, str]]) -> list[str]:
  if said is _said:
    return [rng.choice(words.PEOPLE), rng.choice(_DONE), rng.choice(words.THINGS)]
  return [*rng.sample(words.PEOPLE, 2), rng.choice(list(_TRADES)), rng.choice(words.THINGS)]


def _changed(rng: random.Random, parts: list[str], said: Callable[..., tuple[str, str, str]]) -> list[str]:
  """Another doer or thing; in a trade, giver and receiver changed places."""
  if said is _traded and rng.random() < 0.5:
    return [parts[1], parts[0], *parts[2:]]
  at, pool = rng.choice(((0, words.PEOPLE), (-1, words.THINGS)))
  other = list(parts)
  other[at] = rng.choice([word for word in pool if word not in parts])
  return other


def _pick(rng: random.Random) -> Matter:
  """A sentence, then the same and something else, in either order."""
  said = rng.choice((_said, _traded))
  parts = _parts(rng, said)
  i = rng.randrange(3)
  # The two are drawn alike: their form does not tell which one is the same.
  j, k = rng.choices([form for form in range(3) if form != i], k=2)
  same, other = said(*parts)[j], said(*_changed(rng, parts, said))[k]
  shown = [_capital(same), _capital(other)]
  rng.shuffle(shown)
  replies = {"pick_same": Reply(_capital(same), choices=shown), "pick_other": Reply(_capital(other), choices=shown)}
  return Matter(f"{_capital(said(*parts)[i])}. {shown[0]}. {shown[1]}.", replies)


_MAKERS: dict[str, Callable[[random.Random], Matter]] = {
  **dict.fromkeys(("active_to_passive", "active_to_stressed"), _rewritten("active")),
  **dict.fromkeys(("passive_to_active", "passive_to_stressed"), _rewritten("passive")),
  **dict.fromkeys(("stressed_to_active", "stressed_to_passive"), _rewritten("stressed")),
  **dict.fromkeys(("to_receiver", "person_before_thing"), _given),
  "to_giver": _received,
  "thing_before_person": _given_short,
  **dict.fromkeys(("same_voice", "differ_voice"), lambda rng: _two(rng, _said, "voice")),
  **dict.fromkeys(("same_trade", "differ_trade"), lambda rng: _two(rng, _traded, "trade")),
  **dict.fromkeys(("pick_same", "pick_other"), _pick),
}
