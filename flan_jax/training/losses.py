"""Cross-entropy over real targets, a chunk of the length at a time so that the logits never stand whole."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import gin
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Num

from flan_jax.errors import UsageError
from flan_jax.setting_types import check_types


@gin.register
@dataclasses.dataclass(frozen=True)
class Loss:
  """What is minimised.

  Attributes:
    label_smoothing: probability mass taken from the target and spread evenly over the vocabulary, in [0, 1).
    z_loss: coefficient of log(Z)^2, which keeps logits near zero (PaLM, section 5; T5X trains with 1e-4).
    chunk_elements: the most float32 logits that may stand at once for the rows of a device. 2**24 are 64 MiB: at
      64 rows x 32,128 pieces that is 8 positions of the length a chunk.
  """

  label_smoothing: float = 0.0
  z_loss: float = 0.0
  chunk_elements: int = 2**24

  def __post_init__(self):
    check_types(self)
    if not 0 <= self.label_smoothing < 1:
      raise UsageError(f"Loss.label_smoothing = {self.label_smoothing!r}: must be in [0, 1)")
    if self.z_loss < 0:
      raise UsageError(f"Loss.z_loss = {self.z_loss!r}: must not be negative")


class TokenScores(NamedTuple):
  """What is known of each target of a batch: float32 [batch, length], 0 where its weight is 0.

  Attributes:
    loss: in nats, z-loss and smoothing included.
    z_loss: the part of it that is z-loss.
    correct: 1 where the target's logit is higher than every other.
    weight: 1 where a target counts.
  """

  loss: Array
  z_loss: Array
  correct: Array
  weight: Array


def chunked_cross_entropy(
  logits_of: Callable[[Array], Array],
  hidden: Float[Array, "batch length width"],
  targets: Int[Array, "batch length"],
  weights: Num[Array, "batch length"],
  loss: Loss,
  vocab_size: int,
) -> TokenScores:
  """`masked_cross_entropy` of `logits_of(hidden)` without ever holding [batch, length, vocab].

  Each chunk's logits are computed again in the backward pass: one more head matmul buys all but a chunk of the memory.

  Args:
    logits_of: a chunk of hidden states [batch, positions, width] to float32 logits [batch, positions, vocab].
    vocab_size: of those logits, to choose the chunk from.
  """
  batch, length, _ = hidden.shape
  positions = max(1, min(length, loss.chunk_elements // (batch * vocab_size)))
  if positions == length:
    return masked_cross_entropy(logits_of(hidden), targets, weights, loss.z_loss, loss.label_smoothing)

  @jax.checkpoint
  def scores_of(chunk):
    hidden, targets, weights = chunk
    return masked_cross_entropy(logits_of(hidden), targets, weights, loss.z_loss, loss.label_smoothing)

  chunks = tuple(_in_chunks(each, positions) for each in (hidden, targets, weights))
  scores = jax.lax.map(scores_of, chunks)
  return TokenScores(*(_whole(each, length) for each in scores))


def masked_cross_entropy(
  logits: Float[Array, "batch length vocab"],
  targets: Int[Array, "batch length"],
  weights: Num[Array, "batch length"],
  z_loss: float = 0.0,
  label_smoothing: float = 0.0,
) -> TokenScores:
  """Cross-entropy of each real target.

  The caller sums, and divides *after* summing over devices and microbatches: a mean of means would weigh a short batch
  like a long one.

  Args:
    logits: float32, unnormalised.
    targets: token ids; anything where `weights` is 0.
    weights: 1 where a target counts, 0 on padding.
    z_loss, label_smoothing: as in `Loss`. A smoothed loss is shifted so that a perfect prediction costs 0.
  """
  log_z = jax.nn.logsumexp(logits, axis=-1)
  picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
  # A tie is not the highest, and a model whose logits are all equal is never right.
  correct = jnp.sum(logits >= picked[..., None], axis=-1) == 1
  if label_smoothing:
    # The smoothed target is `on` at the token and `off` at each of the others; its own entropy is the least loss.
    vocab = logits.shape[-1]
    on, off = 1.0 - label_smoothing, label_smoothing / (vocab - 1)
    entropy = -(on * jnp.log(on) + (vocab - 1) * off * jnp.log(off))
    picked = (on - off) * picked + off * jnp.sum(logits, axis=-1) + entropy
  weights = weights.astype(jnp.float32)
  of_z = z_loss * log_z**2
  return TokenScores((log_z - picked + of_z) * weights, of_z * weights, correct * weights, weights)


def _in_chunks(array: Num[Array, "batch length ..."], positions: int) -> Num[Array, "chunks batch positions ..."]:
  """Cuts the length into chunks, which become the leading axis; the last is filled with zeros (of weight 0)."""
  batch, length, *rest = array.shape
  chunks = -(-length // positions)
  padded = jnp.pad(array, [(0, 0), (0, chunks * positions - length), *([(0, 0)] * len(rest))])
  return jnp.moveaxis(padded.reshape(batch, chunks, positions, *rest), 1, 0)


def _whole(chunks: Float[Array, "chunks batch positions"], length: int) -> Float[Array, "batch length"]:
  """Undoes `_in_chunks`."""
  return jnp.moveaxis(chunks, 0, 1).reshape(chunks.shape[1], -1)[:, :length]
