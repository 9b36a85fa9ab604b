"""Optimizers as frozen settings that make an optax transformation once the learning rate is known.

A scanned model's stacked parameters are updated layer by layer, so that it trains as the unrolled one does.
"""

import collections
import dataclasses
from collections.abc import Callable
from typing import Any

import gin
import jax
import optax
from jaxtyping import Array

from flan_jax.models.model import Params
from flan_jax.models.stacking import is_stacked
from flan_jax.setting_types import check_types
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

  def __post_init__(self):
    check_types(self)

  def transformation(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
    return layer_by_layer(
      optax.adafactor(
        learning_rate=learning_rate,
        min_dim_size_to_factor=self.min_dim_size_to_factor,
        decay_rate=self.decay_rate,
        multiply_by_parameter_scale=self.multiply_by_parameter_scale,
        clipping_threshold=self.clipping_threshold,
        momentum=None,
      )
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

  def __post_init__(self):
    check_types(self)

  def transformation(self, learning_rate: optax.Schedule) -> optax.GradientTransformation:
    clip = optax.identity() if self.clip_norm is None else optax.clip_by_global_norm(self.clip_norm)
    adamw = optax.adamw(
      learning_rate, b1=self.b1, b2=self.b2, eps=self.eps, weight_decay=self.weight_decay, mask=_only_matrices
    )
    return optax.chain(clip, layer_by_layer(adamw))  # the norm is that of all layers together


Optimizer = Adafactor | AdamW


def scheduled(learning_rate: float, schedule: Schedule) -> optax.Schedule:
  """The learning rate of each step: the run's, times the schedule's shape."""
  return lambda step: learning_rate * schedule(step)


def layer_by_layer(inner: optax.GradientTransformation) -> optax.GradientTransformation:
  """`inner` applied to each layer of a stacked array (see models/stacking.py) as if it were an array of its own.

  Shapes and root mean squares are then those of a layer. The state is `inner`'s, its arrays stacked like the parameters
  that they belong to, its counts as they are. Gradients, parameters and updates are flat dicts by name.

  Args:
    inner: treats each parameter by itself, and keeps what belongs to one in a dict by the parameters' names.
  """

  def init(params: Params) -> optax.OptState:
    made = [_over_layers(inner.init, layers)(_named(params, names)) for layers, names in _groups(params).items()]
    return jax.tree.map(_joined, *made, is_leaf=_is_by_name)

  def update(gradient: Params, state: optax.OptState, params: Params) -> tuple[Params, optax.OptState]:
    made = [
      _over_layers(inner.update, layers)(*(_named(tree, names) for tree in (gradient, state, params)))
      for layers, names in _groups(params).items()
    ]
    return jax.tree.map(_joined, *made, is_leaf=_is_by_name)

  return optax.GradientTransformation(init, update)


def _groups(params: Params) -> dict[int | None, list[str]]:
  """The names of the parameters by how many layers they hold: None for those of one layer or none."""
  groups = collections.defaultdict(list)
  for name, array in params.items():
    groups[array.shape[0] if is_stacked(name) else None].append(name)
  return groups


def _over_layers(function: Callable, layers: int | None) -> Callable:
  """The function of trees mapped over axis 0 of all that is kept by name in them, if there are layers."""
  if layers is None:
    return function

  def mapped(*trees):
    results = jax.eval_shape(function, *trees)  # for what is kept by name in them, and what is not
    return jax.vmap(function, in_axes=tuple(map(_axes, trees)), out_axes=_axes(results))(*trees)

  return mapped


def _axes(tree: Any) -> Any:
  return jax.tree.map(lambda node: 0 if _is_by_name(node) else None, tree, is_leaf=_is_by_name)


def _named(tree: Any, names: list[str]) -> Any:
  """The tree with only these of the parameters in each dict by name."""
  return jax.tree.map(
    lambda node: {name: node[name] for name in names} if _is_by_name(node) else node, tree, is_leaf=_is_by_name
  )


def _joined(*nodes: Any) -> Any:
  """One node of several trees: all that is by name, or what they have in common (a count)."""
  return {name: array for node in nodes for name, array in node.items()} if _is_by_name(nodes[0]) else nodes[0]


def _is_by_name(node: Any) -> bool:
  return isinstance(node, dict)


def _only_matrices(params: dict[str, Array]) -> dict[str, bool]:
  return jax.tree.map(lambda array: array.ndim > 1, params)
