"""What is in a batch: how many examples, tokens and pairs of tokens, from which rates and FLOPs follow."""

from collections.abc import Mapping
from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Shaped


class Counts(NamedTuple):
  """Of one batch or the sum over several; float32 scalars (exact up to 2**24, then to 7 digits), or plain floats.

  Attributes:
    examples: packed segments.
    encoder_tokens, decoder_tokens: without padding.
    slots: of both sides, padding included.
    encoder_pairs: (query, key) where an encoder token sees one of its own example: n * n for n tokens.
    decoder_pairs: the same of the decoder, which looks back: m * (m + 1) / 2 for m tokens.
    cross_pairs: decoder token and encoder token of one example: m * n.
  """

  examples: Float[Array, ""] | float
  encoder_tokens: Float[Array, ""] | float
  decoder_tokens: Float[Array, ""] | float
  slots: Float[Array, ""] | float
  encoder_pairs: Float[Array, ""] | float
  decoder_pairs: Float[Array, ""] | float
  cross_pairs: Float[Array, ""] | float

  @property
  def tokens(self) -> Float[Array, ""] | float:
    """Of both sides, without padding."""
    return self.encoder_tokens + self.decoder_tokens


def batch_counts(batch: Mapping[str, Array]) -> Counts:
  """The counts of packed rows, over all devices.

  Args:
    batch: segment ids and positions of both sides, [B, S] and [B, T], as `EncoderDecoderRows` has them.
  """
  encoder, decoder = batch["encoder_segment_ids"], batch["decoder_segment_ids"]
  read, said = encoder != 0, decoder != 0
  # 1 + 3 + ... + (2n - 1) = n * n and 1 + 2 + ... + m = m * (m + 1) / 2: positions tell the lengths.
  own = jnp.where(read, 2 * batch["encoder_positions"] + 1, 0)
  back = jnp.where(said, batch["decoder_positions"] + 1, 0)
  # B * T * S comparisons, fused into their sum: a head of attention multiplies 2 * head_dim numbers for each.
  cross = (decoder[:, :, None] == encoder[:, None, :]) & said[:, :, None]
  return Counts(
    examples=jnp.sum(jnp.max(decoder, axis=1, initial=0)).astype(jnp.float32),
    encoder_tokens=_total(read),
    decoder_tokens=_total(said),
    slots=jnp.float32(encoder.size + decoder.size),
    encoder_pairs=_total(own),
    decoder_pairs=_total(back),
    cross_pairs=_total(cross),
  )


def _total(values: Shaped[Array, " batch *slots"]) -> Float[Array, ""]:
  """Each row exactly in int32 (2048 * 2048 are 4 M), then rows together in float32, which holds larger numbers."""
  return jnp.sum(jnp.sum(values.astype(jnp.int32), axis=tuple(range(1, values.ndim))).astype(jnp.float32))
