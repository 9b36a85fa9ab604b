"""A run from its settings to its last checkpoint: what it is made of, the loop, the way back when it goes astray."""

import contextlib
import dataclasses
import functools
import pathlib
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax

from flan_jax import processes, progress
from flan_jax.data.stream import Position
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.training import description, held_out, partitioning, profiling, resuming, watchdog
from flan_jax.training.accelerators import accelerator
from flan_jax.training.checkpoints import Checkpoints
from flan_jax.training.feed import open_feed
from flan_jax.training.flops import training_flops
from flan_jax.training.held_out import Evaluation
from flan_jax.training.loop import Batches, Reached, Watchers, run_steps
from flan_jax.training.metrics import LineSums, Meter
from flan_jax.training.profiling import Profiler
from flan_jax.training.samples import Samples
from flan_jax.training.skipped import SkippedBatches
from flan_jax.training.state import TrainState
from flan_jax.training.step import StepSettings
from flan_jax.training.stopping import StopRequest
from flan_jax.training.trainer import Trainer
from flan_jax.training.writers import Line, Writers

if TYPE_CHECKING:
  from flan_jax.training.train import Training


@dataclasses.dataclass(frozen=True)
class Outcome:
  """Where a run came to: the updates done, and the signal that stopped it (None: it is finished)."""

  step: int
  stopped_by: str | None

  @classmethod
  def of(cls, reached: Reached, train_steps: int) -> "Outcome":
    stopped = reached.stopped_by and reached.step < train_steps
    return cls(reached.step, signal.Signals(reached.stopped_by).name if stopped else None)


class Run:
  """What settings become, made in an order in which mistakes show while they are cheap."""

  def __init__(self, training: "Training", model_dir: pathlib.Path):
    """Opens everything and prepares what is missing; nothing is compiled.

    Args:
      model_dir: the run's own folder, see `occupation`.

    Raises:
      FlanJaxError: what the user can mend.
    """
    self.training = training
    processes.check_same(description.settings(training))
    self.model_dir = model_dir
    self.vocabulary = load_vocabulary(training.vocabulary, training.data_dir)
    _check_vocabulary(training.model, self.vocabulary)
    mesh = training.partitioning.mesh()
    partitioning.check_batch_size(training.batch_size, mesh, training.accumulation)
    self.rows = partitioning.process_rows(mesh, training.batch_size)
    self.newest = resuming.set_damaged_aside(self.model_dir)
    resuming.check_model(self.model_dir, training.model, self.vocabulary.sha256)
    self.initial = resuming.initial_checkpoint(
      training.initial_checkpoint_path, training.model, self.vocabulary.sha256, self.model_dir
    )
    self.feed = open_feed(training, self.vocabulary)
    processes.check_same({**self.feed.identity, "checkpoints": layout.saved_steps(self.model_dir)})
    resuming.check_data(self.model_dir, self.feed.identity)
    self.trainer = self._trainer(mesh)
    before = resuming.tasks_before(self.model_dir, self.initial)
    self.trained = {*self.feed.tasks, *before} if training.train_steps else before
    self.evaluation = self._evaluation()
    self.skipped = SkippedBatches(self.model_dir, jax.process_index())

  def go(self, stop: StopRequest) -> Outcome:
    """Trains to the last step or until a signal."""
    training = self.training
    if processes.is_first():
      description.describe(training, self.model_dir, self.trainer, self.vocabulary)
    record = description.record(training, self.vocabulary, self.trained, self.feed.identity)
    with (
      watchdog.watching(self.model_dir, jax.process_index(), training.guard.hang_minutes) as moved,
      Checkpoints(self.model_dir, record, training.saving) as checkpoints,
    ):
      step, state, position = resuming.start(
        self.trainer, checkpoints, self.feed, self.initial, training.initial_optimizer, self.newest
      )
      stop.only_note()
      with self.feed.batches(position, self.rows) as batches:
        train = functools.partial(self._train, checkpoints, batches, stop, moved)
        reached = self._back_and_on(checkpoints, train, train(step, state, position))
      best = checkpoints.best()
    if reached.skipped_from:
      raise FlanJaxError(self._lost(reached))
    outcome = Outcome.of(reached, training.train_steps)
    if processes.is_first():
      self._say(outcome, best)
    return outcome

  def _back_and_on(self, checkpoints: Checkpoints, train: Callable[..., Reached], reached: Reached) -> Reached:
    """Goes back to a checkpoint and on with later data as often as the run goes astray, and the guard allows."""
    again, last = 0, -1
    while reached.skipped_from and again < self.training.guard.goes_back:
      step, state, then = checkpoints.go_back(self.trainer.abstract(), reached.position, reached.skipped_from)
      again, last = (again + 1 if step <= last else 1), step
      self._say_back(reached, step, again)
      reached = train(step, state, self.feed.position(then), went_back_from=reached.step)
    return reached

  def _train(
    self,
    checkpoints: Checkpoints,
    batches: Batches,
    stop: StopRequest,
    moved: Callable[[], None],
    step: int,
    state: TrainState,
    position: Position,
    went_back_from: int | None = None,
  ) -> Reached:
    """The loop with everything that must be closed after it. What a run says, its first process says."""
    training = self.training
    owed = self.evaluation.due(step, training.train_steps) and step > 0 and not checkpoints.is_measured(step)
    with contextlib.ExitStack() as stack:
      write = advance = show = _say_nothing
      if processes.is_first():
        about = dataclasses.asdict(training)
        writers = stack.enter_context(Writers(training.writers, self.model_dir, step, about, owed=owed))
        write, show = writers.write, Samples(self.model_dir, step, writers, owed=owed).show
        advance = stack.enter_context(progress.shown("training", training.train_steps, "steps", done=step))
        if went_back_from:
          write({"step": step, "went_back_from": went_back_from})
      # One trace a start: a rewind's steps are not counted anew.
      wanted = training.profile if processes.is_first() and went_back_from is None else None
      steps = profiling.steps_of(wanted, step)
      profiler = stack.enter_context(Profiler(steps, self.model_dir / "profile"))
      meter = self._meter(write, advance, LineSums.from_json(checkpoints.since_line))
      watchers = Watchers(meter, self.skipped, moved, profiler, self.evaluation, show)
      if owed:  # by a stop that did not wait for it
        checkpoints.make_up(step, watchers.evaluated(step, state))
      return run_steps(
        self.trainer,
        state,
        batches,
        step=step,
        position=position,
        same_objective=self.feed.stream.same_objective,
        until=training.train_steps,
        saving=training.saving,
        guard=training.guard,
        checkpoints=checkpoints,
        watchers=watchers,
        stop=stop,
      )

  def _trainer(self, mesh: jax.sharding.Mesh) -> Trainer:
    training = self.training
    return Trainer(
      Model(training.model),
      mesh,
      optimizer=training.optimizer,
      learning_rate=training.learning_rate,
      schedule=training.schedule,
      settings=StepSettings(
        training.loss, training.guard, training.seed, training.accumulation, len(self.feed.submixtures)
      ),
    )

  def _evaluation(self) -> Evaluation:
    training = self.training
    sides = held_out.asked(training, self.vocabulary, self.feed.tasks, self.trained)
    rows = training.batch_size // training.accumulation
    lengths, saving = training.task_feature_lengths, training.saving
    evaluation = Evaluation(training.held_out, sides, self.trainer, self.vocabulary, lengths, rows)
    if saving.keep_best and saving.best_by not in evaluation.names:
      raise UsageError(
        f"Saving.best_by = {saving.best_by!r} is not what is measured, which is {', '.join(evaluation.names)}"
      )
    return evaluation

  def _meter(self, write: Callable[[Line], None], advance: progress.Advance, sums: LineSums) -> Meter:
    training = self.training
    known = accelerator(self.trainer.mesh.devices.flat[0].device_kind)
    peak = training.peak_flops or (known and known.peak_flops)
    return Meter(
      write,
      advance,
      self.trainer.learning_rate,
      training.log_period,
      training.train_steps,
      submixtures=self.feed.submixtures,
      flops=functools.partial(training_flops, training.model),
      peak_flops=peak and peak * self.trainer.mesh.size,
      sums=sums,
    )

  def _say_back(self, reached: Reached, step: int, again: int) -> None:
    if processes.is_first():
      guard = self.training.guard
      print(
        f"{guard.in_a_row} steps in a row from step {reached.skipped_from:,} on were skipped: back to checkpoint "
        f"{step:,}, and on with the data after them ({again} of {guard.goes_back} times in a row)",
        file=sys.stderr,
        flush=True,
      )

  def _lost(self, reached: Reached) -> str:
    return (
      f"{self.training.guard.in_a_row} steps in a row from step {reached.skipped_from:,} on had a loss or a gradient "
      "that is no number, or a spike, and were skipped. The newest of their batches: flan-jax inspect --batch "
      f"{self.skipped.newest}. If what it starts from is sound, lower LEARNING_RATE, or let more pass with "
      "Guard.spike_deviations"
    )

  def _say(self, outcome: Outcome, best: tuple[int, float] | None) -> None:
    if outcome.stopped_by is None:
      message = f"finished at step {outcome.step:,}: {self.model_dir}"
    else:
      message = (
        f"stopped by {outcome.stopped_by} at step {outcome.step:,} of {self.training.train_steps:,}, saved in "
        f"{self.model_dir}; the same command goes on from there"
      )
    if best and self.training.saving.keep_best:
      where = self.model_dir / layout.CHECKPOINTS / str(best[0])
      message += f"\nbest by {self.training.saving.best_by} ({best[1]:.4g}): {where}"
    print(message, file=sys.stderr, flush=True)


def _say_nothing(*_, **__) -> None:
  """What the other processes do in the place of writing metrics and showing progress."""


def _check_vocabulary(model: T5Config, vocabulary: Vocabulary) -> None:
  if vocabulary.size > model.vocab_size:
    raise UsageError(
      f"the vocabulary {vocabulary.path} has {vocabulary.size:,} ids, the model {model.vocab_size:,} rows: "
      "set T5Config.vocab_size to at least that, or VOCABULARY to the model's own"
    )
