"""What a run says about itself: one line a log period, in metrics.jsonl, in TensorBoard and beside the progress bar."""

import contextlib
import json
import math
import pathlib
import time
from collections.abc import Callable, Iterator

import numpy as np
import tensorboardX

from flan_jax.atomic import write_atomically
from flan_jax.progress import Advance
from flan_jax.training.step import StepMetrics

Line = dict[str, float | int]


class Writers:
  """metrics.jsonl and TensorBoard events in a MODEL_DIR. A context manager."""

  def __init__(self, model_dir: pathlib.Path, step: int):
    """Lines of steps after `step`, which a killed run left behind its last checkpoint, are taken out."""
    path = model_dir / "metrics.jsonl"
    _cut_after(path, step)
    self._file = path.open("a", encoding="utf-8")
    self._events = tensorboardX.SummaryWriter(str(model_dir / "tensorboard"), purge_step=step + 1, write_to_disk=True)

  def __enter__(self) -> "Writers":
    return self

  def __exit__(self, *_) -> None:
    self._file.close()
    self._events.close()

  def write(self, line: Line) -> None:
    """A line with its `step`; on the disk when this returns, but for TensorBoard's."""
    self._file.write(json.dumps(line) + "\n")
    self._file.flush()
    for name, value in line.items():
      if name != "step":
        self._events.add_scalar(name, value, line["step"])


class Meter:
  """Adds up finished steps and writes a line every `log_period` steps.

  A line has: `step`; `loss` (nats a target token, mean over the steps since the line before); `learning_rate` and
  `gradient_norm` of the last of them; `skipped`, how many the guard refused, whose losses do not count; `steps_per_s`,
  `examples_per_s`, `tokens_per_s` (inputs and targets, without padding), all over all processes; `input_wait`, the
  share of the time in which this process's loop had to wait for a batch; `packing`, the share of the batch's slots that
  hold tokens.
  """

  def __init__(
    self,
    write: Callable[[Line], None],
    advance: Advance,
    learning_rate: Callable[[int], float],
    log_period: int,
    last_step: int,
  ):
    self._write = write
    self._advance = advance
    self._learning_rate = learning_rate
    self._log_period = log_period
    self._last_step = last_step
    self._loss_sum = self._targets = 0.0
    self._skipped = 0
    self._start_clock()
    self._first = True

  @contextlib.contextmanager
  def waiting(self) -> Iterator[None]:
    """Around what the loop does to get a batch."""
    start = time.perf_counter()
    yield
    self._waited += time.perf_counter() - start

  def finished(self, step: int, metrics: StepMetrics) -> None:
    """Takes a step's results, waiting for the devices if they are not done with it."""
    if metrics.skipped:
      self._skipped += 1
    else:
      self._loss_sum += float(metrics.sums.loss)
      self._targets += float(metrics.sums.targets)
    if self._first:  # what came before is compilation: the clock starts here, and this step is none of its work
      self._first = False
      self._start_clock()
    else:
      self._work += (1, *np.asarray(metrics.counts))
    if step % self._log_period and step != self._last_step:
      self._advance(1)
      return
    line = self._line(step, float(metrics.gradient_norm))
    self._write(line)
    self._advance(1, note=f"loss {line['loss']:.4f}, input wait {line['input_wait']:.1%}")

  def _line(self, step: int, gradient_norm: float) -> Line:
    seconds = max(time.perf_counter() - self._since, 1e-9)
    steps, examples, tokens, slots = self._work
    line = {
      "step": step,
      "loss": self._loss_sum / max(self._targets, 1.0),
      "learning_rate": float(self._learning_rate(step - 1)),
      "gradient_norm": gradient_norm,
      "skipped": self._skipped,
      "steps_per_s": steps / seconds,
      "examples_per_s": examples / seconds,
      "tokens_per_s": tokens / seconds,
      "input_wait": self._waited / seconds,
      "packing": tokens / max(slots, 1.0),
    }
    self._loss_sum = self._targets = 0.0
    self._skipped = 0
    self._start_clock()
    return line

  def _start_clock(self) -> None:
    self._since = time.perf_counter()
    self._waited = 0.0
    self._work = np.zeros(4)


def _cut_after(path: pathlib.Path, step: int) -> None:
  if not path.exists():
    return
  lines = path.read_text(encoding="utf-8").splitlines()
  kept = [line for line in lines if _step_of(line) <= step]
  if len(kept) < len(lines):
    write_atomically(path, "".join(f"{line}\n" for line in kept).encode())


def _step_of(line: str) -> float:
  """A line that a kill cut in two counts as later than any."""
  try:
    return float(json.loads(line)["step"])
  except (ValueError, KeyError, TypeError):
    return math.inf
