"""What a process may use of its machine: not what it sees of it."""

import os

import pytest

from flan_jax import machine


@pytest.fixture
def eight_cores(monkeypatch, tmp_path):
  """Four cores of two threads each, whose numbers are those of most machines."""
  for cpu in range(8):
    topology = tmp_path / f"cpu{cpu}/topology"
    topology.mkdir(parents=True)
    (topology / "physical_package_id").write_text("0\n")
    (topology / "core_id").write_text(f"{cpu % 4}\n")
  monkeypatch.setattr(machine, "_CPUS", tmp_path)
  monkeypatch.setattr(machine, "_QUOTA", tmp_path / "cpu.max")
  monkeypatch.setattr(machine, "_QUOTA_1", tmp_path / "none")
  monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
  return tmp_path


def test_threads_of_a_core_are_beside_each_other(eight_cores):
  assert machine.cores() == [0, 4, 1, 5, 2, 6, 3, 7]


@pytest.mark.parametrize(("quota", "count"), [("max 100000", 8), ("250000 100000", 2), ("50000 100000", 1), ("", 8)])
def test_a_container_has_the_cores_that_its_quota_pays_for(eight_cores, quota, count):
  (eight_cores / "cpu.max").write_text(quota)
  assert len(set(machine.cores())) == count


def test_the_quota_of_a_first_version_container(eight_cores, monkeypatch):
  for name, text in (("_QUOTA_1", "300000\n"), ("_PERIOD_1", "100000\n")):
    (eight_cores / name).write_text(text)
    monkeypatch.setattr(machine, name, eight_cores / name)
  assert len(machine.cores()) == 3


@pytest.mark.parametrize(
  ("environment", "expected"),
  [({"CUDA_VISIBLE_DEVICES": "GPU-8932f937,3"}, ["GPU-8932f937", "3"]), ({"CUDA_VISIBLE_DEVICES": ""}, [])],
)
def test_gpus_are_called_as_the_environment_calls_them(environment, expected):
  assert machine.gpus(environment) == expected


def test_gpus_are_counted_where_nobody_says_which(monkeypatch):
  monkeypatch.setattr(machine.glob, "glob", lambda pattern: ["/dev/nvidia0", "/dev/nvidia3"])
  assert machine.gpus({}) == ["0", "1"]  # CUDA counts those that it sees
  assert not machine.on_cpu({})
  assert machine.on_cpu({"JAX_PLATFORMS": "cpu"})
