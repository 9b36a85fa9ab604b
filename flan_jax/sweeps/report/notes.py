"""What a reader of a figure should beware of: cells that are missing, one seed, one task, what an interval holds."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from flan_jax.errors import first_of
from flan_jax.evaluation.held_out.differences import BEFORE
from flan_jax.evaluation.held_out.rows import FORMATS
from flan_jax.sweeps.report.axes import Kind
from flan_jax.sweeps.report.cells import Grid, Place
from flan_jax.sweeps.report.reading import Key, Reading, Run, evaluation_in_words
from flan_jax.sweeps.report.scales import number
from flan_jax.sweeps.report.words import counted, listed

_FEW_TASKS, _FEW = 5, 4  # tasks, clusters


def notes(
  kind: Kind, runs: Sequence[Run], placed: Sequence[tuple[Place, Run]], made: Grid, reading: Reading
) -> list[str]:
  """Of a figure along an axis.

  Args:
    runs: of its sweeps.
    placed: where they stand.
    made: the cells of the measure that is looked at first.
  """
  missing = list(dict.fromkeys(place for place, _ in placed if place not in made.runs))
  cells = {tuple(run.key for run in some): some for some in made.runs.values()}
  return [
    *of_intervals(made, list(cells.values())),
    *of_missing_runs(runs, reading),
    *_of_missing_cells(kind, missing),
    *_of_incomplete(made),
    *_of_unplaced(kind, runs, {run.key for _, run in placed}),
    *_of_untuned(kind, runs),
    *of_bases(runs, reading),
    *_of_counts(kind, runs),
  ]


def of_intervals(made: Grid, cells: Sequence[Sequence[Run]]) -> Iterator[str]:
  """What the intervals hold."""
  seeds = [len(some) for some in cells if some[0].tuned]
  tasks = len(made.tasks)
  if made.tasks == ("",):
    if max(seeds, default=1) > 1:
      yield "Intervals are over seeds alone: the table has no scores of single tasks here."
  elif tasks == 1:
    yield "One task: intervals are over its examples and say nothing of other tasks."
  else:
    several = len(made.clusters) > 1
    few = ", which is few, and makes them wide" if tasks < _FEW_TASKS or (several and len(made.clusters) < _FEW) else ""
    clusters = f", of {counted(len(made.clusters), 'cluster')} ({first_of(made.clusters)})" if made.clusters else ""
    others = "clusters and tasks" if several else "tasks"
    yield f"Intervals hold 95% of what other {others} of this kind would give; there are {tasks} tasks{clusters}{few}."
  if seeds and max(seeds) == 1:
    yield "One seed each: what another seed would change is not in the intervals, so they are too narrow."
  elif seeds and min(seeds) < max(seeds):
    ones = ", for cells with one by how it varies in the other cells" if min(seeds) == 1 else ""
    yield f"{min(seeds)} to {max(seeds)} seeds a cell; what other seeds would change is in the intervals{ones}."
  elif seeds:
    yield f"{counted(seeds[0], 'seed')} a cell; what other seeds would change is in the intervals."
  if made.split == "seen":
    yield "All these tasks were trained on; the examples asked were not."
  elif made.split == "" and made.measure.mixture:
    yield "Some of these tasks were trained on by some of the runs: their scores do not compare runs fairly."


def of_bases(runs: Sequence[Run], reading: Reading) -> Iterator[str]:
  """How untuned runs were asked: not as the panel says."""
  if reading.base_asked and any(not run.tuned for run in runs):
    formats = listed([FORMATS[name] for name in BEFORE])
    asked = {evaluation: reading.base_formats(evaluation) for evaluation in reading.base_asked}
    alone = {evaluation: asked[evaluation] for evaluation in asked if reading.base_alone(evaluation)}
    if told := _by_format({evaluation: asked[evaluation] for evaluation in asked if evaluation not in alone}):
      yield f"Of {formats} prompts untuned runs have the scores of what suits them best, which flatters them: {told}."
    if told and alone:
      yield f"Untuned runs are left out where they were asked in one format alone: {_by_format(alone)}."
    elif alone:
      yield f"Untuned runs were asked in one format alone, and another may suit them better: {_by_format(alone)}."


def _by_format(asked: Mapping[str, str]) -> str:
  """'continuation on new examples and dev clusters; ...' of evaluations with their format."""
  names: dict[str, list[str]] = defaultdict(list)
  for evaluation, formats in asked.items():
    names[formats].append(evaluation_in_words(evaluation))
  return "; ".join(f"{formats} on {listed(of)}" for formats, of in names.items())


def of_missing_runs(runs: Sequence[Run], reading: Reading) -> Iterator[str]:
  """Runs without any score, by their state."""
  scored = {key for of_runs in reading.scores.values() for key, tasks in of_runs.items() if tasks}
  without = [run for run in runs if run.key not in scored]
  if without:
    states = Counter(run.facts["state"] or "of unknown state" for run in without)
    told = listed([f"{count} {state}" for state, count in states.items()])
    names = first_of([run.name for run in without])
    yield f"{len(without)} of {counted(len(runs), 'run')} have no score ({told}): {names}."


def _of_missing_cells(kind: Kind, missing: Sequence[Place]) -> Iterator[str]:
  if missing:
    cells = first_of([f"{series} at {x if isinstance(x, str) else number(x)}" for series, x in missing])
    yield f"No score at {counted(len(missing), 'place')} of the grid: {cells}."


def _of_incomplete(made: Grid) -> Iterator[str]:
  if made.incomplete:
    names = first_of([run.name for run in made.incomplete])
    yield f"Left out, since they lack tasks that most runs were asked: {names}."


def _of_unplaced(kind: Kind, runs: Sequence[Run], placed: Collection[Key]) -> Iterator[str]:
  """Runs that have no x."""
  if kind.untuned == "nowhere" and any(not run.tuned for run in runs):
    yield "Untuned runs have no place on this axis and are not drawn."
  if without := [run.name for run in runs if run.tuned and run.key not in placed]:
    yield f"Not drawn, since the table does not tell their {kind.x_label}: {first_of(without)}."


def _of_untuned(kind: Kind, runs: Sequence[Run]) -> Iterator[str]:
  if kind.figure in ("tasks", "size") and all(run.tuned for run in runs):
    yield "No untuned run: what tuning itself changes is not measured here."
  elif kind.figure in ("tasks", "size") and not all(run.pretrained for run in runs):
    yield (
      "What was trained here began with random parameters: the gain over untuned is that of learning at all; the "
      "papers' is over a pretrained model."
    )


def _of_counts(kind: Kind, runs: Sequence[Run]) -> Iterator[str]:
  """Where the axis counts tasks as a paper did, and the runs had others."""
  told = {
    run.axes["tasks"]: run.facts["tasks"]
    for run in runs
    if kind.figure == "tasks" and run.tuned and isinstance(run.axes["tasks"], int) and run.facts["tasks"] is not None
  }
  if other := {said: had for said, had in told.items() if said != had}:
    pairs = listed([f"{said:,} stands for {had:,}" for said, had in sorted(other.items())])
    yield f"The axis has its values as the sweep names them; tasks that were trained on: {pairs}."
