"""What kinds of device are known: memory and peak rate, with sources, in accelerators.yaml."""

import dataclasses
import fnmatch
import functools
import os
import pathlib

import jax
import yaml

_TABLE = pathlib.Path(__file__).with_name("accelerators.yaml")


@dataclasses.dataclass(frozen=True)
class Accelerator:
  """A kind of device.

  Attributes:
    kind: the pattern of `jax.Device.device_kind` that it was found by.
    memory: bytes.
    peak_flops: bfloat16 operations a second at best, dense; None where it is not known or there is none.
    source: of both.
  """

  kind: str
  memory: float
  peak_flops: float | None
  source: str


def accelerator(device_kind: str) -> Accelerator | None:
  """The row of the table for a `jax.Device.device_kind`; None for a kind that it does not have, as for any CPU.

  >>> accelerator("NVIDIA A100-SXM4-80GB").peak_flops
  312000000000000.0
  """
  return next((each for each in known() if fnmatch.fnmatchcase(device_kind, each.kind)), None)


@functools.cache
def known() -> tuple[Accelerator, ...]:
  """All rows, in the order in which they are tried."""
  rows = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
  return tuple(
    Accelerator(
      kind=row["kind"],
      memory=row["memory_gb"] * 1e9,
      peak_flops=row["bf16_tflops"] * 1e12 if "bf16_tflops" in row else None,
      source=row["source"],
    )
    for row in rows
  )


def device_memory(device: jax.Device) -> float | None:
  """Bytes that a device has: by the table; else what it says itself; for one of a CPU its share of the host's memory.

  None where nobody knows.
  """
  if found := accelerator(device.device_kind):
    return found.memory
  if device.platform == "cpu":
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / jax.local_device_count("cpu")
  stats = device.memory_stats() or {}
  return float(stats["bytes_limit"]) if "bytes_limit" in stats else None
