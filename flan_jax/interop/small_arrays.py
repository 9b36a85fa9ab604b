"""Small arrays of a checkpoint, laid end to end in one array of bytes.

Orbax takes 1 to 2 ms an array whatever its size, and Adafactor keeps some 570 of them for t5_1_1_small, 4 MB together:
they took longer than the 300 MB of parameters.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

BUNDLE = "small_arrays"  # its name among the large ones; names of parameters have dots
_SMALL = 1 << 16  # bytes
_ALIGNED = 64  # bytes: where each begins is a multiple of that


def bundled(arrays: Mapping[str, jax.Array]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
  """(the large arrays, with the small ones under BUNDLE on the host; the small ones in the order in which they lie).

  Only arrays that every process has whole are bundled; the others are written by whoever holds a part.
  """
  names = [name for name, array in arrays.items() if array.nbytes <= _SMALL and array.is_fully_replicated]
  if not names:
    return dict(arrays), {}
  content = [np.asarray(each) for each in jax.device_get([arrays[name] for name in names])]
  starts, size = _layout([array.nbytes for array in content])
  bundle = np.zeros(size, np.uint8)
  for start, array in zip(starts, content, strict=True):
    bundle[start : start + array.nbytes] = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
  small = dict(zip(names, content, strict=True))
  return {**{name: array for name, array in arrays.items() if name not in small}, BUNDLE: bundle}, small


def unbundled(bundle: np.ndarray, names: list[str], kinds: Mapping[str, Sequence]) -> dict[str, np.ndarray]:
  """The arrays that `bundled` laid into one, by name.

  Args:
    bundle: uint8, the bytes.
    names: in their order.
    kinds: (dtype, shape) of each.
  """
  found = {name: (jnp.dtype(kinds[name][0]), tuple(kinds[name][1])) for name in names}
  starts, _ = _layout([dtype.itemsize * math.prod(shape) for dtype, shape in found.values()])
  return {
    name: bundle[start : start + dtype.itemsize * math.prod(shape)].view(dtype).reshape(shape).copy()
    for start, (name, (dtype, shape)) in zip(starts, found.items(), strict=True)
  }


def _layout(sizes: list[int]) -> tuple[list[int], int]:
  """Where each begins, and the size of all, in bytes."""
  ends = np.cumsum([-(-size // _ALIGNED) * _ALIGNED for size in sizes])
  return [0, *ends[:-1].tolist()], int(ends[-1])
