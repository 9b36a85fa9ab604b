"""Lines: what they add up, and that a resumed run has each step once."""

import json
import math
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax.training.metrics import Meter, Writers
from flan_jax.training.step import ScoreSums, StepMetrics, batch_counts
from tests.training.tiny import batch_of, examples


def _metrics(
  loss_sum: float, targets: float, counts: tuple[int, int, int] = (1, 1, 1), skipped: bool = False
) -> StepMetrics:
  none, no = np.zeros(0, np.float32), np.int32(0)
  sums = ScoreSums(np.float32(loss_sum), np.float32(0), np.float32(0), np.float32(targets), none, none)
  norms = (np.float32(value) for value in (2.0, 0.1, 9.0))
  return StepMetrics(sums, *norms, np.int32(skipped), no, np.array(counts, np.int32), np.zeros(2, np.int32))


@pytest.fixture
def lines() -> list[dict]:
  return []


@pytest.fixture
def meter(lines) -> Meter:
  return Meter(lines.append, lambda units, note="": None, lambda step: step / 10, log_period=3, last_step=8)


def test_a_line_a_period_and_one_for_the_last_step(meter, lines):
  for step in range(1, 9):
    meter.finished(step, _metrics(1.0, 1.0, (1, 2, 4)))
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


def test_skipped_steps_are_counted_and_their_losses_are_not(meter, lines):
  for step, loss in enumerate([2.0, math.nan, 4.0], start=1):
    meter.finished(step, _metrics(loss, 1.0, skipped=math.isnan(loss)))
  assert lines[0]["loss"] == 3.0
  assert lines[0]["skipped"] == 1


def test_counts_of_a_batch():
  pairs = examples(6)
  counts = batch_counts(jax.tree.map(jnp.asarray, batch_of(pairs, per_row=2, rows=4)))
  tokens = sum(len(inputs) + len(targets) + 2 for inputs, targets in pairs)  # EOS on both sides
  assert tuple(counts.tolist()) == (6, tokens, 4 * (12 + 8))


@pytest.mark.parametrize("cut", ["", '{"step": 5, "lo'])
def test_lines_behind_the_checkpoint_are_taken_out(tmp_path, cut):
  path = tmp_path / "metrics.jsonl"
  path.write_text("".join(f'{{"step": {step}}}\n' for step in (1, 2, 3, 4)) + cut)
  with Writers(tmp_path, step=2) as writers:
    writers.write({"step": 3, "loss": 0.5})
  assert [json.loads(line) for line in path.read_text().splitlines()] == [
    {"step": 1},
    {"step": 2},
    {"step": 3, "loss": 0.5},
  ]
  assert list((tmp_path / "tensorboard").iterdir())
