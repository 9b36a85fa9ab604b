"""How the learning rate moves: each schedule is a shape in (0, 1] that multiplies the run's learning rate."""

import dataclasses

import gin
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from flan_jax.errors import UsageError
from flan_jax.setting_types import check_types


@gin.register
@dataclasses.dataclass(frozen=True)
class Constant:
  """Always 1: Flan-T5's finetuning schedule."""

  def __call__(self, step: Int[Array, ""] | int) -> Float[Array, ""]:
    return jnp.ones((), jnp.float32)


@gin.register
@dataclasses.dataclass(frozen=True)
class WarmupLinear:
  """Up to 1 over the first `warmup_steps`, then straight down to 0 at `total_steps`.

  The first update (step 0) has 1 / warmup_steps rather than 0, so that no step is spent on nothing. A run shorter than
  its warm-up only rises.
  """

  warmup_steps: int
  total_steps: int

  def __post_init__(self):
    check_types(self)
    for name in ("warmup_steps", "total_steps"):
      if getattr(self, name) < 0:
        raise UsageError(f"WarmupLinear.{name} = {getattr(self, name)}: must not be negative")

  def __call__(self, step: Int[Array, ""] | int) -> Float[Array, ""]:
    rising = (step + 1) / max(self.warmup_steps, 1)
    falling = (self.total_steps - step) / max(self.total_steps - self.warmup_steps, 1)
    return jnp.clip(jnp.minimum(rising, falling), 0.0, 1.0).astype(jnp.float32)


@gin.register
@dataclasses.dataclass(frozen=True)
class InverseSquareRoot:
  """1 for the first `flat_steps`, then sqrt(flat_steps / step).

  T5's pre-training rule 1 / sqrt(max(step, 10,000)) is learning rate 0.01 with flat_steps 10,000 (Raffel et al. 2020,
  section 3.1.2).
  """

  flat_steps: int = 10_000

  def __post_init__(self):
    check_types(self)
    if self.flat_steps < 1:
      raise UsageError(f"InverseSquareRoot.flat_steps = {self.flat_steps}: must be at least 1")

  def __call__(self, step: Int[Array, ""] | int) -> Float[Array, ""]:
    return jnp.sqrt(self.flat_steps / jnp.maximum(step, self.flat_steps)).astype(jnp.float32)


Schedule = Constant | WarmupLinear | InverseSquareRoot
