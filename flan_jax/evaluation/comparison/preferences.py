"""Which of two outputs a person prefers who cannot know whose they are, kept as each is said.

Pairs and their sides are shuffled by hashes of a seed. Outputs that are alike are not shown.
"""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flan_jax import draws
from flan_jax.evaluation.comparison.pairs import Pair
from flan_jax.evaluation.journal import Journal

FILE = "preferences.jsonl"
TIE = "tie"


@dataclasses.dataclass(frozen=True)
class Preference:
  """What was said of a pair.

  Attributes:
    pair: its id.
    first: whose output was shown first, 'A' or 'B'.
    preferred: 'A', 'B' or TIE.
  """

  pair: str
  first: str
  preferred: str

  def json(self) -> str:
    """One line, without its end."""
    return json.dumps(dataclasses.asdict(self), ensure_ascii=True)

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> "Preference":
    """What `json` gave, read by the json module; raises TypeError for anything else."""
    return cls(**content)


@dataclasses.dataclass(frozen=True)
class Blind:
  """A pair as it is shown: `sides` are 'A' and 'B' in the order of the outputs."""

  pair: Pair
  sides: tuple[str, str]

  @property
  def outputs(self) -> tuple[str, str]:
    """The first and the second."""
    return tuple(getattr(self.pair, side).output for side in self.sides)

  def preference(self, place: int | None) -> Preference:
    """That of the output in a place, 0 or 1; None is a tie."""
    return Preference(self.pair.id, self.sides[0], TIE if place is None else self.sides[place])


def blinded(pairs: Sequence[Pair], seed: int) -> list[Blind]:
  """The pairs that differ, in an order and with sides that are functions of the seed and a pair's id."""
  ordered = sorted(
    (pair for pair in pairs if not pair.alike), key=lambda pair: draws.hash64(seed, pair.id, "order of pairs")
  )
  return [Blind(pair, (("A", "B"), ("B", "A"))[draws.draw(2, seed, pair.id, "sides")]) for pair in ordered]


def judge(shown: Sequence[Blind], kept: Journal[Preference], choose: Callable[[int, Blind], Preference | None]) -> bool:
  """Asks for what the journal has not; whether all is said now.

  Args:
    choose: given how many have been said and a pair, what is said of it; None stops.
  """
  for each in shown:
    said = {preference.pair for preference in kept.answered}
    if each.pair.id in said:
      continue
    preference = choose(len(said), each)
    if preference is None:
      return False
    kept.append([preference])
  return True
