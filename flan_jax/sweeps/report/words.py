"""Figures as a report says them: percent, points, intervals, and which of our data a sentence is about."""

from collections.abc import Sequence

from flan_jax.errors import first_of
from flan_jax.sweeps.report.cells import Grid
from flan_jax.sweeps.report.claims import Claim
from flan_jax.sweeps.report.figure import Finding
from flan_jax.sweeps.report.statistics import Estimate

NOT_PRETRAINED = "What was trained here began with random parameters; the finding is of a pretrained model."
_VERDICTS = {
  "supports": "This supports the finding of {paper}.",
  "contradicts": "This contradicts the finding of {paper}.",
  "can't tell": "This cannot tell whether the finding of {paper} holds here.",
}


def percent(share: float) -> str:
  """
  >>> percent(0.1234)
  '12.3%'
  """
  return f"{100 * share:.1f}%".replace("-", "−")


def points(difference: float) -> str:
  """
  >>> points(-0.0312)
  '−3.1 points'
  >>> points(-0.0001)
  '+0.0 points'
  """
  return f"{_signed(difference)} points"


def with_interval(effect: Estimate) -> str:
  """
  >>> with_interval(Estimate(0.05, 0.01, 0.09))
  '+5.0 points (95% interval +1.0 to +9.0)'
  """
  if effect.low is None:
    return f"{points(effect.value)} (no interval can be computed)"
  return f"{points(effect.value)} (95% interval {_signed(effect.low)} to {_signed(effect.high)})"


def _signed(difference: float) -> str:
  return f"{round(100 * difference, 1) + 0.0:+.1f}".replace("-", "−")  # + 0.0: nothing has no sign


def counted(number: int, noun: str) -> str:
  """
  >>> counted(1, "task")
  '1 task'
  """
  return f"{number:,} {noun}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
  """
  >>> listed(["a", "b", "c"])
  'a, b and c'
  """
  return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def parameters(number: float) -> str:
  """
  >>> parameters(1_050_368)
  '1.1M'
  """
  for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
    if number >= size:
      return f"{number / size:.3g}{letter}" if number >= 10 * size else f"{number / size:.2g}{letter}"
  return f"{number:g}"


def asked(grid: Grid) -> str:
  """What was measured, as a sentence has it: 'the score on zero-shot prompts of 12 held-out tasks'."""
  number = len(grid.tasks)
  if not grid.measure.bounded:
    return f"the {grid.measure.label}" + ("" if "" in grid.tasks else f" over {counted(number, 'task')}")
  return f"the score on {_questions(grid, number)}"


def _questions(grid: Grid, number: int) -> str:
  if "" in grid.tasks:
    return grid.measure.label
  if grid.split == "seen":
    return f"{grid.measure.label} of new examples of {counted(number, 'task')} trained on"
  return f"{grid.measure.label} of {counted(number, 'held-out task' if grid.split else 'task')}"


def change(grid: Grid, pairs: Sequence[tuple], effect: Estimate) -> str:
  """'from 12.0% to 30.0%, +18.0 points (95% ...)' of one pair of cells; of several the mean and the first few."""
  if len(pairs) == 1:
    before, after = (percent(grid.mean(place).value) for place in pairs[0])
    return f"from {before} to {after}, {with_interval(effect)}"
  each = [f"{after[0]} {points(grid.mean(after).value - grid.mean(before).value)}" for before, after in pairs]
  return f"by {with_interval(effect)} on average over {len(pairs)} series ({first_of(each)})"


def finding(sentence: str, effect: Estimate | None, claim: Claim | None, stuck: str = "", unfit: str = "") -> Finding:
  """A sentence with the verdict on the claim, if there is one and anything could be computed.

  Args:
    stuck: why scores could not have moved; then only a change that was expected and found counts.
    unfit: why these data are not what the claim is about, whatever they show.
  """
  numbers = (None, None, None) if effect is None else (effect.value, effect.low, effect.high)
  if claim is None:
    return Finding(sentence, effect=numbers[0], low=numbers[1], high=numbers[2])
  verdict = claim.verdict(effect) if effect else "can't tell"
  found_anyway = (verdict, claim.expects) == ("supports", "more")
  if doubts := [each for each in ("" if found_anyway else stuck, unfit) if each]:
    verdict, sentence = "can't tell", " ".join([sentence, *doubts])
  paper = claim.source.partition(" (")[0]
  return Finding(f"{sentence} {_VERDICTS[verdict].format(paper=paper)}", claim.text, verdict, *numbers)
