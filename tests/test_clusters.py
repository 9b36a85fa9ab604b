"""What a launcher says about a process: environments as srun, mpirun, Kubernetes and TPU hosts set them."""

import doctest
import os

import jax
import pytest
from jax._src.clusters import cloud_tpu_cluster

from flan_jax import clusters
from flan_jax.clusters import Place, find
from flan_jax.errors import FlanJaxError, UsageError

# Printed by srun -n 2 of Slurm 22.05.8 and by mpirun -n 2 of Open MPI 4.1.4 (Debian 12).
SLURM = {
  "SLURM_JOB_ID": "4099",
  "SLURM_STEP_NODELIST": "node[1-3,7]",
  "SLURM_NTASKS": "8",
  "SLURM_PROCID": "5",
  "SLURM_LOCALID": "1",
  "SLURM_NODEID": "2",
  "SLURM_STEP_TASKS_PER_NODE": "2(x4)",
}
OPEN_MPI = {
  "OMPI_COMM_WORLD_SIZE": "2",
  "OMPI_COMM_WORLD_RANK": "1",
  "OMPI_COMM_WORLD_LOCAL_RANK": "1",
  "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
  "OMPI_MCA_orte_hnp_uri": "290521088.0;tcp://192.0.2.2:39987;tcp6://[fd00::2]:44989",
}
TRAINER = {"JAX_COORDINATOR_ADDRESS": "job-0.svc:29500", "JAX_NUM_PROCESSES": "4", "JAX_PROCESS_ID": "3"}
TPU = {
  "TPU_WORKER_HOSTNAMES": "localhost,host-1",
  "TPU_WORKER_ID": "1",
  "MEGASCALE_COORDINATOR_ADDRESS": "localhost",  # two slices; without these JAX asks Google's metadata server
  "MEGASCALE_NUM_SLICES": "2",
  "MEGASCALE_SLICE_ID": "1",
}
_PREFIXES = ("SLURM_", "OMPI_", "JAX_COORDINATOR", "JAX_NUM", "JAX_PROCESS", "TPU_", "MEGASCALE", "KUBERNETES_", "JOB_")


@pytest.fixture(autouse=True)
def _launched_by_nobody(monkeypatch):
  for name in [name for name in os.environ if name.startswith((*_PREFIXES, "CUDA_VISIBLE"))]:
    monkeypatch.delenv(name)


@pytest.fixture
def under(monkeypatch):
  """Puts variables into the environment."""

  def put(*environments, **more):
    for name, value in {key: value for each in (*environments, more) for key, value in each.items()}.items():
      monkeypatch.setenv(name, value)

  return put


def test_a_process_on_its_own(under):
  assert find() is None
  under(KUBERNETES_SERVICE_HOST="10.0.0.1")  # any pod has that
  assert find() is None


@pytest.mark.parametrize(
  ("environment", "expected"),
  [
    (SLURM, Place("node1:61443", 8, 5)),  # 61440 + 4099 mod 4096
    (OPEN_MPI, Place("192.0.2.2:62736", 2, 1)),  # 61440 + 290521088 / 4096 mod 4096
    (TRAINER, Place("job-0.svc:29500", 4, 3)),
    (SLURM | OPEN_MPI, Place("192.0.2.2:62736", 2, 1)),
    (SLURM | TRAINER, Place("job-0.svc:29500", 4, 3)),
  ],
)
def test_launchers_are_found(environment, expected, under):
  under(environment)
  assert find() == expected
  assert find("none") is None


def test_a_launcher_by_name(under):
  under(SLURM, OPEN_MPI)
  assert find("slurm").count == 8
  with pytest.raises(UsageError, match="--cluster k8s: it did not start this process"):
    find("k8s")


def test_one_task_is_a_run_of_its_own(under):
  under(SLURM, SLURM_NTASKS="1", SLURM_PROCID="0")
  assert find() is None
  assert find("slurm") is None


def test_the_script_of_sbatch_is_no_task(under):
  under({name: value for name, value in SLURM.items() if name != "SLURM_STEP_NODELIST"})
  assert find() is None


def test_flags_win_over_the_environment(under):
  under(SLURM)
  assert find(coordinator="here:1") == Place("here:1", 8, 5)
  assert find(coordinator="here:1", count=2, index=0) == Place("here:1", 2, 0)
  assert find("none", "here:1", 2, 0) == Place("here:1", 2, 0)


def test_what_is_missing_is_asked_for(under):
  with pytest.raises(UsageError, match="but --coordinator and --process is not known"):
    find(count=2)
  under({name: value for name, value in OPEN_MPI.items() if "uri" not in name})  # Open MPI 5
  with pytest.raises(UsageError, match="but --coordinator is not known"):
    find()
  assert find(coordinator="here:1") == Place("here:1", 2, 1)
  under(JAX_COORDINATOR_ADDRESS="there:2")
  assert find() == Place("there:2", 2, 1)


def test_an_indexed_job_of_kubernetes(under):
  """Its own index is in the environment, the rest is not: alone unless told."""
  under(KUBERNETES_SERVICE_HOST="10.0.0.1", JOB_COMPLETION_INDEX="3")
  assert find() is None
  under(JAX_NUM_PROCESSES="4", JAX_COORDINATOR_ADDRESS="job-0.svc:1234")
  assert find() == Place("job-0.svc:1234", 4, 3)


def test_hosts_of_tpu_slices(under, monkeypatch):
  """As GKE says it, of which JAX makes a global index: 2 hosts a slice, the second host of the second."""
  monkeypatch.setattr(cloud_tpu_cluster, "running_in_cloud_tpu_vm", True)
  under(TPU)
  assert find() == Place("localhost:8482", 4, 3)


def test_nonsense_is_named(under):
  under(SLURM, SLURM_NTASKS="many")
  with pytest.raises(FlanJaxError, match=r"what slurm says of this process cannot be understood.*'many'"):
    find()


@pytest.mark.parametrize(
  ("more", "expected"),
  [
    ({"CUDA_VISIBLE_DEVICES": "0,1,2,3,4,5,6,7"}, (4, 5, 6, 7)),  # both tasks see all eight
    ({"CUDA_VISIBLE_DEVICES": "0,1"}, (1,)),
    ({"CUDA_VISIBLE_DEVICES": "1"}, None),  # each sees its own
    ({"CUDA_VISIBLE_DEVICES": ""}, None),
    ({"CUDA_VISIBLE_DEVICES": "0,1,2,3", "SLURM_GPUS_PER_TASK": "4"}, None),
    ({"CUDA_VISIBLE_DEVICES": "0,1,2,3", "SLURM_STEP_TASKS_PER_NODE": "2(x2),1"}, None),  # alone on the third node
  ],
)
def test_tasks_of_a_node_share_its_gpus(more, expected, under):
  under(SLURM, more)
  assert find().local_devices == expected


def test_jax_reads_lists_with_one_bracket_only(under):
  """If this fails, JAX reads more than it did, and `first_host` may go."""
  under(SLURM, SLURM_STEP_NODELIST="rack[0-1]node[05-08]")
  assert jax._src.clusters.SlurmCluster.get_coordinator_address(None, "1") == "rack0:1"
  assert find().coordinator.startswith("rack0node05:")
  assert doctest.testmod(clusters).failed == 0
