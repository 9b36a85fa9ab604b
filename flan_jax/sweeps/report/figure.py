"""A figure before it is drawn: panels of series of points, and what the data say. Picture and page both draw this."""

import dataclasses
from collections.abc import Sequence
from typing import Literal


@dataclasses.dataclass(frozen=True)
class Point:
  """One mark. `x` is a number, or a category of the panel; `text` is what hovering it tells, several lines perhaps."""

  x: float | str
  y: float
  low: float | None = None  # 95% interval of y
  high: float | None = None
  text: str = ""


@dataclasses.dataclass(frozen=True)
class Series:
  """Points that belong together, in the order of x.

  Attributes:
    name: for the legend.
    points: no two of the same x.
    joined: whether a line joins them.
    source: 'ours', or a citation with its table where somebody else published the points: 'Chung et al. 2022, Table 3'.
    fit: points of a fitted curve, drawn thin; empty without a fit.
    fit_text: the fit in words, with its uncertainty.
  """

  name: str
  points: Sequence[Point]
  joined: bool = True
  source: str = "ours"
  fit: Sequence[Point] = ()
  fit_text: str = ""

  @property
  def published(self) -> bool:
    """Whether somebody else measured it."""
    return self.source != "ours"


@dataclasses.dataclass(frozen=True)
class Panel:
  """One pair of axes.

  Attributes:
    x_scale: of 'log' an x of 0 stands apart at the left; of 'category' x are texts in the order of `categories`.
    y_unit: 'percent' (values are shares of 1), 'corrected' (the same, below 0 where guessing is better), 'points'
      (differences of shares), 'nats', 'flops' (drawn on a log axis).
    chance: a level to mark; None for none.
  """

  series: Sequence[Series]
  x_label: str
  y_label: str
  title: str = ""
  x_scale: Literal["log", "linear", "category"] = "linear"
  y_unit: Literal["percent", "corrected", "points", "nats", "flops"] = "percent"
  categories: Sequence[str] = ()
  chance: float | None = None


Verdict = Literal["supports", "contradicts", "can't tell", "no claim"]


@dataclasses.dataclass(frozen=True)
class Finding:
  """What a figure says, computed from its data.

  Attributes:
    sentence: effect, interval and verdict in words.
    claim: the paper's finding that it is held against, with its source; '' for none.
    verdict: whether the data support that claim.
    effect, low, high: in shares of 1 (or in the panel's unit), with a 95% interval; None where nothing can be computed.
    main: whether it is a result that the sweep is made for, and stands among the first without any claim.
  """

  sentence: str
  claim: str = ""
  verdict: Verdict = "no claim"
  effect: float | None = None
  low: float | None = None
  high: float | None = None
  main: bool = False


@dataclasses.dataclass(frozen=True)
class Figure:
  """Panels side by side with what they say.

  Attributes:
    name: of its files: 'ladder', 'controls', 'ways', 'tasks', 'size', 'examples_per_task', 'cot', 'formats',
      'clusters', 'reasoning', 'training', 'compute', or an axis'.
    title: a sentence's worth.
    findings: one or more.
    notes: what a reader should beware of: missing cells, one seed, other measures than the paper's.
  """

  name: str
  title: str
  panels: Sequence[Panel]
  findings: Sequence[Finding] = ()
  notes: Sequence[str] = ()
