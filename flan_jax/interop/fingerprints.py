"""Fingerprints of arrays: sums that any flipped bit changes and that do not depend on how an array is split."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32

_CHUNK = 1 << 16  # elements of a host's array at a time: what is computed with them stays in a core's cache
_GOLDEN, _FIRST, _SECOND = 0x9E3779B9, 0x85EBCA6B, 0xC2B2AE35


def fingerprints(arrays: Mapping[str, jax.Array | np.ndarray]) -> dict[str, str]:
  """Eight hexadecimal digits an array: any change of one element changes them, and so does (but for one case in
  2**32) any other change of values or of their order. They do not depend on how the array is split over devices, nor
  on whether it lies on a device or, as numpy's, on the host."""
  of_device = {name: _on_device(array) for name, array in arrays.items() if not _is_of_host(array)}
  of_host = {name: _on_host(array) for name, array in arrays.items() if _is_of_host(array)}
  sums = {**of_host, **jax.device_get(of_device)}
  return {name: f"{int(sums[name]):08x}" for name in arrays}


def _is_of_host(array: jax.Array | np.ndarray) -> bool:
  """Of a CPU's arrays too: numpy is as fast there, and XLA takes 0.1 s to compile for each shape."""
  if isinstance(array, np.ndarray):
    return True
  return array.is_fully_addressable and all(device.platform == "cpu" for device in array.devices())


@jax.jit
def _on_device(array: Array) -> UInt32[Array, ""]:
  """Sum over elements of mix(bits ^ mix(index + golden)), where mix is MurmurHash3's finaliser: a bijection of uint32
  in which every input bit reaches every output bit. For a given index all of it is a bijection of the bits, so one
  changed element always shows; the sum is over integers modulo 2**32, so any order of adding gives the same."""

  def mix(x):
    x = (x ^ (x >> 16)) * jnp.uint32(_FIRST)
    x = (x ^ (x >> 13)) * jnp.uint32(_SECOND)
    return x ^ (x >> 16)

  width = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[array.dtype.itemsize]
  bits = jax.lax.bitcast_convert_type(array, width).astype(jnp.uint32)
  index = jnp.zeros(array.shape, jnp.uint32)
  for axis in range(array.ndim):
    index = index * jnp.uint32(array.shape[axis]) + jax.lax.broadcasted_iota(jnp.uint32, array.shape, axis)
  return jnp.sum(mix(bits ^ mix(index + jnp.uint32(_GOLDEN))), dtype=jnp.uint32)


def _on_host(array: jax.Array | np.ndarray) -> int:
  """The same sum by numpy, in place: 0.2 s of a core for 77 million elements."""
  array = np.ascontiguousarray(array)
  bits = array.reshape(-1).view(f"u{array.dtype.itemsize}")
  count = min(_CHUNK, bits.size)
  first, numbers, spare = np.arange(count, dtype=np.uint32), np.empty(count, np.uint32), np.empty(count, np.uint32)

  def mix(x: np.ndarray, spare: np.ndarray) -> None:
    for shift, factor in ((16, _FIRST), (13, _SECOND), (16, None)):
      np.right_shift(x, shift, out=spare)
      np.bitwise_xor(x, spare, out=x)
      if factor:
        np.multiply(x, np.uint32(factor), out=x)

  total = 0
  for start in range(0, bits.size, _CHUNK):
    part = bits[start : start + _CHUNK]
    x, free = numbers[: part.size], spare[: part.size]
    np.add(first[: part.size], np.uint32((start + _GOLDEN) & 0xFFFFFFFF), out=x)
    mix(x, free)
    np.bitwise_xor(x, part, out=x)
    mix(x, free)
    total += int(np.sum(x, dtype=np.uint64))
  return total & 0xFFFFFFFF
