"""Reviews: whether they praise or blame, how many stars they give, what was liked and by whom."""

import random

from flan_jax.collections.demo.generators import asking, words
from flan_jax.collections.demo.generators.asking import Matter, Reply

# Stars -> the words that give so many. Three is neither praise nor blame.
WORDS: dict[int, tuple[str, ...]] = {
  1: ("awful", "horrid"),
  2: ("bad", "dull"),
  3: ("fair", "plain"),
  4: ("good", "nice"),
  5: ("great", "superb"),
}
ASKS: asking.Asks = {
  "mood": (
    "tell whether the review is positive or negative",
    "say if this is a positive or a negative review",
    "judge the mood of the review",
    "name the feeling of the review",
  ),
  "stars": (
    "say how many stars the review gives",
    "tell the number of stars",
    "judge the review in stars",
    "name the stars that fit the review",
  ),
  "likes": (
    "tell whether {person} liked the {thing}",
    "say if the {thing} pleased {person}",
    "judge whether {person} was pleased",
    "tell if {person} liked it",
  ),
  "liked": (
    "name the thing that was liked",
    "say what pleased {person}",
    "tell what {person} liked",
    "find the thing that got praise",
  ),
  "disliked": (
    "name the thing that was not liked",
    "say what did not please {person}",
    "tell what {person} did not like",
    "find the thing that got blame",
  ),
  "praise": ("quote the word of praise", "give the kind word", "find the positive word", "say which word is praise"),
  "blame": ("quote the word of blame", "give the unkind word", "find the negative word", "say which word is blame"),
  "better": (
    "name the better thing",
    "say which thing got more stars",
    "tell which of the two pleased more",
    "find the thing that {person} liked more",
  ),
  "worse": (
    "name the worse thing",
    "say which thing got fewer stars",
    "tell which of the two pleased less",
    "find the thing that {person} liked less",
  ),
  "fan": (
    "Who liked the {thing}?",
    "Who was pleased with the {thing}?",
    "Whom did the {thing} please?",
    "Which of the two liked it?",
  ),
  "critic": (
    "Who did not like the {thing}?",
    "Who was not pleased with the {thing}?",
    "Whom did the {thing} not please?",
    "Which of the two did not like it?",
  ),
  "did_first_like": (
    "Did {person} like the {thing}?",
    "Was {person} pleased with the {thing}?",
    "Did the {thing} please {person}?",
    "Is the review of {person} positive?",
  ),
  "did_second_like": (
    "Did {person} like the {thing}?",
    "Was {person} pleased with the {thing}?",
    "Did the {thing} please {person}?",
    "Is the review of {person} positive?",
  ),
}
_MOODS = ("positive", "negative")
_YES_NO = ("yes", "no")
_STARS = tuple(words.NUMBERS[stars] for stars in WORDS)
_SIDES = {"positive": (4, 5), "negative": (1, 2)}


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`: a key of ASKS, or 'did_like' of either person."""
  asked = rng.choice(("did_first_like", "did_second_like")) if question == "did_like" else question
  return asking.example(rng, _MAKERS[question](rng), asked, ASKS)


def narrate(rng: random.Random) -> str:
  """A review that somebody judged, or what a word of praise or blame means."""
  if rng.random() < 0.65:
    return asking.retold(rng, generate(rng, rng.choice(list(_MAKERS))))
  stars = rng.choice(list(WORDS))
  word, count = rng.choice(WORDS[stars]), _count(stars)
  person, thing = rng.choice(words.PEOPLE), rng.choice(words.THINGS)
  told = [f"Whoever calls a thing {word} gives it {count}.", f"{person} called the {thing} {word}: {count}."]
  if stars != 3:
    praise = stars > 3
    feeling, kind = ("positive", "praise") if praise else ("negative", "blame")
    liked = "liked" if praise else "did not like"
    told += [
      f"{word.capitalize()} is a word of {kind}. A review that says {word} is {feeling}.",
      f"{person} {liked} the {thing}. It was {word}, and the review was {feeling}.",
      f"{person} was {'' if praise else 'not '}pleased with the {thing} and called it {word}.",
    ]
  better = rng.choice([level for level in WORDS if level != stars])
  high, low = max(stars, better), min(stars, better)
  told.append(f"{rng.choice(WORDS[high]).capitalize()} is better than {rng.choice(WORDS[low])}.")
  return rng.choice(told)


def _count(stars: int) -> str:
  return f"{words.NUMBERS[stars]} star{'s' if stars > 1 else ''}"


def _review(rng: random.Random, levels: tuple[int, ...]) -> Matter:
  """One thing, one or two words of one level."""
  person, thing = rng.choice(words.PEOPLE), rng.choice(words.THINGS)
  stars = rng.choice(levels)
  said = rng.sample(WORDS[stars], rng.randint(1, 2))
  replies = {"stars": Reply(words.NUMBERS[stars], f"{said[0].capitalize()} means {_count(stars)}.", _STARS)}
  if stars != 3:
    mood = _MOODS[stars < 3]
    why = f"{said[0].capitalize()} is a word of {'praise' if stars > 3 else 'blame'}."
    replies["mood"] = Reply(mood, why, _MOODS)
    replies["likes"] = Reply(_YES_NO[stars < 3], why, _YES_NO, {"person": person, "thing": thing})
  frame = rng.choice(
    (
      "{person} tried the {thing}. It was {said}.",
      "{person} got the {thing} and found it {said}.",
      "The {thing} was {said}, wrote {person}.",
    )
  )
  return Matter(frame.format(person=person, thing=thing, said=" and ".join(said)), replies)


def _sides(rng: random.Random) -> Matter:
  """One thing praised, another blamed, in either order."""
  person, things = rng.choice(words.PEOPLE), rng.sample(words.THINGS, 2)
  praise, blame = (rng.choice(WORDS[rng.choice(_SIDES[mood])]) for mood in _MOODS)
  pairs = [(things[0], praise), (things[1], blame)]
  rng.shuffle(pairs)
  names, said = {"person": person}, [word for _, word in pairs]
  shown = [thing for thing, _ in pairs]
  why = f"{praise.capitalize()} is praise and {blame} is blame."
  replies = {
    "liked": Reply(things[0], why, shown, names),
    "disliked": Reply(things[1], why, shown, names),
    "praise": Reply(praise, choices=said),
    "blame": Reply(blame, choices=said),
  }
  told = f"{person} wrote: the {pairs[0][0]} was {pairs[0][1]} but the {pairs[1][0]} was {pairs[1][1]}."
  return Matter(told, replies)


def _levels(rng: random.Random) -> Matter:
  """Two things of different stars."""
  person, things = rng.choice(words.PEOPLE), rng.sample(words.THINGS, 2)
  stars = rng.sample(list(WORDS), 2)
  said = [rng.choice(WORDS[level]) for level in stars]
  best = stars.index(max(stars))
  why = f"{said[best].capitalize()} is better than {said[1 - best]}."
  names = {"person": person}
  replies = {"better": Reply(things[best], why, things, names), "worse": Reply(things[1 - best], why, things, names)}
  return Matter(f"{person} found the {things[0]} {said[0]} and the {things[1]} {said[1]}.", replies)


def _two_reviews(rng: random.Random) -> Matter:
  """Two people of two minds about one thing."""
  people, thing = rng.sample(words.PEOPLE, 2), rng.choice(words.THINGS)
  fan = rng.randrange(2)
  said = [rng.choice(WORDS[rng.choice(_SIDES[_MOODS[i != fan]])]) for i in range(2)]
  names = {"thing": thing}
  why = f"{said[fan].capitalize()} is praise and {said[1 - fan]} is blame."
  replies = {"fan": Reply(people[fan], why, people, names), "critic": Reply(people[1 - fan], why, people, names)}
  for i, asked in enumerate(("did_first_like", "did_second_like")):
    why = f"{people[i]} called it {said[i]}."
    replies[asked] = Reply(_YES_NO[i != fan], why, _YES_NO, names | {"person": people[i]})
  return Matter(f"{people[0]} called the {thing} {said[0]}. {people[1]} called it {said[1]}.", replies)


_MAKERS = {
  "mood": lambda rng: _review(rng, (1, 2, 4, 5)),
  "stars": lambda rng: _review(rng, tuple(WORDS)),
  "likes": lambda rng: _review(rng, (1, 2, 4, 5)),
  **dict.fromkeys(("liked", "disliked", "praise", "blame"), _sides),
  **dict.fromkeys(("better", "worse"), _levels),
  **dict.fromkeys(("fan", "critic", "did_like"), _two_reviews),
}
