"""What is said of blind pairs: nothing tells whose an output is, nothing said is lost, and shares are what they are."""

import itertools

import pytest

from flan_jax.errors import UsageError
from flan_jax.evaluation import asking, journal
from flan_jax.evaluation.comparison.pairs import Pair
from flan_jax.evaluation.comparison.preferences import FILE, TIE, Preference, blinded, judge
from flan_jax.evaluation.comparison.rates import preferred, rightness
from flan_jax.evaluation.intervals import wilson
from flan_jax.evaluation.suites.question import Question


def pair(number: int, a: str, b: str, references: tuple[str, ...] = (), task: str = "t") -> Pair:
  question = Question("m", task, str(number), "direct", f"Question {number}?", references, "verbatim")
  return Pair(*(asking.read(asking.Asked(question, n=1), [output]) for output in (a, b)))


PAIRS = [pair(number, f"a{number}", f"b{number}") for number in range(200)]


def test_order_and_sides_are_drawn_by_the_seed_and_alike_pairs_are_not_shown():
  shown = blinded([*PAIRS, pair(200, "the same", " the same\n")], seed=3)
  assert {each.pair.id for each in shown} == {pair.id for pair in PAIRS}
  assert [each.pair for each in shown] != PAIRS
  assert shown == blinded(PAIRS[::-1], seed=3) != blinded(PAIRS, seed=4)
  # 200 draws at 1/2: four standard deviations are 28.
  assert abs(sum(each.sides == ("A", "B") for each in shown) - 100) < 28
  for each in shown:
    assert each.outputs == tuple(getattr(each.pair, side).output for side in each.sides)
    assert [each.preference(place).preferred for place in (0, 1, None)] == [*each.sides, TIE]


def test_who_is_stopped_anywhere_goes_on_with_the_next_pair(tmp_path):
  shown = blinded(PAIRS[:12], seed=0)
  asked, request = [], {"of": "these"}
  for stop in (0, 5, 6, 12):

    def choose(said, each, stop=stop):
      if said == stop:
        return None
      asked.append(each.pair.id)
      return each.preference(0)

    with journal.opened(tmp_path / FILE, request, of=Preference) as kept:
      assert judge(shown, kept, choose) == (stop == 12)
      said = kept.answered
  assert asked == [each.pair.id for each in shown]  # each once
  assert said == [each.preference(0) for each in shown]
  with (
    pytest.raises(UsageError, match="holds another evaluation"),
    journal.opened(tmp_path / FILE, {"of": "others"}, of=Preference),
  ):
    pass


def test_shares_of_what_was_preferred():
  said = [
    Preference(each.id, "A", liked) for each, liked in zip(PAIRS, ["A"] * 6 + ["B"] * 2 + [TIE] * 4, strict=False)
  ]
  found = preferred(PAIRS, said)
  assert (found.pairs, found.A, found.B, found.ties) == (12, 6, 2, 4)
  assert (found.decided.share, found.decided.interval) == (6 / 8, wilson(6, 8))
  assert found.all.share == 8 / 12
  low, high = found.all.interval
  assert 0.4 < low < 8 / 12 < high < 0.9
  assert preferred(PAIRS, []) is None
  assert preferred(PAIRS, said[-4:]).decided is None  # nothing but ties


def test_a_mean_over_tasks_says_of_how_many_something_was_said():
  pairs = [pair(i, "x", "y", ("x",), task=f"t{i % 3}") for i in range(12)]
  assert rightness(pairs).difference.tasks == 3
  assert preferred(pairs, [Preference(each.id, "A", "A") for each in pairs[::3]]).all.tasks == 1


def test_a_judge_who_takes_the_first_prefers_nobody():
  """Sides are drawn, so a habit of one place says nothing: the interval is around a half."""
  found = preferred(PAIRS, [each.preference(0) for each in blinded(PAIRS, seed=1)])
  assert found.decided.interval[0] < 0.5 < found.decided.interval[1]


def test_the_difference_is_that_of_pairs():
  right = [("yes", "yes")] * 30 + [("yes", "no")] * 6 + [("no", "yes")] * 2 + [("no", "no")] * 2
  pairs = [pair(i, a, b, ("yes",), task=f"t{i % 4}") for i, (a, b) in enumerate(right)]
  found = rightness([*pairs, pair(99, "x", "y")])  # of the last no answer is known
  assert (found.pairs, found.A, found.B, found.both) == (40, 36, 32, 30)
  assert found.difference.share == pytest.approx(4 / 40)
  low, high = found.difference.interval
  assert -0.1 < low < 0.1 < high < 0.3
  assert rightness(PAIRS) is None
  mirrored = rightness([Pair(each.B, each.A) for each in pairs])
  assert mirrored.difference.share == pytest.approx(-found.difference.share)
  assert all(-1 <= end <= 1 for end in itertools.chain(found.difference.interval, mirrored.difference.interval))
