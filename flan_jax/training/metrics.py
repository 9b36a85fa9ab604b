"""What a run says about itself: one line a log period, to its writers and beside the progress bar."""

import contextlib
import math
import os
import pathlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from flan_jax.progress import Advance
from flan_jax.training.counts import Counts
from flan_jax.training.step import ScoreSums, StepMetrics
from flan_jax.training.writers import Line


class LineSums(NamedTuple):
  """What the steps since the line before add up to, but for what a clock says; a checkpoint holds it, so that the next
  line of a resumed run is that of an uninterrupted one.

  Attributes:
    scores: float64, of the accepted steps; None where there is none.
    skipped: steps that were refused.
    tokens, slots: of all batches.
  """

  scores: ScoreSums | None = None
  skipped: int = 0
  tokens: float = 0.0
  slots: float = 0.0

  def plus(self, metrics: StepMetrics) -> "LineSums":
    """With one more step."""
    counts = Counts(*map(float, metrics.counts))
    more = self._replace(tokens=self.tokens + counts.tokens, slots=self.slots + counts.slots)
    if metrics.skipped:
      return more._replace(skipped=self.skipped + 1)
    wide = jax.tree.map(lambda each: each.astype(np.float64), metrics.sums)
    return more._replace(scores=wide if self.scores is None else jax.tree.map(np.add, self.scores, wide))

  def to_json(self) -> dict[str, Any]:
    """Exact: JSON's numbers have all digits of a float64."""
    scores = self.scores and {name: each.tolist() for name, each in self.scores._asdict().items()}
    return {**self._asdict(), "scores": scores}

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> "LineSums":
    """What `to_json` gave; of nothing, that of no step."""
    scores = content.get("scores")
    arrays = scores and ScoreSums(**{name: np.asarray(each, np.float64) for name, each in scores.items()})
    return cls(**{**content, "scores": arrays})


class Meter:
  """Adds up finished steps and writes a line every `log_period` steps.

  Of the steps since the line before, over all processes:

    step                    the last of them
    loss                    nats a target token, z-loss and smoothing included, without steps that the guard refused
    accuracy                share of target tokens that had the highest logit
    z_loss                  the part of `loss` that is z-loss
    loss/NAME               `loss` over the targets of one submixture
    learning_rate, gradient_norm, update_norm, parameter_norm   of the last step
    skipped                 steps that the guard refused
    steps_per_s, examples_per_s
    tokens_per_s            inputs and targets without padding
    model_flops_per_s       what the model needs for these tokens (see `flops`), remat and padding not counted
    model_flops_utilisation as a share of what the devices' maker says they can do; only where that is known
    packing                 share of the batches' slots that hold tokens

  Of this process alone:

    input_wait              share of the time in which the loop waited for a batch
    device_memory_gb, device_memory_peak_gb   in use now, and the most ever, on its fullest device, where the backend
                            tells; a GB is 1e9 bytes
    host_memory_gb          resident

  Rates and `input_wait` are of the steps after a start's first, which compiles; a line of that one alone has neither. A
  number that is not finite is left out, as JSON has none; so are those of targets where there were no targets.

  Attributes:
    step: the last that it was given; 0 for none.
    sums: of the steps since the last line.
  """

  def __init__(
    self,
    write: Callable[[Line], None],
    advance: Advance,
    learning_rate: Callable[[int], float],
    log_period: int,
    last_step: int,
    *,
    submixtures: Sequence[str] = (),
    flops: Callable[[Counts], float] | None = None,
    peak_flops: float | None = None,
    sums: LineSums | None = None,
  ):
    """
    Args:
      write: takes the lines.
      learning_rate: of an update, counted from 0.
      log_period: in steps; `last_step` has a line, too.
      submixtures: names, in the order of the steps' sums.
      flops: model FLOPs of an update with such counts.
      peak_flops: FLOP/s of all devices together; None where nobody knows.
      sums: of the steps since the last line that an earlier start wrote; None for no steps.
    """
    self._write = write
    self._advance = advance
    self._learning_rate = learning_rate
    self._log_period = log_period
    self._last_step = last_step
    self._submixtures = tuple(submixtures)
    self._flops = flops
    self._peak_flops = peak_flops
    self._start_clock()
    self._first = True
    self.step = 0
    self.sums = sums or LineSums()

  @contextlib.contextmanager
  def waiting(self) -> Iterator[None]:
    """Around what the loop does to get a batch."""
    start = time.perf_counter()
    yield
    self._waited += time.perf_counter() - start

  @contextlib.contextmanager
  def paused(self) -> Iterator[None]:
    """Around what is no training: the time does not count."""
    start = time.perf_counter()
    yield
    self._since += time.perf_counter() - start

  def finished(self, step: int, metrics: StepMetrics) -> None:
    """Takes a step's results, waiting for the devices if they are not done with it."""
    metrics, self.step = jax.device_get(metrics), step
    self.sums = self.sums.plus(metrics)
    if self._first:  # what came before is compilation: the clock starts here, and this step is none of its work
      self._first = False
      self._start_clock()
    else:
      self._steps += 1
      self._counts = Counts(*map(sum, zip(self._counts, map(float, metrics.counts), strict=True)))
    if step % self._log_period and step != self._last_step:
      self._advance(1)
      return
    line = self._line(step, metrics)
    self._write(line)
    self._advance(1, note=_note(line))

  def _line(self, step: int, metrics: StepMetrics) -> Line:
    line = {
      "step": step,
      **self._scores(),
      "learning_rate": float(self._learning_rate(step - 1)),
      "gradient_norm": float(metrics.gradient_norm),
      "update_norm": float(metrics.update_norm),
      "parameter_norm": float(metrics.parameter_norm),
      "skipped": self.sums.skipped,
      **self._rates(),
      "packing": self.sums.tokens / max(self.sums.slots, 1.0),
      **_memory(),
    }
    self.sums = LineSums()
    self._start_clock()
    return {name: value for name, value in line.items() if math.isfinite(value)}

  def _scores(self) -> Line:
    sums = self.sums.scores
    if sums is None or not sums.targets:
      return {}
    of_parts = zip(self._submixtures, sums.submixture_losses, sums.submixture_targets, strict=True)
    return {
      "loss": float(sums.loss / sums.targets),
      "accuracy": float(sums.correct / sums.targets),
      "z_loss": float(sums.z_loss / sums.targets),
      **{f"loss/{name}": float(loss / targets) for name, loss, targets in of_parts if targets},
    }

  def _rates(self) -> Line:
    if not self._steps:
      return {}
    seconds = max(time.perf_counter() - self._since, 1e-9)
    counts = self._counts
    flops = self._flops(counts) / seconds if self._flops else 0.0
    return {
      "steps_per_s": self._steps / seconds,
      "examples_per_s": counts.examples / seconds,
      "tokens_per_s": counts.tokens / seconds,
      **({"model_flops_per_s": flops} if self._flops else {}),
      **({"model_flops_utilisation": flops / self._peak_flops} if self._flops and self._peak_flops else {}),
      "input_wait": self._waited / seconds,
    }

  def _start_clock(self) -> None:
    self._since = time.perf_counter()
    self._waited = 0.0
    self._steps = 0
    self._counts = Counts(*(0.0,) * len(Counts._fields))


def _note(line: Line) -> str:
  """What stands beside the progress bar."""
  parts = [
    f"loss {line['loss']:.4f}" if "loss" in line else "no loss",
    f"accuracy {line['accuracy']:.1%}" if "accuracy" in line else "",
    f"{line['tokens_per_s']:,.0f} tokens/s" if "tokens_per_s" in line else "",
    f"{line['model_flops_utilisation']:.1%} of peak FLOP/s" if "model_flops_utilisation" in line else "",
    f"input wait {line['input_wait']:.1%}" if "input_wait" in line else "",
    f"{line['skipped']} skipped" if line["skipped"] else "",
  ]
  return ", ".join(part for part in parts if part)


def _memory() -> Line:
  stats = [stats for device in jax.local_devices() if (stats := device.memory_stats())]
  keys = {"device_memory_gb": "bytes_in_use", "device_memory_peak_gb": "peak_bytes_in_use"}
  told = {name: max(each[key] for each in stats) / 1e9 for name, key in keys.items() if stats and key in stats[0]}
  resident = _resident()
  return {**told, **({} if resident is None else {"host_memory_gb": resident / 1e9})}


def _resident() -> int | None:
  """Bytes of this process in memory; None where there is no /proc."""
  try:
    pages = int(pathlib.Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
  except OSError:
    return None
  return pages * os.sysconf("SC_PAGE_SIZE")
