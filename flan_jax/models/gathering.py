"""How parameters come to the devices that use them, for whoever has split those or rows; the layers know no mesh."""

import contextlib
import contextvars
from collections.abc import Callable, Iterator

from flax import nnx
from jaxtyping import Array

# (a parameter, its logical axes) to the same values where and as they are used.
Gather = Callable[[Array, tuple[str, ...]], Array]
# (an array, its logical axes) to a copy for each share of the rows that devices have: [shares, ...]. The gradients of
# the copies are summed over devices once, where one array for all rows would have each of its uses summed.
Spread = Callable[[Array, tuple[str, ...]], Array]

# What `jax.ad_checkpoint.checkpoint_name` is to call the results: no remat policy keeps them.
GATHERED = "gathered"

_gather: contextvars.ContextVar[Gather | None] = contextvars.ContextVar("gather", default=None)
_spread: contextvars.ContextVar[Spread | None] = contextvars.ContextVar("spread", default=None)


@contextlib.contextmanager
def gathering(gather: Gather | None, spread: Spread | None = None) -> Iterator[None]:
  """Models that are traced while the context lasts use each layer's parameters as `gather` gives them.

  It is called within the layer, so that one layer's are there at a time, and again in the backward pass.
  """
  before = _gather.set(gather), _spread.set(spread)
  try:
    yield
  finally:
    _gather.reset(before[0])
    _spread.reset(before[1])


def for_each_share(array: Array, axes: tuple[str, ...]) -> Array:
  """The array once for each share of the rows, [shares, ...]; outside of `gathering` there is one."""
  spread = _spread.get()
  return array[None] if spread is None else spread(array, axes)


def is_gathering() -> bool:
  """Whether parameters are gathered here."""
  return _gather.get() is not None


def gathered(layer: nnx.Module) -> nnx.Module:
  """The layer with its parameters as they are used; itself where nothing has to be gathered."""
  gather = _gather.get()
  if gather is None:
    return layer
  graph, parameters = nnx.split(layer)
  used = [
    (path, gather(variable.get_value(), _of_one_layer(variable.get_metadata()["axes"])))
    for path, variable in nnx.to_flat_state(parameters)
  ]
  return nnx.merge(graph, nnx.from_flat_state(used))


def _of_one_layer(axes: tuple[str, ...]) -> tuple[str, ...]:
  """In a loop over layers the axis of that name is gone from the array, though not from what is said of it."""
  return axes[1:] if axes[0] == "layers" else axes
