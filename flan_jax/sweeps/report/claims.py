"""What papers found (claims.yaml), and the one place that says when our data support it."""

import dataclasses
import functools
import typing
from pathlib import Path
from typing import Literal

import yaml

from flan_jax.sweeps.report.figure import Verdict
from flan_jax.sweeps.report.statistics import Estimate

Expectation = Literal["more", "no_less", "little", "below"]


@dataclasses.dataclass(frozen=True)
class Claim:
  """A finding of a paper.

  Attributes:
    figure, name: which it is, of which figure.
    finding: in our words.
    source: paper and section or table.
    support: what would show it here.
    unseen: whether it is about tasks that no training was on.
    expects: which rule of `verdict` holds.
    margin: of that rule, a share of 1.
  """

  figure: str
  name: str
  finding: str
  source: str
  support: str
  unseen: bool
  expects: Expectation
  margin: float

  @property
  def text(self) -> str:
    """The finding with its source, and what would show it here."""
    return f"{self.finding[0].upper()}{self.finding[1:]}. {self.source}. Shown here if {self.support}."

  def verdict(self, effect: Estimate) -> Verdict:
    """Whether an effect with its 95% interval shows it, shows something else, or neither.

    expects   supports                                contradicts
    more      the whole interval above 0              the whole interval below 0, or within the margin
    no_less   the whole interval above -margin        the whole interval below -margin
    little    the whole interval within the margin    the whole interval beyond it, on either side
    below     the value below the margin              it is not: it is counted, and has no interval
    """
    if self.expects == "below":
      return "supports" if effect.value < self.margin else "contradicts"
    if effect.low is None or effect.high is None:
      return "can't tell"
    within = -self.margin < effect.low and effect.high < self.margin
    beyond = effect.low > self.margin or effect.high < -self.margin
    supports, contradicts = {
      "more": (effect.low > 0, effect.high < 0 or within),
      "no_less": (effect.low > -self.margin, effect.high < -self.margin),
      "little": (within, beyond),
    }[self.expects]
    return "supports" if supports else "contradicts" if contradicts else "can't tell"


def claim(figure: str, name: str) -> Claim:
  """One of claims.yaml."""
  return next(each for each in claims() if (each.figure, each.name) == (figure, name))


@functools.cache
def claims() -> tuple[Claim, ...]:
  """All of them, in the order of the file."""
  text = (Path(__file__).parent / "claims.yaml").read_text(encoding="utf-8")
  found = [
    Claim(**{**each, "support": each["support"].format(margin=each["margin"]), "margin": each["margin"] / 100})
    for each in yaml.safe_load(text)
  ]
  for each in found:
    assert each.expects in typing.get_args(Expectation), f"claims.yaml: {each.name} expects {each.expects}"
  return tuple(found)
