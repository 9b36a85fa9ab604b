"""The small parts of a T5: dense projections, the embedding, RMS norm, the feed-forward block, dropout."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float, Int

ACTIVATIONS = {
  "gelu": lambda x: jax.nn.gelu(x, approximate=True),  # the tanh form, which T5 1.1 was trained with
  "linear": lambda x: x,
  "relu": jax.nn.relu,
  "silu": jax.nn.silu,
}
DTYPES = {"bfloat16": jnp.bfloat16, "float32": jnp.float32}
RMS_EPSILON = 1e-6


def parameter(initializer: Callable, shape: tuple[int, ...], axes: tuple[str, ...], rngs: nnx.Rngs | None) -> nnx.Param:
  """A float32 parameter that carries one logical axis name a dimension; of its shape alone where there are no rngs.

  Shapes alone make the network's graph in milliseconds, where tracing XXL's initialisers takes seconds. The names are
  plain metadata, not NNX's own sharding names, which would place arrays on a mesh as they are made.
  """
  if rngs is None:
    return nnx.Param(jax.ShapeDtypeStruct(shape, jnp.float32), axes=axes)
  return nnx.Param(initializer(rngs.params(), shape, jnp.float32), axes=axes)


class Dense(nnx.Module):
  """A linear map of the last axis, without bias: kernel [inputs, outputs]."""

  def __init__(self, inputs: int, outputs: int, axes: tuple[str, str], initializer, dtype, rngs: nnx.Rngs | None):
    self.kernel = parameter(initializer, (inputs, outputs), axes, rngs)
    self.dtype = dtype

  def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
    return x @ self.kernel[...].astype(self.dtype)


class Embedding(nnx.Module):
  """Token ids to vectors by a gather: a one-hot product would cost 2 * vocab * width FLOPs a token for the same."""

  def __init__(self, vocab: int, width: int, dtype, rngs: nnx.Rngs | None):
    self.embedding = parameter(nnx.initializers.normal(1.0), (vocab, width), ("vocab", "embed"), rngs)
    self.dtype = dtype

  def __call__(self, tokens: Int[Array, "..."]) -> Float[Array, "... width"]:
    return self.embedding[...][tokens].astype(self.dtype)


class RMSNorm(nnx.Module):
  """T5's layer norm: divided by the root mean square (in float32), scaled; no mean, no bias."""

  def __init__(self, width: int, dtype, rngs: nnx.Rngs | None):
    self.scale = parameter(nnx.initializers.ones, (width,), ("embed",), rngs)
    self.dtype = dtype

  def __call__(self, x: Float[Array, "... width"]) -> Float[Array, "... width"]:
    wide = x.astype(jnp.float32)
    mean_square = jnp.mean(jnp.square(wide), axis=-1, keepdims=True)
    return (wide * jax.lax.rsqrt(mean_square + RMS_EPSILON)).astype(self.dtype) * self.scale[...].astype(self.dtype)


class FeedForward(nnx.Module):
  """The product of one activated projection a branch, projected back: gated GELU with ("gelu", "linear")."""

  def __init__(self, width: int, hidden: int, activations: Sequence[str], rate: float, dtype, rngs: nnx.Rngs | None):
    # T5X's names: wi_0, wi_1, ... for the branches of a gated block, plain wi where there is one.
    self.branches = ("wi",) if len(activations) == 1 else tuple(f"wi_{i}" for i in range(len(activations)))
    initializer = nnx.initializers.variance_scaling(1.0, "fan_in", "truncated_normal")
    for name in self.branches:
      setattr(self, name, Dense(width, hidden, ("embed", "mlp"), initializer, dtype, rngs))
    self.wo = Dense(hidden, width, ("mlp", "embed"), initializer, dtype, rngs)
    self.activations = tuple(activations)
    self.rate = rate

  def __call__(self, x: Float[Array, "... width"], dropout_key: Array | None = None) -> Float[Array, "... width"]:
    hidden = None
    for name, activation in zip(self.branches, self.activations, strict=True):
      branch = ACTIVATIONS[activation](getattr(self, name)(x))
      hidden = branch if hidden is None else hidden * branch
    return self.wo(dropout(hidden, self.rate, dropout_key))


def dropout(x: Float[Array, "..."], rate: float, key: Array | None) -> Float[Array, "..."]:
  """x with a share `rate` of its units set to 0 and the rest scaled up; one mask for all positions, as in T5X.

  Args:
    x: [..., length, width]; the mask is drawn as [..., 1, width].
    rate: the probability of a drop, in [0, 1).
    key: a PRNG key, or None where nothing is dropped (evaluation).
  """
  return _dropped(x, rate, key, (*x.shape[:-2], 1, x.shape[-1]))


def dropout_each(x: Float[Array, "..."], rate: float, key: Array | None) -> Float[Array, "..."]:
  """As `dropout`, with a draw of its own for every position: T5X does so on the encoder's output alone."""
  return _dropped(x, rate, key, x.shape)


def split_key(key: Array | None, n: int) -> Sequence[Array | None]:
  """n keys of one, or n times None where there is no dropout."""
  return [None] * n if key is None else list(jax.random.split(key, n))


def _dropped(x, rate, key, shape):
  if key is None or rate == 0.0:
    return x
  kept = jax.random.bernoulli(key, 1.0 - rate, shape)
  return jnp.where(kept, x / (1.0 - rate), jnp.zeros((), x.dtype))
