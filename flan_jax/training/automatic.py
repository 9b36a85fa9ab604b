"""Mesh, remat policy, microbatches and scanned layers chosen for the devices at hand, by the estimate of memory.

What is tried, in which order, on which kind of device is data: gin_configs/sharding/accelerators.yaml.
"""

import dataclasses
import fnmatch
import itertools
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gin
import jax
import yaml

from flan_jax import configuration, processes
from flan_jax.errors import UsageError
from flan_jax.models.configs import REMAT_NAMES
from flan_jax.setting_types import check_types
from flan_jax.training import accelerators, memory
from flan_jax.training.memory import Estimate
from flan_jax.training.partitioning import Partitioning

if TYPE_CHECKING:
  from flan_jax.training.train import Training


@gin.register
@dataclasses.dataclass(frozen=True)
class Auto:
  """Stands in the place of a Partitioning until the devices are known.

  A remat policy other than "none", or more than one microbatch, is the user's choice and stands.

  Attributes:
    usable: the share of a device's memory that the estimate may fill; of small steps XLA used up to 1.2 times theirs.
  """

  usable: float = 0.8

  def __post_init__(self):
    check_types(self)


@dataclasses.dataclass(frozen=True)
class Devices:
  """What a choice is made for.

  Attributes:
    kind: as `jax.Device.device_kind` says it.
    count: of all processes.
    memory: bytes of each.
  """

  kind: str
  count: int
  memory: float

  @classmethod
  def here(cls) -> "Devices":
    """Those that JAX finds."""
    device = jax.local_devices()[0]
    found = accelerators.device_memory(device)
    if found is None:
      raise UsageError(
        f"--sharding auto does not know the memory of a {device.device_kind}: choose one of "
        f"{', '.join(configuration.config_names('sharding'))}, or add it to flan_jax/training/accelerators.yaml"
      )
    return cls(device.device_kind, jax.device_count(), found)


@dataclasses.dataclass(frozen=True)
class Choice:
  """A way to run, and what it needs of a device."""

  training: "Training"
  estimate: Estimate

  def lines(self) -> list[str]:
    """The gin that says the same by hand."""
    mesh, model = self.training.partitioning, self.training.model
    return [
      *(f"Partitioning.{axis} = {size}" for axis, size in dataclasses.asdict(mesh).items()),
      f"T5Config.remat_policy = {model.remat_policy!r}",
      f"T5Config.scan_layers = {model.scan_layers}",
      f"ACCUMULATION = {self.training.accumulation}",
    ]


def resolved(training: "Training") -> "Training":
  """The run with everything chosen for the devices that are here; the first process says what.

  Raises:
    UsageError: nothing fits.
  """
  devices = Devices.here()
  choice = choose(training, devices)
  if processes.is_first():
    told = f"{devices.count} x {devices.kind}: {choice.estimate} of {devices.memory / 1e9:.0f} GB a device by estimate"
    print("\n".join([f"# --sharding auto for {told}", *choice.lines()]), file=sys.stdout, flush=True)
  return choice.training


def choose(training: "Training", devices: Devices) -> Choice:
  """The first way to run on these devices that fits, in the order of accelerators.yaml.

  Args:
    training: its partitioning is an Auto.

  Raises:
    UsageError: nothing fits.
  """
  closest: Choice | None = None
  for candidate in _candidates(training, devices):
    choice = Choice(candidate, estimate(candidate, devices))
    if choice.estimate.total <= training.partitioning.usable * devices.memory:
      return choice
    if closest is None or choice.estimate.total < closest.estimate.total:
      closest = choice
  where = f"{devices.count} x {devices.kind} ({devices.memory / 1e9:.0f} GB each)"
  if closest is None:
    raise UsageError(
      f"--sharding auto finds no mesh over {where} that divides BATCH_SIZE = {training.batch_size} and "
      f"{training.model.num_heads} heads: take a batch of a multiple of {devices.count}, or --sharding by name"
    )
  raise UsageError(
    f"--sharding auto: the model does not fit {where}. Closest is {', '.join(closest.lines())} with "
    f"{closest.estimate}: take more devices, shorter rows, a smaller batch, or --sharding by name to try nevertheless"
  )


def out_of_memory(training: "Training", devices: Devices | None = None) -> str:
  """What to say to whose run did not fit: the estimate, and the settings that need at most three quarters of it.

  Args:
    devices: those that are here, if not given.
  """
  devices = devices or Devices.here()
  training = dataclasses.replace(training, partitioning=Partitioning(**training.partitioning.sizes(devices.count)))
  now = estimate(training, devices)
  limit = min(Auto.usable, 0.75 * now.total / devices.memory)
  ways = []
  if choice := on_its_mesh(training, devices, limit):
    ways.append(f"{_changed(training, choice.training)} on the same mesh ({choice.estimate.total / 1e9:.1f} GB)")
  plain = dataclasses.replace(training.model, remat_policy="none")
  try:
    auto = choose(dataclasses.replace(training, model=plain, accumulation=1, partitioning=Auto(limit)), devices)
    ways.append(
      f"--sharding auto, which takes {_changed(training, auto.training)} ({auto.estimate.total / 1e9:.1f} GB)"
    )
  except UsageError:
    pass
  hint = f"By estimate this would do: {'; or '.join(ways)}" if ways else "Nothing else fits by estimate"
  return (
    f"out of memory: {devices.count} x {devices.kind} have {devices.memory / 1e9:.0f} GB each, the step needs {now} of "
    f"each by estimate. {hint}. More devices, shorter rows or a smaller batch need less, too"
  )


def on_its_mesh(training: "Training", devices: Devices, usable: float = Auto.usable) -> Choice | None:
  """The cheapest remat policy and number of microbatches with which a run of a given mesh fits; None if none does."""
  sizes = training.partitioning.sizes(devices.count)
  for remat, accumulation in itertools.product(REMAT_NAMES, (1, 2, 4, 8, 16, 32, 64)):
    if training.batch_size % (sizes["data"] * sizes["fsdp"] * accumulation) == 0:
      model = dataclasses.replace(training.model, remat_policy=remat)
      candidate = dataclasses.replace(training, model=model, accumulation=accumulation)
      choice = Choice(candidate, estimate(candidate, devices))
      if choice.estimate.total <= usable * devices.memory:
        return choice
  return None


def _changed(before: "Training", after: "Training") -> str:
  """The settings that differ, as gin."""
  sizes = [
    f"Partitioning.{axis}={size}"
    for axis, size in dataclasses.asdict(after.partitioning).items()
    if size != getattr(before.partitioning, axis)
  ]
  model = f"T5Config.remat_policy={after.model.remat_policy}"
  accumulation = f"ACCUMULATION={after.accumulation}"
  changed = [*sizes, *([model] if after.model.remat_policy != before.model.remat_policy else [])]
  return " ".join([*changed, *([accumulation] if after.accumulation != before.accumulation else [])])


def estimate(training: "Training", devices: Devices) -> Estimate:
  """`memory.estimate` of a run whose mesh is known."""
  cpu = devices.kind == "cpu"
  return memory.estimate(
    training.model,
    training.task_feature_lengths,
    training.batch_size,
    optimizer=training.optimizer,
    partitioning=training.partitioning,
    devices=devices.count,
    accumulation=training.accumulation,
    loss=training.loss,
    activation_bytes={"auto": 4 if cpu else 2, "bfloat16": 2, "float32": 4}[training.model.dtype],
  )


def _candidates(training: "Training", devices: Devices) -> Iterator["Training"]:
  """Every way to run that divides what it must, the cheapest first."""
  rules = next(rule for rule in _rules() if fnmatch.fnmatchcase(devices.kind, rule["kind"]))
  scan = training.model.scan_layers or rules["scan_layers"]
  for attempt in rules["tries"]:
    try:
      sizes = Partitioning(**{"data": 1, **attempt["mesh"]}).sizes(devices.count)
    except UsageError:
      continue  # it needs another number of devices
    for remat, accumulation in itertools.product(_remat(training, attempt), _accumulation(training, attempt)):
      shares = sizes["data"] * sizes["fsdp"] * accumulation
      if training.batch_size % shares == 0 and training.model.num_heads % sizes["model"] == 0:
        model = dataclasses.replace(training.model, remat_policy=remat, scan_layers=scan)
        yield dataclasses.replace(training, model=model, partitioning=Partitioning(**sizes), accumulation=accumulation)


def _remat(training: "Training", attempt: dict[str, Any]) -> list[str]:
  return attempt["remat"] if training.model.remat_policy == "none" else [training.model.remat_policy]


def _accumulation(training: "Training", attempt: dict[str, Any]) -> list[int]:
  return attempt["accumulation"] if training.accumulation == 1 else [training.accumulation]


def _rules() -> list[dict[str, Any]]:
  return yaml.safe_load(configuration.project_file("sharding/accelerators.yaml").read_text(encoding="utf-8"))
