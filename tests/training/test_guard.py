"""A step whose numbers have gone astray changes nothing but counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.errors import UsageError
from flan_jax.training import skipped
from flan_jax.training.guard import Guard, GuardState, begun_anew, fine, updated
from flan_jax.training.skipped import SkippedBatches
from flan_jax.training.step import ScoreSums, StepMetrics
from tests.training.tiny import batch_of, examples


def _after(guard, losses):
  """(whether each loss was accepted, the state in the end)."""
  state, verdicts = GuardState.new(), []
  for loss in losses:
    accepted = fine(guard, state, jnp.float32(loss), jnp.float32(1))
    verdicts.append(bool(accepted))
    state = updated(guard, state, jnp.float32(loss), accepted)
  return verdicts, state


@settings(deadline=None, max_examples=25)
@given(st.lists(st.floats(0, 100, width=32), min_size=1, max_size=20))
def test_the_first_steps_are_a_plain_mean(losses):
  verdicts, state = _after(Guard(memory=20, warmup=20), losses)
  assert all(verdicts)
  np.testing.assert_allclose(state.mean, np.mean(losses), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 3.0])
def test_spikes_and_no_numbers_are_refused_and_forgotten(bad):
  calm = [1.0 + 0.1 * (-1) ** i for i in range(10)]
  guard = Guard(spike_deviations=10.0, warmup=5)
  verdicts, state = _after(guard, [*calm, bad, bad])
  assert verdicts == [True] * 10 + [False] * 2
  assert (int(state.skipped_in_row), int(state.skipped), int(state.accepted)) == (2, 2, 10)
  before = _after(guard, calm)[1]
  assert (state.mean, state.deviation) == (before.mean, before.deviation)
  assert int(updated(guard, state, jnp.float32(1), jnp.bool_(True)).skipped_in_row) == 0


def test_other_losses_are_no_spikes_to_a_guard_that_begins_anew():
  guard = Guard(spike_deviations=10.0, warmup=5)
  state = begun_anew(_after(guard, [*[1.0, 1.1] * 5, 3.0])[1])
  assert (int(state.skipped), int(state.skipped_in_row)) == (1, 1)
  for loss in (3.0, 3.1) * 5:
    assert bool(fine(guard, state, jnp.float32(loss), jnp.float32(1)))
    state = updated(guard, state, jnp.float32(loss), jnp.bool_(True))
  assert not bool(fine(guard, state, jnp.float32(9), jnp.float32(1)))
  np.testing.assert_allclose(state.mean, 3.05, rtol=0.01)


def test_without_deviations_only_finiteness_counts():
  assert _after(Guard(spike_deviations=None, warmup=1), [1.0, 1.0, 1e9, np.nan])[0] == [True, True, True, False]


def test_nothing_is_a_spike_in_the_warmup():
  assert all(_after(Guard(warmup=5), [1, 1, 1, 100, 1])[0])


def test_settings_that_make_no_sense_are_refused():
  for wrong in ({"then": "panic"}, {"in_a_row": 0}, {"spike_deviations": -1.0}, {"hang_minutes": 0.0}):
    with pytest.raises(UsageError, match=f"Guard.{next(iter(wrong))}"):
      Guard(**wrong)


def test_a_refused_step_leaves_parameters_and_moments(trainer):
  state, _ = trainer.step(trainer.start(), trainer.place(batch_of(examples(4), 2)))
  before = jax.device_get(state)
  batch = batch_of(examples(4), 2)
  batch["decoder_loss_weights"] = batch["decoder_loss_weights"] * np.float32(np.nan)
  state, metrics = trainer.step(state, trainer.place(batch))
  after = jax.device_get(state)
  assert int(metrics.skipped) == int(metrics.skipped_in_row) == int(after.guard.skipped) == 1
  assert float(metrics.update_norm) == 0
  assert int(after.step) == 2
  jax.tree.map(np.testing.assert_array_equal, after.params, before.params)
  for new, old in zip(jax.tree.leaves(after.optimizer), jax.tree.leaves(before.optimizer), strict=True):
    np.testing.assert_array_equal(new, old if np.issubdtype(old.dtype, np.floating) else old + 1)


def _noted(skipped_batches, step, skipped=True):
  none, one = np.zeros(0, np.float32), np.float32(1)
  sums = ScoreSums(np.float32(np.nan), one, one, np.float32(6), none, none)
  said = StepMetrics(sums, one, one, one, np.int32(skipped), np.int32(1), np.ones(3, np.int32), np.zeros(2, np.int32))
  skipped_batches.note(step, said, batch_of(examples(4), 2))
  return skipped_batches.newest


def test_refused_batches_are_kept_and_the_newest_stay(tmp_path):
  kept = SkippedBatches(tmp_path, 0)
  assert _noted(kept, 1, skipped=False) is None
  paths = [_noted(kept, step) for step in range(8, 15)]
  assert not (tmp_path / "skipped" / "1-0.npz").exists()
  assert sorted(path.name for path in (tmp_path / "skipped").iterdir()) == sorted(p.name for p in paths[-5:])
  about, batch = skipped.read(paths[-1])
  assert (about["step"], about["in_a_row"], about["gradient_norm"], about["loss"]) == (14, 1, 1.0, None)
  jax.tree.map(np.testing.assert_array_equal, batch, batch_of(examples(4), 2))


def test_what_is_no_such_file_is_said(tmp_path):
  (tmp_path / "a.npz").write_bytes(b"no archive")
  np.savez(tmp_path / "b.npz", np.array([object()]), allow_pickle=True)
  for path in ("a.npz", "b.npz", "c.npz"):
    with pytest.raises(UsageError, match="no batch of a skipped step"):
      skipped.read(tmp_path / path)
