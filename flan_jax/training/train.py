"""A training run from its settings to its last checkpoint."""

import contextlib
import dataclasses
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from typing import Any

import gin
import jax

from flan_jax import configuration, processes, progress
from flan_jax.atomic import write_atomically
from flan_jax.data.objectives import Objective
from flan_jax.data.preparation import store_folder
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.training import automatic, held_out, partitioning, profiling, resuming, skipped, watchdog
from flan_jax.training.accelerators import accelerator
from flan_jax.training.automatic import Auto
from flan_jax.training.checkpoints import Checkpoints, Saving
from flan_jax.training.feed import Feed, open_feed
from flan_jax.training.flops import training_flops
from flan_jax.training.guard import Guard
from flan_jax.training.held_out import Evaluation, HeldOut
from flan_jax.training.loop import IN_FLIGHT, Batches, Reached, Watchers, run_steps
from flan_jax.training.losses import Loss
from flan_jax.training.metrics import Meter
from flan_jax.training.optimizers import Adafactor, Optimizer
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.profiling import Profiler
from flan_jax.training.samples import Samples
from flan_jax.training.schedules import Constant, Schedule
from flan_jax.training.skipped import SkippedBatches
from flan_jax.training.state import TrainState
from flan_jax.training.step import StepSettings
from flan_jax.training.stopping import Stopped, StopRequest
from flan_jax.training.trainer import Trainer
from flan_jax.training.writers import Line, Writers, check_names


@dataclasses.dataclass(frozen=True)
class Outcome:
  """Where a run came to: the updates done, and the signal that stopped it (None: it is finished)."""

  step: int
  stopped_by: str | None

  @classmethod
  def of(cls, reached: Reached, train_steps: int) -> "Outcome":
    stopped = reached.stopped_by and reached.step < train_steps
    return cls(reached.step, signal.Signals(reached.stopped_by).name if stopped else None)


@gin.register("train")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
  """Everything that a run is made of; `run` does it. Gin files build it under the name `train`, Python directly:

      from flan_jax.models.configs import T5Config
      from flan_jax.training.train import Training

      Training(
        model=T5Config(vocab_size=1152, emb_dim=64, num_heads=4, head_dim=16, mlp_dim=128,
                       num_encoder_layers=2, num_decoder_layers=2),
        mixture_or_task_name="demo", vocabulary="demo", task_feature_lengths={"inputs": 256, "targets": 64},
        train_steps=100, batch_size=16, model_dir="runs/first",
      ).run()

  Attributes:
    model: the network.
    mixture_or_task_name: what is trained on.
    task_feature_lengths: tokens of a packed row, EOS included: {'inputs': 512, 'targets': 128}.
    train_steps: updates in all, those before a resumption included.
    batch_size: packed rows a step, over all devices.
    model_dir: receives everything that the run writes; one with checkpoints is gone on from.
    vocabulary: 'demo', 't5' or a SentencePiece file.
    data_dir: the user's data folder; None for generated tasks.
    store_dir: where prepared tasks are kept; None is ~/.cache/flan_jax/store.
    missing: 'error' or 'skip' for tasks whose files are not in data_dir.
    strict: whether a malformed record of their files is an error; otherwise it is left out and counted.
    module: a Python module that registers the mixture with SeqIO.
    initial_checkpoint_path: parameters to start from: a MODEL_DIR, a step in it, a T5X checkpoint (gs:// too), or a
      Hugging Face folder.
    initial_optimizer: whether the state of its Adafactor is taken over too, as T5X's finetuning does.
    learning_rate: multiplied by the schedule.
    objective: what is made of each example, such as SpanCorruption(); None leaves it as it is. See `data.objectives`.
    seed: of initialisation, dropout and the order of examples.
    render_seed: of wordings, formats and exemplars.
    variants: how often each example is prepared under other draws of these; epoch e reads variant e mod this.
    window: examples that are drawn and packed together.
    input_processes: that plan and read windows ahead; 0 leaves it to a thread, which gives some 30,000 rows a second.
    accumulation: microbatches that a batch is computed in: memory for activations falls, nothing else changes.
    guard: what a step with a loss that is no number, or a spike, has for consequences.
    saving: when checkpoints are made, and which are kept.
    log_period: in steps.
    writers: where metrics and samples go, out of 'jsonl', 'tensorboard' and 'wandb' (needs flan_jax[wandb]).
    peak_flops: bfloat16 FLOP/s of one device, for the utilisation; None for what its maker says, where that is known.
    held_out: when the run is evaluated on held-out examples, and on which.
    profile: 'FIRST:LAST' traces these steps, counted from 1 where this start of the run begins; see `profiling`.
  """

  model: T5Config
  mixture_or_task_name: str
  task_feature_lengths: dict[str, int]
  train_steps: int
  batch_size: int
  model_dir: str
  vocabulary: str = "t5"
  data_dir: str | None = None
  store_dir: str | None = None
  missing: str = "error"
  strict: bool = False
  module: str | None = None
  initial_checkpoint_path: str | None = None
  initial_optimizer: bool = False
  optimizer: Optimizer = dataclasses.field(default_factory=Adafactor)
  learning_rate: float = 1e-3
  schedule: Schedule = dataclasses.field(default_factory=Constant)
  loss: Loss = dataclasses.field(default_factory=Loss)
  partitioning: Partitioning | Auto = dataclasses.field(default_factory=Partitioning)
  objective: Objective | None = None
  seed: int = 0
  render_seed: int = 0
  variants: int = 1
  window: int = 16384
  input_processes: int = 0
  accumulation: int = 1
  guard: Guard = dataclasses.field(default_factory=Guard)
  saving: Saving = dataclasses.field(default_factory=Saving)
  log_period: int = 20
  writers: Sequence[str] = ("jsonl", "tensorboard")
  peak_flops: float | None = None
  profile: str | None = None
  held_out: HeldOut = dataclasses.field(default_factory=HeldOut)

  def __post_init__(self):
    for name in ("train_steps", "batch_size", "accumulation", "variants", "window", "log_period"):
      value = getattr(self, name)
      if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UsageError(f"train.{name} = {value!r}: must be a whole number above 0")
    if not isinstance(self.input_processes, int) or self.input_processes < 0:
      raise UsageError(f"train.input_processes = {self.input_processes!r}: must be a whole number, 0 for none")
    if set(self.task_feature_lengths) != {"inputs", "targets"}:
      raise UsageError(
        f"TASK_FEATURE_LENGTHS = {self.task_feature_lengths!r}: must name both, {{'inputs': 512, 'targets': 128}}"
      )
    object.__setattr__(self, "writers", tuple(self.writers))  # gin's users write lists
    check_names(self.writers)
    profiling.steps_of(self.profile)
    if self.saving.keep_best and self.held_out.period is None:
      raise UsageError("Saving.keep_best needs held-out evaluations: HeldOut.period, in steps, must be set")
    if self.missing not in ("error", "skip"):
      raise UsageError(f"MISSING = {self.missing!r}: must be 'error' or 'skip'")

  def run(self) -> Outcome:
    """Trains to `train_steps`, or until Ctrl-C or SIGTERM, which save; the same settings then go on exactly there.

    After `processes.joined` (or jax.distributed.initialize) it is one run of all processes, which share the folders;
    another number of processes or devices may go on with it.

    Raises:
      FlanJaxError: what the user can mend, most of it before anything is compiled.
    """
    if isinstance(self.partitioning, Auto):
      return automatic.resolved(self).run()
    with StopRequest() as stop:
      try:
        return self._run(stop)
      except Stopped as stopped:
        if processes.is_first():
          said = f"{stopped}: nothing in {self.model_dir} is lost, the same command goes on from there"
          print(said, file=sys.stderr, flush=True)
        steps = layout.saved_steps(pathlib.Path(self.model_dir).expanduser())
        return Outcome(max(steps, default=0), signal.SIGTERM.name)
      except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
          raise
        raise FlanJaxError(automatic.out_of_memory(self)) from error

  def _run(self, stop: StopRequest) -> Outcome:
    processes.check_same(_settings(self))
    model_dir = _writable(self.model_dir)
    processes.check_shared(model_dir)
    vocabulary = load_vocabulary(self.vocabulary, self.data_dir)
    _check_vocabulary(self.model, vocabulary)
    mesh = self.partitioning.mesh()
    partitioning.check_batch_size(self.batch_size, mesh, self.accumulation)
    rows = partitioning.process_rows(mesh, self.batch_size)
    resuming.set_damaged_aside(model_dir)
    resuming.check_model(model_dir, self.model, vocabulary.sha256)
    initial = resuming.initial_checkpoint(self.initial_checkpoint_path, self.model, vocabulary.sha256, model_dir)

    feed = open_feed(self, vocabulary)
    processes.check_same({**feed.identity, "checkpoints": layout.saved_steps(model_dir)})
    resuming.check_data(model_dir, feed.identity)
    trainer = Trainer(
      Model(self.model),
      mesh,
      optimizer=self.optimizer,
      learning_rate=self.learning_rate,
      schedule=self.schedule,
      settings=StepSettings(self.loss, self.guard, self.seed, self.accumulation, len(feed.submixtures)),
    )
    trained = {*feed.tasks, *resuming.tasks_before(model_dir, initial)}
    evaluation = self._evaluation(trainer, vocabulary, feed, trained)
    if processes.is_first():
      _describe(self, model_dir, trainer, vocabulary)
    record = _record(self, vocabulary, trained, feed.identity)
    with Checkpoints(model_dir, record, self.saving) as checkpoints:
      step, state, position = resuming.start(trainer, checkpoints, feed, initial, self.initial_optimizer)
      stop.only_note()
      with feed.batches(position, rows) as batches:
        reached = self._train(trainer, feed, batches, checkpoints, evaluation, model_dir, step, state, stop)
        for again in range(1, self.guard.goes_back + 1):
          if not reached.astray:
            break
          step, state = checkpoints.go_back(trainer.abstract(), reached.position)
          self._say_back(reached, step, again)
          reached = self._train(trainer, feed, batches, checkpoints, evaluation, model_dir, step, state, stop)
      best = checkpoints.best()
    if reached.astray:
      raise FlanJaxError(self._lost(reached, model_dir))
    outcome = Outcome.of(reached, self.train_steps)
    if processes.is_first():
      _say(outcome, self.train_steps, model_dir)
      if best:
        where = model_dir / layout.CHECKPOINTS / str(best[0])
        print(f"best by {self.saving.best_by} ({best[1]:.4g}): {where}", file=sys.stderr, flush=True)
    return outcome

  def _train(
    self,
    trainer: Trainer,
    feed: Feed,
    batches: Batches,
    checkpoints: Checkpoints,
    evaluation: Evaluation,
    model_dir: pathlib.Path,
    step: int,
    state: TrainState,
    stop: StopRequest,
  ) -> Reached:
    """The loop with everything that must be closed after it. What a run says, its first process says."""
    process = jax.process_index()
    with contextlib.ExitStack() as stack:
      write = advance = show = _say_nothing
      if processes.is_first():
        about = dataclasses.asdict(self)
        writers = stack.enter_context(Writers(self.writers, model_dir, step, about))
        write, show = writers.write, Samples(model_dir, step, writers).show
        advance = stack.enter_context(progress.shown("training", self.train_steps, "steps", done=step))
      steps = profiling.steps_of(self.profile if processes.is_first() else None, step)
      profiler = stack.enter_context(Profiler(steps, model_dir / "profile"))
      meter = self._meter(trainer, feed, write, advance)
      moved = stack.enter_context(watchdog.watching(model_dir, process, self.guard.hang_minutes))
      return run_steps(
        trainer,
        state,
        batches,
        step=step,
        until=self.train_steps,
        saving=self.saving,
        guard=self.guard,
        checkpoints=checkpoints,
        watchers=Watchers(meter, SkippedBatches(model_dir, process), moved, profiler, evaluation, show),
        stop=stop,
      )

  def _say_back(self, reached: Reached, step: int, again: int) -> None:
    if processes.is_first():
      print(
        f"{self.guard.in_a_row} steps in a row up to step {reached.step - IN_FLIGHT:,} were skipped: back to "
        f"checkpoint {step:,}, and on with the data after them ({again} of {self.guard.goes_back} times)",
        file=sys.stderr,
        flush=True,
      )

  def _lost(self, reached: Reached, model_dir: pathlib.Path) -> str:
    return (
      f"{self.guard.in_a_row} steps in a row up to step {reached.step - IN_FLIGHT:,} had a loss or a gradient that is "
      f"no number, or a spike, and were skipped. Their batches: flan-jax inspect --batch {model_dir / skipped.FOLDER}/"
      "FILE. Lower LEARNING_RATE, or let more pass with Guard.spike_deviations"
    )

  def _evaluation(self, trainer: Trainer, vocabulary: Vocabulary, feed: Feed, trained: set[str]) -> Evaluation:
    sides = held_out.asked(self, vocabulary, feed.tasks, trained)
    rows = self.batch_size // self.accumulation
    return Evaluation(self.held_out, sides, trainer, vocabulary, self.task_feature_lengths, rows)

  def _meter(self, trainer: Trainer, feed: Feed, write: Callable[[Line], None], advance: progress.Advance) -> Meter:
    known = accelerator(trainer.mesh.devices.flat[0].device_kind)
    peak = self.peak_flops or (known and known.peak_flops)
    return Meter(
      write,
      advance,
      trainer.learning_rate,
      self.log_period,
      self.train_steps,
      submixtures=feed.submixtures,
      flops=functools.partial(training_flops, self.model),
      peak_flops=peak and peak * trainer.mesh.size,
    )


def _say_nothing(*_, **__) -> None:
  """What the other processes do in the place of writing metrics and showing progress."""


def _settings(training: Training) -> dict[str, str]:
  """What all processes of a run must have in common; folders may have other names where they are mounted."""
  folders = ("model_dir", "data_dir", "store_dir", "vocabulary", "initial_checkpoint_path")
  settings = {field.name: repr(getattr(training, field.name)) for field in dataclasses.fields(training)}
  return {**{name: value for name, value in settings.items() if name not in folders}, **_versions()}


def _writable(path: str) -> pathlib.Path:
  model_dir = pathlib.Path(path).expanduser()
  try:
    model_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=model_dir):
      return model_dir
  except OSError as error:
    raise FlanJaxError(f"MODEL_DIR {model_dir} cannot be written: {error.strerror} (--model_dir)") from error


def _check_vocabulary(model: T5Config, vocabulary: Vocabulary) -> None:
  if vocabulary.size > model.vocab_size:
    raise UsageError(
      f"the vocabulary {vocabulary.path} has {vocabulary.size:,} ids, the model {model.vocab_size:,} rows: "
      "set T5Config.vocab_size to at least that, or VOCABULARY to the model's own"
    )


def _describe(training: Training, model_dir: pathlib.Path, trainer: Trainer, vocabulary: Vocabulary) -> None:
  """config.gin, model-info.txt, versions.json and the vocabulary, for whoever finds the folder later."""
  device = jax.devices()[0]
  of_processes = f", {jax.process_count()} processes" if jax.process_count() > 1 else ""
  versions = {
    **_versions(),
    "devices": f"{jax.device_count()} {device.platform} ({device.device_kind}){of_processes}",
  }
  texts = {
    "config.gin": configuration.gin_text(training),
    "model-info.txt": trainer.info(),
    "versions.json": json.dumps(versions, indent=2) + "\n",
  }
  for name, text in texts.items():
    write_atomically(model_dir / name, text.encode())
  if not _same_file(vocabulary.path, model_dir / layout.VOCABULARY_FILE):
    write_atomically(model_dir / layout.VOCABULARY_FILE, vocabulary.path.read_bytes())


def _versions() -> dict[str, str]:
  packages = ("flan_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "seqio")
  return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}


def _same_file(one: pathlib.Path, other: pathlib.Path) -> bool:
  return other.exists() and os.path.samefile(one, other)


def _record(training: Training, vocabulary: Vocabulary, tasks: set[str], data: dict[str, Any]) -> dict[str, Any]:
  """What each checkpoint says about itself, besides step, position and fingerprints."""
  return {
    "model": dataclasses.asdict(training.model),
    "vocabulary": {
      "name": training.vocabulary,
      "sha256": vocabulary.sha256,
      "extra_ids": vocabulary.extra_ids,
    },
    "mixture": training.mixture_or_task_name,
    "tasks": sorted(tasks),
    "task_feature_lengths": dict(training.task_feature_lengths),
    "data": data,
    "store_dir": str(store_folder(training.store_dir).absolute()),  # where its rows can be looked up
  }


def _say(outcome: Outcome, train_steps: int, model_dir: pathlib.Path) -> None:
  if outcome.stopped_by is None:
    message = f"finished at step {outcome.step:,}: {model_dir}"
  else:
    message = (
      f"stopped by {outcome.stopped_by} at step {outcome.step:,} of {train_steps:,}, saved in {model_dir}; "
      "the same command goes on from there"
    )
  print(message, file=sys.stderr, flush=True)
