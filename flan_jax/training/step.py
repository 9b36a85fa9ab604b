"""One update: the loss of a batch, its gradient over the real target tokens, the optimizer."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding
from jaxtyping import Array, Float, Int

from flan_jax.models.model import Model, Params
from flan_jax.training.losses import Loss, chunked_cross_entropy
from flan_jax.training.state import TrainState

Batch = Mapping[str, Int[Array, "batch length"]]

# Separates the stream of dropout keys from the one that initialises parameters under the same seed.
_DROPOUT = 0xD0


# The key of a batch under which every row carries its process's wish to stop: a signal's number, or 0.
STOP = "stop_requested"


class StepMetrics(NamedTuple):
  """What one step says, the same in all processes.

  Attributes:
    loss_sum: in nats.
    targets: real target tokens.
    gradient_norm: global norm of the mean gradient.
    counts: of the batch: examples, tokens without padding, token slots; both sides together.
    stop_requested: the number of a signal that a process had when it placed the batch; 0 if none had.
  """

  loss_sum: Float[Array, ""]
  targets: Float[Array, ""]
  gradient_norm: Float[Array, ""]
  counts: Int[Array, "3"]
  stop_requested: Int[Array, ""]


def make_step(
  model: Model,
  optimizer: optax.GradientTransformation,
  loss: Loss,
  seed: int,
  rows: NamedSharding,
  lookups: Mapping[str, NamedSharding],
) -> Callable[[TrainState, Batch], tuple[TrainState, StepMetrics]]:
  """The update as a pure function of (state, batch), to be jitted.

  Dropout depends on (seed, step) alone, so a resumed run and another mesh drop the same units.

  Args:
    rows: how rows of activations lie on the devices.
    lookups: see `partitioning.lookup_shardings`.
  """

  def step(state: TrainState, batch: Batch) -> tuple[TrainState, StepMetrics]:
    dropout_key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), _DROPOUT), state.step)

    def summed_loss(params: Params):
      tables = {name: jax.lax.with_sharding_constraint(params[name], where) for name, where in lookups.items()}
      params = {**params, **tables}
      return batch_loss(model, params, batch, loss, dropout_key, rows)

    (loss_sum, targets), gradient_sum = jax.value_and_grad(summed_loss, has_aux=True)(state.params)
    # The sums run over the whole batch on all devices; only now is there one number to divide by.
    gradient = jax.tree.map(lambda each: each / jnp.maximum(targets, 1.0), gradient_sum)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
    new = TrainState(state.step + 1, optax.apply_updates(state.params, updates), optimizer_state)
    said = StepMetrics(loss_sum, targets, optax.tree.norm(gradient), batch_counts(batch), jnp.max(batch[STOP]))
    return new, said

  return step


def batch_counts(batch: Batch) -> Int[Array, "3"]:
  """(examples, tokens without padding, token slots) of a batch, both sides together."""
  encoder, decoder = batch["encoder_segment_ids"], batch["decoder_segment_ids"]
  examples = jnp.sum(jnp.max(decoder, axis=1, initial=0))
  return jnp.stack([examples, jnp.count_nonzero(encoder) + jnp.count_nonzero(decoder), encoder.size + decoder.size])


def batch_loss(
  model: Model,
  params: Params,
  batch: Batch,
  loss: Loss,
  dropout_key: Array | None = None,
  rows: NamedSharding | None = None,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
  """(summed loss in nats, number of real targets) of a batch, packed or not; without a key nothing is dropped."""
  hidden = model.hidden(params, batch, dropout_key)
  if rows is not None:
    hidden = jax.lax.with_sharding_constraint(hidden, rows)
  return chunked_cross_entropy(
    lambda chunk: model.logits(params, chunk),
    hidden,
    batch["decoder_target_tokens"],
    batch["decoder_loss_weights"],
    loss,
    model.config.vocab_size,
  )
