"""Position biases a layer or shared by a stack: one network where all layers have the same, exported as either."""

import dataclasses
from collections.abc import Mapping

import numpy as np

from flan_jax.errors import UsageError
from flan_jax.interop.tensors import Tensors, layers_apart
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

_BIAS = "relpos_bias.rel_embedding"


def with_biases(relative_bias: str, config: T5Config, tensors: Tensors, where: object) -> tuple[T5Config, Tensors]:
  """The same network with its position biases kept another way.

  Args:
    relative_bias: 'shared' or 'per_layer' (see T5Config).
    config: of the tensors.
    where: names the checkpoint in errors.

  Raises:
    UsageError: the biases of its layers differ, so that they cannot be shared.
  """
  if config.relative_bias == relative_bias:
    return config, tensors
  changed = dataclasses.replace(config, relative_bias=relative_bias)
  homes = {name: _home(name, relative_bias) for name in Model(layers_apart(changed)).shapes()}
  if relative_bias == "shared":
    _check_alike(tensors, where)
  return changed, _Renamed(tensors, homes)


class _Renamed:
  """Tensors under other names."""

  def __init__(self, tensors: Tensors, homes: Mapping[str, str]):
    self._tensors = tensors
    self._homes = homes

  def shapes(self) -> dict[str, tuple[int, ...]]:
    shapes = self._tensors.shapes()
    return {name: shapes[home] for name, home in self._homes.items()}

  def read(self, name: str) -> np.ndarray:
    return self._tensors.read(self._homes[name])


def _home(name: str, relative_bias: str) -> str:
  """Where a bias is read from: that of the stack for each layer, or that of the first layer for the stack."""
  if not name.endswith(_BIAS):
    return name
  stack = name.split(".")[0]
  return f"{stack}.{_BIAS}" if relative_bias == "per_layer" else f"{stack}.layers_0.{_BIAS}"


def _check_alike(tensors: Tensors, where: object) -> None:
  for name in tensors.shapes():
    if not name.endswith(_BIAS):
      continue
    first = _home(f"{name.split('.')[0]}.{_BIAS}", "shared")
    if not np.array_equal(tensors.read(name), tensors.read(first)):
      raise UsageError(
        f"{where} has a position bias a layer, and {name} is not {first}: only flan_jax and T5X's scanned network can "
        "hold them (--to flan_jax, or --to t5x --scan)"
      )
