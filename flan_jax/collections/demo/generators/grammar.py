"""Forms of words: one and many, now and then, more and most; the right article and the right verb."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from flan_jax.collections.demo.generators import asking, words
from flan_jax.collections.demo.generators.asking import Matter, Reply

PLURALS: dict[str, str] = {
  **{word: f"{word}s" for word in ("owl", "bear", "goat", "duck", "horse", "apple", "cake", "egg", "axe")},
  **{word: f"{word}s" for word in ("rope", "boot", "cap", "coat", "glove", "boat")},
  **{"fox": "foxes", "bus": "buses", "dress": "dresses", "mouse": "mice", "goose": "geese", "child": "children"},
  **{"foot": "feet", "tooth": "teeth"},
}
# Base, past, third person.
VERBS: tuple[tuple[str, str, str], ...] = (
  *(("sing", "sang", "sings"), ("run", "ran", "runs"), ("swim", "swam", "swims"), ("sleep", "slept", "sleeps")),
  *(("walk", "walked", "walks"), ("jump", "jumped", "jumps"), ("dance", "danced", "dances")),
  *(("play", "played", "plays"), ("write", "wrote", "writes"), ("cook", "cooked", "cooks")),
)
# Positive, comparative, superlative.
GRADES: tuple[tuple[str, str, str], ...] = (
  *(("big", "bigger", "biggest"), ("small", "smaller", "smallest"), ("old", "older", "oldest")),
  *(("new", "newer", "newest"), ("fast", "faster", "fastest"), ("slow", "slower", "slowest")),
  *(("hot", "hotter", "hottest"), ("cold", "colder", "coldest"), ("good", "better", "best"), ("bad", "worse", "worst")),
)
_RIGHT = (
  "tell whether the sentence is right",
  "say if the grammar is good",
  "judge whether one may say it so",
  "tell if the verb fits",
)
_WRONG = (
  "tell whether the sentence is wrong",
  "say if there is a mistake in the grammar",
  "judge whether one must say it in another way",
  "tell if the verb does not fit",
)
ASKS: asking.Asks = {
  "plural": ("give the plural", "say it of more than one", "name many of these", "turn the noun into its plural"),
  "singular": ("give the singular", "say it of only one", "name just one of these", "turn the noun into its singular"),
  "article": (
    "put the right article before it",
    "say it with a or an",
    "write it with its article",
    "add a or an to the noun",
  ),
  "past": (
    "give the past tense",
    "say how it was then",
    "put the verb in the past",
    "turn the verb into its past form",
  ),
  "third_person": (
    "give the third person",
    "say what he or she does",
    "put the verb in the form for he or she",
    "turn the verb into its third person",
  ),
  "base_form": (
    "give the base form of the verb",
    "say the verb as it stands in a dictionary",
    "put the verb in the plain form",
    "turn the verb into its base form",
  ),
  "comparative": (
    "give the comparative",
    "say the form for more",
    "put the word in the form before than",
    "turn it into the form that compares two",
  ),
  "superlative": (
    "give the superlative",
    "say the form for most",
    "put the word in the highest form",
    "turn it into the form for the top of all",
  ),
  "sentence_past": (
    "put the sentence in the past",
    "tell it as of yesterday",
    "say that it happened before",
    "turn the sentence into the past tense",
  ),
  "sentence_denied": (
    "deny the sentence",
    "say that it is not so",
    "put does not in",
    "turn the sentence into its denial",
  ),
  "sentence_asked": (
    "turn the sentence into a question",
    "make a question with does",
    "ask whether it is so",
    "put does in front",
  ),
  "verb_gap": (
    "fill the gap with is or are",
    "say whether is or are belongs there",
    "choose the verb for the gap",
    "pick is or are for the gap",
  ),
  "past_gap": (
    "fill the gap with was or were",
    "say whether was or were belongs there",
    "choose the past verb for the gap",
    "pick was or were for the gap",
  ),
  "right": _RIGHT,
  "wrong": _WRONG,
}
_Forms = TypeVar("_Forms")  # a word, or all of its forms
_YES_NO = ("yes", "no")
_GAP = "..."


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`, a key of ASKS."""
  return asking.example(rng, _MAKERS[question](rng), question, ASKS)


def narrate(rng: random.Random) -> str:
  """Somebody who finds a form of a word, or the forms as people use them."""
  if rng.random() < 0.65:
    return asking.retold(rng, generate(rng, rng.choice(list(_MAKERS))))
  noun, (base, past, third) = rng.choice(list(PLURALS)), rng.choice(VERBS)
  positive, comparative, superlative = rng.choice(GRADES)
  person, other, last = rng.sample(words.PEOPLE, 3)
  told = (
    f"One says {words.with_article(noun)}, but many {PLURALS[noun]}.",
    f"The plural of {noun} is {PLURALS[noun]}. The singular of {PLURALS[noun]} is {noun}.",
    f"{person} saw {words.with_article(noun)} first and then many {PLURALS[noun]}.",
    f"Today {person} {third}. Yesterday {person} {past}.",
    f"The past of {base} is {past}. They {base}, and {person} {third}.",
    f"{person} does not {base} today, but yesterday {person} {past}.",
    f"{person} has {words.with_article(positive)} {noun}, {other} a {comparative} one. {last} has the {superlative}.",
    f"{positive.capitalize()}, {comparative}, {superlative}.",
    f"The {noun} is {positive}. The {PLURALS[noun]} are {positive}.",
    f"The {noun} was {positive} and the {PLURALS[noun]} were {comparative}.",
  )
  return rng.choice(told)


def _nouns(rng: random.Random) -> Matter:
  one = _some(rng, list(PLURALS))
  return _forms({"": one, "plural": [PLURALS[noun] for noun in one], "article": map(words.with_article, one)})


def _articles(rng: random.Random) -> Matter:
  """As many with 'an' as with 'a', though few nouns begin with a vowel."""
  vowels = [noun for noun in PLURALS if noun[0] in "aeiou"]
  others = [noun for noun in PLURALS if noun not in vowels]
  one = [rng.choice(rng.choice((vowels, others))) for _ in range(rng.choice((1, 2, 2)))]
  return _forms({"": one, "article": map(words.with_article, one), "plural": [PLURALS[noun] for noun in one]})


def _plurals(rng: random.Random) -> Matter:
  one = _some(rng, list(PLURALS))
  return _forms({"": [PLURALS[noun] for noun in one], "singular": one})


def _verbs(rng: random.Random) -> Matter:
  return _forms(dict(zip(("", "past", "third_person"), zip(*_some(rng, VERBS), strict=True), strict=True)))


def _past_verbs(rng: random.Random) -> Matter:
  return _forms(dict(zip(("base_form", "", "third_person"), zip(*_some(rng, VERBS), strict=True), strict=True)))


def _grades(rng: random.Random) -> Matter:
  return _forms(dict(zip(("", "comparative", "superlative"), zip(*_some(rng, GRADES), strict=True), strict=True)))


def _some(rng: random.Random, pool: Sequence[_Forms]) -> list[_Forms]:
  """One of a pool, more often two: single words alone would be a few dozen examples."""
  return rng.sample(pool, rng.choice((1, 2, 2)))


def _forms(forms: Mapping[str, Iterable[str]]) -> Matter:
  """Words in the form that is given, called '', with their other forms as replies."""
  said = {form: " and ".join(listed) for form, listed in forms.items()}
  return Matter(said.pop(""), {form: Reply(listed) for form, listed in said.items()})


def _sentence(rng: random.Random) -> Matter:
  person, (base, past, third), place = rng.choice(words.PEOPLE), rng.choice(VERBS), rng.choice(words.PLACES)
  replies = {
    "sentence_past": Reply(f"{person} {past} in the {place}", f"The past of {base} is {past}."),
    "sentence_denied": Reply(f"{person} does not {base} in the {place}"),
    "sentence_asked": Reply(f"does {person} {base} in the {place}"),
  }
  return Matter(f"{person} {third} in the {place}", replies)


def _gap(rng: random.Random) -> Matter:
  """One thing or many, and the verb left out."""
  noun, plural = rng.choice(list(PLURALS.items()))
  many = rng.random() < 0.5
  quality = rng.choice(GRADES)[0]
  why = f"{(plural if many else noun).capitalize()} is {'plural' if many else 'singular'}."
  replies = {
    "verb_gap": Reply(("is", "are")[many], why, ("is", "are")),
    "past_gap": Reply(("was", "were")[many], why, ("was", "were")),
  }
  return Matter(f"the {plural if many else noun} {_GAP} {quality}", replies)


def _judged(rng: random.Random) -> Matter:
  """A verb that fits its noun or not: to be, or a verb in the third person."""
  noun, plural = rng.choice(list(PLURALS.items()))
  many, true = rng.random() < 0.5, rng.random() < 0.5
  if rng.random() < 0.5:
    forms, rest = rng.choice((("is", "are"), ("was", "were"))), f" {rng.choice(GRADES)[0]}"
  else:
    base, _, third = rng.choice(VERBS)
    forms, rest = (third, base), f" in the {rng.choice(words.PLACES)}"
  subject = plural if many else noun
  why = f"One says the {subject} {forms[many]}."
  yes, no = Reply("yes", why, _YES_NO), Reply("no", why, _YES_NO)
  verb = forms[many if true else not many]
  return Matter(f"the {subject} {verb}{rest}", {"right": yes if true else no, "wrong": no if true else yes})


_MAKERS: dict[str, Callable[[random.Random], Matter]] = {
  "plural": _nouns,
  "article": _articles,
  "singular": _plurals,
  **dict.fromkeys(("past", "third_person"), _verbs),
  "base_form": _past_verbs,
  **dict.fromkeys(("comparative", "superlative"), _grades),
  **dict.fromkeys(("sentence_past", "sentence_denied", "sentence_asked"), _sentence),
  **dict.fromkeys(("verb_gap", "past_gap"), _gap),
  **dict.fromkeys(("right", "wrong"), _judged),
}
