"""What a run says about itself for whoever finds it later: files in MODEL_DIR, and the record of each checkpoint."""

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
from typing import TYPE_CHECKING, Any

import jax

from flan_jax import configuration
from flan_jax.atomic import write_atomically
from flan_jax.data.preparation import store_folder
from flan_jax.data.vocabularies import Vocabulary
from flan_jax.interop import checkpoints as layout
from flan_jax.training.trainer import Trainer

if TYPE_CHECKING:
  from flan_jax.training.train import Training


def describe(training: "Training", model_dir: pathlib.Path, trainer: Trainer, vocabulary: Vocabulary) -> None:
  """config.gin, model-info.txt, versions.json and the vocabulary, for whoever finds the folder later."""
  device = jax.devices()[0]
  of_processes = f", {jax.process_count()} processes" if jax.process_count() > 1 else ""
  about = {
    **versions(),
    "devices": f"{jax.device_count()} {device.platform} ({device.device_kind}){of_processes}",
  }
  texts = {
    "config.gin": configuration.gin_text(training),
    "model-info.txt": trainer.info(),
    "versions.json": json.dumps(about, indent=2) + "\n",
  }
  for name, text in texts.items():
    write_atomically(model_dir / name, text.encode())
  if not _same_file(vocabulary.path, model_dir / layout.VOCABULARY_FILE):
    write_atomically(model_dir / layout.VOCABULARY_FILE, vocabulary.path.read_bytes())


def record(training: "Training", vocabulary: Vocabulary, tasks: set[str], data: dict[str, Any]) -> dict[str, Any]:
  """What each checkpoint says about itself, besides step, position and fingerprints."""
  return {
    "model": dataclasses.asdict(training.model),
    "vocabulary": {
      "name": training.vocabulary,
      "sha256": vocabulary.sha256,
      "extra_ids": vocabulary.extra_ids,
    },
    "mixture": training.mixture_or_task_name,
    "tasks": sorted(tasks),
    "task_feature_lengths": dict(training.task_feature_lengths),
    "data": data,
    "store_dir": str(store_folder(training.store_dir).absolute()),  # where its rows can be looked up
  }


def settings(training: "Training") -> dict[str, str]:
  """What all processes of a run must have in common; folders may have other names where they are mounted."""
  folders = ("model_dir", "data_dir", "store_dir", "vocabulary", "initial_checkpoint_path")
  found = {field.name: repr(getattr(training, field.name)) for field in dataclasses.fields(training)}
  return {**{name: value for name, value in found.items() if name not in folders}, **versions()}


def versions() -> dict[str, str]:
  """Of Python and of what the numbers depend on."""
  packages = ("flan_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy", "seqio")
  return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in packages}}


def _same_file(one: pathlib.Path, other: pathlib.Path) -> bool:
  return other.exists() and os.path.samefile(one, other)
