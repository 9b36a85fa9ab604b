"""A run of seconds on one demo task; also a program: as one of several processes, on several devices, with a signal at
a given step, and with a record of every row that it placed on a device."""

import argparse
import contextlib
import dataclasses
import hashlib
import os
import pathlib
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from flan_jax import clusters, processes
from flan_jax.cli.environment import prepare_jax
from flan_jax.data.mixtures import get_mixture
from flan_jax.data.prepare import prepare
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.interop import checkpoints as layout
from flan_jax.models.configs import T5Config
from flan_jax.training import run
from flan_jax.training.checkpoints import Checkpoints, Saving
from flan_jax.training.guard import Guard
from flan_jax.training.held_out import HeldOut
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.train import Training
from flan_jax.training.trainer import Trainer

TASK = "demo.number_smallest"
STEPS = 32  # of a whole run
LENGTHS = {"inputs": 128, "targets": 32}
MODEL = T5Config(
  vocab_size=1536,
  emb_dim=16,
  num_heads=2,
  head_dim=8,
  mlp_dim=16,
  num_encoder_layers=1,
  num_decoder_layers=1,
  dropout_rate=0.1,
)


def toy_run(model_dir: pathlib.Path | str, store_dir: pathlib.Path | str, steps: int, **settings: Any) -> Training:
  """Windows of 43 examples are 14 to 17 rows, and of the first 24 batches of 8 none ends where a window does."""
  return Training(
    **{
      "model": MODEL,
      "mixture_or_task_name": TASK,
      "task_feature_lengths": LENGTHS,
      "train_steps": steps,
      "batch_size": 8,
      "model_dir": str(model_dir),
      "store_dir": str(store_dir),
      "vocabulary": "demo",
      "window": 43,
      "log_period": 1,
      **settings,
    }
  )


def prepare_toy(store_dir: pathlib.Path) -> None:
  """Prepares the task in this process, which spares the start of workers."""
  vocabulary = load_vocabulary("demo")
  prepare(get_mixture(TASK), data_dir=None, vocabulary=vocabulary, lengths=LENGTHS, store_dir=store_dir, processes=1)


@contextlib.contextmanager
def on_one_device() -> Iterator[None]:
  """JAX seems to have one device: a run in the tests' process, which has eight, costs half as much so."""
  devices = jax.devices
  jax.devices = lambda *_: devices()[:1]
  try:
    yield
  finally:
    jax.devices = devices


class Observed(Trainer):
  """A trainer that writes down what it places: a line 'step row digest' for each row that a device here holds.

  With a signal it sends it to its own process when it has placed a given step's batch: from then on a step is running.
  """

  placed = 0
  rows: Any = None
  signal_at: tuple[int, signal.Signals, float] | None = None
  poisoned = range(0)  # placed batches whose losses are no numbers

  def place(self, batch, *wishes):
    Observed.placed += 1
    if self.poisoned:  # for all batches, that they have one type
      weight = np.float32(np.nan if Observed.placed in self.poisoned else 1)
      batch = {**batch, "decoder_loss_weights": batch["decoder_loss_weights"] * weight}
    placed = super().place(batch, *wishes)
    for row, digest in sorted(_row_digests({name: placed[name] for name in batch}).items()):
      print(Observed.placed, row, digest, file=Observed.rows, flush=True)
    if self.signal_at and self.signal_at[0] == Observed.placed:
      _, number, delay = self.signal_at
      threading.Timer(delay, os.kill, (os.getpid(), number)).start()
    return placed


def _row_digests(batch: dict[str, jax.Array]) -> dict[int, str]:
  """Of each row that is on this process's devices, over all arrays in the order of their names."""
  digests: dict[int, Any] = {}
  for _, array in sorted(batch.items()):
    rows = {}
    for shard in array.addressable_shards:
      start = shard.index[0].start or 0
      rows |= {start + i: row.tobytes() for i, row in enumerate(np.asarray(shard.data))}
    for row, content in rows.items():
      digests.setdefault(row, hashlib.sha256()).update(content)
  return {row: digest.hexdigest()[:16] for row, digest in digests.items()}


def _wait_before_going_back(seconds: float) -> None:
  go_back = Checkpoints.go_back

  def later(*arguments):
    time.sleep(seconds)
    return go_back(*arguments)

  Checkpoints.go_back = later


def _keep_compilations() -> None:
  """JAX lets process 0 alone write to the cache of compilations, but looks the others' up under keys of their own; here
  each writes, which spares 6 CPU seconds a start."""
  from jax._src import compiler

  compiler.distributed = types.SimpleNamespace(global_state=types.SimpleNamespace(process_id=0, client=None))


def main() -> None:
  parser = argparse.ArgumentParser()
  for name in ("model_dir", "store_dir"):
    parser.add_argument(name)
  parser.add_argument("steps", type=int)
  parser.add_argument("--devices", type=int, default=1)
  parser.add_argument("--coordinator")
  parser.add_argument("--processes", type=int)
  parser.add_argument("--process", type=int)
  parser.add_argument("--model_axis", type=int, default=1)
  parser.add_argument("--checkpoint_period", type=int, default=1000)
  parser.add_argument("--minutes", type=float)
  parser.add_argument("--seed", type=int, default=0)
  parser.add_argument("--initial")
  parser.add_argument("--profile")
  parser.add_argument("--held_out", type=int, help="Period of held-out evaluations")
  parser.add_argument("--elsewhere", help="A model_dir of this process's own")
  parser.add_argument("--signal", help="STEP:NAME:SECONDS after that step's batch was placed")
  parser.add_argument("--poisoned", type=int, nargs=2, default=(0, 0), metavar=("FIRST", "END"))
  parser.add_argument(
    "--slow_to_go_back", type=float, default=0.0, help="Seconds that this process waits before it does"
  )
  given = parser.parse_args()
  prepare_jax(given.devices)
  place = clusters.find("auto", given.coordinator, given.processes, given.process)
  start = layout.saved_steps(pathlib.Path(given.model_dir))
  Observed.placed = start[-1] if start else 0
  Observed.poisoned = range(*given.poisoned)
  _wait_before_going_back(given.slow_to_go_back)
  if given.signal:
    step, name, seconds = given.signal.split(":")
    Observed.signal_at = int(step), signal.Signals[name], float(seconds)
  rows = pathlib.Path(given.model_dir) / f"rows-{Observed.placed}-{place.index if place else 0}-{os.getpid()}.txt"
  training = toy_run(
    given.elsewhere or given.model_dir,
    given.store_dir,
    given.steps,
    saving=Saving(period=given.checkpoint_period, minutes=given.minutes),
    seed=given.seed,
    profile=given.profile,
    held_out=HeldOut(period=given.held_out, examples=12, generations=2),
    initial_checkpoint_path=given.initial,
    partitioning=Partitioning(model=given.model_axis),
    guard=Guard(in_a_row=3),
  )
  with processes.joined(*dataclasses.astuple(place)) if place else contextlib.nullcontext():
    _keep_compilations()
    rows.parent.mkdir(parents=True, exist_ok=True)
    Observed.rows = rows.open("w")
    run.Trainer = Observed
    training.run()
  if heavy := {"tensorflow", "seqio"} & set(sys.modules):
    raise SystemExit(f"training on a prepared mixture imported {', '.join(heavy)}")


if __name__ == "__main__":
  main()
