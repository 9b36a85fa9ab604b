"""Opposites and words that mean the same: finding them, telling them apart, saying a sentence with them."""

import random
from collections.abc import Callable

from flan_jax.collections.demo.generators import asking, words
from flan_jax.collections.demo.generators.asking import Matter, Reply

PAIRS: tuple[tuple[str, str], ...] = (
  *(("big", "small"), ("fast", "slow"), ("loud", "quiet"), ("rich", "poor"), ("strong", "weak"), ("happy", "sad")),
  *(("hot", "cold"), ("wet", "dry"), ("hard", "soft"), ("brave", "timid"), ("smart", "stupid"), ("ill", "healthy")),
)
OPPOSITES: dict[str, str] = {word: other for one, two in PAIRS for word, other in ((one, two), (two, one))}
SYNONYMS: dict[str, str] = {
  **{"big": "large", "small": "little", "fast": "quick", "loud": "noisy", "quiet": "silent", "rich": "wealthy"},
  **{"strong": "mighty", "happy": "glad", "cold": "chilly", "brave": "bold", "smart": "clever", "ill": "sick"},
}
ASKS: asking.Asks = {
  "opposite": (
    "name the opposite of this word",
    "say what is the contrary",
    "give the word that means the reverse",
    "find the opposite",
  ),
  "synonym": (
    "name another word for it",
    "say what means the same",
    "give the word that means just this",
    "find the synonym",
  ),
  "relation": (
    "tell whether the two words are opposites or synonyms",
    "say how the words go together, as opposites or synonyms",
    "name the relation of the two words",
    "judge if these are opposites or synonyms",
  ),
  "are_opposites": (
    "tell whether the two words are opposites",
    "say if one word is the contrary of the other",
    "judge whether the words mean the reverse of each other",
    "tell if these are opposites",
  ),
  "are_synonyms": (
    "tell whether the two words are synonyms",
    "say if one word means the same as the other",
    "judge whether the words have one meaning",
    "tell if these are synonyms",
  ),
  "find_opposite": (
    "find the opposite of {word}",
    "say which one is the contrary of {word}",
    "pick the word that means the reverse of {word}",
    "name what {word} is not",
  ),
  "find_synonym": (
    "find another word for {word}",
    "say which one means the same as {word}",
    "pick the synonym of {word}",
    "name what {word} is as well",
  ),
  "say_opposite": (
    "say the contrary",
    "make the sentence mean the opposite",
    "put the opposite word in",
    "turn the sentence into its reverse",
  ),
  "say_synonym": (
    "say the same with another word",
    "keep the meaning but change the word",
    "put the synonym in",
    "turn the sentence into one of the same meaning",
  ),
  "like_which": (
    "What is the {thing} not like?",
    "What would be the opposite of the {thing}?",
    "Which word does not fit the {thing} at all?",
    "What is the contrary of what the {thing} is?",
  ),
  "like_what": (
    "What else can one call the {thing}?",
    "What is the {thing} in another word?",
    "Which other word fits the {thing}?",
    "What means the same as what the {thing} is?",
  ),
}
_BOTH = tuple(word for word in OPPOSITES if word in SYNONYMS)
_RELATIONS = ("opposites", "synonyms")
_YES_NO = ("yes", "no")


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`, a key of ASKS."""
  return asking.example(rng, _MAKERS[question](rng), question, ASKS)


def narrate(rng: random.Random) -> str:
  """Somebody who finds an opposite or a synonym, or what the words mean."""
  if rng.random() < 0.6:
    return asking.retold(rng, generate(rng, rng.choice(list(_MAKERS))))
  word, thing, person = rng.choice(list(OPPOSITES)), rng.choice(words.THINGS), rng.choice(words.PEOPLE)
  other = OPPOSITES[word]
  told = [
    f"{word.capitalize()} is the opposite of {other}.",
    f"The contrary of {word} is {other}. {word.capitalize()} and {other} are opposites.",
    f"The {thing} is not {word} but {other}.",
    f"{person} was {word} once and is {other} now.",
  ]
  same = rng.choice(list(SYNONYMS))
  if rng.random() < 0.5:
    told = [
      f"{same.capitalize()} means the same as {SYNONYMS[same]}.",
      f"{SYNONYMS[same].capitalize()} is another word for {same}. They are synonyms.",
      f"The {thing} is {same}, or {SYNONYMS[same]}.",
      f"The {thing} is {same}, not {OPPOSITES[same]}. One may call it {SYNONYMS[same]}.",
    ]
  return rng.choice(told)


def _word(asked: str) -> Callable[[random.Random], Matter]:
  def make(rng: random.Random) -> Matter:
    if asked == "synonym" and rng.random() < 0.5:
      word = rng.choice(list(SYNONYMS))
      return Matter(SYNONYMS[word], {"synonym": Reply(word)})
    word = rng.choice(_BOTH if asked == "synonym" else list(OPPOSITES))
    replies = {"opposite": Reply(OPPOSITES[word])}
    if word in SYNONYMS:
      replies["synonym"] = Reply(SYNONYMS[word])
    return Matter(word, replies)

  return make


def _related(rng: random.Random, kind: str) -> list[str]:
  """Two opposites, two synonyms or two strangers, in either order."""
  if kind == "opposites":
    pair = list(rng.choice(PAIRS))
  elif kind == "synonyms":
    pair = list(rng.choice(list(SYNONYMS.items())))
  else:
    one, other = rng.sample(PAIRS, 2)
    pair = [rng.choice(one), rng.choice(other)]
  rng.shuffle(pair)
  return pair


def _relation(rng: random.Random) -> Matter:
  kind = rng.choice(_RELATIONS)
  one, other = _related(rng, kind)
  opposite = kind == "opposites"
  why = f"{one.capitalize()} {'is the contrary of' if opposite else 'means the same as'} {other}."
  replies = {
    "relation": Reply(kind, why, _RELATIONS),
    "are_opposites": Reply(_YES_NO[not opposite], why, _YES_NO),
    "are_synonyms": Reply(_YES_NO[opposite], why, _YES_NO),
  }
  return Matter(f"{one} and {other}", replies)


def _are(asked: str) -> Callable[[random.Random], Matter]:
  """What is asked in half of the examples, the other relation or none in a quarter each."""

  def make(rng: random.Random) -> Matter:
    other = _RELATIONS[asked == "opposites"]
    kind = rng.choice((asked, asked, other, "strangers"))
    if kind != "strangers":
      return _two_words(rng, kind)
    one, other = _related(rng, kind)
    why = f"The opposite of {one} is {OPPOSITES[one]}."
    no = Reply("no", why, _YES_NO)
    return Matter(f"{one} and {other}", {"are_opposites": no, "are_synonyms": no})

  return make


def _two_words(rng: random.Random, kind: str) -> Matter:
  while (matter := _relation(rng)).replies["relation"].answer != kind:
    pass
  return matter


def _find(rng: random.Random) -> Matter:
  """The opposite, the synonym and two strangers, of which one asks for the first or the second."""
  word = rng.choice(_BOTH)
  own = {word, OPPOSITES[word], SYNONYMS[word], SYNONYMS.get(OPPOSITES[word])}
  strangers = rng.sample([other for other in (*OPPOSITES, *SYNONYMS.values()) if other not in own], 2)
  shown = [OPPOSITES[word], SYNONYMS[word], *strangers]
  rng.shuffle(shown)
  names = {"word": word}
  replies = {
    "find_opposite": Reply(OPPOSITES[word], choices=shown, names=names),
    "find_synonym": Reply(SYNONYMS[word], choices=shown, names=names),
  }
  return Matter(f"{', '.join(shown[:3])} or {shown[3]}", replies)


def _sentence(rng: random.Random) -> Matter:
  thing, word = rng.choice(words.THINGS), rng.choice(_BOTH)
  was = rng.choice(("is", "was"))
  replies = {
    "say_opposite": Reply(f"the {thing} {was} {OPPOSITES[word]}", f"The opposite of {word} is {OPPOSITES[word]}."),
    "say_synonym": Reply(f"the {thing} {was} {SYNONYMS[word]}", f"Another word for {word} is {SYNONYMS[word]}."),
  }
  return Matter(f"the {thing} {was} {word}", replies)


def _like(rng: random.Random) -> Matter:
  thing, word = rng.choice(words.THINGS), rng.choice(_BOTH)
  person = rng.choice(words.PEOPLE)
  names = {"thing": thing}
  replies = {
    "like_which": Reply(OPPOSITES[word], f"The opposite of {word} is {OPPOSITES[word]}.", names=names),
    "like_what": Reply(SYNONYMS[word], f"Another word for {word} is {SYNONYMS[word]}.", names=names),
  }
  return Matter(f"{person} has {words.with_article(word)} {thing}.", replies)


_MAKERS: dict[str, Callable[[random.Random], Matter]] = {
  "opposite": _word("opposite"),
  "synonym": _word("synonym"),
  "relation": _relation,
  "are_opposites": _are("opposites"),
  "are_synonyms": _are("synonyms"),
  **dict.fromkeys(("find_opposite", "find_synonym"), _find),
  **dict.fromkeys(("say_opposite", "say_synonym"), _sentence),
  **dict.fromkeys(("like_which", "like_what"), _like),
}
