"""The loop: batches in, steps dispatched, metrics read two steps behind, and checkpoints."""

import collections
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from flan_jax.data.stream import Position
from flan_jax.training.checkpoints import Alarm, Checkpoints, Saving
from flan_jax.training.guard import Guard
from flan_jax.training.held_out import Evaluation
from flan_jax.training.metrics import Meter
from flan_jax.training.profiling import Profiler
from flan_jax.training.samples import Sample
from flan_jax.training.skipped import SkippedBatches
from flan_jax.training.state import TrainState
from flan_jax.training.step import StepMetrics
from flan_jax.training.stopping import StopRequest
from flan_jax.training.trainer import Trainer

# Steps handed to the devices and not looked at yet: enough that they never wait for the host, few enough that batches
# do not pile up and that a run stops two steps after the batch that carried a signal.
IN_FLIGHT = 2

Batches = Iterator[tuple[Mapping[str, np.ndarray], Position]]


class Reached(NamedTuple):
  """Where the loop came to.

  Attributes:
    step: the updates done.
    position: of the batch after it.
    stopped_by: the signal that stopped it in one of the processes, or 0.
    skipped_from: the first of the skipped steps, where it stopped because they were too many in a row; else 0.
  """

  step: int
  position: Position
  stopped_by: int
  skipped_from: int


class Heard(NamedTuple):
  """What a finished step says of going on.

  Attributes:
    step: which one.
    stopped_by: the signal that one of the processes got, or 0.
    save: whether one of them wishes to save, since its minutes are over.
    skipped_from: the first of the skipped steps, where they are too many in a row; else 0.
  """

  step: int = 0
  stopped_by: int = 0
  save: bool = False
  skipped_from: int = 0

  @classmethod
  def of(cls, step: int, metrics: StepMetrics, guard: Guard, *, last: bool) -> "Heard":
    """Waits for the devices if the step is not done.

    Args:
      last: whether no more steps are to come, so that a run that has gone astray would pass for finished; before, a
        stop comes first, and who goes on hears it then.
    """
    stopped_by, save = map(int, metrics.wishes)
    skipped = int(metrics.skipped_in_row)
    too_many = skipped >= guard.in_a_row and (last or not stopped_by)
    return cls(step, stopped_by, bool(save), step - skipped + 1 if too_many else 0)

  @property
  def ends(self) -> bool:
    return bool(self.stopped_by or self.skipped_from)


class Watchers(NamedTuple):
  """Who hears of each finished step.

  Attributes:
    meter: adds up and writes lines.
    skipped: keeps the batches of refused steps.
    moved: is called when the run has moved.
    profiler: hears of each step as it is dispatched, too.
    evaluation: on held-out examples, where it is due.
    show: takes (step, metrics, samples) of one.
  """

  meter: Meter
  skipped: SkippedBatches
  moved: Callable[[], None]
  profiler: Profiler
  evaluation: Evaluation
  show: Callable[[int, Mapping[str, float], Sequence[Sample]], None]

  def heard(self, in_flight: collections.deque, guard: Guard, *, last: bool) -> Heard:
    """What the oldest steps in flight say; they are taken out until `IN_FLIGHT` are left, or none behind the last."""
    heard = Heard()
    while len(in_flight) > (0 if last else IN_FLIGHT) and not heard.skipped_from:
      heard = Heard.of(*in_flight[0][:2], guard, last=last)
      self.finished([in_flight.popleft()])
    return heard

  def finished(self, steps: Iterable[tuple[int, StepMetrics, Mapping[str, np.ndarray]]]) -> None:
    """Takes the results of those that it has not heard of yet, waiting for the devices if they are not done."""
    for step, metrics, batch in steps:
      if step > self.meter.step:
        self.meter.finished(step, metrics)
        self.skipped.note(step, metrics, batch)
        self.moved()

  def evaluated(self, step: int, state: TrainState, in_flight: Iterable = ()) -> Mapping[str, float]:
    """The held-out metrics of a state. Training stands still meanwhile."""
    self.finished(in_flight)  # what they take is their time, and their lines come first
    with self.meter.paused():
      measured, samples = self.evaluation.measure(state.params)
      self.show(step, measured, samples)
    self.moved()
    return measured


def run_steps(
  trainer: Trainer,
  state: TrainState,
  batches: Batches,
  *,
  step: int,
  position: Position,
  same_objective: Callable[[Position, Position], bool],
  until: int,
  saving: Saving,
  guard: Guard,
  checkpoints: Checkpoints,
  watchers: Watchers,
  stop: StopRequest,
) -> Reached:
  """Trains from `step` (the state's) until `until`, a stop request, or too many skipped steps in a row, and saves.

  A wish to stop, or to save after so many minutes, goes out with a process's batch and comes back to all of them with
  what the step says. As that is read `IN_FLIGHT` steps behind, in every process at the same step, all stop and save at
  that step without asking each other.

  Args:
    state: its buffers are used up.
    batches: (arrays of this process's rows, position of the batch after it) without end.
    position: to which the state has seen the data.
    same_objective: whether the last rows before two positions are made alike. Where they are not, the loss jumps, and
      the guard begins anew.
  """
  in_flight: collections.deque = collections.deque()
  alarm, saved, heard = Alarm(saving.minutes), step, Heard()
  while step < until and not heard.ends:
    with watchers.meter.waiting():
      before, (batch, position) = position, next(batches)
    if not same_objective(before, position):
      state = trainer.with_new_guard(state)
    with watchers.profiler.around(step + 1):
      state, metrics = trainer.step(state, trainer.place(batch, stop.number, alarm.rings()))
    step += 1
    watchers.profiler.dispatched(step, metrics)
    in_flight.append((step, metrics, batch))
    heard = watchers.heard(in_flight, guard, last=step == until)
    # Who stops it wants to have it saved soon; an evaluation may take minutes, and the next start makes up for it. Not
    # so the last one: a checkpoint of the last step is a finished run's.
    ends = heard.skipped_from or (heard.stopped_by and step < until)
    evaluate = watchers.evaluation.due(step, until) and not ends
    measured = watchers.evaluated(step, state, in_flight) if evaluate else {}
    due = step % saving.period == 0 or step == until or (measured and saving.keep_best)
    wished = heard.save and heard.step > saved  # else a checkpoint came while the wish was under way
    if (due or heard.stopped_by or wished) and not heard.skipped_from:
      watchers.finished(in_flight)
      with watchers.meter.paused():
        checkpoints.save(step, state, position.to_json(), measured, watchers.meter.sums.to_json())
      alarm.set()
      saved = step
  watchers.finished(in_flight)
  return Reached(step, position, heard.stopped_by, heard.skipped_from)
