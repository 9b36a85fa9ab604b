"""XLA's flags: appended on a CPU, never overwritten."""

import pytest

from flan_jax.cli.environment import prepare_jax

FLAG = "--xla_cpu_enable_concurrency_optimized_scheduler"


@pytest.mark.parametrize(
  ("before", "after"),
  [
    ({"JAX_PLATFORMS": "cpu"}, f"{FLAG}=false"),
    ({"JAX_PLATFORMS": "cpu", "XLA_FLAGS": "--xla_other=1"}, f"--xla_other=1 {FLAG}=false"),
    ({"JAX_PLATFORMS": "cpu", "XLA_FLAGS": f"{FLAG}=true"}, f"{FLAG}=true"),
    ({"JAX_PLATFORMS": "cuda,cpu"}, None),
    ({"JAX_PLATFORMS": "tpu", "XLA_FLAGS": "--xla_other=1"}, "--xla_other=1"),
  ],
)
def test_flags(before, after):
  environment = dict(before)
  prepare_jax(environment)
  assert environment.get("XLA_FLAGS") == after
