"""Which axes of sweeps have figures of their own, where a run stands on them, and which runs make a series."""

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from flan_jax.sweeps.report.cells import Place
from flan_jax.sweeps.report.reading import Key, Run
from flan_jax.sweeps.sweep import Value

UNTUNED = "untuned"


@dataclasses.dataclass(frozen=True)
class Kind:
  """An axis with a figure.

  Attributes:
    axis: its name in a sweep.
    figure, title: of the figure.
    x_label: of its panels.
    scale: of x.
    place: a run's x, from its value on the axis and its columns; None where that is not known.
    untuned: where untuned runs stand: 'at 0', as a 'category' at the left, as a 'series' of their own at the x that
      they have too, or 'nowhere'.
  """

  axis: str
  figure: str
  title: str
  x_label: str
  scale: str
  place: Callable[[Value, Mapping[str, Any]], float | str | None]
  untuned: Literal["at 0", "category", "series", "nowhere"]


def _tasks(value: Value, facts: Mapping[str, Any]) -> float | None:
  return value if _number(value) else facts["tasks"]


def _examples(value: Value, facts: Mapping[str, Any]) -> float | None:
  if _number(value):
    return value
  return facts["examples"] / facts["tasks"] if facts["examples"] and facts["tasks"] else None


def _rationales(value: Value, facts: Mapping[str, Any]) -> str:
  if isinstance(value, bool):
    return WITH if value else WITHOUT
  return str(value)


def _few_shot(value: Value, facts: Mapping[str, Any]) -> str:
  if value is None or value is True:
    return BOTH
  if _number(value) or value is False:
    return {0: ZERO_SHOT, 1: FEW_SHOT}.get(float(value), f"{100 * value:g}% few-shot")
  return str(value)


WITH, WITHOUT = "with rationales", "without rationales"
ZERO_SHOT, BOTH, FEW_SHOT = "zero-shot only", "both", "few-shot only"
KINDS = (
  Kind("tasks", "tasks", "More tasks to train on", "tasks trained on", "log", _tasks, "at 0"),
  Kind("model", "size", "Larger models", "parameters", "log", lambda value, facts: facts["parameters"], "series"),
  Kind("examples_per_task", "examples_per_task", "More examples a task", "examples a task", "log", _examples, "at 0"),
  Kind("cot", "cot", "Rationales among the training data", "training data", "category", _rationales, "category"),
  Kind("few_shot", "formats", "Zero- and few-shot prompts", "prompts trained on", "category", _few_shot, "category"),
)
CLUSTERS_AXIS, CONTROL_AXIS, COT_AXIS, WAY_AXIS = "without", "control", "cot", "way"
_ALL = Kind("", "score", "The score", "runs", "category", lambda value, facts: facts["model"] or "tuned", "category")
_OF_OTHER_FIGURES = {CLUSTERS_AXIS, CONTROL_AXIS, WAY_AXIS}
_OWN = {*(kind.axis for kind in KINDS), *_OF_OTHER_FIGURES, "seed"}
_FIGURES = {*(kind.figure for kind in KINDS), _ALL.figure, "clusters", "training", "compute"}
_FIGURES |= {"ladder", "controls", "ways", "reasoning"}


def kinds_of(runs: Sequence[Run]) -> list[Kind]:
  """The kinds of the axes that vary; of a single value the first axis there is, of seeds alone one that has no axis."""
  values: dict[str, set[Value]] = defaultdict(set)
  for run in runs:
    for axis, value in run.axes.items():
      if run.tuned or value is not None:  # an untuned run has no value where none would change it
        values[axis].add(value)
  named = {kind.axis: kind for kind in KINDS}
  others = [axis for axis in values if axis not in _OWN]
  known = [*named, *others]
  varied = [axis for axis in known if len(values.get(axis, ())) > 1]
  if _OF_OTHER_FIGURES & values.keys():
    return [named.get(axis) or _of_any(axis, values[axis]) for axis in varied]
  lone = [axis for axis in known if axis in values][:1]
  return [named.get(axis) or _of_any(axis, values[axis]) for axis in varied or lone] or [_ALL]


def _of_any(axis: str, values: Iterable[Value]) -> Kind:
  """An axis that nothing is known of: numbers far apart on a log axis, other numbers on a linear one, else texts."""
  name, figure = axis.replace("_", " "), f"axis_{axis}" if axis in _FIGURES else axis
  numbers = [value for value in values if value is not None]
  if not numbers or not all(_number(value) and math.isfinite(value) for value in numbers):
    return Kind(axis, figure, f"By {name}", name, "category", lambda value, facts: str(value), "category")
  scale = "log" if min(numbers) > 0 and max(numbers) >= 10 * min(numbers) else "linear"
  return Kind(axis, figure, f"By {name}", name, scale, lambda value, facts: value, "nowhere")


def runs_of(kind: Kind, runs: Iterable[Run]) -> list[Run]:
  """The runs of those sweeps that have the axis; only of those that vary it, where one does."""
  having = [run for run in runs if kind.axis in run.axes or not kind.axis]
  values: dict[str, set[Value]] = defaultdict(set)
  for run in having:
    if run.tuned:
      values[run.sweep].add(run.axes.get(kind.axis))
  varied = {sweep for sweep, some in values.items() if len(some) > 1}
  return [run for run in having if run.sweep in varied] or having


def placed(kind: Kind, runs: Sequence[Run]) -> list[tuple[Place, Run]]:
  """Each run with its series and x; an untuned one in every series of its model, since nothing else made it."""
  varied = _varied(kind, runs)
  named = {run.key: _series(kind, run, varied, runs) for run in runs if run.tuned}
  found: list[tuple[Place, Run]] = []
  for run in runs:
    x = kind.place(run.axes.get(kind.axis), run.facts)
    x = float(x) if _number(x) else x
    if run.tuned and x is not None and not _nan(x):
      found.append(((named[run.key], x), run))
    elif not run.tuned and kind.untuned == "series" and x is not None:
      found.append(((UNTUNED, x), run))
    elif not run.tuned and kind.untuned in ("category", "at 0"):
      at = UNTUNED if kind.untuned == "category" else 0.0
      same = [other for other in runs if other.tuned and _begins_alike(run, other)]
      series = dict.fromkeys(named[other.key] for other in same) or [UNTUNED]
      found += [((name, at), run) for name in series]
  return found


def names_of(runs: Sequence[Run]) -> dict[Key, str]:
  """What each run is called without its seed: the values of the axes that vary, or its model; 'untuned'."""
  whole = Kind("", "", "", "", "category", lambda value, facts: None, "nowhere")
  varied = _varied(whole, runs)
  return {run.key: _series(whole, run, varied, runs) if run.tuned else UNTUNED for run in runs}


def _varied(kind: Kind, runs: Sequence[Run]) -> dict[str, list[str]]:
  """By sweep, the other axes that its trained runs vary."""
  values: dict[tuple[str, str], set[Value]] = defaultdict(set)
  for run in runs:
    if run.tuned:
      for axis, value in run.axes.items():
        values[run.sweep, axis].add(value)
  varied: dict[str, list[str]] = defaultdict(list)
  for (sweep, axis), some in values.items():
    if len(some) > 1 and axis not in (kind.axis, "seed"):
      varied[sweep].append(axis)
  return varied


def _series(kind: Kind, run: Run, varied: Mapping[str, Sequence[str]], runs: Sequence[Run]) -> str:
  parts = [_told(axis, run.axes[axis]) for axis in varied[run.sweep]]
  if len({other.sweep for other in runs}) > 1:
    parts.insert(0, run.sweep)
  return ", ".join(parts) or ("tuned" if kind.untuned == "series" else run.facts["model"] or "tuned")


def _told(axis: str, value: Value) -> str:
  """
  >>> _told("tasks", 160)
  '160 tasks'
  """
  if axis == "model":
    return str(value)
  if axis == "tasks" and _number(value):
    return f"{value:,} tasks"
  if axis == "cot":
    return _rationales(value, {})
  if axis == CLUSTERS_AXIS and value in (None, "none"):
    return "all clusters"
  return f"{axis.replace('_', ' ')} {value}"


def _begins_alike(untuned: Run, tuned: Run) -> bool:
  return untuned.sweep == tuned.sweep and all(
    untuned.facts[name] == tuned.facts[name] for name in ("model", "parameters", "initial_checkpoint")
  )


def _number(value: Value) -> bool:
  return isinstance(value, int | float) and not isinstance(value, bool)


def _nan(value: Value) -> bool:
  return isinstance(value, float) and math.isnan(value)
