"""What this machine has for JAX: cores that this process may use, accelerators that it sees. JAX is not asked."""

import glob
import math
import os
from collections.abc import Mapping
from pathlib import Path

_NVIDIA = "/dev/nvidia[0-9]*"
_ACCELERATORS = (_NVIDIA, "/dev/kfd", "/dev/accel*", "/dev/vfio/[0-9]*")  # NVIDIA, AMD, TPU, TPU
_CPUS = Path("/sys/devices/system/cpu")
# Microseconds of CPU in so many, of a container: its second version and its first.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_QUOTA_1, _PERIOD_1 = (Path("/sys/fs/cgroup/cpu") / f"cpu.cfs_{name}_us" for name in ("quota", "period"))


def on_cpu(environment: Mapping[str, str] = os.environ) -> bool:
  """Whether JAX will run on the CPU: what JAX_PLATFORMS says; otherwise whether there is no accelerator to be seen."""
  platforms = environment.get("JAX_PLATFORMS", "")
  if platforms:
    return platforms.split(",")[0] == "cpu"
  return not any(glob.glob(pattern) for pattern in _ACCELERATORS)


def gpus(environment: Mapping[str, str] = os.environ) -> list[str]:
  """The NVIDIA GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them."""
  visible = environment.get("CUDA_VISIBLE_DEVICES")
  if visible is None:
    return [str(i) for i in range(len(glob.glob(_NVIDIA)))]
  return [each.strip() for each in visible.split(",") if each.strip()]


def cores() -> list[int]:
  """The cores that this process may run on, the threads of one core beside each other; no more than a container's
  quota pays for."""
  if not hasattr(os, "sched_getaffinity"):
    return list(range(os.cpu_count() or 1))
  allowed = sorted(os.sched_getaffinity(0), key=_place)
  paid = _paid_cores()
  if paid is None or paid >= len(allowed):
    return allowed
  # Containers side by side are each allowed all cores: not all of them should take the first ones.
  first = os.getpid() % len(allowed)
  return sorted((allowed[first:] + allowed[:first])[: max(1, math.floor(paid))], key=allowed.index)


def _place(cpu: int) -> tuple[int, ...]:
  topology = _CPUS / f"cpu{cpu}/topology"
  try:
    return (*(int((topology / name).read_text()) for name in ("physical_package_id", "core_id")), cpu)
  except (OSError, ValueError):
    return (0, cpu, cpu)


def _paid_cores() -> float | None:
  try:
    if _QUOTA.exists():
      quota, period = _QUOTA.read_text().split()
    else:
      quota, period = _QUOTA_1.read_text(), _PERIOD_1.read_text()
    return int(quota) / int(period) if int(quota) > 0 else None
  except (OSError, ValueError):  # "max"
    return None
