"""Fingerprints: one definition, on the host and on any mesh, and no flipped bit escapes it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import NamedSharding, PartitionSpec

from flan_jax.interop import fingerprints as module
from flan_jax.interop.fingerprints import fingerprints
from flan_jax.training.partitioning import Partitioning

DTYPES = ["float32", "bfloat16", "int32", "uint8"]


def _array(dtype: str, shape: tuple[int, ...]) -> np.ndarray:
  return np.random.default_rng(0).integers(1, 100, shape).astype(jnp.dtype(dtype))


def test_they_do_not_depend_on_the_mesh(monkeypatch):
  """By the devices' own arithmetic, which a CPU's arrays are spared."""
  array = jax.random.normal(jax.random.key(0), (16, 24))
  expected = fingerprints({"a": array})
  monkeypatch.setattr(module, "_is_of_host", lambda _: False)
  mesh = Partitioning(2, 2, 2).mesh()
  for spec in (PartitionSpec("fsdp", "model"), PartitionSpec(None, ("data", "fsdp", "model")), PartitionSpec()):
    assert fingerprints({"a": jax.device_put(array, NamedSharding(mesh, spec))}) == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (7,), (3, 5), (2, 3, 4)])
def test_host_and_device_agree(dtype, shape, monkeypatch):
  monkeypatch.setattr(module, "_CHUNK", 4)  # the host's come in several
  array = _array(dtype, shape)
  expected = fingerprints({"a": array})
  assert fingerprints({"a": jnp.asarray(array)}) == expected
  monkeypatch.setattr(module, "_is_of_host", lambda _: False)
  assert fingerprints({"a": jnp.asarray(array)}) == expected


@pytest.mark.parametrize("on", ["host", "device"])
@pytest.mark.parametrize("dtype", DTYPES)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_every_flipped_bit_shows(dtype, on, data):
  array = _array(dtype, (3, 5))
  of = {"host": module._on_host, "device": lambda each: int(module._on_device(jnp.asarray(each)))}[on]
  flipped = array.copy()
  bit = data.draw(st.integers(0, array.nbytes * 8 - 1))
  flipped.reshape(-1).view(np.uint8)[bit // 8] ^= 1 << bit % 8
  assert of(flipped) != of(array)


def test_another_order_shows():
  array = _array("float32", (3, 5))
  assert fingerprints({"a": array[::-1]}) != fingerprints({"a": array})
  assert fingerprints({"a": array.T.copy()}) != fingerprints({"a": array})
