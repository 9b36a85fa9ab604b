"""What a sweep will cost, before it runs: steps, tokens, FLOPs, hours, bytes of stores and checkpoints, run by run.

FLOPs are those of training/flops.py: three forward passes over the real tokens of the run's rows (`workload` says what
these hold). Hours are FLOPs over what the devices do (`rates`), as if all of them worked all the time.
"""

import dataclasses
import functools
import math
import pathlib
import statistics
from collections.abc import Mapping, Sequence

from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.sweeps import budgets
from flan_jax.sweeps.plan import Plan, PlannedRun
from flan_jax.sweeps.pricing import compute, rates, workload
from flan_jax.sweeps.pricing.rates import Rate
from flan_jax.sweeps.pricing.workload import Known, Workload
from flan_jax.sweeps.results import run_facts
from flan_jax.sweeps.running.execution import TRAIN, read_state
from flan_jax.sweeps.sweep import EqualExamples
from flan_jax.training.counts import Counts
from flan_jax.training.flops import training_flops
from flan_jax.training.optimizers import Optimizer
from flan_jax.training.state import abstract_state, optimizer_arrays
from flan_jax.training.train import Training


@dataclasses.dataclass(frozen=True)
class Price:
  """Of one run. What trains nothing has no steps and no FLOPs.

  Attributes:
    run: its name.
    basis: what it follows from, see `workload.Workload`.
    parameters: of its model.
    steps: it trains; where its length is a number of examples and data is missing, at most.
    examples: it trains; None where data is missing, for then nobody knows how many share a row.
    tokens: of these examples, inputs and targets without padding.
    filled: share of the rows' slots that hold tokens.
    flops: of training.
    device_hours: of training, of one device alone.
    paper_flops: the paper's rule, 3 * parameters * all slots.
    pretraining_flops: of what it begins with, published or counted; None where neither is.
    published_flops: printed by the paper for this very model, batch, rows and steps; None for another run.
    evaluated_seconds: that finished runs took for all their evaluations, on average: those of this model, else all;
      None where none is finished.
    checkpoint_bytes: one of them, with the optimizer's state.
    checkpoints: that are there when it is finished.
    stores: bytes of each task's store, see `workload.Workload`; runs share them.
    missing: those of these that do not stand, and are estimated.
    note: why its basis is no better one.
  """

  run: str
  basis: str
  parameters: int
  steps: int
  examples: int | None
  tokens: int
  filled: float
  flops: float
  device_hours: float
  paper_flops: float
  pretraining_flops: float | None
  published_flops: float | None
  evaluated_seconds: float | None
  checkpoint_bytes: int
  checkpoints: int
  stores: Mapping[pathlib.Path, int]
  missing: frozenset[pathlib.Path]
  note: str

  @property
  def store_bytes(self) -> int:
    return sum(self.stores.values())


@dataclasses.dataclass(frozen=True)
class PriceList:
  """Of a sweep: all its runs, in their order, and what their hours are reckoned with."""

  rate: Rate
  prices: Sequence[Price]

  @property
  def flops(self) -> float:
    return sum(price.flops for price in self.prices)

  @property
  def device_hours(self) -> float:
    return sum(price.device_hours for price in self.prices)

  @property
  def hours(self) -> float:
    """Until all is trained, with all devices at work all the time."""
    return self.device_hours / self.rate.devices

  @property
  def evaluation_hours(self) -> float | None:
    """Of all runs, one after another, where the finished ones tell."""
    seconds = [price.evaluated_seconds for price in self.prices]
    return None if None in seconds else sum(seconds) / 3600

  @property
  def stores(self) -> dict[pathlib.Path, int]:
    """Bytes of each store, once."""
    return {folder: size for price in self.prices for folder, size in price.stores.items()}

  @property
  def missing(self) -> frozenset[pathlib.Path]:
    """Of these folders those that do not stand."""
    return frozenset().union(*(price.missing for price in self.prices))

  @property
  def checkpoint_bytes(self) -> int:
    return sum(price.checkpoint_bytes * price.checkpoints for price in self.prices)


def priced(
  plan: Plan, accelerator: str = rates.CPU, devices: int | None = None, utilisation: float | None = None
) -> PriceList:
  """The prices of all runs of a plan; prepares nothing.

  Args:
    accelerator, devices, utilisation: see `rates.rate`.

  Raises:
    UsageError: no such accelerator.
    FlanJaxError: see `workload.workload`.
  """
  known = Known()
  sized = [_Sized.of(run, plan, known) for run in plan.runs]
  rate = rates.rate(accelerator, devices, utilisation, _measured(sized))
  evaluated = _evaluated(sized)
  mean = statistics.fmean(evaluated.values()) if evaluated else None
  return PriceList(rate, [_price(each, rate, evaluated.get(each.run.training.model, mean)) for each in sized])


@dataclasses.dataclass(frozen=True)
class _Sized:
  """A run whose length is settled, and what its rows hold."""

  run: PlannedRun
  rows: Workload
  counts: Counts

  @classmethod
  def of(cls, run: PlannedRun, plan: Plan, known: Known) -> "_Sized":
    training = run.training
    rows = workload.workload(training, known) if run.tuned else workload.Nothing()
    if run.tuned and isinstance(plan.sweep.budget, EqualExamples):
      run = budgets.of_length(run, math.ceil(rows.rows_of(plan.sweep.budget.examples) / training.batch_size))
    steps = run.training.train_steps if run.tuned else 0
    return cls(run, rows, rows.counts(steps * training.batch_size))

  @property
  def flops(self) -> float:
    return training_flops(self.run.training.model, self.counts)


def _price(sized: _Sized, rate: Rate, evaluated: float | None) -> Price:
  run, counts, training = sized.run, sized.counts, sized.run.training
  steps = training.train_steps if run.tuned else 0
  parameters, checkpoint_bytes = _sizes(training.model, training.optimizer)
  paper = compute.of_size(parameters)
  return Price(
    run=run.name,
    basis=sized.rows.basis,
    parameters=parameters,
    steps=steps,
    examples=None if sized.rows.basis == workload.FULL_ROWS else round(counts.examples),
    tokens=round(counts.tokens),
    filled=counts.tokens / counts.slots if counts.slots else 0.0,
    flops=sized.flops,
    device_hours=rate.device_hours(sized.flops, training.model),
    paper_flops=compute.rule(parameters, counts.slots),
    pretraining_flops=run_facts.pretraining_flops(training),
    published_flops=paper.finetuning_flops if paper and _is_published(paper, training, steps) else None,
    evaluated_seconds=evaluated,
    checkpoint_bytes=checkpoint_bytes,
    checkpoints=_checkpoints(run, steps),
    stores=sized.rows.stores,
    missing=sized.rows.missing,
    note=sized.rows.note,
  )


def _is_published(paper: compute.Published, training: Training, steps: int) -> bool:
  rows = {"inputs": 2048, "targets": 512}
  return (paper.steps, paper.batch, rows) == (steps, training.batch_size, training.task_feature_lengths)


@functools.lru_cache(maxsize=32)
def _sizes(model: T5Config, optimizer: Optimizer) -> tuple[int, int]:
  """(parameters, bytes of a checkpoint: parameters and optimizer, uncompressed; its JSON is left out)."""
  # float32 by name: 'auto' would start the accelerator to know what it is.
  network = Model(dataclasses.replace(model, dtype="float32"))
  state = abstract_state(network, optimizer.transformation(lambda step: 0.0))
  arrays = [*state.params.values(), *optimizer_arrays(state).values()]
  parameters = sum(math.prod(each.shape) for each in state.params.values())
  return parameters, sum(math.prod(each.shape) * each.dtype.itemsize for each in arrays)


def _checkpoints(run: PlannedRun, steps: int) -> int:
  """Step 0, the newest few and the best ones; of a run that trains nothing what it begins with, if that is fresh."""
  saving = run.training.saving
  if not steps:
    return 1 if run.training.initial_checkpoint_path is None else 0
  return 1 + min(math.ceil(steps / saving.period), saving.keep + saving.keep_best)


def _measured(sized: Sequence[_Sized]) -> dict[T5Config, float]:
  """Model FLOP/s of one core by model, of the runs of which training is done, on CPUs."""
  flops: dict[T5Config, float] = {}
  seconds: dict[T5Config, float] = {}
  for each in sized:
    took = _stages(each.run).get(TRAIN)
    place = run_facts.place(each.run.folder)
    if took and each.flops and place.get("device") == rates.CPU:
      model = each.run.training.model
      flops[model] = flops.get(model, 0.0) + each.flops
      seconds[model] = seconds.get(model, 0.0) + took * place["devices"]  # a core each
  return {model: flops[model] / seconds[model] for model in flops}


def _evaluated(sized: Sequence[_Sized]) -> dict[T5Config, float]:
  """Seconds that all evaluations of a run took, by model, on average over the finished runs."""
  seconds: dict[T5Config, list[float]] = {}
  for each in sized:
    stages = _stages(each.run)
    if len(stages) > 1:
      seconds.setdefault(each.run.training.model, []).append(sum(stages.values()) - stages.get(TRAIN, 0.0))
  return {model: statistics.fmean(took) for model, took in seconds.items()}


def _stages(run: PlannedRun) -> dict[str, float]:
  """Seconds of each of a run's stages, if all are done."""
  state = read_state(run.folder)
  if state.get("state") != "finished" or state.get("config") != run.config:
    return {}
  return {stage: each["seconds"] for stage, each in state["stages"].items()}
