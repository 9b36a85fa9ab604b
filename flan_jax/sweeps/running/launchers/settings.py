"""What a command line says to launchers; each reads what concerns it."""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
  """What a run gets, and how runs are handed over; None is the launcher's own choice.

  Attributes:
    cores: CPU cores of a run; under SLURM of each of its tasks.
    gpus: GPUs of a run; under SLURM of each of its nodes.
    nodes: SLURM: of a run.
    tasks_per_node: SLURM: processes of a run on each of its nodes.
    partition, account, time, memory: SLURM: as sbatch takes them.
    array_parallelism: SLURM: the most runs at once.
    slurm: SLURM: further parameters of sbatch as 'NAME=VALUE': 'qos=high', 'constraint=h100'.
  """

  cores: int | None = None
  gpus: int | None = None
  nodes: int = 1
  tasks_per_node: int = 1
  partition: str | None = None
  account: str | None = None
  time: str | None = None
  memory: str | None = None
  array_parallelism: int | None = None
  slurm: tuple[str, ...] = ()
