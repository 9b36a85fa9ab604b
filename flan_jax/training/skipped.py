"""The batches of steps that the guard refused, kept for whoever wants to see what was in them."""

import io
import json
import math
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np

from flan_jax.atomic import write_atomically
from flan_jax.errors import UsageError
from flan_jax.training.step import StepMetrics

FOLDER = "skipped"  # in MODEL_DIR
_KEPT = 5  # files a process; 64 rows of 2048/512 are some 4 MB
_ABOUT = "about"


class SkippedBatches:
  """MODEL_DIR/skipped/STEP-PROCESS.npz: this process's rows of a refused step's batch, and what the step said."""

  newest: pathlib.Path | None = None  # the last that this start of the run kept

  def __init__(self, model_dir: pathlib.Path, process: int):
    self._folder = model_dir / FOLDER
    self._process = process

  def note(self, step: int, metrics: StepMetrics, batch: Mapping[str, np.ndarray]) -> None:
    """Keeps the batch if its step was refused, and the newest few of such."""
    if not metrics.skipped:
      return
    about = {
      "step": step,
      "loss": _number(float(metrics.sums.loss) / max(float(metrics.sums.targets), 1.0)),
      "gradient_norm": _number(float(metrics.gradient_norm)),
      "in_a_row": int(metrics.skipped_in_row),
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **batch, **{_ABOUT: np.array(json.dumps(about))})
    self._folder.mkdir(exist_ok=True)
    self.newest = self._folder / f"{step}-{self._process}.npz"
    write_atomically(self.newest, buffer.getvalue())
    files = sorted(self._folder.glob(f"*-{self._process}.npz"), key=lambda path: int(path.stem.partition("-")[0]))
    for old in files[:-_KEPT]:
      old.unlink()


def read(path: pathlib.Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
  """(what its step said, the batch) of a file that `SkippedBatches` wrote.

  Raises:
    UsageError: it is none.
  """
  try:
    with np.load(path, allow_pickle=False) as file:
      batch = {name: file[name] for name in file.files}
    return json.loads(str(batch.pop(_ABOUT))), batch
  except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
    raise UsageError(f"{path} is no batch of a skipped step ({error}); they are in MODEL_DIR/{FOLDER}") from error


def _number(value: float) -> float | None:
  """JSON has no word for what is no number."""
  return value if math.isfinite(value) else None
