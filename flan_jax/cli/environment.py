"""What must be in the environment before JAX starts."""

import glob
import os
from collections.abc import MutableMapping

# Without it the CPU backend reorders for concurrency and remat frees almost nothing (docs/design.md, decision 5).
_SCHEDULER = "--xla_cpu_enable_concurrency_optimized_scheduler"
_ACCELERATORS = ("/dev/nvidia[0-9]*", "/dev/kfd", "/dev/accel*", "/dev/vfio/[0-9]*")  # NVIDIA, AMD, TPU, TPU


def prepare_jax(environment: MutableMapping[str, str] = os.environ) -> None:
  """Appends the scheduler flag to XLA_FLAGS where JAX will run on a CPU; a user's own setting of the flag stands."""
  flags = environment.get("XLA_FLAGS", "")
  if _on_cpu(environment) and _SCHEDULER not in flags:
    environment["XLA_FLAGS"] = f"{flags} {_SCHEDULER}=false".strip()


def _on_cpu(environment: MutableMapping[str, str]) -> bool:
  """What JAX_PLATFORMS says; otherwise whether there is no accelerator to be seen (JAX itself must not start yet)."""
  platforms = environment.get("JAX_PLATFORMS", "")
  if platforms:
    return platforms.split(",")[0] == "cpu"
  return not any(glob.glob(pattern) for pattern in _ACCELERATORS)
