"""The arrays of a checkpoint of any kind under our names, read one at a time and put straight onto their devices."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol, runtime_checkable

import jax
import ml_dtypes
import numpy as np

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.models.stacking import is_stacked, names_of_layers, split_name

# What parameters can be in a file; ours are float32.
DTYPES = {"float32": np.dtype(np.float32), "bfloat16": np.dtype(ml_dtypes.bfloat16), "float16": np.dtype(np.float16)}
# Adafactor's `v`, `v_row` or `v_col` (the first argument) of a parameter (the second), layers apart, as optax has it:
# of shape [1] where not in use.
Moments = Callable[[str, str], np.ndarray]
MOST_LAYERS = 1000  # of a stack: the deepest published has 24, a broken file any number
_LISTED = 20  # faults that an error names; the rest are counted


@runtime_checkable
class Tensors(Protocol):
  """Arrays by our names with layers apart: `encoder.layers_0.attention.query.kernel` [embed, heads * head_dim]."""

  def shapes(self) -> Mapping[str, tuple[int, ...]]:
    """The shape of every array, in our layout; nothing is read."""
    ...

  def read(self, name: str) -> np.ndarray:
    """One array, of the dtype that it is stored in, which nobody changes afterwards: no view of a mapped file.

    Raises:
      FlanJaxError: its file is damaged.
    """
    ...


def layers_apart(config: T5Config) -> T5Config:
  """The config of the same network with its layers unrolled, as all `Tensors` have them."""
  return dataclasses.replace(config, scan_layers=False)


def check_shapes(where: object, config: T5Config, found: Mapping[str, tuple[int, ...]]) -> None:
  """Compares what a checkpoint holds with what the network of its config has.

  Raises:
    FlanJaxError: names every parameter that is missing, unknown or of another shape.
  """
  check_layers(where, config, found)
  wanted = {name: shape.shape for name, shape in Model(layers_apart(config)).shapes().items()}
  faults = [f"{name} is missing" for name in wanted if name not in found]
  faults += [f"{name} has no place in the network" for name in found if name not in wanted]
  faults += [
    f"{name} has shape {list(found[name])} where the network has {list(wanted[name])}"
    for name in wanted
    if name in found and tuple(found[name]) != wanted[name]
  ]
  if faults:
    rest = f"; and {len(faults) - _LISTED} more" if len(faults) > _LISTED else ""
    raise FlanJaxError(f"{where}: {len(faults)} parameters do not fit: {'; '.join(faults[:_LISTED])}{rest}")


def cast(name: str, array: np.ndarray, dtype: str) -> np.ndarray:
  """An array as one of DTYPES. Raises UsageError where a number would become infinite, as beyond 65,504 in float16."""
  with np.errstate(over="ignore"):
    result = array.astype(DTYPES[dtype], copy=False)
  if result.dtype != array.dtype and not np.isfinite(result).all():
    lost = np.count_nonzero(np.isfinite(array) & ~np.isfinite(result))
    if lost:
      raise UsageError(f"{name}: {lost:,} of its {array.size:,} numbers are beyond {dtype}'s: choose another --dtype")
  return result


def check_layers(where: object, config: T5Config, names: Iterable[str]) -> None:
  """Compares the layers that a config has with those in names, layers apart, before a network is made of the config.

  Raises:
    FlanJaxError: a stack has other layers; names it.
  """
  names = list(names)
  for stack, count in (("encoder", config.num_encoder_layers), ("decoder", config.num_decoder_layers)):
    found = {split_name(name)[1] for name in names if name.startswith(f"{stack}.layers_")} - {None}
    if count > MOST_LAYERS:
      raise FlanJaxError(f"{where}: {count:,} layers of the {stack}: at most {MOST_LAYERS:,} are read")
    if len(found) != count or max(found) != count - 1:
      last = f", the last of them layers_{max(found)}" if found else ""
      raise FlanJaxError(f"{where}: there are parameters of {len(found)} layers of the {stack}{last}, wanted {count}")


def place(read: Callable[[str], np.ndarray], wanted: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, jax.Array]:
  """The arrays, as `wanted` says: shape, dtype and sharding (this process's first device where there is none).

  One array at a time is in host memory, with at most one more copy of it, whatever the size of the model.

  Args:
    read: gives an array by its name, layers apart.
    wanted: by our names, of stacked layers too.
  """
  # The layers of a parameter one after the other: where they lie in one file, it is read once.
  return {
    name: _on_devices(read_whole(read, name, wanted[name].shape), wanted[name])
    for name in sorted(wanted, key=split_name)
  }


def read_whole(read: Callable[[str], np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
  """An array as stored, or the layers of a stacked one on axis 0."""
  if not is_stacked(name):
    return read(name)
  layers = names_of_layers(name, shape[0])
  first = read(layers[0])
  whole = np.empty((len(layers), *first.shape), first.dtype)
  whole[0] = first
  for i, layer in enumerate(layers[1:], start=1):
    whole[i] = read(layer)
  return whole


def _on_devices(array: np.ndarray, wanted: jax.ShapeDtypeStruct) -> jax.Array:
  # JAX may keep this memory as its own, which is why `Tensors.read` gives away what it gives.
  array = np.ascontiguousarray(array, wanted.dtype).reshape(wanted.shape)
  sharding = wanted.sharding or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part])
