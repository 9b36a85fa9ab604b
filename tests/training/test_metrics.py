"""Lines: what they add up, and what they leave out."""

import json
import time

import jax
import numpy as np
import pytest

from flan_jax.training.counts import Counts
from flan_jax.training.metrics import LineSums, Meter
from flan_jax.training.step import ScoreSums, StepMetrics

ONE = Counts(*(1.0,) * 7)


def _metrics(
  loss_sum: float,
  targets: float,
  counts: Counts = ONE,
  skipped: bool = False,
  correct: float = 0.0,
  parts: tuple[tuple[float, ...], tuple[float, ...]] = ((), ()),
) -> StepMetrics:
  sums = ScoreSums(loss_sum, 0.25 * loss_sum, correct, targets, *(np.array(each, np.float32) for each in parts))
  floats = jax.tree.map(np.float32, (sums, 2.0, 0.1, 9.0))
  return StepMetrics(*floats, np.int32(skipped), np.int32(0), Counts(*map(np.float32, counts)), np.zeros(2, np.int32))


@pytest.fixture
def lines() -> list[dict]:
  return []


@pytest.fixture
def notes() -> list[str]:
  return []


@pytest.fixture
def make(lines, notes):
  def meter(log_period=3, **settings) -> Meter:
    return Meter(
      lines.append, lambda _, note="": notes.append(note), lambda step: step / 10, log_period, last_step=8, **settings
    )

  return meter


@pytest.fixture
def meter(make) -> Meter:
  return make()


def test_a_line_a_period_and_one_for_the_last_step(meter, lines):
  for step in range(1, 9):
    meter.finished(step, _metrics(1.0, 1.0, Counts(1.0, 2.0, 3.0, 10.0, 0.0, 0.0, 0.0)))
  assert [line["step"] for line in lines] == [3, 6, 8]
  assert lines[0]["learning_rate"] == 0.2  # of the third update, whose schedule step is 2
  assert lines[0]["packing"] == 0.5


def test_loss_is_the_mean_over_targets_not_over_steps(meter, lines):
  for step, (loss_sum, targets) in enumerate([(10.0, 1.0), (2.0, 2.0), (3.0, 7.0)], start=1):
    meter.finished(step, _metrics(loss_sum, targets))
  assert lines[0]["loss"] == pytest.approx(15 / 10)


def test_waiting_is_a_share_of_the_time_after_the_first_step(meter, lines):
  with meter.waiting():
    time.sleep(0.1)  # before the first step: start-up, not counted
  for step in (1, 2, 3):
    meter.finished(step, _metrics(1.0, 1.0))
    if step == 2:
      with meter.waiting():
        time.sleep(0.05)
      time.sleep(0.05)
  assert 0.2 < lines[0]["input_wait"] < 0.8
  assert 10 < lines[0]["steps_per_s"] < 20.1  # the two steps after the first


def test_scores_are_a_target_and_parts_have_their_own(make, lines):
  meter = make(2, submixtures=("muffin", "cot", "niv2"))
  meter.finished(1, _metrics(6.0, 4.0, correct=1.0, parts=((2.0, 4.0, 0.0), (1.0, 3.0, 0.0))))
  meter.finished(2, _metrics(6.0, 4.0, correct=3.0, parts=((4.0, 2.0, 0.0), (2.0, 2.0, 0.0))))
  assert (lines[0]["loss"], lines[0]["accuracy"], lines[0]["z_loss"]) == (12 / 8, 4 / 8, 3 / 8)
  assert (lines[0]["loss/muffin"], lines[0]["loss/cot"]) == (6 / 3, pytest.approx(6 / 5))
  assert "loss/niv2" not in lines[0]  # it had no target
  assert (lines[0]["gradient_norm"], lines[0]["parameter_norm"]) == (2.0, 9.0)


def test_refused_steps_are_counted_and_their_losses_are_not(make, lines, notes):
  meter = make(3)
  meter.finished(1, _metrics(2.0, 1.0))
  meter.finished(2, _metrics(np.nan, 1.0, skipped=True))
  meter.finished(3, _metrics(4.0, 1.0))
  assert (lines[0]["loss"], lines[0]["skipped"]) == (3.0, 1)
  assert notes[-1].endswith("1 skipped")


def test_what_is_no_number_is_left_out(make, lines, notes):
  """JSON has no NaN."""
  refused = _metrics(np.inf, 1.0, skipped=True)
  make(1).finished(1, refused._replace(gradient_norm=np.float32(np.nan)))
  assert not {"loss", "accuracy", "gradient_norm"} & set(lines[0])
  assert (lines[0]["skipped"], lines[0]["parameter_norm"]) == (1, 9.0)
  assert notes[-1].startswith("no loss")


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_line_that_two_starts_add_up_is_that_of_one(stop, make, lines):
  """To the last digit, by way of a checkpoint's JSON."""
  draw = np.random.default_rng(stop)
  parts = [(draw.random(3) * 1e3, draw.random(3)) for _ in range(8)]
  counts = [Counts(*draw.integers(1, 99, 7)) for _ in range(8)]
  steps = [
    _metrics(*draw.random(2), counts[i], skipped=i in (1, 4, 5), correct=draw.random(), parts=parts[i])
    for i in range(8)
  ]
  for ends in ([8], [stop, 8]):
    sums, done = LineSums(), 0
    for end in ends:
      kept = json.loads(json.dumps(sums.to_json()))
      meter = make(3, submixtures=("muffin", "cot", "niv2"), sums=LineSums.from_json(kept))
      for step in range(done + 1, end + 1):
        meter.finished(step, steps[step - 1])
      sums, done = meter.sums, end
  timed = ("_per_s", "_gb", "input_wait")
  told = [{name: value for name, value in line.items() if not name.endswith(timed)} for line in lines]
  assert len(told) == 2 * 3
  assert told[3:] == told[:3]
  assert {"loss/muffin", "packing", "skipped"} < set(told[0])


def test_rates_are_of_useful_tokens_and_utilisation_of_the_given_peak(make, lines):
  meter = make(3, flops=lambda counts: 1000.0 * counts.tokens, peak_flops=1e6)
  for step in (1, 2, 3):
    time.sleep(0.01)
    meter.finished(step, _metrics(1.0, 1.0, Counts(3.0, 20.0, 5.0, 50.0, 0.0, 0.0, 0.0)))
  line = lines[0]
  assert line["tokens_per_s"] == pytest.approx(25 * line["steps_per_s"])
  assert line["examples_per_s"] == pytest.approx(3 * line["steps_per_s"])
  assert line["model_flops_per_s"] == pytest.approx(1000 * line["tokens_per_s"])
  assert line["model_flops_utilisation"] == pytest.approx(line["model_flops_per_s"] / 1e6)
  assert line["packing"] == 0.5
  assert 0.01 < line["host_memory_gb"] < 1000


def test_utilisation_is_not_guessed(make, lines):
  meter = make(2, flops=lambda counts: counts.tokens)
  for step in (1, 2):
    meter.finished(step, _metrics(1.0, 1.0))
  assert "model_flops_per_s" in lines[0]
  assert "model_flops_utilisation" not in lines[0]


def test_a_pause_is_no_training_time(make, lines):
  meter = make(2)
  meter.finished(1, _metrics(1.0, 1.0))
  with meter.paused():
    time.sleep(0.2)
  time.sleep(0.01)
  meter.finished(2, _metrics(1.0, 1.0))
  assert lines[0]["steps_per_s"] > 1 / 0.2


def test_a_line_of_the_first_step_alone_has_no_rates(make, lines, notes):
  """It compiled: nothing is known of how fast steps are."""
  meter = make(1, flops=lambda counts: counts.tokens, peak_flops=1.0)
  rates = {"steps_per_s", "examples_per_s", "tokens_per_s", "model_flops_per_s", "input_wait"}
  for step in (1, 2):
    meter.finished(step, _metrics(1.0, 1.0))
  assert lines[0]["loss"] == 1.0
  assert not rates & set(lines[0])
  assert rates <= set(lines[1])
  assert notes[0] == "loss 1.0000, accuracy 0.0%"
