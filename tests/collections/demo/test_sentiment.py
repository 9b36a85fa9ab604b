"""Reviews: read word by word, with a scale of their own."""

import re

import pytest

from flan_jax.collections.demo.generators import sentiment, words
from tests.collections.demo import asked

SCALE = ["awful horrid", "bad dull", "fair plain", "good nice", "great superb"]
STARS = {word: stars for stars, level in enumerate(SCALE, 1) for word in level.split()}


def right(text, question, phrase):
  said = re.findall(r"\w+", text)
  judged = [word for word in said if word in STARS]
  people = [word for word in said if word in words.PEOPLE]
  best, worst = max(judged, key=STARS.get), min(judged, key=STARS.get)
  if question in ("mood", "stars", "likes"):
    pleased = STARS[best] > 3
    return {"mood": "positive" if pleased else "negative", "likes": "yes" if pleased else "no"}.get(
      question, words.NUMBERS[STARS[best]]
    )
  if question in ("praise", "blame"):
    return best if question == "praise" else worst
  if question in ("fan", "critic"):
    return people[judged.index(best if question == "fan" else worst)]
  if question in ("did_first_like", "did_second_like"):
    (person,) = [word for word in re.findall(r"\w+", phrase) if word in people]
    return "yes" if STARS[judged[people.index(person)]] > 3 else "no"
  things = [word for word in said if word in words.THINGS]
  return things[judged.index(best if question in ("liked", "better") else worst)]


@pytest.mark.parametrize("question", sentiment._MAKERS)
def test_reviews_mean_what_their_words_say(question):
  for text, what, phrase, answer in asked.examples(sentiment, question):
    assert answer == right(text, what, phrase)


def test_the_scale_is_whole():
  assert {word: stars for stars, level in sentiment.WORDS.items() for word in level} == STARS
