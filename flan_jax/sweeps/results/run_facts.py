"""What is known of one run, by column of the table: what it is, what it was trained on, what that took, and where."""

import dataclasses
import functools
import json
import math
import pathlib
import re
from collections.abc import Sequence
from typing import Any

from flan_jax import configuration
from flan_jax.errors import FlanJaxError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop.shipped import located
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.sweeps.plan import PlannedRun
from flan_jax.sweeps.pricing import compute
from flan_jax.sweeps.results import mixture_facts, training_log
from flan_jax.sweeps.running import execution
from flan_jax.training.train import Training

# How a network computes, not what it is.
_COMPUTING = {"dropout_rate": 0.0, "dtype": "float32", "remat_policy": "none", "float32_attention_logits": True}
_COMPUTING |= {"scan_layers": False}
_DEVICES = re.compile(r"(\d+) \w+ \((.*?)\)")  # versions.json: '4 gpu (NVIDIA H100 80GB HBM3), 2 processes'


def facts(run: PlannedRun, log: Sequence[training_log.Line]) -> dict[str, Any]:
  """Values of columns.RUN, but those of the sweep and of its state.

  Args:
    log: the run's, as `training_log.read` gives it.
  """
  training, folder = run.training, run.folder
  return {
    "tuned": run.tuned,
    "seed": training.seed,
    "config": run.config,
    "model": model_name(training.model),
    "parameters": parameters(training.model),
    "initial_checkpoint": training.initial_checkpoint_path,
    "train_steps": training.train_steps if run.tuned else 0,
    "pretraining_flops": pretraining_flops(training),
    **(_of_training(run, log) if run.tuned else _UNTUNED),
    **_seconds(run),
    **place(folder),
  }


def step_of(run: PlannedRun) -> int | None:
  """Of the checkpoint that a run's evaluations measure: 0 of an untuned one; None where there is none yet."""
  return max(layout.saved_steps(run.folder), default=None) if run.tuned else 0


def model_name(config: T5Config) -> str:
  """The file of gin_configs/models that has this shape; a text of the shape where none has."""
  named = _models()
  return named.get(_shape(config)) or (
    f"{config.num_encoder_layers}+{config.num_decoder_layers} layers, {config.emb_dim} wide, "
    f"{config.num_heads}×{config.head_dim} heads, mlp {config.mlp_dim}, {config.vocab_size} rows"
  )


def parameters(config: T5Config) -> int:
  """How many numbers a network is made of, counted from shapes; nothing is allocated."""
  return _parameters(_shape(config))


def pretraining_flops(training: Training) -> float | None:
  """Of what a run begins with: counted where that is a run of ours, else as published for a model of this size.

  None for fresh parameters, and where nobody knows.
  """
  given = training.initial_checkpoint_path
  if given is None:
    return None
  path = pathlib.Path(located(given)).expanduser()
  model_dir = path.parent.parent if path.parent.name == layout.CHECKPOINTS else path
  counted = training_log.trained(training_log.read(model_dir)).flops
  published = compute.of_size(parameters(training.model))
  return counted if counted or published is None else published.pretraining_flops


_UNTUNED = {"tasks": 0, "examples": 0, "steps": 0, "trained_examples": 0, "trained_tokens": 0, "flops": 0.0}


def _of_training(run: PlannedRun, log: Sequence[training_log.Line]) -> dict[str, Any]:
  done = training_log.trained(log)
  return {
    "mixture": run.training.mixture_or_task_name,
    **_of_mixture(run.folder),
    "steps": max([done.steps, *layout.saved_steps(run.folder)]),
    "trained_examples": _whole(done.examples),
    "trained_tokens": _whole(done.tokens),
    "flops": done.flops,
  }


def _of_mixture(model_dir: pathlib.Path) -> dict[str, Any]:
  """By its newest checkpoint's record; nothing where there is none, or none that can be read."""
  try:
    found = mixture_facts.of_record(layout.read_record(layout.step_folder(model_dir)))
  except FlanJaxError:
    return {}
  if found is None:
    return {}
  shares = {"tokens_per_example": found.tokens, "cot_share": found.cot, "few_shot_share": found.few_shot}
  return {"tasks": found.tasks, "examples": found.examples, **shares}


def _whole(value: float | None) -> int | None:
  return None if value is None else round(value)


def _seconds(run: PlannedRun) -> dict[str, Any]:
  """What its commands took, all their starts together: compilation, checkpoints and evaluations on the way included."""
  took = {stage: each["seconds"] for stage, each in execution.read_state(run.folder).get("stages", {}).items()}
  training = took.pop(execution.TRAIN, None)
  found = {"train_seconds": training} if run.tuned else {}
  return {**found, "evaluate_seconds": sum(took.values()) if took else None}


def place(folder: pathlib.Path) -> dict[str, Any]:
  """`device`, its kind, and `devices`, how many there were at the run's last start; {} where there was none yet."""
  try:
    text = json.loads((folder / "versions.json").read_text(encoding="utf-8"))["devices"]
    count, kind = _DEVICES.match(text).groups()
  except (OSError, ValueError, KeyError, TypeError, AttributeError):
    return {}
  return {"device": kind, "devices": int(count)}


def _shape(config: T5Config) -> T5Config:
  return dataclasses.replace(config, **_COMPUTING)


@functools.cache
def _models() -> dict[T5Config, str]:
  return {_shape(configuration.model(name)): name for name in configuration.config_names("models")}


@functools.cache
def _parameters(shape: T5Config) -> int:
  return sum(math.prod(each.shape) for each in Model(shape).shapes().values())
