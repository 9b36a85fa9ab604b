"""A run of seconds on one demo task; also a program that a test can send signals: MODEL_DIR STORE_DIR STEPS."""

import pathlib
import sys
from typing import Any

from flan_jax.data.mixtures import get_mixture
from flan_jax.data.prepare import prepare
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.models.configs import T5Config
from flan_jax.training.train import Training

TASK = "demo.number_smallest"
LENGTHS = {"inputs": 128, "targets": 32}
MODEL = T5Config(
  vocab_size=1152,
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


if __name__ == "__main__":
  toy_run(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
