"""Training curves: losses by step, a series for each combination of axes, its seeds averaged."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from flan_jax.sweeps.report.axes import names_of
from flan_jax.sweeps.report.figure import Figure, Finding, Panel, Point, Series
from flan_jax.sweeps.report.reading import Key, Reading, Run
from flan_jax.sweeps.report.words import counted, finding

_TITLES = {
  "loss": "Training loss",
  "held_out_loss": "New examples of tasks trained on",
  "unseen_loss": "Tasks never seen",
}
_MOST_POINTS, _MOST_SERIES = 150, 24
# 97.5% points of Student's t by degrees of freedom, from tables; beyond, 2.2 is at most a tenth too wide.
_T = {1: 12.71, 2: 4.30, 3: 3.18, 4: 2.78, 5: 2.57, 6: 2.45, 7: 2.36, 8: 2.31, 9: 2.26}


def curves_figure(reading: Reading) -> Figure | None:
  """A panel a kind of loss; None where no run has any."""
  names = names_of(reading.runs)
  groups: dict[str, list[Run]] = defaultdict(list)
  for run in reading.runs:
    groups[names[run.key]].append(run)
  panels, findings = [], []
  for quantity in dict.fromkeys([*_TITLES, *reading.curves]):
    if found := _series(groups, reading.curves.get(quantity, {})):
      title = _TITLES.get(quantity, quantity.replace("_", " "))
      panels.append(Panel(found[:_MOST_SERIES], "step", "loss", title, y_unit="nats"))
      findings.append(_finding(title, found))
  if not panels:
    return None
  notes = ["Curves are means over seeds, bands their 95% intervals; a curve of one seed has none."]
  if len(groups) > _MOST_SERIES:
    notes.append(f"The first {_MOST_SERIES} of {len(groups)} curves; all are in the table.")
  if behind := [run.name for run in reading.runs if run.facts["state"] in ("running", "stopped", "failed")]:
    notes.append(f"{counted(len(behind), 'run')} did not reach the last step (yet).")
  return Figure("training", "Losses while training", panels, findings, notes)


def _series(groups: Mapping[str, Sequence[Run]], curves: Mapping[Key, Mapping[int, float]]) -> list[Series]:
  found = []
  for name, runs in groups.items():
    by_step: dict[int, list[float]] = defaultdict(list)
    for run in runs:
      for step, value in curves.get(run.key, {}).items():
        by_step[step].append(value)
    if by_step:
      steps = sorted(by_step)
      kept = [steps[i] for i in sorted({round(j * (len(steps) - 1) / _MOST_POINTS) for j in range(_MOST_POINTS + 1)})]
      found.append(Series(name, [_point(name, step, by_step[step]) for step in kept]))
  return found


def _point(name: str, step: int, values: Sequence[float]) -> Point:
  mean, n = statistics.fmean(values), len(values)
  half = _T.get(n - 1, 2.2) * statistics.stdev(values) / n**0.5 if n > 1 else None
  text = f"{name}, step {step:,}: {mean:.3f} nats, {counted(n, 'seed')}"
  return Point(float(step), mean, None if half is None else mean - half, None if half is None else mean + half, text)


def _finding(title: str, series: Sequence[Series]) -> Finding:
  """Where the curves end, and whether they rose again before."""
  ends = {each.name: each.points[-1].y for each in series}
  low, high = min(ends, key=ends.get), max(ends, key=ends.get)
  if len(ends) == 1:
    text = f"{title}: {series[0].points[0].y:.2f} nats at first, {ends[low]:.2f} at the end."
  else:
    text = f"{title}: at the end from {ends[low]:.2f} nats ({low}) to {ends[high]:.2f} ({high})."
  rose = [each.name for each in series if each.points[-1].y > 1.1 * min(point.y for point in each.points)]
  if rose and len(series[0].points) > 2:
    text += f" It ends more than a tenth above its lowest in {len(rose)} of {counted(len(series), 'curve')}."
  return finding(text, None, None)
