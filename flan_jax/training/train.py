"""The settings of a training run: everything that gin files bind under `train`, checked when they are put together."""

import dataclasses
import pathlib
import signal
import sys
from collections.abc import Sequence

import gin
import jax

from flan_jax import processes
from flan_jax.data.objectives import Objective
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.models.configs import T5Config
from flan_jax.setting_types import check_types
from flan_jax.training import automatic, profiling
from flan_jax.training.automatic import Auto
from flan_jax.training.checkpoints import Saving
from flan_jax.training.guard import Guard
from flan_jax.training.held_out import HeldOut
from flan_jax.training.losses import Loss
from flan_jax.training.occupation import occupied
from flan_jax.training.optimizers import Adafactor, Optimizer
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.run import Outcome, Run
from flan_jax.training.schedules import Constant, Schedule
from flan_jax.training.stopping import Stopped, StopRequest
from flan_jax.training.writers import check_names


@gin.register("train")
@dataclasses.dataclass(frozen=True, kw_only=True)
class Training:
  """Everything that a run is made of; `run` does it. Gin files build it under the name `train`, Python directly:

      from flan_jax.models.configs import T5Config
      from flan_jax.training.train import Training

      Training(
        model=T5Config(vocab_size=1536, emb_dim=64, num_heads=4, head_dim=16, mlp_dim=128,
                       num_encoder_layers=2, num_decoder_layers=2),
        mixture_or_task_name="demo", vocabulary="demo", task_feature_lengths={"inputs": 256, "targets": 64},
        train_steps=100, batch_size=16, model_dir="runs/first",
      ).run()

  Attributes:
    model: the network.
    mixture_or_task_name: what is trained on.
    task_feature_lengths: tokens of a packed row, EOS included: {'inputs': 512, 'targets': 128}.
    train_steps: updates in all, those before a resumption included; 0 saves what the run begins with, and ends.
    batch_size: packed rows a step, over all devices.
    model_dir: receives everything that the run writes; one with checkpoints is gone on from.
    vocabulary: 'demo', 't5' or a SentencePiece file.
    data_dir: the user's data folder; None for generated tasks.
    store_dir: where prepared tasks are kept; None is ~/.cache/flan_jax/store.
    missing: 'error' or 'skip' for tasks whose files are not in data_dir.
    strict: whether a malformed record of their files is an error; otherwise it is left out and counted.
    module: a Python module that registers the mixture with SeqIO.
    initial_checkpoint_path: parameters to start from: 'demo' (the demo's base model), a MODEL_DIR, a step in it, a T5X
      checkpoint (gs:// too), or a Hugging Face folder.
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
    check_types(self, "train")
    for name in ("batch_size", "accumulation", "variants", "window", "log_period"):
      value = getattr(self, name)
      if value < 1:
        raise UsageError(f"train.{name} = {value!r}: must be above 0")
    for name in ("train_steps", "input_processes"):
      value = getattr(self, name)
      if value < 0:
        raise UsageError(f"train.{name} = {value!r}: must not be negative; 0 for none")
    if set(self.task_feature_lengths) != {"inputs", "targets"}:
      raise UsageError(
        f"TASK_FEATURE_LENGTHS = {self.task_feature_lengths!r}: must name both, {{'inputs': 512, 'targets': 128}}"
      )
    object.__setattr__(self, "writers", tuple(self.writers))  # gin's users write lists
    check_names(self.writers)
    profiling.steps_of(self.profile)
    if self.saving.keep_best and self.held_out.period is None:
      raise UsageError("Saving.keep_best needs held-out evaluations: HeldOut.period, in steps, must be set")
    if self.initial_optimizer and self.initial_checkpoint_path is None:
      raise UsageError("INITIAL_OPTIMIZER = True: there is nothing to take it from, INITIAL_CHECKPOINT_PATH is None")
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
        with occupied(self.model_dir) as model_dir:
          return Run(self, model_dir).go(stop)
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
