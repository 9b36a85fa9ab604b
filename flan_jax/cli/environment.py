"""What must be in the environment before JAX starts."""

import os
from collections.abc import MutableMapping

from flan_jax import machine

# Without it the CPU backend reorders for concurrency and remat frees almost nothing (docs/design.md, decision 5).
_SCHEDULER = "--xla_cpu_enable_concurrency_optimized_scheduler"
_DEVICES = "--xla_force_host_platform_device_count"
_THREADS = "--xla_cpu_multi_thread_eigen"


def prepare_jax(cpu_devices: int = 1, environment: MutableMapping[str, str] = os.environ) -> None:
  """Appends what pays on a CPU to XLA_FLAGS, where JAX will run on one; a user's own setting of a flag stands.

  Args:
    cpu_devices: devices that JAX shall see in the CPU. -1 is one a core (the largest power of two, at most 8): the rows
      of a batch then run side by side, which for a small model is faster than splitting each of its small operations.
    environment: what is changed; the process's own by default.
  """
  if not machine.on_cpu(environment):
    return
  flags = {_SCHEDULER: "false"}
  devices = _cores() if cpu_devices == -1 else cpu_devices
  if devices > 1:
    flags |= {_DEVICES: str(devices), _THREADS: "false"}  # a device keeps to one thread, or they would fight
    # A thread waits in every sum over the devices. XLA's pool has one a core, and with two cores it was seen to be full
    # of waiting threads for good; sleeping ones cost nothing.
    environment.setdefault("PJRT_NPROC", str(16 * devices))
  given = environment.get("XLA_FLAGS", "")
  added = [f"{flag}={value}" for flag, value in flags.items() if flag not in given]
  environment["XLA_FLAGS"] = " ".join([*given.split(), *added])


def _cores() -> int:
  cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
  return min(8, 1 << (cores.bit_length() - 1))
