"""One item of a step's folder, read to the host an array at a time: for those who need no second copy of a model."""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from flan_jax.interop import checkpoints as layout
from flan_jax.interop.damage import read_array, strange_arrays
from flan_jax.interop.fingerprints import fingerprints
from flan_jax.interop.small_arrays import BUNDLE, unbundled
from flan_jax.models.stacking import split_name


class HostArrays:
  """The arrays of an item, with layers apart, however they were saved; each is compared with its fingerprint.

  The files are compared with their sums before the first array is read.
  """

  def __init__(self, folder: pathlib.Path, item: str, record: Mapping[str, Any]):
    self._folder = folder
    self._item = item
    self._record = record
    self._last: tuple[str, np.ndarray] | None = None

  @property
  def names(self) -> list[str]:
    """As saved, layers stacked or not; none where there is no such item."""
    return list(self._record["arrays"].get(self._item, {}))

  @property
  def dtypes(self) -> set[str]:
    """Of the arrays, as saved."""
    return {dtype for dtype, _ in self._record["arrays"].get(self._item, {}).values()}

  def read(self, name: str) -> np.ndarray:
    """An array, or the layer of a stacked one.

    Raises:
      DamagedError: it is not what was saved; names it, or the files that have changed.
    """
    if name in self._kinds:
      return self._whole(name)
    whole, layer = split_name(name)
    # The layers of an array are asked for one after the other: the one last read is kept.
    if self._last is None or self._last[0] != whole:
      self._last = None
      self._last = whole, self._whole(whole)
    return self._last[1][layer]

  def _whole(self, name: str) -> np.ndarray:
    small = self._small
    array = small[name] if name in small else read_array(self._folder / self._item, name)
    if array is None or fingerprints({name: array})[name] != self._record["fingerprints"][self._item][name]:
      raise layout.damaged(self._folder, [strange_arrays(self._item, [name])])
    return array

  @property
  def _kinds(self) -> Mapping[str, Any]:
    return self._record["arrays"][self._item]

  @functools.cached_property
  def _small(self) -> dict[str, np.ndarray]:
    """The small arrays; all are read at once, after the files were compared."""
    if found := layout.faults(self._folder, [self._item]):
      raise layout.damaged(self._folder, found)
    names = self._record["small_arrays"].get(self._item, [])
    if not names:
      return {}
    bundle = read_array(self._folder / self._item, BUNDLE)
    if bundle is None:
      raise layout.damaged(self._folder, [strange_arrays(self._item, names)])
    return unbundled(bundle, names, self._kinds)
