"""A scanned model trains as the unrolled one does: the same parameters and optimizer state, on any mesh."""

import dataclasses

import jax
import numpy as np
import optax
import pytest

from flan_jax.models.model import Model
from flan_jax.models.stacking import stacked, unstacked
from flan_jax.training.losses import Loss
from flan_jax.training.optimizers import Adafactor, AdamW
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.schedules import Constant
from flan_jax.training.state import optimizer_arrays
from flan_jax.training.step import StepSettings
from flan_jax.training.trainer import Trainer
from tests.training.tiny import TINY, batch_of, examples

UNROLLED = dataclasses.replace(TINY, num_encoder_layers=1, num_decoder_layers=2)
SCANNED = dataclasses.replace(UNROLLED, scan_layers=True)
# Sides of 8 and more are factored, so that rows and columns are compared and not only whole second moments.
OPTIMIZERS = {"adafactor": Adafactor(min_dim_size_to_factor=8), "adamw": AdamW(weight_decay=0.1, clip_norm=0.5)}
STEPS = 3
TOLERANCE = 2e-6  # float32, sums in another order, as between strategies (test_partitioning.py)


@pytest.fixture(scope="module")
def params():
  return jax.device_get(jax.jit(Model(UNROLLED).init)(0))


@pytest.mark.parametrize("name", ["adafactor", pytest.param("adamw", marks=pytest.mark.slow)])
def test_stacked_parameters_are_updated_layer_by_layer(name, params):
  """Gradients differ in size from layer to layer: norms and root mean squares over several layers would show."""
  transformation = OPTIMIZERS[name].transformation(lambda step: 1e-2 * (step + 1))

  @jax.jit
  def update(gradient, state, params):
    updates, state = transformation.update(gradient, state, params)
    return optax.apply_updates(params, updates), state

  one_by_one, together = params, stacked(params)
  state, state_together = transformation.init(one_by_one), transformation.init(together)
  random = np.random.default_rng(0)
  for _ in range(STEPS):
    gradient = {
      name: (place + 1) * random.standard_normal(x.shape, np.float32) for place, (name, x) in enumerate(params.items())
    }
    one_by_one, state = update(gradient, state, one_by_one)
    together, state_together = update(stacked(gradient), state_together, together)
  _check_equal(unstacked(together), one_by_one)
  arrays, expected = _arrays(state_together), _arrays(state)
  assert {name: x.shape for name, x in arrays.items()} == {name: x.shape for name, x in stacked(expected).items()}
  _check_equal(unstacked(arrays), expected, rtol=1e-5)


def test_the_clipped_norm_is_that_of_all_layers(params):
  clipping = AdamW(clip_norm=1.0, b1=0.0).transformation(lambda step: 1.0)
  gradient = stacked(jax.tree.map(lambda x: np.full_like(x, 10), params))
  _, state = jax.jit(clipping.update)(gradient, clipping.init(stacked(params)), stacked(params))
  first_moment = {name: x for name, x in _arrays(state).items() if ".mu." in name}  # with b1 = 0 the clipped gradient
  assert float(optax.tree.norm(first_moment)) == pytest.approx(1.0, rel=1e-5)


@pytest.fixture(scope="module")
def unrolled_run():
  return _trained(UNROLLED, Partitioning().mesh(jax.devices()[:1]))


@pytest.mark.slow  # test_partitioning.py has one by default
@pytest.mark.parametrize("partitioning", [Partitioning(2, 2, 2), Partitioning(), Partitioning(1, 8, 1)])
def test_a_scanned_run_on_a_mesh_equals_the_unrolled_one_on_a_device(partitioning, unrolled_run):
  losses, params, optimizer = _trained(SCANNED, partitioning.mesh())
  np.testing.assert_allclose(losses, unrolled_run[0], rtol=0, atol=TOLERANCE)
  _check_equal(unstacked(params), unrolled_run[1])
  _check_equal(unstacked(optimizer), unrolled_run[2], rtol=1e-3, atol=1e-9)


@pytest.mark.parametrize(("sizes", "parts"), [((8, 1, 1), 1), ((1, 8, 1), 8), ((2, 2, 2), 4)])
def test_stacked_arrays_are_split_as_those_of_a_layer(sizes, parts):
  name = "decoder.layers.mlp.wi_0.kernel"
  trainer = _trainer(SCANNED, Partitioning(*sizes).mesh(), AdamW())
  shape = trainer.model.shapes()[name].shape
  for sharding in (trainer.shardings.params[name], optimizer_arrays(trainer.shardings)[f"1.0.mu.{name}"]):
    assert sharding.shard_shape(shape)[0] == UNROLLED.num_decoder_layers
    assert np.prod(shape) // np.prod(sharding.shard_shape(shape)) == parts


def _trainer(config, mesh, optimizer=OPTIMIZERS["adafactor"]):
  settings = StepSettings(loss=Loss(z_loss=1e-4))
  return Trainer(Model(config), mesh, optimizer=optimizer, learning_rate=1e-2, schedule=Constant(), settings=settings)


def _trained(config, mesh):
  trainer, losses = _trainer(config, mesh), []
  state = trainer.start()
  for seed in range(STEPS):
    state, metrics = trainer.step(state, trainer.place(batch_of(examples(20, seed), per_row=2, rows=16)))
    losses.append(float(metrics.sums.loss / metrics.sums.targets))
  return losses, jax.device_get(state.params), jax.device_get(optimizer_arrays(state))


def _arrays(state):
  leaves, _ = jax.tree_util.tree_flatten_with_path(state)
  return {jax.tree_util.keystr(path, simple=True, separator="."): leaf for path, leaf in leaves}


def _check_equal(arrays, expected, rtol=0.0, atol=TOLERANCE):
  assert set(arrays) == set(expected)
  for name, value in arrays.items():
    np.testing.assert_allclose(value, expected[name], rtol=rtol, atol=atol, err_msg=name)
