"""What devices send each other in a compiled step: parameters layer by layer, never whole activations."""

import collections
import dataclasses
import math
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax.data.segments import EncoderDecoderRows, Sequences
from flan_jax.models.model import Model
from flan_jax.training import partitioning
from flan_jax.training.losses import Loss
from flan_jax.training.optimizers import Adafactor
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.schedules import Constant
from flan_jax.training.step import StepSettings
from flan_jax.training.trainer import Trainer
from tests.training.tiny import TINY

pytestmark = pytest.mark.slow  # whole steps for eight devices; their numbers are test_partitioning's, by default

# No two sides alike, so that a shape says what it is of.
CONFIG = dataclasses.replace(
  TINY, vocab_size=80, emb_dim=32, mlp_dim=96, head_dim=16, num_encoder_layers=3, num_decoder_layers=3, scan_layers=True
)
ROWS, SOURCE, TARGET = 16, 24, 20
LAYERS, EMBED, MLP, JOINED, VOCAB = 3, 32, 96, 64, 80


@pytest.fixture(scope="module", params=["fsdp", "all_three"])
def collectives(request):
  """(strategy, [(operation, shape of its result, whether it stands in a loop)]) of a step with full remat."""
  sizes = {"fsdp": (1, -1, 1), "all_three": (2, 2, 2)}[request.param]
  return request.param, _collectives(dataclasses.replace(CONFIG, remat_policy="full"), Partitioning(*sizes))


def _collectives(config, sizes):
  settings = StepSettings(Loss(chunk_elements=2 * VOCAB))
  mesh = sizes.mesh()
  optimizer = Adafactor(min_dim_size_to_factor=16)
  trainer = Trainer(
    Model(config), mesh, optimizer=optimizer, learning_rate=1e-2, schedule=Constant(), settings=settings
  )
  nothing = Sequences.of([])
  batch = EncoderDecoderRows(SOURCE, TARGET).batch(ROWS, np.zeros(0, np.int64), nothing, nothing)
  text = trainer.compiled(batch).as_text()
  found = re.findall(r"= (.*?) (all-gather|all-reduce|reduce-scatter|all-to-all)(?:-start)?\((.*)", text)
  return [
    (operation, tuple(int(side) for side in sides.split(",")), "while/body" in rest)
    for results, operation, rest in found
    for sides in re.findall(r"\[(\d[\d,]*)\]", results)
  ]


def test_no_activations_of_all_rows_travel(collectives):
  _, found = collectives
  assert not [each for each in found if each[1][0] == ROWS and set(each[1]) & {SOURCE, TARGET}]
  assert not [each for each in found if each[0] in ("all-gather", "all-to-all") and {SOURCE, TARGET} & set(each[1])]


def test_parameters_are_gathered_a_layer_at_a_time_forward_and_back(collectives):
  name, found = collectives
  gathered = collections.Counter(shape for operation, shape, _ in found if operation == "all-gather")
  assert not [shape for shape in gathered if shape[0] == LAYERS and len(shape) == 3]
  parts = 1 if name == "fsdp" else 2
  # Encoder and decoder have two inward kernels of the hidden layer each; each is gathered twice.
  assert gathered[EMBED, MLP // parts] == 8
  assert gathered[MLP // parts, EMBED] == 4
  assert all(in_loop for operation, shape, in_loop in found if shape in ((EMBED, MLP // parts), (MLP // parts, EMBED)))


def test_the_head_is_gathered_and_its_gradient_summed_once(collectives):
  """Not once a chunk of logits."""
  name, found = collectives
  parts = 1 if name == "fsdp" else 2
  of_head = [(operation, in_loop) for operation, shape, in_loop in found if shape == (EMBED, VOCAB // parts)]
  assert sorted(of_head) == [("all-gather", False), ("all-reduce", False)]


def test_gradients_of_position_biases_are_summed_as_offsets(collectives):
  """Not as [heads, queries, keys], layer by layer."""
  _, found = collectives
  sizes = [math.prod(shape) for operation, shape, _ in found if operation == "all-reduce"]
  heads = CONFIG.num_heads
  assert not {heads * SOURCE**2, heads * TARGET**2, heads // 2 * SOURCE**2, heads // 2 * TARGET**2} & set(sizes)


def test_gathered_parameters_are_what_they_were():
  mesh = Partitioning(1, 4, 2).mesh()
  gather = partitioning.gather_over(mesh, jnp.bfloat16)
  array = jnp.arange(8.0 * 6).reshape(8, 6)
  used, gradient = jax.jit(jax.value_and_grad(lambda x: jnp.sum(gather(x, ("embed", "mlp")).astype(jnp.float32) ** 2)))(
    array
  )
  assert used == float(jnp.sum(array**2))
  assert gradient.dtype == jnp.float32
  assert jnp.array_equal(gradient, 2 * array)
  assert gather(array, ("heads", "relpos_buckets")) is array
  assert partitioning.gather_over(Partitioning().mesh()) is None
