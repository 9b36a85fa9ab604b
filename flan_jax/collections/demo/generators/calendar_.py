"""Days, months and hours: what comes before and after, and where in the year a month lies."""

import random
from collections.abc import Callable

from flan_jax.collections.demo.generators import asking, words
from flan_jax.collections.demo.generators.asking import Matter, Reply

DAYS: tuple[str, ...] = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS: tuple[str, ...] = (
  *("January", "February", "March", "April", "May", "June"),
  *("July", "August", "September", "October", "November", "December"),
)
SEASONS: dict[str, tuple[str, ...]] = {
  "winter": ("December", "January", "February"),
  "spring": ("March", "April", "May"),
  "summer": ("June", "July", "August"),
  "autumn": ("September", "October", "November"),
}
ASKS: asking.Asks = {
  "day_after": ("name the day after this one", "say which day comes next", "give the following day", "go one day on"),
  "day_before": (
    "name the day before this one",
    "say which day came just before",
    "give the preceding day",
    "go one day back",
  ),
  "days_later": (
    "name the day {n} days later",
    "say which day comes {n} days after",
    "count {n} days on",
    "go {n} days on",
  ),
  "days_earlier": (
    "name the day {n} days earlier",
    "say which day came {n} days before",
    "count {n} days back",
    "go {n} days back",
  ),
  "month_after": (
    "name the month after this one",
    "say which month comes next",
    "give the following month",
    "go one month on",
  ),
  "month_before": (
    "name the month before this one",
    "say which month came just before",
    "give the preceding month",
    "go one month back",
  ),
  "month_number": (
    "give the number of the month",
    "say which month of the year it is",
    "count the months up to this one",
    "write the month as a number",
  ),
  "season": (
    "name the season of this month",
    "say in which season this month lies",
    "give the time of the year",
    "tell which season it is then",
  ),
  "half": (
    "tell which half of the year it is in",
    "say if it lies in the first or second half of the year",
    "name the half of the year that holds this month",
    "give the half of the year",
  ),
  "hours_later": (
    "say the time {n} hours later",
    "name the hour that comes {n} hours after",
    "move the clock on by {n}",
    "count {n} hours on",
  ),
  "hours_earlier": (
    "say the time {n} hours earlier",
    "name the hour that came {n} hours before",
    "move the clock back by {n}",
    "count {n} hours back",
  ),
  "earlier": (
    "name the earlier of the two",
    "say which comes first",
    "tell which of them is earlier",
    "find the one that comes before the other",
  ),
  "later": (
    "name the later of the two",
    "say which comes second",
    "tell which of them is later",
    "find the one that comes after the other",
  ),
  "between": (
    "name what lies between the two",
    "say what comes after the one and before the other",
    "fill the gap between them",
    "give the one in the middle",
  ),
  "tomorrow": (
    "What day will it be tomorrow?",
    "Which day comes tomorrow?",
    "What day will they have a day later?",
    "Which day will it be then, one day on?",
  ),
  "yesterday": (
    "What day was it yesterday?",
    "Which day came yesterday?",
    "What day did they have a day earlier?",
    "Which day was it then, one day back?",
  ),
}
_HALVES = ("first", "second")
_HOURS = tuple(map(str, range(1, 13)))


def generate(rng: random.Random, question: str) -> asking.Fields:
  """One example of the `question`, a key of ASKS."""
  return asking.example(rng, _MAKERS[question](rng), question, ASKS)


def narrate(rng: random.Random) -> str:
  """Somebody who counts days, months or hours, or what the calendar says."""
  if rng.random() < 0.62:
    return asking.retold(rng, generate(rng, rng.choice(list(_MAKERS))))
  d, m, person = rng.randrange(7), rng.randrange(12), rng.choice(words.PEOPLE)
  day, next_day, month, next_month = DAYS[d], DAYS[(d + 1) % 7], MONTHS[m], MONTHS[(m + 1) % 12]
  season = _season(month)
  told = (
    f"{next_day} comes after {day}. {day} comes before {next_day}.",
    f"{person} slept on {day} and woke on {next_day}.",
    f"After {day} come {next_day} and {DAYS[(d + 2) % 7]}.",
    f"{next_month} follows {month}.",
    f"{month} comes before {next_month}, and between {month} and {MONTHS[(m + 2) % 12]} lies {next_month}.",
    f"{month} is a month of {season}. It lies in the {_half(month)} half of the year.",
    f"{month} is month number {m + 1} of the year.",
    f"It was {season}, for it was {month}.",
  )
  return rng.choice(told)


def _season(month: str) -> str:
  return next(season for season, months in SEASONS.items() if month in months)


def _half(month: str) -> str:
  return _HALVES[MONTHS.index(month) >= 6]


def _day(rng: random.Random) -> Matter:
  """A day, and days around it; so many that it never comes back to the same."""
  d, n, back = rng.randrange(7), rng.randint(2, 4), rng.randint(2, 4)
  after, before = Reply(DAYS[(d + 1) % 7]), Reply(DAYS[(d - 1) % 7])
  ways = {
    "days_later": Reply(DAYS[(d + n) % 7], _counted(DAYS, d, n), names={"n": words.NUMBERS[n]}),
    "days_earlier": Reply(DAYS[(d - back) % 7], _counted(DAYS, d, -back), names={"n": words.NUMBERS[back]}),
  }
  return Matter(_happening(rng, f"on {DAYS[d]}", DAYS[d]), {"day_after": after, "day_before": before, **ways})


def _happening(rng: random.Random, when: str, alone: str) -> str:
  """A time in a small story, or alone."""
  if rng.random() < 0.25:
    return alone
  person, place = rng.choice(words.PEOPLE), rng.choice(words.PLACES)
  return rng.choice((f"{person} came {when}.", f"{person} left the {place} {when}.", f"The {place} opens {when}."))


def _counted(row: tuple[str, ...], start: int, steps: int) -> str:
  """'Tuesday, Wednesday, Thursday.': what is passed from `start` on."""
  way = 1 if steps > 0 else -1
  return ", ".join(row[(start + way * i) % len(row)] for i in range(1, abs(steps) + 1)) + "."


def _month(rng: random.Random) -> Matter:
  m = rng.randrange(12)
  month = MONTHS[m]
  replies = {
    "month_after": Reply(MONTHS[(m + 1) % 12]),
    "month_before": Reply(MONTHS[(m - 1) % 12]),
    "month_number": Reply(str(m + 1)),
    "season": Reply(_season(month), choices=tuple(SEASONS)),
    "half": Reply(_half(month), f"{month} is month number {m + 1}.", _HALVES),
  }
  return Matter(_happening(rng, f"in {month}", month), replies)


def _hour(rng: random.Random) -> Matter:
  """Twelve hours, then one again."""
  hour, n, back = rng.randint(1, 12), rng.randint(2, 5), rng.randint(2, 5)
  replies = {
    "hours_later": Reply(_clock(hour + n), _counted(_HOURS, hour - 1, n), names={"n": words.NUMBERS[n]}),
    "hours_earlier": Reply(_clock(hour - back), _counted(_HOURS, hour - 1, -back), names={"n": words.NUMBERS[back]}),
  }
  return Matter(_happening(rng, f"at {_clock(hour)}", _clock(hour)), replies)


def _clock(hour: int) -> str:
  return f"{(hour - 1) % 12 + 1} o'clock"


def _order(rng: random.Random) -> Matter:
  """Two days of a week, which begins on Monday, or two months of a year."""
  row, whole = rng.choice(((DAYS, "week"), (MONTHS, "year")))
  i, j = rng.sample(range(len(row)), 2)
  shown = (row[i], row[j])
  first, last = row[min(i, j)], row[max(i, j)]
  why = f"{first} comes before {last}."
  replies = {"earlier": Reply(first, why, shown), "later": Reply(last, why, shown)}
  return Matter(f"{shown[0]} and {shown[1]} of one {whole}", replies)


def _between(rng: random.Random) -> Matter:
  row = rng.choice((DAYS, MONTHS))
  i = rng.randrange(len(row))
  answer, last = row[(i + 1) % len(row)], row[(i + 2) % len(row)]
  return Matter(f"{row[i]} and {last}", {"between": Reply(answer, f"{answer} comes after {row[i]}.")})


def _today(rng: random.Random) -> Matter:
  d, person = rng.randrange(7), rng.choice(words.PEOPLE)
  place = rng.choice(words.PLACES)
  told = rng.choice((f"Today is {DAYS[d]}.", f"It is {DAYS[d]} and {person} goes to the {place}."))
  return Matter(told, {"tomorrow": Reply(DAYS[(d + 1) % 7]), "yesterday": Reply(DAYS[(d - 1) % 7])})


_MAKERS: dict[str, Callable[[random.Random], Matter]] = {
  **dict.fromkeys(("day_after", "day_before", "days_later", "days_earlier"), _day),
  **dict.fromkeys(("month_after", "month_before", "month_number", "season", "half"), _month),
  **dict.fromkeys(("hours_later", "hours_earlier"), _hour),
  **dict.fromkeys(("earlier", "later"), _order),
  "between": _between,
  **dict.fromkeys(("tomorrow", "yesterday"), _today),
}
