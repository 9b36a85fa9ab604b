"""The loop's order of things, by a clock that only steps, evaluations and saves move: 10, 100 and 1,000 seconds."""

import functools
import signal
import types

import numpy as np
import pytest

from flan_jax.data.stream import Position
from flan_jax.training import loop, metrics
from flan_jax.training.checkpoints import Alarm, Saving
from flan_jax.training.counts import Counts
from flan_jax.training.guard import Guard
from flan_jax.training.metrics import Meter
from flan_jax.training.step import ScoreSums, StepMetrics

STEP, EVALUATION, SAVE = 10.0, 100.0, 1000.0


def _metrics(wishes, skipped=0):
  sums = ScoreSums(*(np.float64(1),) * 4, np.zeros(0), np.zeros(0))
  counts = Counts(*(np.float32(1),) * len(Counts._fields))
  return StepMetrics(sums, *(np.float32(1),) * 3, np.int32(skipped > 0), np.int32(skipped), counts, np.array(wishes))


class World:
  """Everything around the loop; `events` is what happened, in order."""

  def __init__(self, monkeypatch, skipped_from=10**9, stop_at=10**9):
    self.now, self.events, self.lines, self.placed = 0.0, [], [], 0
    self._skipped_from, self._stop_at = skipped_from, stop_at
    self.stop = types.SimpleNamespace(number=0)
    clock = lambda: self.now  # noqa: E731
    monkeypatch.setattr(loop, "Alarm", functools.partial(Alarm, clock=clock))
    monkeypatch.setattr(metrics.time, "perf_counter", clock)

  def place(self, batch, number, rings):
    self.placed += 1
    if rings:
      self.events.append(("rings", self.placed))
    return number, rings

  def step(self, state, wishes):
    self.now += STEP
    if self.placed == self._stop_at:
      self.stop.number = int(signal.SIGTERM)
    return state, _metrics(wishes, max(0, self.placed - self._skipped_from + 1))

  def measure(self, params):
    self.now += EVALUATION
    self.events.append(("evaluation", self.placed))
    return {"held_out/loss": 1.0}, []

  def save(self, step, *_):
    self.now += SAVE
    self.events.append(("save", step))

  def _line(self, line):
    self.lines.append(line)
    self.events.append(("line", line["step"]))

  def with_new_guard(self, state):
    self.events.append(("new guard", self.placed))
    return state

  def run(self, until, *, evaluations=10**9, windows=None, **saving):
    """`windows` are those of the positions: the first of the state, then one after each batch."""
    positions = [Position(window) for window in windows or [0] * 101]
    watchers = loop.Watchers(
      Meter(self._line, lambda *_, **__: None, lambda step: 0.0, 1, until),
      types.SimpleNamespace(note=lambda *_: None),
      lambda: self.events.append(("moved", None)),
      types.SimpleNamespace(around=lambda step: _Nothing(), dispatched=lambda *_: None),
      types.SimpleNamespace(due=lambda step, last: step % evaluations == 0, measure=self.measure),
      lambda *_: None,
    )
    return loop.run_steps(
      self,
      types.SimpleNamespace(params={}),
      iter([({}, position) for position in positions[1:]]),
      step=0,
      position=positions[0],
      same_objective=lambda before, after: (before.window < 2) == (after.window < 2),
      until=until,
      saving=Saving(**saving),
      guard=Guard(in_a_row=3),
      checkpoints=self,
      watchers=watchers,
      stop=self.stop,
    )

  def of(self, *kinds):
    return [event for event in self.events if event[0] in kinds]


class _Nothing:
  def __enter__(self):
    return self

  def __exit__(self, *_):
    pass


@pytest.fixture
def world(monkeypatch):
  return functools.partial(World, monkeypatch)


def test_evaluations_and_saves_are_no_training_time(world):
  it = world()
  it.run(9, evaluations=2, period=3)
  assert it.of("evaluation", "save") == [
    *[("evaluation", 2), ("save", 3), ("evaluation", 4), ("evaluation", 6), ("save", 6), ("evaluation", 8), ("save", 9)]
  ]
  # Steps are told two late: each of them but the first has its 10 seconds somewhere, and no line has more.
  rates = [line["steps_per_s"] for line in it.lines if "steps_per_s" in line]
  assert sum(1 / rate for rate in rates if rate < 1e6) <= 9 * STEP


def test_lines_of_steps_come_before_the_evaluation_and_the_save_after_them(world):
  it = world()
  it.run(7, evaluations=3, period=5)
  assert it.of("line", "evaluation", "save") == [
    *[("line", step) for step in (1, 2, 3)],
    ("evaluation", 3),
    *[("line", step) for step in (4, 5)],
    ("save", 5),
    ("line", 6),
    ("evaluation", 6),
    ("line", 7),
    ("save", 7),
  ]


def test_each_step_and_each_evaluation_feeds_the_watchdog(world):
  it = world()
  it.run(6, evaluations=3, period=100)
  assert len(it.of("moved")) == 6 + 2


def test_a_save_sets_the_alarm_anew(world):
  """A save every 40 seconds of training: the minute is never over."""
  it = world()
  it.run(12, period=4, minutes=1)
  assert it.of("rings", "save") == [("save", 4), ("save", 8), ("save", 12)]


def test_a_wish_is_granted_once(world):
  """Rings with the batch of step 5, which is saved for its period before the wish comes back."""
  it = world()
  it.run(8, period=5, minutes=35 / 60)
  assert it.of("rings", "save") == [("rings", 5), ("save", 5), ("save", 8)]


def test_a_wish_to_save_comes_back_two_steps_later(world):
  it = world()
  it.run(9, period=100, minutes=35 / 60)
  assert it.of("rings", "save")[:2] == [("rings", 5), ("save", 7)]


def test_a_stop_is_saved_and_not_evaluated(world):
  it = world(stop_at=2)
  reached = it.run(20, evaluations=5, period=100)
  assert (reached.step, reached.stopped_by) == (5, signal.SIGTERM)
  assert it.of("evaluation", "save") == [("save", 5)]


@pytest.mark.parametrize("stop_at", [2, 3, 4])
def test_a_stop_in_the_last_steps_is_evaluated(stop_at, world):
  """Nobody makes up for what a finished run lacks."""
  it = world(stop_at=stop_at)
  reached = it.run(5, evaluations=5, period=100)
  assert (reached.step, reached.stopped_by) == (5, signal.SIGTERM)
  assert it.of("evaluation", "save") == [("evaluation", 5), ("save", 5)]


def test_a_stop_on_an_evaluation_s_step_does_not_wait_for_it(world):
  it = world(stop_at=2)
  assert it.run(20, evaluations=5, period=5).step == 5
  assert it.of("evaluation", "save") == [("save", 5)]


@pytest.mark.parametrize("stop_at", [10**9, 4])
@pytest.mark.parametrize("skipped_from", [3, 4, 5])
def test_a_run_that_goes_astray_in_its_last_steps_is_not_finished(world, skipped_from, stop_at):
  it = world(skipped_from=skipped_from, stop_at=stop_at)
  reached = it.run(7, evaluations=7, period=7)
  assert (reached.step, reached.skipped_from) == (7, skipped_from)
  assert it.of("evaluation", "save") == []
  assert it.of("line") == [("line", step) for step in range(1, 8)]


def test_fewer_skipped_steps_at_its_end_are_no_matter(world):
  it = world(skipped_from=6)
  assert it.run(7, evaluations=7, period=7).skipped_from == 0
  assert it.of("evaluation", "save") == [("evaluation", 7), ("save", 7)]


def test_a_run_that_went_astray_is_neither(world):
  it = world(skipped_from=3)
  reached = it.run(20, evaluations=7, period=7)
  assert (reached.step, reached.skipped_from) == (7, 3)
  assert it.of("evaluation", "save") == []
  assert it.of("line") == [("line", step) for step in range(1, 8)]


def test_the_guard_begins_anew_with_the_batch_that_holds_the_first_window_of_another_objective(world):
  """Also as a run resumes there, or as it goes back from there to a state from before; never again after it."""
  for windows, expected in [([0, 0, 1, 2, 2, 3], [2]), ([1, 2, 2], [0]), ([0, 3, 3], [0]), ([2, 2, 3], [])]:
    it = world()
    it.run(len(windows) - 1, windows=windows, period=100)
    assert it.of("new guard") == [("new guard", placed) for placed in expected]
