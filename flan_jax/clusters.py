"""Which of how many processes this one is, as whatever started it says: SLURM, Open MPI, Kubernetes, Cloud TPU.

JAX knows most launchers (jax._src.clusters) and is asked; what is ours is when it is asked at all (a pod of Kubernetes
is mostly one process of its own), the sharing out of a node's GPUs, and errors that say what to do.
"""

import dataclasses
import importlib.util
import os
import re
from collections.abc import Callable

from flan_jax import machine
from flan_jax.errors import FlanJaxError, UsageError


@dataclasses.dataclass(frozen=True)
class Place:
  """A process among those of one run.

  Attributes:
    coordinator: HOST:PORT of process 0; None where the launcher does not say.
    count: processes in all.
    index: of this one, from 0.
    local_devices: which of the node's accelerators are this process's; None is all that it sees.
  """

  coordinator: str | None
  count: int
  index: int
  local_devices: tuple[int, ...] | None = None


def find(
  cluster: str = "auto", coordinator: str | None = None, count: int | None = None, index: int | None = None
) -> Place | None:
  """The place of this process; None where it is the only one. What is given wins over what the environment says.

  Args:
    cluster: 'auto' asks every launcher, in the order of LAUNCHERS; 'none' none; a name that one alone.
    coordinator, count, index: see Place.

  Raises:
    UsageError: something is missing, or the launcher that was named did not start this process.
  """
  if None not in (coordinator, count, index):
    return Place(coordinator, count, index)
  found = _asked(cluster)
  if coordinator is None and count is None and (found.count if found else 1) == 1 and index is None:
    return None
  known = {
    "--coordinator": coordinator or os.environ.get("JAX_COORDINATOR_ADDRESS") or (found.coordinator if found else None),
    "--processes": count if count is not None else found.count if found else None,
    "--process": index if index is not None else found.index if found else None,
  }
  if missing := [flag for flag, value in known.items() if value is None]:
    raise UsageError(
      f"this is one of several processes, but {' and '.join(missing)} is not known: give all of --coordinator "
      "HOST:PORT, --processes N and --process I (--cluster none makes this process a run of its own)"
    )
  return Place(*known.values(), found.local_devices if found else None)


def _asked(cluster: str) -> Place | None:
  if cluster == "none":
    return None
  for name in LAUNCHERS if cluster == "auto" else (cluster,):
    ask, sign = LAUNCHERS[name]
    try:
      place = ask()
    except (KeyError, ValueError, RuntimeError, OSError) as error:
      raise FlanJaxError(
        f"what {name} says of this process cannot be understood: {error}. Give --coordinator HOST:PORT, --processes N "
        "and --process I, or --cluster none for a run of this process alone"
      ) from error
    if place:
      return place
  if cluster != "auto":
    raise UsageError(f"--cluster {cluster}: it did not start this process, for {sign} is not in its environment")
  return None


def _environment() -> Place | None:
  """JAX's own variables, which Kubeflow's Trainer sets and anyone may. The index may be an indexed Kubernetes job's."""
  index = os.environ.get("JAX_PROCESS_ID") or os.environ.get("JOB_COMPLETION_INDEX")
  count = os.environ.get("JAX_NUM_PROCESSES")
  if count is None or index is None:
    return None
  return Place(os.environ.get("JAX_COORDINATOR_ADDRESS"), int(count), int(index))


def _open_mpi() -> Place | None:
  """mpirun. Version 4 says where it runs itself, which JAX takes for the node of process 0; version 5 does not."""
  if "OMPI_COMM_WORLD_SIZE" not in os.environ:
    return None
  from jax._src.clusters import OmpiCluster

  coordinator = OmpiCluster.get_coordinator_address(None, _port()) if OmpiCluster.is_env_present() else None
  local = int(os.environ["OMPI_COMM_WORLD_LOCAL_RANK"]), int(os.environ.get("OMPI_COMM_WORLD_LOCAL_SIZE", "1"))
  return Place(coordinator, OmpiCluster.get_process_count(), OmpiCluster.get_process_id(), _share(*local))


def _slurm() -> Place | None:
  """A task of a step (srun). The script of sbatch is none, although it sees the number of its tasks."""
  from jax._src.clusters import SlurmCluster

  if not SlurmCluster.is_env_present():
    return None
  port = SlurmCluster.get_coordinator_address(None, _port()).rpartition(":")[2]
  coordinator = f"{first_host(os.environ['SLURM_STEP_NODELIST'])}:{port}"
  local = SlurmCluster.get_local_process_id(), _tasks_on_this_node()
  return Place(coordinator, SlurmCluster.get_process_count(), SlurmCluster.get_process_id(), _share(*local))


def _cloud_tpu() -> Place | None:
  """The hosts of a TPU slice, or of several. Off Google's TPU hosts nothing is asked over the network."""
  from jax._src import clusters

  return next((_by(each) for each in (clusters.GkeTpuCluster, clusters.GceTpuCluster) if each.is_env_present()), None)


def _kubernetes() -> Place | None:
  """A pod of an indexed job, whose job is looked up through the API. Needs the package kubernetes and leave to read."""
  from jax._src.clusters import K8sCluster

  indexed = "KUBERNETES_SERVICE_HOST" in os.environ and "JOB_COMPLETION_INDEX" in os.environ
  if not indexed or importlib.util.find_spec("kubernetes") is None:
    return None
  return _by(K8sCluster) if K8sCluster.is_env_present() else None


# In the order in which they are asked (mpirun inside a SLURM job is Open MPI). Name -> (how, its sign).
LAUNCHERS: dict[str, tuple[Callable[[], Place | None], str]] = {
  "env": (_environment, "JAX_NUM_PROCESSES with JAX_PROCESS_ID or JOB_COMPLETION_INDEX"),
  "ompi": (_open_mpi, "OMPI_COMM_WORLD_SIZE"),
  "slurm": (_slurm, "SLURM_STEP_NODELIST (srun sets it, sbatch does not)"),
  "tpu": (_cloud_tpu, "a Cloud TPU host"),
  "k8s": (_kubernetes, "JOB_COMPLETION_INDEX of an indexed job (or the Python package kubernetes)"),
}


def first_host(nodes: str) -> str:
  """The first name in a SLURM list of nodes; JAX reads lists with one bracket only.

  >>> first_host("node[003-004,7],login"), first_host("rack[1-2]node[05-08]-ib"), first_host("a,b")
  ('node003', 'rack1node05-ib', 'a')
  """
  first = re.match(r"(?:[^,\[]|\[[^\]]*\])+", nodes)
  return re.sub(r"\[(\w+)[^\]]*\]", r"\1", first[0] if first else nodes)


def _by(cluster: type) -> Place:
  """What a class of JAX's says; minutes pass at most before the coordinator's name must be known."""
  return Place(cluster.get_coordinator_address(300, _port()), cluster.get_process_count(), cluster.get_process_id())


def _port() -> str | None:
  return os.environ.get("JAX_COORDINATOR_PORT")


def _tasks_on_this_node() -> int:
  """SLURM_STEP_TASKS_PER_NODE is '2(x3),1': two tasks on each of three nodes, then one."""
  tasks: list[int] = []
  for part in os.environ.get("SLURM_STEP_TASKS_PER_NODE", "1").split(","):
    number, _, times = part.rstrip(")").partition("(x")
    tasks += [int(number)] * int(times or 1)
  return tasks[min(int(os.environ.get("SLURM_NODEID", "0")), len(tasks) - 1)]


def _share(index: int, count: int) -> tuple[int, ...] | None:
  """The GPUs of the index-th of `count` processes on a node: equal shares of those that all of them see.

  JAX would give each the one of its own index, and so one of eight to a process that has the node to itself.
  """
  if count == 1 or "SLURM_GPUS_PER_TASK" in os.environ or "JAX_LOCAL_DEVICE_IDS" in os.environ:
    return None  # shared out already
  each = len(machine.gpus()) // count
  return tuple(range(index * each, (index + 1) * each)) if each else None
