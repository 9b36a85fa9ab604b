"""Optimizers as frozen settings that make an optax transformation once the learning rate is known."""

import dataclasses

import gin
import jax
import optax
from jaxtyping import Array

from flan_jax.training.schedules import Schedule


@gin.register
@dataclasses.dataclass(frozen=True)
class Adafactor:
  """Adafactor as T5 uses it (Shazeer and Stern 2018): factored second moments, steps relative to the size of each
  parameter, no momentum. Its state is rows and columns, so it costs almost no memory.

  Attributes:
    decay_rate: the second moment's memory at step t is 1 - t^-decay_rate.
    clipping_threshold: root mean square above which an update is scaled down.
    multiply_by_parameter_scale: a learning rate of 1e-3 moves a parameter by 0.1% of its own root mean square.
    min_dim_size_to_factor: a matrix with a smaller second-largest side keeps a whole second moment.
  """

  decay_rate: float = 0.8
  clipping_threshold: float = 1.0
  multiply_by_parameter_scale: bool = True
  min_dim_size_to_factor: int = 128

  def transformation(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
    return optax.adafactor(
      learning_rate=learning_rate,
      min_dim_size_to_factor=self.min_dim_size_to_factor,
      decay_rate=self.decay_rate,
      multiply_by_parameter_scale=self.multiply_by_parameter_scale,
      clipping_threshold=self.clipping_threshold,
      momentum=None,
    )


@gin.register
@dataclasses.dataclass(frozen=True)
class AdamW:
  """Adam with decoupled weight decay (Loshchilov and Hutter 2019), optionally after clipping the gradient.

  Attributes:
    clip_norm: the gradient's greatest global norm; None leaves it alone.
    weight_decay: what each step takes off a matrix, as a share of it times the learning rate; vectors keep theirs.
  """

  b1: float = 0.9
  b2: float = 0.98
  eps: float = 1e-9
  weight_decay: float = 0.0
  clip_norm: float | None = 1.0

  def transformation(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
    clip = optax.identity() if self.clip_norm is None else optax.clip_by_global_norm(self.clip_norm)
    return optax.chain(
      clip,
      optax.adamw(
        learning_rate, b1=self.b1, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay, mask=_only_matrices
      ),
    )


Optimizer = Adafactor | AdamW


def scheduled(learning_rate: float, schedule: Schedule) -> optax.Schedule:
  """The learning rate of each step: the run's, times the schedule's shape."""
  return lambda step: learning_rate * schedule(step)


def _only_matrices(params: dict[str, Array]) -> dict[str, bool]:
  return jax.tree.map(lambda array: array.ndim > 1, params)
