"""Layers that are alike as one: their arrays stacked on axis 0 under one name, and taken apart again.

`encoder.layers_0.mlp.wo.kernel` [hidden, width], `encoder.layers_1.mlp.wo.kernel`, ... are
`encoder.layers.mlp.wo.kernel` [layers, hidden, width], and likewise under a prefix, as an optimizer's arrays have:
`0.v_row.encoder.layers_0.mlp.wo.kernel`.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

# Arrays of JAX or numpy, or their shapes.
AnyArray = TypeVar("AnyArray", jax.Array, np.ndarray, jax.ShapeDtypeStruct)

_OF_A_LAYER = re.compile(r"(?P<before>.*\b(?:encoder|decoder)\.layers)_(?P<layer>\d{1,6})(?P<after>\..+)")
_OF_ALL_LAYERS = re.compile(r"(?P<before>.*\b(?:encoder|decoder)\.layers)(?P<after>\..+)")


def stacked(arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
  """The arrays with those of all layers of a stack made one, layers on axis 0; the others as they are.

  Args:
    arrays: of JAX (traced too), of numpy, or shapes, whose shardings then leave the new axis whole.

  Raises:
    ValueError: a layer between the first and the last is missing.
  """
  result: dict[str, AnyArray] = {}
  layers: dict[str, dict[int, AnyArray]] = {}
  for name, array in arrays.items():
    whole, layer = split_name(name)
    if layer is None:
      result[name] = array
    else:
      result.setdefault(whole, array)  # holds the place of the first
      layers.setdefault(whole, {})[layer] = array
  for name, found in layers.items():
    if missing := sorted(set(range(max(found))) - set(found)):
      raise ValueError(f"{name} cannot be stacked: layers {', '.join(map(str, missing))} are missing")
    result[name] = _stack([found[layer] for layer in range(len(found))])
  return result


def unstacked(arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
  """The inverse of `stacked`: an array a layer in the place of each stacked one."""
  result: dict[str, AnyArray] = {}
  for name, array in arrays.items():
    if is_stacked(name):
      count = array.shape[0]
      result.update({each: _layer(array, i) for i, each in enumerate(names_of_layers(name, count))})
    else:
      result[name] = array
  return result


def is_stacked(name: str) -> bool:
  """Whether an array of this name holds all layers of a stack."""
  return _OF_ALL_LAYERS.fullmatch(name) is not None


def names_of_layers(name: str, count: int) -> list[str]:
  """The names of the `count` arrays that a stacked one holds.

  >>> names_of_layers("decoder.layers.mlp.wo.kernel", 2)
  ['decoder.layers_0.mlp.wo.kernel', 'decoder.layers_1.mlp.wo.kernel']
  """
  parts = _OF_ALL_LAYERS.fullmatch(name)
  if parts is None:
    raise ValueError(f"{name} is no name of a stacked array")
  return [f"{parts['before']}_{layer}{parts['after']}" for layer in range(count)]


def split_name(name: str) -> tuple[str, int | None]:
  """(the stacked array's name, the layer's place in it), or (the name, None) of an array that belongs to no layer.

  >>> split_name("decoder.layers_3.mlp.wo.kernel")
  ('decoder.layers.mlp.wo.kernel', 3)
  """
  parts = _OF_A_LAYER.fullmatch(name)
  return (name, None) if parts is None else (parts["before"] + parts["after"], int(parts["layer"]))


def _stack(arrays: Sequence[AnyArray]) -> AnyArray:
  first = arrays[0]
  if isinstance(first, jax.ShapeDtypeStruct):
    return _shape((len(arrays), *first.shape), first, lambda spec: (None, *spec))
  return (np if isinstance(first, np.ndarray) else jnp).stack(arrays)


def _layer(array: AnyArray, layer: int) -> AnyArray:
  if isinstance(array, jax.ShapeDtypeStruct):
    return _shape(array.shape[1:], array, lambda spec: spec[1:])
  return array[layer]


def _shape(shape, like, change_spec) -> jax.ShapeDtypeStruct:
  sharding = like.sharding
  if isinstance(sharding, NamedSharding):
    sharding = NamedSharding(sharding.mesh, PartitionSpec(*change_spec(tuple(sharding.spec))))
  return jax.ShapeDtypeStruct(shape, like.dtype, sharding=sharding)
