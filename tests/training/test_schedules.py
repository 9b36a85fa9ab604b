"""Schedules at the steps where they turn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax.errors import UsageError
from flan_jax.training.optimizers import Adafactor, AdamW, scheduled
from flan_jax.training.schedules import Constant, InverseSquareRoot, WarmupLinear


@pytest.mark.parametrize(
  ("schedule", "values"),
  [
    (Constant(), {0: 1.0, 10**6: 1.0}),
    (WarmupLinear(4, 12), {0: 0.25, 3: 1.0, 4: 1.0, 8: 0.5, 12: 0.0, 20: 0.0}),
    (WarmupLinear(0, 10), {0: 1.0, 5: 0.5}),
    (WarmupLinear(10, 5), {0: 0.1, 4: 0.5}),
    (InverseSquareRoot(100), {0: 1.0, 100: 1.0, 400: 0.5, 10_000: 0.1}),
  ],
)
def test_schedule_values(schedule, values):
  for step, value in values.items():
    np.testing.assert_allclose(schedule(jnp.int32(step)), value, rtol=1e-6)


def test_t5_pretraining_rule():
  rate = scheduled(0.01, InverseSquareRoot(10_000))
  for step in (0, 9_999, 10_000, 40_000):
    np.testing.assert_allclose(rate(jnp.int32(step)), 1 / np.sqrt(max(step, 10_000)), rtol=1e-6)


def test_negative_steps_are_refused():
  with pytest.raises(UsageError, match="warmup_steps = -1"):
    WarmupLinear(-1, 10)


def test_adafactor_moves_a_parameter_in_proportion_to_its_size():
  """At the first step the normalised gradient is +-1, so the move is learning rate x root mean square."""
  params = {"small": jnp.full((4, 4), 0.1), "large": jnp.full((4, 4), 10.0)}
  transformation = Adafactor().transformation(lambda step: 0.01)
  gradients = jax.tree.map(jnp.ones_like, params)
  updates, _ = transformation.update(gradients, transformation.init(params), params)
  for name, size in (("small", 0.1), ("large", 10.0)):
    np.testing.assert_allclose(updates[name], -0.01 * size, rtol=1e-4)


def test_adafactor_keeps_rows_and_columns_of_large_matrices():
  params = {"matrix": jnp.ones((128, 256)), "vector": jnp.ones(256)}
  state = Adafactor().transformation(lambda step: 0.01).init(params)
  assert sum(leaf.size for leaf in jax.tree.leaves(state)) < 128 + 256 + 256 + 16


def test_weight_decay_spares_vectors():
  params = {"matrix": jnp.ones((2, 2)), "vector": jnp.ones(2)}
  transformation = AdamW(weight_decay=0.1).transformation(lambda step: 0.5)
  updates, _ = transformation.update(jax.tree.map(jnp.zeros_like, params), transformation.init(params), params)
  np.testing.assert_allclose(updates["matrix"], -0.05)
  np.testing.assert_allclose(updates["vector"], 0.0)
