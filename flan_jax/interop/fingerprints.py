"""Fingerprints of arrays: sums that any flipped bit changes and that do not depend on how an array is split."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32

_CHUNK = 1 << 22  # elements of a host's array at a time: 16 MiB, that an array of gigabytes is never held twice


def fingerprints(arrays: Mapping[str, jax.Array | np.ndarray]) -> dict[str, str]:
  """Eight hexadecimal digits an array: any change of one element changes them, and so does (but for one case in
  2**32) any other change of values or of their order. They do not depend on how the array is split over devices, nor
  on whether it lies on a device or, as numpy's, on the host."""
  sums = {name: _on_host(each) if isinstance(each, np.ndarray) else _on_device(each) for name, each in arrays.items()}
  return {name: f"{int(value):08x}" for name, value in jax.device_get(sums).items()}


@jax.jit
def _on_device(array: Array) -> UInt32[Array, ""]:
  """Sum over elements of mix(bits ^ mix(index)). For a given index that is a bijection of the bits, so one changed
  element always shows; the sum is over integers modulo 2**32, so any order of adding gives the same."""
  width = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[array.dtype.itemsize]
  bits = jax.lax.bitcast_convert_type(array, width).astype(jnp.uint32)
  index = jnp.zeros(array.shape, jnp.uint32)
  for axis in range(array.ndim):
    index = index * jnp.uint32(array.shape[axis]) + jax.lax.broadcasted_iota(jnp.uint32, array.shape, axis)
  return jnp.sum(_mixed(bits, index), dtype=jnp.uint32)


def _on_host(array: np.ndarray) -> int:
  """The same sum by numpy: for small arrays, of which each new shape would cost 40 ms of compiling, and for damage."""
  bits = np.ascontiguousarray(array).reshape(-1).view(f"u{array.dtype.itemsize}")
  total = 0
  for start in range(0, bits.size, _CHUNK):
    part = bits[start : start + _CHUNK].astype(np.uint32)
    index = np.arange(start, start + part.size, dtype=np.uint64).astype(np.uint32)
    total += int(np.sum(_mixed(part, index), dtype=np.uint64))
  return total & 0xFFFFFFFF


def _mixed(bits, index):
  return _mix(bits ^ _mix(index + np.uint32(0x9E3779B9)))


def _mix(x):
  """MurmurHash3's finaliser of uint32: a bijection in which every input bit reaches every output bit."""
  x = (x ^ (x >> 16)) * np.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * np.uint32(0xC2B2AE35)
  return x ^ (x >> 16)
