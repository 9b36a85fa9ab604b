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
  prepare_jax(environment=environment)
  assert environment.get("XLA_FLAGS") == after


def test_a_cpu_becomes_several_devices_of_one_thread_each():
  environment = {"JAX_PLATFORMS": "cpu"}
  prepare_jax(4, environment)
  assert "--xla_force_host_platform_device_count=4" in environment["XLA_FLAGS"].split()
  assert "--xla_cpu_multi_thread_eigen=false" in environment["XLA_FLAGS"].split()
  assert int(environment["PJRT_NPROC"]) > 4


@pytest.mark.parametrize(("cores", "devices"), [(1, None), (2, 2), (3, 2), (6, 4), (64, 8)])
def test_a_device_a_core_up_to_a_power_of_two(monkeypatch, cores, devices):
  monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(cores)), raising=False)
  environment = {"JAX_PLATFORMS": "cpu"}
  prepare_jax(-1, environment)
  expected = f"--xla_force_host_platform_device_count={devices}"
  assert (expected in environment["XLA_FLAGS"].split()) == (devices is not None)
  assert ("device_count" in environment["XLA_FLAGS"]) == (devices is not None)


def test_an_accelerator_is_left_alone():
  environment = {"JAX_PLATFORMS": "cuda"}
  prepare_jax(-1, environment)
  assert environment == {"JAX_PLATFORMS": "cuda"}
