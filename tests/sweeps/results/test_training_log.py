"""Laws of what is read of metrics.jsonl: each step counts once, however often a run was killed."""

import itertools
import json

import pytest

from flan_jax.sweeps.results import training_log


def line(step: int, **more) -> dict:
  rates = {"steps_per_s": 2.0, "examples_per_s": 20.0, "tokens_per_s": 400.0, "model_flops_per_s": 1e6}
  return {"step": step, "loss": 10.0 / step, "learning_rate": 1e-3, **rates, **more}


def evaluated(step: int) -> dict:
  return {"step": step, "held_out/loss": 12.0 / step, "unseen/loss": 15.0 / step}


def written(folder, lines, tail: str = "") -> list[training_log.Line]:
  (folder / training_log.FILE).write_text("".join(json.dumps(each) + "\n" for each in lines) + tail)
  return training_log.read(folder)


def test_sums_are_rates_times_time(tmp_path):
  done = training_log.trained(written(tmp_path, [line(10), line(20, steps_per_s=4.0), evaluated(20), line(25)]))
  # 10 steps in 5 s, 10 in 2.5 s, 5 in 2.5 s.
  assert done == training_log.Trained(25, examples=20 * 10.0, tokens=400 * 10.0, flops=1e6 * 10.0, seconds=10.0)


def test_a_log_that_was_not_cut_back_counts_each_step_once(tmp_path):
  """Killed after step 40, gone on with from the checkpoint of step 20: as if nothing had happened."""
  whole = [line(10), line(20), evaluated(20), line(30), line(40), evaluated(40), line(50)]
  twice = [*whole[:6], line(30), line(40), evaluated(40), line(50)]
  assert written(tmp_path, twice) == whole
  went_back = [line(10), line(20), evaluated(20), line(30), {"step": 20, "went_back_from": 35}, *whole[3:]]
  assert training_log.trained(written(tmp_path, went_back)) == training_log.trained(whole)


def test_steps_that_no_line_tells_of_count_as_the_next_ones(tmp_path):
  silent = {"step": 1, "learning_rate": 1e-3}  # a start's first step: it compiled
  between = [line(10), line(35), line(40)]  # a checkpoint at 25; what came between 20 and it, no line tells
  assert training_log.trained(written(tmp_path, [silent, *between])).examples == pytest.approx(10 * 40)
  assert training_log.trained(written(tmp_path, [line(10), {"step": 12, "learning_rate": 0.0}])).examples == 10 * 12
  alone = training_log.trained(written(tmp_path, [silent]))
  assert alone == training_log.Trained(1)


def test_nothing_is_known_of_a_run_that_has_not_begun(tmp_path):
  assert training_log.read(tmp_path) == []
  assert training_log.trained([]) == training_log.Trained(0)
  assert training_log.curve([], "loss") == []


def test_lines_that_a_kill_cut_short_are_left_out(tmp_path):
  assert written(tmp_path, [line(10), line(20)], tail='{"step": 30, "lo') == [line(10), line(20)]
  assert written(tmp_path, [line(10)], tail='[1]\n"a"\n{"loss": 1.0}\n') == [line(10)]


@pytest.mark.parametrize("steps", [1, 7, 199, 200, 201, 1000, 98_000])
def test_curves_are_thinned_evenly_and_keep_both_ends(steps):
  found = training_log.curve([line(step) for step in range(1, steps + 1)], "loss")
  assert len(found) == min(steps, training_log.POINTS)
  assert found[0] == (1, 10.0)
  assert found[-1] == (steps, 10.0 / steps)
  apart = [after - before for (before, _), (after, _) in itertools.pairwise(found)]
  assert not apart or max(apart) - min(apart) <= 1


def test_each_curve_is_its_own(tmp_path):
  lines = written(tmp_path, [line(10), line(20), evaluated(20)])
  assert training_log.curve(lines, "held_out_loss") == [(20, 12.0 / 20)]
  assert training_log.curve(lines, "unseen_loss") == [(20, 15.0 / 20)]
  assert training_log.curve(lines, "loss") == [(10, 1.0), (20, 0.5)]
