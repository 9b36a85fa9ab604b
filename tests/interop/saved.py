"""A MODEL_DIR with two checkpoints of a small model: some arrays are bundled, some are not."""

import dataclasses
import functools
import hashlib
import pathlib

import jax
import jax.numpy as jnp
import numpy as np

from flan_jax.interop import checkpoints as layout
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.training.checkpoints import Checkpoints, Saving
from flan_jax.training.guard import Guard
from flan_jax.training.losses import Loss
from flan_jax.training.optimizers import AdamW
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.schedules import Constant
from flan_jax.training.state import TrainState, optimizer_arrays
from flan_jax.training.step import StepSettings
from flan_jax.training.trainer import Trainer

CONFIG = T5Config(2048, 16, 2, 4, 16, 1, 1)  # embedding and head of 128 KiB; everything else is bundled
WORDS = b"words"  # a vocabulary that nobody cuts texts with
WORDS_SHA256 = hashlib.sha256(WORDS).hexdigest()
RECORD = {
  "model": dataclasses.asdict(CONFIG),
  "vocabulary": {"sha256": WORDS_SHA256},
  "mixture": "toy",
  "tasks": ["toy.a"],
}


@functools.cache
def trainer(devices: int = 1) -> Trainer:
  """Of AdamW on one device or on data 2 x fsdp 2 x model 2."""
  mesh = Partitioning(2, 2, 2).mesh() if devices == 8 else Partitioning().mesh(jax.devices()[:1])
  settings = StepSettings(Loss(), Guard(), seed=0, accumulation=1)
  return Trainer(Model(CONFIG), mesh, optimizer=AdamW(), learning_rate=0.1, schedule=Constant(), settings=settings)


@functools.cache
def state(step: int, devices: int = 1) -> TrainState:
  """That of `trainer`, with values that depend on the step; no training made them."""
  start = trainer(devices).start()
  return jax.tree.map(lambda array: array + jnp.asarray(step, array.dtype), start)


def save(model_dir: pathlib.Path, steps: tuple[int, ...], saving: Saving | None = None, devices: int = 1) -> None:
  """Checkpoints of these steps."""
  with Checkpoints(model_dir, RECORD, saving or Saving()) as checkpoints:
    for step in steps:
      checkpoints.save(step, state(step, devices), {"window": step, "row": 3})


def wanted(devices: int = 1) -> dict[str, dict]:
  """What `layout.restore` is asked for."""
  abstract = trainer(devices).abstract()
  return {layout.PARAMS: abstract.params, layout.OPTIMIZER: optimizer_arrays(abstract)}


def check_same(found: TrainState, expected: TrainState) -> None:
  """Byte for byte."""
  for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
    assert np.asarray(one).tobytes() == np.asarray(other).tobytes()


def files_of(folder: pathlib.Path) -> list[pathlib.Path]:
  """All that are not empty."""
  return sorted(path for path in folder.rglob("*") if path.is_file() and path.stat().st_size)


def flip(file: pathlib.Path, bit: int) -> None:
  """One bit of a file, counted from its start."""
  content = bytearray(file.read_bytes())
  content[bit // 8] ^= 1 << bit % 8
  file.write_bytes(content)
