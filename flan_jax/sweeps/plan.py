"""A sweep made concrete: each run with its settings, its folder, what it is called and what it is made of."""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flan_jax import configuration
from flan_jax.sweeps.sweep import Sweep, Value

if TYPE_CHECKING:  # a process that waits for a run's commands reads names of files here, and needs no jax for it
  from flan_jax.training.train import Training

# Of a sweep's folder.
RECORD = "sweep.json"  # what it is: see `folder`
RUNS = "runs"  # a folder each
# Of a run's folder, which is its MODEL_DIR too: what a sweep adds to it.
RUN_CONFIG = "run.gin"  # the settings, resolved: `flan-jax train --gin_file` takes it
RUN_RECORD = "run.json"  # axes, commands, hash: see `folder`
STATE = "state.json"  # how far it is: see `execution`
LOG = "log.txt"  # what its commands print
LOCK = "lock"  # held while a process is at it: see `locks`
EVALUATIONS = "evaluations"  # a folder each, as `flan-jax eval --output` writes it
# Fields of Training that say where things lie, and change no result.
_PLACES = ("model_dir", "store_dir", "data_dir", "profile", "writers", "log_period", "input_processes")


@dataclasses.dataclass(frozen=True)
class PlannedRun:
  """One run of a sweep.

  Attributes:
    name: of its folder, from its values: 'tasks-9_seed-0'.
    axes: the value of each axis, in their order. In an untuned run None where an axis changes nothing: it stands for
      all values of that axis.
    training: its settings; model_dir is its folder.
    tuned: False where nothing is trained: what the runs begin with is measured.
  """

  name: str
  axes: Mapping[str, Value]
  training: "Training"
  tuned: bool = True

  @property
  def folder(self) -> pathlib.Path:
    """Of everything that the run writes."""
    return pathlib.Path(self.training.model_dir)

  @property
  def trains(self) -> bool:
    """Whether `flan-jax train` is among its commands: an untuned run with a checkpoint is measured at once."""
    return self.tuned or self.training.initial_checkpoint_path is None

  @property
  def fresh(self) -> bool:
    """Whether nothing at all was trained on: the network is as it was initialised."""
    return self.trains and not self.tuned

  @property
  def checkpoint(self) -> str:
    """What is evaluated."""
    given = self.training.initial_checkpoint_path
    return str(self.folder) if self.trains or given is None else given

  @functools.cached_property
  def config(self) -> str:
    """A hash of all that the result depends on; where things lie is not of it."""
    if self.tuned:
      fields = {field.name: field for field in dataclasses.fields(self.training)}
      defaults = {name: fields[name].default for name in _PLACES}
      nowhere = {name: "" if value is dataclasses.MISSING else value for name, value in defaults.items()}
      placeless = dataclasses.replace(self.training, **nowhere)
      text = f"{configuration.gin_text(placeless)}\ntuned = True"
    else:
      text = repr(self.beginning)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

  @property
  def beginning(self) -> tuple[object, ...]:
    """All that a measure of an untuned run depends on: two that have the same are one."""
    training = self.training
    model = dataclasses.replace(training.model, dropout_rate=0.0)
    lengths = tuple(sorted(training.task_feature_lengths.items()))  # prompts are cut to them
    given = training.initial_checkpoint_path
    return (model, training.vocabulary, lengths, given, training.seed if given is None else None)


@dataclasses.dataclass(frozen=True)
class Plan:
  """A sweep with its runs, in the order in which they start, and the folder of all of it.

  Attributes:
    lines: the gin of the sweep, for people.
  """

  sweep: Sweep
  folder: pathlib.Path
  runs: tuple[PlannedRun, ...]
  lines: tuple[str, ...] = ()
