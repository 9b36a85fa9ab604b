"""Saves and restores a training state (parameters and Adafactor's moments), fingerprints and sums of files included.

taskset -c 0,1 python scripts/bench_checkpoint.py --size t5_1_1_small --json

The least seconds of --repeats; `first_*` are those of the first time in a process, which imports what it needs (and
compiles fingerprints, on an accelerator):
  save_blocking_s  what the loop waits for: the arrays' fingerprints and their copies on the host
  save_s           until the checkpoint is whole on the disk
  restore_s        until the arrays are on their devices, compared
Beside them seconds of parts: of all fingerprints, of all sums of files, and of plainly writing as many bytes to that
disk (`disk_write_s`, synced, as checkpoints are), below which no save can be.
"""

import argparse
import dataclasses
import json
import os
import pathlib
import shutil
import tempfile
import time
from collections.abc import Callable
from typing import Any

from flan_jax.cli.environment import prepare_jax


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--size", default="t5_1_1_small", help="a file of gin_configs/models")
  parser.add_argument("--folder", help="on the disk that is measured; a temporary one if not given")
  parser.add_argument("--repeats", type=int, default=3)
  parser.add_argument("--devices", type=int, default=1, help="on a CPU: the state is split over so many by fsdp")
  parser.add_argument("--json", action="store_true")
  args = parser.parse_args()
  if args.repeats < 1:
    parser.error("--repeats must be 1 or more")
  prepare_jax(args.devices)
  folder = pathlib.Path(tempfile.mkdtemp(prefix="bench-checkpoint-", dir=args.folder))
  try:
    result = measured(args.size, folder, args.repeats)
  finally:
    shutil.rmtree(folder)
  print(json.dumps(result) if args.json else "\n".join(f"{name:18} {value}" for name, value in result.items()))


def measured(size: str, folder: pathlib.Path, repeats: int) -> dict[str, Any]:
  """What the table says."""
  import jax

  from flan_jax.interop import damage
  from flan_jax.interop.checkpoints import fingerprints
  from flan_jax.training.checkpoints import Checkpoints, Saving
  from flan_jax.training.state import optimizer_arrays

  trainer = _trainer(size)
  record = {"model": dataclasses.asdict(trainer.model.config)}
  state = jax.block_until_ready(trainer.start())
  arrays = {**state.params, **{f"optimizer.{name}": each for name, each in optimizer_arrays(state).items()}}
  times: dict[str, list[float]] = {"save_blocking_s": [], "save_s": [], "restore_s": []}
  for step in range(repeats + 1):
    with Checkpoints(folder, record, Saving(keep=1)) as checkpoints:
      start = time.perf_counter()
      checkpoints.save(step + 1, state, {})
      times["save_blocking_s"].append(time.perf_counter() - start)
    times["save_s"].append(time.perf_counter() - start)
    with Checkpoints(folder, record, Saving(keep=1)) as checkpoints:
      start = time.perf_counter()
      jax.block_until_ready(checkpoints.restore_newest(trainer.abstract())[1])
      times["restore_s"].append(time.perf_counter() - start)
  written = folder / "checkpoints" / str(repeats + 1)
  size_of_files = sum(file.stat().st_size for file in written.rglob("*") if file.is_file())
  return {
    "size": size,
    "devices": jax.device_count(),
    "cpus": len(os.sched_getaffinity(0)),
    "arrays": len(arrays),
    "array_mb": round(sum(each.nbytes for each in arrays.values()) / 1e6, 1),
    "file_mb": round(size_of_files / 1e6, 1),
    **{name: round(min(each[1:]), 3) for name, each in times.items()},
    **{f"first_{name}": round(each[0], 3) for name, each in times.items()},
    "fingerprints_s": _least(repeats, lambda: fingerprints(arrays)),
    "file_sums_s": _least(repeats, lambda: damage.damaged_files(written)),
    "disk_write_s": _least(repeats, lambda: _write(folder / "plain", size_of_files)),
  }


def _trainer(size: str):
  from flan_jax import configuration
  from flan_jax.models.model import Model
  from flan_jax.training.optimizers import Adafactor
  from flan_jax.training.partitioning import Partitioning
  from flan_jax.training.schedules import Constant
  from flan_jax.training.step import StepSettings
  from flan_jax.training.trainer import Trainer

  return Trainer(
    Model(configuration.model(size)),
    Partitioning(data=1, fsdp=-1).mesh(),
    optimizer=Adafactor(),
    learning_rate=1e-3,
    schedule=Constant(),
    settings=StepSettings(),
  )


def _write(path: pathlib.Path, size: int) -> None:
  block = os.urandom(1 << 22)
  with path.open("wb") as file:
    for start in range(0, size, len(block)):
      file.write(block[: size - start])
    os.fsync(file.fileno())
  path.unlink()


def _least(repeats: int, work: Callable[[], Any]) -> float:
  """Seconds of the quickest of so many."""
  times = []
  for _ in range(repeats):
    start = time.perf_counter()
    work()
    times.append(time.perf_counter() - start)
  return round(min(times), 3)


if __name__ == "__main__":
  main()
