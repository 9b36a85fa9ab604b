"""From a sweep's gin file and a command line to its plan: one gin config describes the sweep and, value by value, each
of its runs.

A run is built from the lines of the file, those that --quick adds, those of the command line, those of its axes'
values, and its MODEL_DIR; a later line wins. No data is read: a plan is settings.
"""

import dataclasses
import itertools
import os
import pathlib
import re
from collections.abc import Mapping, Sequence

from flan_jax import configuration
from flan_jax.errors import UsageError, first_of
from flan_jax.interop.shipped import located
from flan_jax.sweeps.plan import RUNS, Plan, PlannedRun
from flan_jax.sweeps.sweep import Axis, EqualExamples, Sweep, Value
from flan_jax.training.train import Training

_USUAL = pathlib.Path("runs/sweeps")
_EXAMPLE = "gin_configs/sweeps/demo_num_tasks.gin"


def load(
  sweep: str,
  *,
  folder: pathlib.Path | None = None,
  quick: bool = False,
  sharding: str | None = None,
  options: Mapping[str, object] | None = None,
  bindings: Sequence[str] = (),
  search_paths: Sequence[str] = (),
) -> Plan:
  """The plan of a sweep.

  Args:
    sweep: a gin file, or the name of one in gin_configs/sweeps.
    folder: of the sweep; None is runs/sweeps/NAME, with --quick NAME_quick.
    quick: whether the sweep's lines of that name are added.
    sharding: a file of gin_configs/sharding without its ending, for all runs.
    options: short forms of a run's settings (a key of configuration.SHORT_FORMS) to values; None is left out.
    bindings: 'NAME=value' from --gin.NAME=value; of the runs or of the sweep.
    search_paths: see `configuration.parse`.

  Raises:
    UsageError: no such sweep, what `configuration.build` refuses, or a setting that an axis varies is given, too.
  """
  file = sweep if sweep.endswith(".gin") else configuration.our_file("sweeps", sweep, "sweep")
  head = configuration.lines(gin_files=[file], sharding=sharding)
  given = configuration.lines(gin_files=[file], sharding=sharding, options=options, bindings=bindings)[len(head) :]
  configuration.parse([*head, *given], search_paths)
  if not configuration.is_bound("sweep.name"):
    raise UsageError(f"{file} is no sweep, it has no sweep.name. A sweep to learn from: {_EXAMPLE}")
  if quick:
    head += configuration.build_part("sweep").quick
    configuration.parse([*head, *given], search_paths)
  if line := configuration.default("DATA_DIR", os.environ.get("FLAN_JAX_DATA_DIR")):
    given = [line, *given]
  found = configuration.build_part("sweep")
  _refuse_varied(found, given)
  _refuse_varied_twice(found)
  where = (folder or _USUAL / f"{found.name}{'_quick' if quick else ''}").expanduser().absolute()
  builder = _Builder(found, configuration.parsed(), where / RUNS, tuple(search_paths))
  return Plan(found, where, builder.runs(), (*head, *given))


@dataclasses.dataclass(frozen=True)
class _Builder:
  """Builds the runs of a sweep in `folder` from what they have in common."""

  sweep: Sweep
  common: configuration.Parsed
  folder: pathlib.Path
  search_paths: tuple[str, ...]

  def runs(self) -> tuple[PlannedRun, ...]:
    axes = self.sweep.axes
    cells = itertools.product(*(axis.values for axis in axes))
    planned = [self._run({axis.name: value for axis, value in zip(axes, cell, strict=True)}) for cell in cells]
    tuned = [run for run in planned if run.tuned]
    untuned = self._merged([run for run in planned if not run.tuned], tuned)
    ordered = [run if run.tuned else untuned.pop(run.beginning, None) for run in planned]
    ordered = [run for run in ordered if run]
    _refuse_same_names(ordered)
    _refuse_same_settings([run for run in ordered if run.tuned])
    return tuple(ordered)

  def _run(self, axes: Mapping[str, Value]) -> PlannedRun:
    tuned = not any(_is_untuned(axis, axes[axis.name]) for axis in self.sweep.axes)
    name = _name(axes)
    try:
      training = self._trained(self._lines(axes, name))
    except UsageError as error:
      raise UsageError(f"run {name}: {error}") from error
    return PlannedRun(name, axes, training if tuned else dataclasses.replace(training, train_steps=0), tuned)

  def _lines(self, axes: Mapping[str, Value], name: str) -> list[str]:
    varied = (line for axis in self.sweep.axes if axis.name in axes for line in axis.lines_of(axes[axis.name]))
    return [*varied, f"MODEL_DIR = {str(self.folder / name)!r}"]

  def _trained(self, lines: list[str]) -> Training:
    """With a number of examples TRAIN_STEPS is for now what rows of one example each would take."""
    if not isinstance(self.sweep.budget, EqualExamples):
      return self._built(lines)
    examples = self.sweep.budget.examples
    batch_size = self._built([*lines, f"TRAIN_STEPS = {examples}"]).batch_size
    lines.append(f"TRAIN_STEPS = {-(-examples // batch_size)}")
    return self._built(lines)

  def _built(self, lines: Sequence[str]) -> Training:
    configuration.parse(lines, self.search_paths, after=self.common)
    training, _ = configuration.build_all(["train", "sweep"])
    return _with_whole_paths(training)

  def _merged(self, untuned: Sequence[PlannedRun], tuned: Sequence[PlannedRun]) -> dict[object, PlannedRun]:
    """By what they begin with one run of those that begin alike; it has no value of an axis that does not matter."""
    merged = {}
    for run in untuned:
      alike = [each for each in untuned if each.beginning == run.beginning]
      axes = {axis.name: run.axes[axis.name] if self._matters(axis, alike) else None for axis in self.sweep.axes}
      name = _name({each: value for each, value in axes.items() if value is not None})
      # No example of its mixture is read, but `train` opens its stores: those of another run, which are made anyway.
      like = next(
        (each.training for each in tuned if each.training.vocabulary == run.training.vocabulary), run.training
      )
      mixture = like.mixture_or_task_name if run.trains else run.training.mixture_or_task_name
      training = dataclasses.replace(run.training, mixture_or_task_name=mixture, model_dir=str(self.folder / name))
      merged.setdefault(run.beginning, PlannedRun(name, axes, training, tuned=False))
    return merged

  def _matters(self, axis: Axis, alike: Sequence[PlannedRun]) -> bool:
    """Whether what untuned runs begin with depends on an axis; the answer is the same when it gets more values."""
    first, value = alike[0], alike[0].axes[axis.name]
    if _is_untuned(axis, value):
      return True
    if len(axis.values) > 1:
      return all(run.axes[axis.name] == value for run in alike)
    if any(_bound(line) == configuration.MACROS["SEED"] for line in axis.lines_of(value)):
      return first.training.initial_checkpoint_path is None
    others = {name: each for name, each in first.axes.items() if name != axis.name}
    try:
      without = self._trained(self._lines(others, first.name))
    except UsageError:  # the axis alone says what has to be said
      return True
    return dataclasses.replace(first, training=without).beginning != first.beginning


def _is_untuned(axis: Axis, value: Value) -> bool:
  return axis.untuned is not None and value == axis.untuned


def _with_whole_paths(training: Training) -> Training:
  """A run may be started elsewhere, so its folders and files are named from the root; names and URLs stay."""
  known = {name: getattr(training, name) for name in ("model_dir", "data_dir", "store_dir")}
  if pathlib.Path(training.vocabulary).expanduser().is_file():
    known["vocabulary"] = training.vocabulary
  path = training.initial_checkpoint_path
  if path and located(path) == path and pathlib.Path(path).expanduser().exists():
    known["initial_checkpoint_path"] = path
  whole = {name: path and str(pathlib.Path(path).expanduser().absolute()) for name, path in known.items()}
  return dataclasses.replace(training, **whole)


def _name(axes: Mapping[str, Value]) -> str:
  """'tasks-9_seed-0': what a folder may be called."""
  return "_".join(f"{name}-{_text(value)}" for name, value in axes.items())


def _text(value: Value) -> str:
  return re.sub(r"[^A-Za-z0-9.+]+", "-", value).strip("-") if isinstance(value, str) else str(value)


def _refuse_same_names(runs: Sequence[PlannedRun]) -> None:
  names = [run.name for run in runs]
  if doubled := sorted({name for name in names if names.count(name) > 1}):
    raise UsageError(f"several runs would be called {first_of(doubled)}: their values differ in signs that names lack")


def _refuse_same_settings(runs: Sequence[PlannedRun]) -> None:
  """An axis whose values change nothing would be paid for, and be drawn as if it did not matter."""
  by_config = {}
  for run in runs:
    if (other := by_config.setdefault(run.config, run)) is not run:
      axes = [name for name, value in run.axes.items() if value != other.axes[name]]
      raise UsageError(
        f"runs {other.name} and {run.name} have the same settings: what do the values of {' and '.join(axes)} change?"
        f" Axis.lines says it, with {{value}}"
      )


def _refuse_varied_twice(sweep: Sweep) -> None:
  """Of two axes that vary one setting the later one alone would have a say."""
  by_setting = {}
  for axis in sweep.axes:
    for line in dict.fromkeys(line for value in axis.values for line in axis.lines_of(value)):
      if (other := by_setting.setdefault(_bound(line), axis)) is not axis:
        raise UsageError(f"the axes {other.name} and {axis.name} both vary {_bound(line)}: one of them would be lost")


def _refuse_varied(sweep: Sweep, given: Sequence[str]) -> None:
  """An axis' lines come later, so what the command line says of the same setting would be lost."""
  told = {_bound(line): line for line in given}
  if line := told.get(configuration.MACROS["MODEL_DIR"]):
    raise UsageError(f"{line}: each run has a folder of its own; --model_dir says the one of the sweep")
  if isinstance(sweep.budget, EqualExamples) and (line := told.get(configuration.MACROS["TRAIN_STEPS"])):
    raise UsageError(f"{line}: the sweep says how many examples a run trains on, and its steps follow from that")
  for axis in sweep.axes:
    for varied in (line for value in axis.values for line in axis.lines_of(value)):
      if line := told.get(_bound(varied)):
        raise UsageError(
          f"{line}: the axis {axis.name} varies that ({varied}). Its values: --gin.{axis.name}/Axis.values='[...]'"
        )


def _bound(line: str) -> str:
  """The setting that a line binds, a macro's own name only where no setting has it."""
  name = line.partition("=")[0].strip()
  return configuration.MACROS.get(name, name)
