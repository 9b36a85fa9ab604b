"""The calendar: as Python's own has it."""

import calendar
import datetime
import itertools
import random
import re

import pytest

from flan_jax.collections.demo.generators import calendar_, words
from tests.collections.demo import asked

DAYS, MONTHS = list(calendar.day_name), list(calendar.month_name)[1:]
MONDAY, DAY = datetime.date(2024, 1, 1), datetime.timedelta(days=1)
NAMED = re.compile("|".join((*DAYS, *MONTHS, r"\d+ o'clock")))


def day(name, days):
  """The day so many days after a day."""
  return (MONDAY + DAYS.index(name) * DAY + days * DAY).strftime("%A")


def month(name, months):
  """The month so many months after a month."""
  return (datetime.date(2024, MONTHS.index(name) + 1, 15) + months * 30 * DAY).strftime("%B")


def clock(time, hours):
  """So many hours after a time of a clock with twelve hours."""
  then = datetime.datetime(2024, 1, 1, int(time.split()[0])) + datetime.timedelta(hours=hours)
  return f"{int(then.strftime('%I'))} o'clock"


def right(text, question, phrase):
  named = NAMED.findall(text)
  row = DAYS if named[0] in DAYS else MONTHS
  if question in ("earlier", "later"):
    return sorted(named, key=row.index)[question == "later"]
  if question == "between":
    (found,) = {(day if row is DAYS else month)(named[0], 1), (day if row is DAYS else month)(named[1], -1)}
    return found
  n = next((number for number, word in enumerate(words.NUMBERS) if word in phrase.split()), 0)
  return {
    **dict.fromkeys(("day_after", "tomorrow"), lambda: day(*named, 1)),
    **dict.fromkeys(("day_before", "yesterday"), lambda: day(*named, -1)),
    "days_later": lambda: day(*named, n),
    "days_earlier": lambda: day(*named, -n),
    "month_after": lambda: month(*named, 1),
    "month_before": lambda: month(*named, -1),
    "month_number": lambda: str(datetime.datetime.strptime(*named, "%B").month),
    "season": lambda: ("winter", "spring", "summer", "autumn")[(MONTHS.index(*named) + 1) % 12 // 3],
    "half": lambda: "first" if MONTHS.index(*named) < 6 else "second",
    "hours_later": lambda: clock(*named, n),
    "hours_earlier": lambda: clock(*named, -n),
  }[question]()


@pytest.mark.parametrize("question", calendar_.ASKS)
def test_the_calendar_is_the_common_one(question):
  for text, what, phrase, answer in asked.examples(calendar_, question):
    assert answer == right(text, what, phrase)


@pytest.mark.parametrize("question", ["days_later", "days_earlier", "hours_later", "hours_earlier"])
def test_counting_goes_step_by_step_and_ends_at_the_answer(question):
  way = 1 if question.endswith("later") else -1
  for seed in range(40):
    fields = calendar_.generate(random.Random(seed), question)
    counted = fields["rationale"].rstrip(".").split(", ")
    if question.startswith("hours"):
      counted = [f"{hour} o'clock" for hour in counted]
    passed = [*NAMED.findall(fields["text"]), *counted]
    step = clock if question.startswith("hours") else day
    assert all(step(one, way) == then for one, then in itertools.pairwise(passed))
    assert passed[-1] == fields["answer"]
