"""One update: the scores of a batch, their gradient over the real target tokens, the guard's verdict, the optimizer."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Float, Int

from flan_jax.data.stream import SUBMIXTURES
from flan_jax.models.gathering import Gather, Spread, gathering
from flan_jax.models.layers import row_keys
from flan_jax.models.model import Model, Params
from flan_jax.training.counts import Counts, batch_counts
from flan_jax.training.guard import Guard, fine, updated
from flan_jax.training.losses import Loss, TokenScores, chunked_cross_entropy
from flan_jax.training.state import TrainState

Batch = Mapping[str, Int[Array, "batch length"]]

# Separates the stream of dropout keys from the one that initialises parameters under the same seed.
_DROPOUT = 0xD0

# The feature of a batch [rows, 2] beside the rows' own: what the process of a row wishes, a signal's number (0: none)
# and 1 to save.
WISHES = "wishes"


class ScoreSums(NamedTuple):
  """Sums over the targets of a batch.

  Attributes:
    loss: in nats, z-loss and label smoothing included.
    z_loss: the part of it that is z-loss.
    correct: targets that had the highest logit.
    targets: real target tokens.
    submixture_losses, submixture_targets: loss and targets of each submixture.
  """

  loss: Float[Array, ""]
  z_loss: Float[Array, ""]
  correct: Float[Array, ""]
  targets: Float[Array, ""]
  submixture_losses: Float[Array, " submixtures"]
  submixture_targets: Float[Array, " submixtures"]


class StepMetrics(NamedTuple):
  """What one step says, the same in all processes.

  Attributes:
    sums: over the whole batch, whether the step was accepted or not.
    gradient_norm: global norm of the mean gradient.
    update_norm, parameter_norm: of what was added to the parameters, and of these then.
    skipped, skipped_in_row: 1 if the guard refused the step, and how many it has refused one after another.
    counts: of the batch.
    wishes: the number of a signal that a process had when it placed the batch (0 if none had), and whether one wishes
      to save.
  """

  sums: ScoreSums
  gradient_norm: Float[Array, ""]
  update_norm: Float[Array, ""]
  parameter_norm: Float[Array, ""]
  skipped: Int[Array, ""]
  skipped_in_row: Int[Array, ""]
  counts: Counts
  wishes: Int[Array, "2"]


@dataclasses.dataclass(frozen=True)
class StepSettings:
  """What a step computes beside the model and the optimizer.

  Attributes:
    seed: of dropout.
    accumulation: microbatches that a batch is computed in, one after the other: activations of one stand at a time.
    submixtures: how many there are, where batches have SUBMIXTURES.
  """

  loss: Loss = dataclasses.field(default_factory=Loss)
  guard: Guard = dataclasses.field(default_factory=Guard)
  seed: int = 0
  accumulation: int = 1
  submixtures: int = 0


@dataclasses.dataclass(frozen=True)
class Placement:
  """Where the arrays of a step lie.

  Attributes:
    rows: rows of the batch and of activations.
    params: each parameter, and its gradient.
    gather, gather_of_layer: bring a parameter to the devices that use it; see `partitioning.gather_over`.
    spread: gives each share of the rows a copy; see `partitioning.spread_over`.
  """

  rows: NamedSharding
  params: Mapping[str, NamedSharding]
  gather: Gather | None
  gather_of_layer: Gather | None
  spread: Spread | None

  @property
  def shares(self) -> int:
    """How many parts the rows of a batch are split in."""
    return math.prod(self.rows.mesh.shape[axis] for axis in self.rows.spec[0])


def make_step(
  model: Model, optimizer: optax.GradientTransformation, settings: StepSettings, placement: Placement
) -> Callable[[TrainState, Batch], tuple[TrainState, StepMetrics]]:
  """The update as a pure function of (state, batch), to be jitted.

  Dropout depends on (seed, step, row) alone, so a resumed run, another mesh and other microbatches drop the same units.
  """

  def step(state: TrainState, batch: Batch) -> tuple[TrainState, StepMetrics]:
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(settings.seed), _DROPOUT), state.step)
    sums, gradient_sum = _summed_gradient(model, state.params, batch, key, settings, placement)
    # The sums run over the whole batch on all devices; only now is there one number to divide by.
    targets = jnp.maximum(sums.targets, 1.0)
    gradient = jax.tree.map(lambda each: each / targets, gradient_sum)
    gradient_norm = optax.tree.norm(gradient)
    accepted = fine(settings.guard, state.guard, sums.loss / targets, gradient_norm)
    updates, optimizer_state = optimizer.update(gradient, state.optimizer, state.params)
    updates = jax.tree.map(lambda each: jnp.where(accepted, each, 0), updates)
    new = TrainState(
      step=state.step + 1,
      params=optax.apply_updates(state.params, updates),
      optimizer=_kept_unless(accepted, optimizer_state, state.optimizer),
      guard=updated(settings.guard, state.guard, sums.loss / targets, accepted),
    )
    said = StepMetrics(
      sums=sums,
      gradient_norm=gradient_norm,
      update_norm=optax.tree.norm(updates),
      parameter_norm=optax.tree.norm(new.params),
      skipped=(~accepted).astype(jnp.int32),
      skipped_in_row=new.guard.skipped_in_row,
      counts=batch_counts(batch),
      wishes=jnp.max(batch[WISHES], axis=0),
    )
    return new, said

  return step


def batch_scores(
  model: Model,
  params: Params,
  batch: Batch,
  loss: Loss,
  dropout_keys: Array | None = None,
  placement: Placement | None = None,
) -> TokenScores:
  """The scores of a batch's targets, packed or not.

  Args:
    dropout_keys: one a row (`layers.row_keys`); without them nothing is dropped.
  """
  if placement is not None and placement.gather is not None:
    # The loop over layers gathers theirs; what stands alone (embedding, head) is gathered once, before any loop.
    alone = {name: axes for name, axes in model.axes().items() if ".layers" not in name}
    params = {**params, **{name: placement.gather(params[name], axes) for name, axes in alone.items()}}
  with gathering(placement and placement.gather_of_layer, placement and placement.spread):
    hidden = model.hidden(params, batch, dropout_keys)
  if placement is not None:
    hidden = jax.lax.with_sharding_constraint(hidden, placement.rows)
  targets, weights = batch["decoder_target_tokens"], batch["decoder_loss_weights"]

  def scores_of(params: Params, hidden: Array, targets: Array, weights: Array) -> TokenScores:
    vocab = model.config.vocab_size
    return chunked_cross_entropy(lambda chunk: model.logits(params, chunk), hidden, targets, weights, loss, vocab)

  if placement is None or placement.spread is None:
    return scores_of(params, hidden, targets, weights)
  heads = {model.head: placement.spread(params[model.head], model.axes()[model.head])}
  of_head = {name: 0 if name == model.head else None for name in params}
  by_share = [each.reshape(placement.shares, -1, *each.shape[1:]) for each in (hidden, targets, weights)]
  scores = jax.vmap(scores_of, in_axes=(of_head, 0, 0, 0))({**params, **heads}, *by_share)
  return jax.tree.map(lambda each: each.reshape(targets.shape), scores)


def score_sums(scores: TokenScores, batch: Batch, submixtures: int = 0) -> ScoreSums:
  """Sums over a batch; those of submixtures are empty where it does not say them."""
  count = submixtures if SUBMIXTURES in batch else 0
  # A product with ones and zeros, not a scatter: [targets] x [targets, submixtures].
  of = jax.nn.one_hot(batch[SUBMIXTURES], count) if count else jnp.zeros((*scores.loss.shape, 0))
  totals = (jnp.sum(each) for each in scores)
  return ScoreSums(*totals, jnp.einsum("bt,bts->s", scores.loss, of), jnp.einsum("bt,bts->s", scores.weight, of))


def _summed_gradient(
  model: Model, params: Params, batch: Batch, key: Array, settings: StepSettings, placement: Placement
) -> tuple[ScoreSums, Params]:
  """(sums over the batch, gradient of the summed loss), a microbatch at a time."""
  batch = {name: feature for name, feature in batch.items() if name != WISHES}
  keys = row_keys(key, len(batch["decoder_target_tokens"]))

  def summed_loss(params: Params, batch: Batch, keys: Array) -> tuple[Float[Array, ""], ScoreSums]:
    sums = score_sums(batch_scores(model, params, batch, settings.loss, keys, placement), batch, settings.submixtures)
    return sums.loss, sums

  def of_microbatch(batch: Batch, keys: Array) -> tuple[ScoreSums, Params]:
    (_, sums), gradient = jax.value_and_grad(summed_loss, has_aux=True)(params, batch, keys)
    # Each device keeps its part of a sum over devices, not the sum of which it then takes its part.
    return sums, jax.lax.with_sharding_constraint(gradient, dict(placement.params))

  if settings.accumulation == 1:
    return of_microbatch(batch, keys)

  def add(total, microbatch):
    return jax.tree.map(jnp.add, total, of_microbatch(*microbatch)), None

  microbatches = jax.tree.map(lambda each: _microbatches(each, settings.accumulation, placement), (batch, keys))
  first = jax.tree.map(lambda each: each[0], microbatches)
  zeros = jax.tree.map(lambda each: jnp.zeros(each.shape, each.dtype), jax.eval_shape(of_microbatch, *first))
  return jax.lax.scan(add, zeros, microbatches)[0]


def _microbatches(array: Array, parts: int, placement: Placement) -> Array:
  """[rows, ...] as [parts, rows / parts, ...]: of the rows that a device holds, each part takes as many."""
  mesh, (axes,) = placement.rows.mesh, placement.rows.spec
  by_device = array.reshape(placement.shares, parts, -1, *array.shape[1:])
  split = jnp.swapaxes(by_device, 0, 1).reshape(parts, -1, *array.shape[1:])
  return jax.lax.with_sharding_constraint(split, NamedSharding(mesh, PartitionSpec(None, axes)))


def _kept_unless(accepted: Bool[Array, ""], new: Any, old: Any) -> Any:
  """A new optimizer state if the step was accepted; if not, the old one, but for counts, which go on."""

  def choose(new: Array, old: Array) -> Array:
    return jnp.where(accepted, new, old) if jnp.issubdtype(new.dtype, jnp.floating) else new

  return jax.tree.map(choose, new, old)
