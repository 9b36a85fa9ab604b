"""When checkpoints are written, and which of them stay."""

import pytest

from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.training.checkpoints import Alarm, Checkpoints, Saving
from flan_jax.training.held_out import HeldOut
from tests.interop.saved import RECORD, save, state
from tests.training.launching import check_same_run, metrics_of
from tests.training.toy_run import on_one_device, toy_run


def test_the_newest_and_step_0_stay(tmp_path):
  save(tmp_path, tuple(range(5)), Saving(keep=2))
  assert layout.saved_steps(tmp_path) == [0, 3, 4]


def test_the_best_stay_and_are_known_after_a_restart(tmp_path):
  """By accuracy 3 and 5, by loss 2 and 4; beside them step 0 and the newest; a loss that is no number is never best."""
  accuracies = {0: 0.1, 1: 0.2, 2: 0.0, 3: 0.9, 4: 0.3, 5: 0.8, 6: 0.4, 7: 0.5}
  losses = {0: 3.0, 1: 2.0, 2: 0.5, 3: 1.0, 4: 0.7, 5: float("nan"), 6: 4.0, 7: 5.0}
  for by, expected, best in (("held_out/accuracy", [0, 3, 5, 7], (3, 0.9)), ("held_out/loss", [0, 2, 4, 7], (2, 0.5))):
    saving = Saving(keep=1, keep_best=2, best_by=by)
    for steps in (range(4), range(4, 8)):
      with Checkpoints(tmp_path / by, RECORD, saving) as checkpoints:
        for step in steps:
          metrics = {"held_out/accuracy": accuracies[step], "held_out/loss": losses[step]}
          checkpoints.save(step, state(0), {}, metrics)
    assert layout.saved_steps(tmp_path / by) == expected
    with Checkpoints(tmp_path / by, RECORD, saving) as checkpoints:
      assert checkpoints.best() == best


def test_what_a_state_that_is_gone_measured_ranks_no_other(tmp_path):
  """The run went back from it, and came to the same step again, without an evaluation."""
  saving = Saving(keep_best=1)
  with Checkpoints(tmp_path, RECORD, saving) as checkpoints:
    checkpoints.save(0, state(0), {}, {"held_out/accuracy": 0.1})
    checkpoints.save(3, state(3), {}, {"held_out/accuracy": 0.9})
    checkpoints._finish()
    checkpoints._manager.delete(3)  # as `go_back` does
    checkpoints.save(3, state(4), {})
    assert checkpoints.best() == (0, 0.1)


def test_metrics_may_come_after_a_step_was_saved(tmp_path):
  """And are known after a restart; the files stay whole."""
  saving = Saving(keep=1, keep_best=1, best_by="held_out/loss")
  with Checkpoints(tmp_path, RECORD, saving) as checkpoints:
    for step, metrics in ((1, {"held_out/loss": 3.0}), (2, {})):
      checkpoints.save(step, state(0), {}, metrics)
  with Checkpoints(tmp_path, RECORD, saving) as checkpoints:
    assert (checkpoints.is_measured(1), checkpoints.is_measured(2)) == (True, False)
    checkpoints.make_up(2, {"held_out/loss": 2.0})
    assert checkpoints.best() == (2, 2.0)
  with Checkpoints(tmp_path, RECORD, saving) as checkpoints:
    assert checkpoints.is_measured(2)
    checkpoints.save(3, state(0), {}, {"held_out/loss": 4.0})
  assert layout.saved_steps(tmp_path) == [2, 3]
  assert layout.faults(tmp_path / "checkpoints" / "2") == []


def test_what_is_not_measured_cannot_choose_the_best(tmp_path):
  saving = Saving(keep_best=1, best_by="held_out/bleu")
  with Checkpoints(tmp_path, RECORD, saving) as checkpoints:
    with pytest.raises(UsageError, match=r"best_by = 'held_out/bleu' is not what is measured, which is held_out/loss"):
      checkpoints.save(0, state(0), {}, {"held_out/loss": 1.0})
    checkpoints.save(0, state(0), {})
    assert checkpoints.best() is None


@pytest.mark.parametrize("wrong", [{"period": 0}, {"keep": True}, {"keep_best": -1}, {"minutes": 0}])
def test_settings_that_cannot_be_are_refused(wrong):
  with pytest.raises(UsageError, match=f"Saving.{next(iter(wrong))} = "):
    Saving(**wrong)


def test_the_alarm_rings_once_after_so_many_minutes():
  now = 0.0
  alarm = Alarm(2, clock=lambda: now)
  for seconds, rings in ((0, False), (119, False), (120, True), (121, False), (239, False), (240, True)):
    now = float(seconds)
    assert alarm.rings() == rings
  alarm.set()
  now = 359.0
  assert not alarm.rings()
  assert not Alarm(None, clock=lambda: now).rings()


def test_a_run_keeps_its_best_and_says_which(store, tmp_path, capfd):
  """Every held-out evaluation is of a step that is saved."""
  held_out = HeldOut(period=2, examples=4, generations=0, unseen="")
  saving = Saving(keep=1, keep_best=1, best_by="held_out/loss")
  with on_one_device():
    toy_run(tmp_path, store, 8, saving=saving, held_out=held_out, learning_rate=0.3).run()
  losses = {line["step"]: line["held_out/loss"] for line in metrics_of(tmp_path) if "held_out/loss" in line}
  assert list(losses) == [2, 4, 6, 8]
  best = min(losses, key=losses.get)
  assert layout.saved_steps(tmp_path) == sorted({0, best, 8})
  assert f"best by held_out/loss ({losses[best]:.4g}): {tmp_path}/checkpoints/{best}" in capfd.readouterr().err


def test_a_run_saves_every_so_many_minutes_and_is_the_same(launch, whole, tmp_path):
  """Here every 60 ms."""
  launch.finish(tmp_path, "--minutes", "0.001")
  assert len(layout.saved_steps(tmp_path)) > 2
  check_same_run(tmp_path, whole)
