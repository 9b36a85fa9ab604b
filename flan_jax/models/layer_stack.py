"""Layers that are alike, run one after the other: written out one by one, or as one loop over stacked parameters."""

import functools
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Array, Float

from flan_jax.models.configs import T5Config
from flan_jax.models.gathering import GATHERED, gathered, is_gathering

# What a layer keeps for the backward pass; "none" keeps everything and computes nothing twice.
REMAT_POLICIES: dict[str, Callable[..., Callable]] = {
  "none": lambda layer, **_: layer,
  "dots": lambda layer, **options: jax.checkpoint(layer, policy=jax.checkpoint_policies.checkpoint_dots, **options),
  "full": jax.checkpoint,
}


class LayerStack(nnx.Module):
  """What encoder and decoder have in common: the layers, under T5X's names.

  Unrolled they are `layers_0`, `layers_1`, ...; scanned (T5Config.scan_layers) they are one module, `layers`, each of
  whose parameters holds those of all layers on an axis 0 more.
  """

  def __init__(self, config: T5Config, make: Callable[[], nnx.Module], count: int):
    self.config = config
    self.count = count
    if config.scan_layers:
      self.layers = _stack_shapes(make(), count)
    else:
      for i in range(count):
        setattr(self, f"layers_{i}", make())

  def run(
    self, x: Float[Array, "batch length width"], keys: Sequence[Array | None], *inputs: object
  ) -> Float[Array, "batch length width"]:
    """x after all layers, each called as layer(x, *inputs, key) with its dropout key (None: nothing is dropped)."""
    remat = REMAT_POLICIES[self.config.remat_policy]
    if is_gathering() and self.config.remat_policy == "none":
      remat = functools.partial(
        jax.checkpoint, policy=jax.checkpoint_policies.save_anything_except_these_names(GATHERED)
      )
    if not self.config.scan_layers:
      for layer, key in zip(self.one_by_one(), keys, strict=True):
        layer, x = _finished_before(layer, x)
        x = remat(functools.partial(_call, layer))(x, *inputs, key)
      return x
    # lax.scan over split state: nnx.scan would stack a whole copy of the parameters into its outputs.
    graph, parameters = nnx.split(self.layers)

    def layer(x, of_layer):
      parameters, key = of_layer
      return gathered(nnx.merge(graph, parameters))(x, *inputs, key), None

    keys = None if keys[0] is None else jnp.stack(keys)
    # A loop's body cannot be merged with its own recomputation: the barriers against that would only cost time.
    return jax.lax.scan(remat(layer, prevent_cse=False), x, (parameters, keys))[0]

  def one_by_one(self) -> list[nnx.Module]:
    """The layers of an unrolled stack, first to last."""
    return [getattr(self, f"layers_{i}") for i in range(self.count)]


def _finished_before(layer: nnx.Module, x: Array) -> tuple[nnx.Module, Array]:
  """The same, but on a CPU the backward pass has all gradients of the layer's parameters before it goes on from x.

  XLA's CPU backend drops barriers and leaves the gradients of all layers' matrices to the end of the step; until then
  both factors of each stay in memory: 1.20 GB of temporaries against 0.83 for t5_1_1_small with `dots`.
  """
  if jax.default_backend() != "cpu":
    return layer, x
  graph, parameters = nnx.split(layer)
  parameters, x = _in_order(parameters, x)
  return nnx.merge(graph, parameters), x


@jax.custom_vjp
def _in_order(parameters, x):
  return parameters, x


def _in_order_backward(_, gradients):
  of_parameters, of_x = gradients
  # One number of each: what x's gradient is made of cannot come before it. (Of a float, times 0 is computed.)
  one_of_each = [gradient.reshape(-1)[0] for gradient in jax.tree.leaves(of_parameters)]
  return of_parameters, of_x + (0 * sum(one_of_each)).astype(of_x.dtype)


_in_order.defvjp(lambda parameters, x: ((parameters, x), None), _in_order_backward)


def _call(layer: nnx.Module, *inputs: object) -> Array:
  return gathered(layer)(*inputs)


def _stack_shapes(layer: nnx.Module, count: int) -> nnx.Module:
  """The layer (made of shapes) with each parameter's shape and axes for `count` of them."""
  for _, variable in nnx.to_flat_state(nnx.state(layer)):
    one = variable.get_value()
    variable.set_value(jax.ShapeDtypeStruct((count, *one.shape), one.dtype))
    variable.set_metadata(axes=("layers", *variable.get_metadata()["axes"]))
  return layer
