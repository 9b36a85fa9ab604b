"""The loop: batches in, steps dispatched, metrics read two steps behind, checkpoints, and a clean stop on a signal."""

import collections
import signal
import threading
from collections.abc import Iterator, Mapping

import numpy as np

from flan_jax.data.stream import Position
from flan_jax.training.checkpoints import Checkpoints
from flan_jax.training.metrics import Meter, batch_counts
from flan_jax.training.state import TrainState
from flan_jax.training.trainer import Trainer

# Steps handed to the devices and not looked at yet: enough that they never wait for the host, few enough that batches
# do not pile up and that a signal is heard after two steps.
_IN_FLIGHT = 2

Batches = Iterator[tuple[Mapping[str, np.ndarray], Position]]


class StopRequest:
  """Ctrl-C and SIGTERM as a wish that the loop reads between steps. A context manager.

  Attributes:
    by: the signal's name once there was one. A second Ctrl-C interrupts at once, as ever.
  """

  by: str | None = None

  def __enter__(self) -> "StopRequest":
    self._before = {}
    if threading.current_thread() is threading.main_thread():  # Python hears signals nowhere else
      self._before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
    return self

  def __exit__(self, *_) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def _heard(self, number: int, _frame) -> None:
    if self.by is not None and number == signal.SIGINT:
      raise KeyboardInterrupt
    self.by = signal.Signals(number).name


def run_steps(
  trainer: Trainer,
  state: TrainState,
  batches: Batches,
  *,
  step: int,
  until: int,
  checkpoint_period: int,
  checkpoints: Checkpoints,
  meter: Meter,
  stop: StopRequest,
) -> int:
  """Trains from `step` (the state's) until `until` or a stop request, saves, and returns the step it came to.

  Args:
    state: its buffers are used up.
    batches: (arrays of this process's rows, position of the batch after it) without end.
  """
  in_flight: collections.deque = collections.deque()
  while step < until and not stop.by:
    with meter.waiting():
      batch, position = next(batches)
    state, metrics = trainer.step(state, trainer.place(batch))
    step += 1
    in_flight.append((step, batch_counts(batch), metrics))
    if len(in_flight) > _IN_FLIGHT:
      meter.finished(*in_flight.popleft())
    if step % checkpoint_period == 0 or step == until or stop.by:
      checkpoints.save(step, state, position.to_json())
  for finished in in_flight:
    meter.finished(*finished)
  return step
