"""What training changes from step to step, and its flat form: one dict from names to arrays."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from flan_jax.models.model import Model, Params
from flan_jax.training.guard import GuardState


class TrainState(NamedTuple):
  """A point of a training run; shapes or shardings stand in the place of arrays where those are asked for.

  Attributes:
    step: int32 scalar, the number of updates done.
    params: the model's parameters, float32.
    optimizer: optax's state.
    guard: what the guard remembers of the losses before.
  """

  step: Any
  params: dict[str, Any]
  optimizer: optax.OptState
  guard: GuardState


def new_state(params: Params, optimizer: optax.GradientTransformation) -> TrainState:
  """The state before the first update."""
  return TrainState(jnp.zeros((), jnp.int32), params, optimizer.init(params), GuardState.new())


def abstract_state(model: Model, optimizer: optax.GradientTransformation) -> TrainState:
  """The shapes and dtypes of `new_state`; nothing is allocated."""
  return jax.eval_shape(lambda params: new_state(params, optimizer), model.shapes())


def optimizer_arrays(state: TrainState) -> dict[str, Any]:
  """The optimizer's state as a flat dict, such as {'0.v_row.decoder.logits_dense.kernel': [E], ...}.

  It is what a checkpoint holds, so that reading one needs no optax type.
  """
  leaves, _ = jax.tree_util.tree_flatten_with_path(state.optimizer)
  return {_name(path): leaf for path, leaf in leaves}


def with_optimizer_arrays(state: TrainState, arrays: dict[str, Array]) -> TrainState:
  """The state with the optimizer's arrays that `optimizer_arrays` gave."""
  leaves, tree = jax.tree_util.tree_flatten_with_path(state.optimizer)
  return state._replace(optimizer=jax.tree.unflatten(tree, [arrays[_name(path)] for path, _ in leaves]))


def _name(path: tuple) -> str:
  """'0.mu.encoder.norm.scale' of (SequenceKey(0), GetAttrKey('mu'), DictKey('encoder.norm.scale'))."""
  return ".".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", None)))) for key in path)
