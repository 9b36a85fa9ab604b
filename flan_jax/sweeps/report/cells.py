"""Runs in the cells of a figure: by series and place on the axis, over the tasks that all of them were asked."""

import dataclasses
import statistics
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from flan_jax.sweeps.report.reading import Key, Measure, Reading, Run, TaskScore
from flan_jax.sweeps.report.statistics import Cell, Estimate, Sample

Place = tuple[str, float | str]  # series and x
_SPLITS = {"held_out": "held-out tasks", "seen": "new examples of tasks trained on"}


@dataclasses.dataclass(frozen=True)
class Grid:
  """The cells of one measure.

  Attributes:
    measure: what was measured.
    runs: of each cell, those with scores; a run without training may stand in several cells.
    tasks: that all of them were asked.
    split: 'held_out' or 'seen' by what all of them were trained on; '' where the table does not say.
    clusters: that the tasks belong to, where the table says so.
    chance: the mean over the tasks; None where there is none to mark.
    incomplete: runs that are left out since they lack tasks that most have.
    no_answer: of each cell the share of outputs in which no answer was found, where the table says so.
    as_asked: of each untuned cell whose scores are of prompts that suit it better, the mean in this measure's own.
    alone: whether untuned runs were asked in one usual format only.
  """

  measure: Measure
  runs: Mapping[Place, tuple[Run, ...]]
  tasks: tuple[str, ...]
  split: str
  clusters: tuple[str, ...]
  chance: float | None
  incomplete: tuple[Run, ...]
  no_answer: Mapping[Place, float]
  as_asked: Mapping[Place, float]
  alone: bool
  _sample: Sample
  _columns: Mapping[Place, int]

  def estimate(self, weights: Mapping[Place, float]) -> Estimate:
    """A weighted sum of cells' means with its 95% interval; all of its cells have to be there."""
    return self.estimates([weights])[0]

  def estimates(self, sums: Sequence[Mapping[Place, float]]) -> list[Estimate]:
    """As `estimate`, of several sums."""
    return self._sample.estimates(np.stack([self._weights(each) for each in sums]))

  def _weights(self, weights: Mapping[Place, float]) -> Float[np.ndarray, " cells"]:
    row = np.zeros(len(self._sample.means))
    for place, weight in weights.items():
      row[self._columns[place]] += weight
    return row

  def minus(self, place: Place, other: "Grid", others: Place) -> Estimate:
    """One cell less one of a grid of other tasks; the two grids have seeds of their own."""
    return self._sample.minus(self._weights({place: 1.0}), other._sample, other._weights({others: 1.0}))

  def mean(self, place: Place) -> Estimate:
    """Of one cell."""
    return self.estimate({place: 1.0}).within(self.measure.lowest, 1.0)

  def above_chance(self, place: Place) -> bool:
    """Whether a cell is better than guessing, by the interval of the difference task by task."""
    weights = self._weights({place: 1.0})
    weights[-1] = -1.0
    excess = self._sample.estimate(weights)
    return excess.value > 0 if excess.low is None else excess.low > 0

  def trained(self, place: Place) -> bool:
    """Whether the runs of a cell were."""
    return self.runs[place][0].tuned

  @property
  def fair(self) -> bool:
    """Whether no run was trained on tasks that others were not."""
    return self.split != "" or not self.measure.mixture

  @property
  def title(self) -> str:
    """What was asked: 'Zero-shot prompts, held-out tasks'."""
    label = self.measure.label[0].upper() + self.measure.label[1:]
    return f"{label}, {_SPLITS[self.split]}" if self.measure.mixture and self.fair else label

  def places(self, series: str) -> list[Place]:
    """The trained cells of a series in the order of x where that is a number."""
    found = [place for place in self.runs if place[0] == series and self.trained(place)]
    return sorted(found, key=lambda place: place[1]) if all(_number(x) for _, x in found) else found

  def untuned(self, series: str) -> Place | None:
    """The cell of a series that nothing was trained in."""
    return next((place for place in self.runs if place[0] == series and not self.trained(place)), None)

  @property
  def series(self) -> list[str]:
    """Their names, in order."""
    return list(dict.fromkeys(series for series, _ in self.runs))


def grid(
  reading: Reading,
  measure: Measure,
  placed: Iterable[tuple[Place, Run]],
  *,
  apart: Collection[Key] = (),
  seen_first: bool = False,
  seed: int = 0,
) -> Grid | None:
  """The cells of those runs that have scores; None where none has. Untuned runs are left out where they are not shown
  at their best, but elsewhere.

  Args:
    apart: runs that were trained on other tasks on purpose: what they have seen does not say which tasks are compared.
    seen_first: whether, of tasks that were trained on and such that were not, the former are compared.
    seed: of the draws.
  """
  scores = reading.scores[measure]
  only_tuned = measure.mixture and reading.base_below_its_best(measure.evaluation)
  wanted = [(place, run) for place, run in placed if scores.get(run.key) and (run.tuned or not only_tuned)]
  tasks, complete = _common({run.key: scores[run.key] for _, run in wanted})
  alike = {run.key: scores[run.key] for _, run in wanted if run.key in complete and run.key not in apart}
  tasks, split = _of_one_split(tasks, alike, wanted, seen_first)
  cells: dict[Place, list[Run]] = defaultdict(list)
  for place, run in wanted:
    if run.key in complete:
      cells[place].append(run)
  if not tasks or not cells:
    return None
  kinds = {tuple(run.key for run in runs): runs for runs in cells.values()}
  columns = {key: index for index, key in enumerate(kinds)}
  any_run = scores[next(iter(complete))]
  return Grid(
    measure=measure,
    runs={place: tuple(runs) for place, runs in cells.items()},
    tasks=tasks,
    split=split,
    clusters=tuple(sorted({any_run[task].cluster for task in tasks} - {""})),
    chance=_chance([any_run[task] for task in tasks]),
    incomplete=tuple({run.key: run for _, run in wanted if run.key not in complete}.values()),
    no_answer=_no_answers(scores, cells, tasks),
    as_asked=_as_asked(reading.base_as_asked.get(measure, {}), cells, tasks),
    alone=measure.mixture and reading.base_alone(measure.evaluation),
    _sample=_sample_of(reading, measure, [*kinds.values()], {task: any_run[task] for task in tasks}, seed),
    _columns={place: columns[tuple(run.key for run in runs)] for place, runs in cells.items()},
  )


def _sample_of(
  reading: Reading, measure: Measure, kinds: Sequence[Sequence[Run]], tasks: Mapping[str, TaskScore], seed: int
) -> Sample:
  """A cell for each kind of runs over these tasks, whose strata and clusters any run tells; then guessing."""
  strata = [score.stratum for score in tasks.values()]
  names = sorted(set(strata))
  cells = [_cell(reading, measure, runs, list(tasks), len(names)) for runs in kinds]
  # Groups of a suite are all that there are; clusters of a mixture stand for others that could have been held out.
  clusters = [score.cluster for score in tasks.values()] if measure.mixture else None
  guessing = _guessing(list(tasks.values()))
  return Sample([*cells, guessing], [names.index(stratum) for stratum in strata], clusters, seed)


def _common(scores: Mapping[Key, Mapping[str, TaskScore]]) -> tuple[tuple[str, ...], set[Key]]:
  """Tasks that at least half of the runs were asked, and the runs that were asked all of these."""
  times = Counter(task for of_run in scores.values() for task in of_run)
  tasks = tuple(sorted(task for task, count in times.items() if 2 * count >= len(scores)))
  return tasks, {key for key, of_run in scores.items() if tasks and all(task in of_run for task in tasks)}


def _of_one_split(
  tasks: tuple[str, ...],
  scores: Mapping[Key, Mapping[str, TaskScore]],
  wanted: Iterable[tuple[Place, Run]],
  seen_first: bool,
) -> tuple[tuple[str, ...], str]:
  """The tasks that no run was trained on; without such, those that all trained runs were trained on; else all."""
  trained = {run.key for _, run in wanted if run.tuned and run.key in scores}
  held_out = tuple(task for task in tasks if all(of_run[task].split == "held_out" for of_run in scores.values()))
  seen = tuple(task for task in tasks if trained and all(scores[key][task].split == "seen" for key in trained))
  if held_out and not (seen_first and seen):
    return held_out, "held_out"
  return (seen, "seen") if seen else (tasks, "")


def _cell(reading: Reading, measure: Measure, runs: Sequence[Run], tasks: Sequence[str], strata: int) -> Cell:
  """Scores of the runs; where the table's own average differs (a mean over examples, say), they are moved to it."""
  found = [[reading.scores[measure][run.key][task] for task in tasks] for run in runs]
  values = np.array([[score.value for score in row] for row in found])
  for run, row in zip(runs, values, strict=True):
    average = reading.averages.get(measure, {}).get(run.key)
    if average is not None and not measure.mixture and len(reading.scores[measure][run.key]) == len(tasks):
      means = defaultdict(list)
      for score, value in zip(found[0], row, strict=True):
        means[score.stratum].append(value)
      row += (average.value - sum(statistics.fmean(some) for some in means.values())) / strata
  return Cell(values, np.array([score.n for score in found[0]], dtype=float), trained=runs[0].tuned)


def _no_answers(
  scores: Mapping[Key, Mapping[str, TaskScore]], cells: Mapping[Place, Sequence[Run]], tasks: Sequence[str]
) -> dict[Place, float]:
  """The mean over runs and tasks, of cells in which it is known."""
  shares = {place: [scores[run.key][task].no_answer for run in runs for task in tasks] for place, runs in cells.items()}
  return {place: statistics.fmean(known) for place, known in shares.items() if None not in known}


def _as_asked(
  scores: Mapping[Key, Mapping[str, TaskScore]], cells: Mapping[Place, Sequence[Run]], tasks: Sequence[str]
) -> dict[Place, float]:
  """The mean over runs and tasks, of cells of which it is known."""
  there = {place: runs for place, runs in cells.items() if all(run.key in scores for run in runs)}
  return {
    place: statistics.fmean(scores[run.key][task].value for run in runs for task in tasks)
    for place, runs in there.items()
  }


def _guessing(scores: Sequence[TaskScore]) -> Cell:
  """What guessing would score in each task: a cell as others, the last of a sample."""
  return Cell(np.array([[score.chance or 0.0 for score in scores]]), np.zeros(len(scores)), trained=False)


def _chance(scores: Sequence[TaskScore]) -> float | None:
  known = [score.chance for score in scores if score.chance is not None]
  return statistics.fmean(known) if len(known) == len(scores) and any(known) else None


def _number(x: float | str) -> bool:
  return isinstance(x, int | float)
