"""A step whose numbers have gone astray changes nothing but counts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.errors import UsageError
from flan_jax.training.guard import Guard, GuardState, fine, updated
from flan_jax.training.optimizers import Adafactor
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.schedules import Constant
from flan_jax.training.step import StepSettings
from flan_jax.training.trainer import Trainer
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


def test_without_deviations_only_finiteness_counts():
  assert _after(Guard(spike_deviations=None, warmup=1), [1.0, 1.0, 1e9, np.nan])[0] == [True, True, True, False]


def test_nothing_is_a_spike_in_the_warmup():
  assert all(_after(Guard(warmup=5), [1, 1, 1, 100, 1])[0])


def test_settings_that_make_no_sense_are_refused():
  for wrong in ({"then": "panic"}, {"in_a_row": 0}, {"spike_deviations": -1.0}):
    with pytest.raises(UsageError, match=f"Guard.{next(iter(wrong))}"):
      Guard(**wrong)


def test_a_refused_step_leaves_parameters_and_moments(tiny):
  mesh = Partitioning().mesh(jax.devices()[:1])
  trainer = Trainer(
    tiny,
    mesh,
    optimizer=Adafactor(min_dim_size_to_factor=16),
    learning_rate=1e-2,
    schedule=Constant(),
    settings=StepSettings(),
  )
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
