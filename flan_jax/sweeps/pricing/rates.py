"""How fast devices train: by what their maker says and a utilisation, or by what was measured."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Mapping

from flan_jax.errors import UsageError
from flan_jax.models.configs import T5Config
from flan_jax.training import accelerators

CPU = "cpu"
# What finetuning reached in the source paper: 5.6e21 FLOPs (Flan-PaLM 540B, Table 2) in 37 hours on 512 TPU v4 (its
# section 2.2) of 275e12 FLOP/s are 5.6e21 / (37 * 3600 * 512 * 275e12) = 0.299.
UTILISATION = 0.3
# A core of an AMD EPYC does 90e9 FLOP/s in numpy's products of matrices. 3,500 steps of quickstart, 1.11e13 FLOPs, took
# 300 s on each of four, start and compilation included: 37e9. A network half as wide reached some 0.6 of that.
CPU_UTILISATION = 0.41


@dataclasses.dataclass(frozen=True)
class Rate:
  """What so many devices of a kind do.

  Attributes:
    device: its kind; of a CPU a device is a core.
    devices: how many work at the same time, on one run or on several.
    flops_per_s: model FLOPs that one device does.
    of_model: the same where it was measured, by model.
    said: where the figures come from.
  """

  device: str
  devices: int
  flops_per_s: float
  said: str
  of_model: Mapping[T5Config, float] = dataclasses.field(default_factory=dict)

  def device_hours(self, flops: float, model: T5Config) -> float:
    """Of one device alone."""
    return flops / self.of_model.get(model, self.flops_per_s) / 3600


def rate(device: str, devices: int | None, utilisation: float | None, measured: Mapping[T5Config, float]) -> Rate:
  """What is to be expected of devices.

  Args:
    device: 'cpu', or (a part of) a kind of training/accelerators.yaml: 'TPU v4', 'H100 80GB HBM3'.
    devices: how many; None for one, of a CPU for all its cores.
    utilisation: the share of its peak that a device reaches; None for what was measured, or else the usual one.
    measured: model FLOP/s of one core, by model, from runs that are finished; counts for a CPU.

  Raises:
    UsageError: no such accelerator, or several; a utilisation or a number of devices that is none.
  """
  if utilisation is not None and not 0 < utilisation <= 1:
    raise UsageError(f"--utilisation {utilisation:g}: a share of the peak, above 0 and at most 1")
  if devices is not None and devices < 1:
    raise UsageError(f"--devices {devices}: must be above 0")
  if device.casefold() == CPU:
    return _of_cpu(devices or len(os.sched_getaffinity(0)), utilisation, measured)
  return _of_accelerator(found(device), devices or 1, utilisation)


def found(name: str) -> accelerators.Accelerator:
  """The accelerator of a name: jax's own name of a device, a row of the table, or a part of one that says which.

  Raises:
    UsageError: there is none, several that differ, or its peak is not known.
  """
  rows = accelerators.known()
  exact = [row for row in rows if name.casefold() == _plain(row.kind).casefold()]
  within = [row for row in rows if name.casefold() in _plain(row.kind).casefold()]
  match = accelerators.accelerator(name)
  rows = [match] if match else exact or within
  if not rows or len({row.peak_flops for row in rows}) > 1:
    among = rows or accelerators.known()
    known = ", ".join([CPU, *dict.fromkeys(_plain(row.kind) for row in among)])
    what = "which of them" if rows else "no such accelerator"
    raise UsageError(f"--accelerator {name!r}: {what}? Known: {known} (training/accelerators.yaml)")
  if rows[0].peak_flops is None:
    raise UsageError(f"--accelerator {name!r}: it has no bfloat16 units ({rows[0].source})")
  return rows[0]


def _plain(kind: str) -> str:
  """A row's pattern as one would say it: 'NVIDIA A100*80GB*' is 'NVIDIA A100 80GB'."""
  return " ".join(kind.replace("*", " ").split())


def _of_accelerator(row: accelerators.Accelerator, devices: int, utilisation: float | None) -> Rate:
  share = UTILISATION if utilisation is None else utilisation
  whose = "assumed; Flan-PaLM 540B reached 0.30 on TPU v4" if utilisation is None else "given"
  said = f"{row.peak_flops / 1e12:g}e12 bfloat16 FLOP/s a device ({row.source}), of which {share:g} ({whose})"
  return Rate(_plain(row.kind), devices, row.peak_flops * share, said)


def _of_cpu(cores: int, utilisation: float | None, measured: Mapping[T5Config, float]) -> Rate:
  if measured and utilisation is None:
    mean = sum(measured.values()) / len(measured)
    said = f"{mean / 1e9:.3g}e9 FLOP/s a core, measured in finished runs of this sweep, from start to end"
    return Rate(CPU, cores, mean, said, measured)
  peak, share = product_flops_per_s(), CPU_UTILISATION if utilisation is None else utilisation
  whose = (
    "assumed: 3,500 steps of t5_demo reached it, smaller models and shorter runs less"
    if utilisation is None
    else "given"
  )
  said = f"{peak / 1e9:.3g}e9 FLOP/s a core in numpy's products of matrices, timed here; of which {share:g} ({whose})"
  return Rate(CPU, cores, peak * share, said)


def product_flops_per_s() -> float:
  """What one core does in products of float32 matrices, in a process of its own with one thread: half a second."""
  alone = {f"{name}_NUM_THREADS": "1" for name in ("OPENBLAS", "OMP", "MKL", "VECLIB_MAXIMUM")}
  done = subprocess.run(
    [sys.executable, "-c", _PRODUCTS], env=os.environ | alone, capture_output=True, text=True, check=True
  )
  return float(done.stdout)


# CPU seconds, which other programs of the machine do not add to; the best of five.
_PRODUCTS = """
import numpy, time
n, times, best = 512, 8, 0.0
a = numpy.ones((n, n), numpy.float32)
a @ a
for _ in range(5):
  start = time.process_time()
  for _ in range(times):
    a @ a
  best = max(best, times * 2 * n**3 / max(time.process_time() - start, 1e-9))
print(best)
"""
