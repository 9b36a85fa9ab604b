"""What a sweep's gin file says: axes, what is measured of each run, how long the runs are."""

import dataclasses
import re
from collections.abc import Sequence

import gin

from flan_jax.errors import UsageError
from flan_jax.evaluation.suites.question import MODES
from flan_jax.setting_types import check_types

Value = int | float | str | bool | None  # of an axis
NORMALISED_AVERAGE = "normalised_average"  # of suites: the paper's, as results.json calls it


@gin.register
@dataclasses.dataclass(frozen=True, kw_only=True)
class Axis:
  """One thing that is varied, as lines of gin.

      tasks/Axis.name = 'tasks'
      tasks/Axis.values = [0, 9, 89]
      tasks/Axis.lines = ['mixture.tasks = {value}']
      tasks/Axis.untuned = 0

  Attributes:
    name: of the axis; `report` has figures of their own for tasks, model, examples_per_task, cot, few_shot, without
      and seed (see docs/sweeps.md).
    values: a run each, times those of the other axes.
    lines: gin that a value stands for: {value} is the value as gin writes it, {name} as text.
    also: further lines of single values, by their text: {'xl': ['TRAIN_STEPS = 38_000']}.
    untuned: the value that trains nothing: what the runs begin with is measured as it is, and `lines` are left out.
  """

  name: str
  values: Sequence[Value]
  lines: Sequence[str] = ()
  also: dict[str, Sequence[str]] = dataclasses.field(default_factory=dict)
  untuned: Value = None

  def __post_init__(self):
    check_types(self)
    object.__setattr__(self, "values", tuple(self.values))
    object.__setattr__(self, "lines", tuple(self.lines))
    if not re.fullmatch(r"[a-z][a-z0-9_]*", self.name):
      raise UsageError(f"Axis.name = {self.name!r}: small letters, digits and underscores, as a column is called")
    if not self.values or len(set(self.values)) < len(self.values):
      raise UsageError(f"Axis.values = {list(self.values)!r} of axis {self.name}: at least one, and none twice")
    if unknown := set(self.also) - {str(value) for value in self.values}:
      raise UsageError(f"Axis.also of axis {self.name} names {', '.join(sorted(unknown))}, which its values are not")

  def lines_of(self, value: Value) -> tuple[str, ...]:
    """The gin that a value stands for."""
    shared = () if self.untuned is not None and value == self.untuned else self.lines
    filled = (line.replace("{value}", repr(value)).replace("{name}", str(value)) for line in shared)
    return (*filled, *self.also.get(str(value), ()))


@gin.register
@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation:
  """What is measured of each run when it is trained: a mixture on held-out examples, or suites. See `flan-jax eval`.

  Attributes:
    name: of its folder and in the table.
    mixture: its tasks' held-out examples are asked in `formats`, `examples` of a task in each.
    suites: names, or YAML files; asked in `modes` with `paths` outputs a question, `examples` of a task.
    modes, paths, examples: empty or None is what the suite says (of a mixture: 100).
    split: of the suites' data, as `flan-jax eval --split` reads it.
    unseen_wordings: of a mixture: asks zero-shot in the wordings that no run trains on.
    swap: of a mixture: asks each input under a second instruction too, where its task has one.
    rank: of a mixture: ranks the choices of a prompt, beside what is generated.
  """

  name: str
  mixture: str | None = None
  suites: Sequence[str] = ()
  formats: Sequence[str] = ("zero_shot", "few_shot", "cot")
  modes: Sequence[str] = ()
  paths: Sequence[int] = ()
  examples: int | None = None
  split: str | None = None
  unseen_wordings: bool = False
  swap: bool = False
  rank: bool = False

  def __post_init__(self):
    check_types(self)
    for name in ("suites", "formats", "modes", "paths"):
      object.__setattr__(self, name, tuple(getattr(self, name)))
    if not re.fullmatch(r"[a-z0-9][\w.-]*", self.name):
      raise UsageError(f"Evaluation.name = {self.name!r}: it names a folder; small letters, digits, '_', '.', '-'")
    if (self.mixture is None) == (not self.suites):
      raise UsageError(f"Evaluation {self.name}: give one of mixture and suites")
    for name in ("unseen_wordings", "swap", "rank"):
      if getattr(self, name) and self.mixture is None:
        raise UsageError(f"Evaluation {self.name}: {name} says nothing of suites, it is for a mixture")

  @property
  def variants(self) -> tuple[str, ...]:
    """What it may measure, as `Sweep.score` names it: formats; modes, 'cot@40' where several paths are asked for."""
    if self.mixture is not None:
      return tuple(self.formats)
    modes = self.modes or MODES
    return (*(mode if n == 1 else f"{mode}@{n}" for n in self.paths or (1,) for mode in modes), NORMALISED_AVERAGE)


@gin.register
@dataclasses.dataclass(frozen=True)
class EqualSteps:
  """All runs do the TRAIN_STEPS that their config says."""


@gin.register
@dataclasses.dataclass(frozen=True)
class EqualExamples:
  """All runs train on the same number of examples, however many of theirs fit a row: TRAIN_STEPS follows from it."""

  examples: int

  def __post_init__(self):
    check_types(self)
    if self.examples < 1:
      raise UsageError(f"EqualExamples.examples = {self.examples}: must be above 0")


@gin.register("sweep")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Sweep:
  """A grid of runs; the rest of the gin file is what they have in common (see `train`).

  Attributes:
    name: of the sweep: its folder is runs/sweeps/NAME where nothing is said.
    title: of its report, for people.
    axes: the grid is their product.
    evaluations: of each run.
    score: 'EVALUATION/VARIANT' of the one figure that tables show, the variant being a format of a mixture or a mode
      of suites: 'held_out/zero_shot'. Of several suites that is the mean over them; 'EVALUATION/normalised_average' is
      the paper's.
    ladder: names of evaluations of mixtures, each of what is further from the training data than the one before:
      ['new_examples', 'new_wordings', 'new_compositions', 'dev', 'final']. `report` tells the gaps between them.
    budget: how long the runs are.
    quick: gin lines that --quick adds, to see in minutes that all of it works: fewer values, steps, examples.
  """

  name: str
  title: str = ""
  axes: Sequence[Axis]
  evaluations: Sequence[Evaluation]
  score: str
  ladder: Sequence[str] = ()
  budget: EqualSteps | EqualExamples = dataclasses.field(default_factory=EqualSteps)
  quick: Sequence[str] = ()

  def __post_init__(self):
    check_types(self, "sweep")
    if not re.fullmatch(r"\w[^/\n]*", self.name):
      raise UsageError(f"sweep.name = {self.name!r}: it names a folder; begin with a letter or digit, and have no '/'")
    for name in ("axes", "evaluations", "ladder", "quick"):
      object.__setattr__(self, name, tuple(getattr(self, name)))
    for kind, named in (("axes", self.axes), ("evaluations", self.evaluations)):
      names = [each.name for each in named]
      if not names or len(set(names)) < len(names):
        raise UsageError(f"sweep.{kind}: {', '.join(names) or 'none'}: at least one, and no name twice")
    self._check_score()
    self._check_ladder()

  def _check_score(self) -> None:
    name, _, variant = self.score.partition("/")
    named = {each.name: each for each in self.evaluations}
    if name not in named:
      raise UsageError(f"sweep.score = {self.score!r}: EVALUATION/VARIANT, and the evaluations are {', '.join(named)}")
    known = named[name].variants
    asked = variant if named[name].paths else variant.partition("@")[0]  # a suite may have its own number of paths
    if asked not in known:
      raise UsageError(f"sweep.score = {self.score!r}: of the evaluation {name} there are {', '.join(known)}")

  def _check_ladder(self) -> None:
    named = [each.name for each in self.evaluations if each.mixture is not None]
    if unknown := [name for name in self.ladder if name not in named]:
      known = ", ".join(named) or "none"
      raise UsageError(f"sweep.ladder names {', '.join(unknown)}, and the evaluations of mixtures are {known}")
    if len(self.ladder) == 1 or len(set(self.ladder)) < len(self.ladder):
      raise UsageError(f"sweep.ladder = {list(self.ladder)!r}: at least two rungs, or none, and no name twice")
