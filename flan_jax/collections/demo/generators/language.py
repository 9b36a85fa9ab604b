"""Zorish, an invented language: sixteen words, and a quality stands behind its thing."""

import random
from collections.abc import Callable

from flan_jax.collections.demo.generators import asking, words
from flan_jax.collections.demo.generators.asking import Matter, Reply

THINGS: dict[str, str] = {
  **{"fox": "miru", "owl": "tavo", "bear": "golu", "goat": "pesi", "duck": "nabo"},
  **{"apple": "zuda", "cake": "rofi", "egg": "limo", "boat": "keli", "rope": "huva"},
}
QUALITIES: dict[str, str] = {"red": "ruk", "green": "bil", "old": "sot", "new": "jep", "big": "dak", "small": "wim"}
WORDS: dict[str, str] = THINGS | QUALITIES
_FIND_WORD = (
  "find the word for {english}",
  "say which word means {english}",
  "pick what {english} is called in Zorish",
  "name the word that stands for {english}",
)
_FIND_MEANING = (
  "find what {zorish} means",
  "say which word translates {zorish}",
  "pick the meaning of {zorish}",
  "name what stands behind the word {zorish}",
)
_SEEN = (
  "What did {person} see?",
  "Which thing did {person} see?",
  "What was seen by {person}?",
  "What was it that {person} saw?",
)
ASKS: asking.Asks = {
  **dict.fromkeys(
    ("word_to_zorish", "phrase_to_zorish"),
    ("say it in Zorish", "translate it into Zorish", "give the Zorish for it", "put it in the words of Zor"),
  ),
  **dict.fromkeys(
    ("word_to_english", "phrase_to_english"),
    ("say it in English", "translate it from Zorish", "give the English for it", "tell what the Zorish means"),
  ),
  "thing": (
    "name the thing in English",
    "say which thing it speaks of",
    "translate only the thing",
    "tell what thing it is",
  ),
  "quality": (
    "name the quality in English",
    "say which quality it speaks of",
    "translate only the quality",
    "tell what the thing is like",
  ),
  "zorish_order": (
    "put the words in Zorish order",
    "order the words as Zorish does",
    "move the quality behind the thing",
    "place the thing first",
  ),
  **dict.fromkeys(
    ("word_means", "phrase_means"),
    (
      "tell whether the Zorish fits the English",
      "say if the translation is right",
      "judge whether one translates the other",
      "tell if both mean the same",
    ),
  ),
  **dict.fromkeys(
    ("word_misses", "phrase_misses"),
    (
      "tell whether the Zorish misses the English",
      "say if the translation is wrong",
      "judge whether there is a mistake in the translation",
      "tell if they mean different things",
    ),
  ),
  **dict.fromkeys(("find_word", "find_other_word"), _FIND_WORD),
  **dict.fromkeys(("find_meaning", "find_other_meaning"), _FIND_MEANING),
  **dict.fromkeys(("first_saw", "second_saw"), _SEEN),
}
_YES_NO = ("yes", "no")


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`: a key of ASKS, or 'saw' of either person."""
  asked = rng.choice(("first_saw", "second_saw")) if question == "saw" else question
  return asking.example(rng, _MAKERS[question](rng), asked, ASKS)


def narrate(rng: random.Random) -> str:
  """Somebody who speaks Zorish, or what a word or phrase of it means."""
  if rng.random() < 0.6:
    return asking.retold(rng, generate(rng, rng.choice(list(_MAKERS))))
  (word, zorish), person = rng.choice(list(WORDS.items())), rng.choice(words.PEOPLE)
  english, phrase, thing, quality = _phrase(rng)
  told = (
    f"In Zorish, {word} is {zorish}.",
    f"The Zorish word {zorish} means {word}.",
    f"{zorish} is Zorish and {word} is English. They mean the same.",
    f"{person} learned that {word} is {zorish} and that {thing} is {WORDS[thing]}.",
    f"{phrase} means {english}: {WORDS[thing]} is {thing} and {WORDS[quality]} is {quality}.",
    f"{person} said {phrase}, for in Zorish the quality comes after the thing. It means {english}.",
    f"{words.with_article(english).capitalize()} is called {phrase} in Zorish.",
  )
  return rng.choice(told)


def _phrase(rng: random.Random) -> tuple[str, str, str, str]:
  """'red fox', 'miru ruk', 'fox', 'red'."""
  thing, quality = rng.choice(list(THINGS)), rng.choice(list(QUALITIES))
  return f"{quality} {thing}", f"{THINGS[thing]} {QUALITIES[quality]}", thing, quality


def _words(rng: random.Random) -> tuple[str, str, str]:
  """One or two words in English and Zorish, and what each means."""
  known = rng.sample(list(WORDS), rng.choice((1, 2, 2)))
  meaning = " and ".join(f"{WORDS[word]} is {word}" for word in known)
  return " and ".join(known), " and ".join(WORDS[word] for word in known), f"{meaning}."


def _words_to_zorish(rng: random.Random) -> Matter:
  english, zorish, why = _words(rng)
  return Matter(english, {"word_to_zorish": Reply(zorish, why)})


def _words_to_english(rng: random.Random) -> Matter:
  english, zorish, why = _words(rng)
  return Matter(zorish, {"word_to_english": Reply(english, why)})


def _from_english(rng: random.Random) -> Matter:
  english, zorish, thing, quality = _phrase(rng)
  why = f"{thing} is {WORDS[thing]} and {quality} is {WORDS[quality]}."
  replies = {"phrase_to_zorish": Reply(zorish, why), "zorish_order": Reply(f"{thing} {quality}")}
  return Matter(english, replies)


def _from_zorish(rng: random.Random) -> Matter:
  english, zorish, thing, quality = _phrase(rng)
  why = f"{WORDS[thing]} is {thing} and {WORDS[quality]} is {quality}."
  replies = {"phrase_to_english": Reply(english, why), "thing": Reply(thing), "quality": Reply(quality)}
  return Matter(zorish, replies)


def _word_means(rng: random.Random) -> Matter:
  pool = list(rng.choice((THINGS, QUALITIES)))
  word, other = rng.sample(pool, 2)
  true = rng.random() < 0.5
  return _judged("word", WORDS[word], word if true else other, true, f"{WORDS[word]} is {word}.")


def _phrase_means(rng: random.Random) -> Matter:
  """A wrong one has another thing, another quality, or English order."""
  english, zorish, thing, quality = _phrase(rng)
  why = f"{zorish} is {english}."
  if rng.random() < 0.5:
    return _judged("phrase", zorish, english, True, why)
  wrong = rng.randrange(3)
  if wrong == 0:
    said = f"{quality} {rng.choice([other for other in THINGS if other != thing])}"
    return _judged("phrase", zorish, said, False, why)
  if wrong == 1:
    said = f"{rng.choice([other for other in QUALITIES if other != quality])} {thing}"
    return _judged("phrase", zorish, said, False, why)
  return _judged("phrase", f"{WORDS[quality]} {WORDS[thing]}", english, False, f"{english} is {zorish}.")


def _judged(kind: str, zorish: str, english: str, true: bool, why: str) -> Matter:
  right, wrong = Reply(_YES_NO[not true], why, _YES_NO), Reply(_YES_NO[true], why, _YES_NO)
  return Matter(f"{zorish} for {english}", {f"{kind}_means": right, f"{kind}_misses": wrong})


def _find(rng: random.Random, shown_in: str) -> Matter:
  """Three words of one language, of which two are asked for in the other."""
  known = rng.sample(list(rng.choice((THINGS, QUALITIES))), 3)
  shown = [WORDS[word] for word in known] if shown_in == "zorish" else known
  ids = ("find_word", "find_other_word") if shown_in == "zorish" else ("find_meaning", "find_other_meaning")
  replies = {}
  for asked, i in zip(ids, rng.sample(range(3), 2), strict=True):
    names = {"english": known[i], "zorish": WORDS[known[i]]}
    replies[asked] = Reply(shown[i], f"{names['zorish']} means {names['english']}.", shown, names)
  return Matter(f"{shown[0]}, {shown[1]} or {shown[2]}", replies)


def _saw(rng: random.Random) -> Matter:
  people, things = rng.sample(words.PEOPLE, 2), rng.sample(list(THINGS), 2)
  replies = {
    asked: Reply(thing, f"{WORDS[thing]} is {thing}.", names={"person": person})
    for asked, person, thing in zip(("first_saw", "second_saw"), people, things, strict=True)
  }
  return Matter(f"{people[0]} saw a {WORDS[things[0]]} and {people[1]} saw a {WORDS[things[1]]}.", replies)


_MAKERS: dict[str, Callable[[random.Random], Matter]] = {
  "word_to_zorish": _words_to_zorish,
  "word_to_english": _words_to_english,
  **dict.fromkeys(("phrase_to_zorish", "zorish_order"), _from_english),
  **dict.fromkeys(("phrase_to_english", "thing", "quality"), _from_zorish),
  **dict.fromkeys(("word_means", "word_misses"), _word_means),
  **dict.fromkeys(("phrase_means", "phrase_misses"), _phrase_means),
  "find_word": lambda rng: _find(rng, "zorish"),
  "find_meaning": lambda rng: _find(rng, "english"),
  "saw": _saw,
}
