"""How the next token is selected from its logits; frozen dataclasses, which a jitted loop takes as static."""

import dataclasses
from typing import Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Float, Int


@runtime_checkable
class Selection(Protocol):
  """A rule that picks each row's next token; equal rules share one compiled loop."""

  def __call__(self, logits: Float[Array, "batch vocab"], index: Int[Array, ""]) -> Int[Array, " batch"]:
    """The tokens at position `index` (0 first) given their float32 logits."""
    ...


@dataclasses.dataclass(frozen=True)
class Greedy:
  """The likeliest token; the lowest id among equals."""

  def __call__(self, logits: Float[Array, "batch vocab"], index: Int[Array, ""]) -> Int[Array, " batch"]:
    return jnp.argmax(logits, axis=-1).astype(jnp.int32)
