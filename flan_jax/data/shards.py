"""Tasks cut into shards for worker processes; a task's folder is put in its place when all of its shards are made.

The unit of work is a shard of a task (8,192 of its source's records), so that one large task keeps all processes busy.
"""

import contextlib
import dataclasses
import functools
import pathlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Int32

from flan_jax.data import rendering, sources, specs, store_writing, workers

SHARD_RECORDS = 8192

Result = TypeVar("Result")


@dataclasses.dataclass(frozen=True)
class Ticket:
  """One shard of one task: its number, whose renderings it gets, and the folder that its file is written into.

  Attributes:
    part: of the source, see `part_of`.
    recipe: of the job.
  """

  task: str
  number: int
  variant: int
  part: int
  folder: pathlib.Path
  recipe: Any


@dataclasses.dataclass(frozen=True)
class Job:
  """A task to make: what shapes it, and the folder that it belongs in.

  Attributes:
    recipe: what all tasks share, `data_dir` and `variants` among it; small and hashable.
    key: everything that shapes the files.
  """

  spec: specs.TaskSpec
  recipe: Any
  key: Mapping[str, Any]
  final: pathlib.Path

  @functools.cached_property
  def source_records(self) -> int:
    """Of all kinds; workers look them through and find the good ones."""
    return sources.open_source(self.spec, self.recipe.data_dir).records

  @property
  def shards(self) -> list[tuple[int, int]]:
    """(variant, part of the source) of each shard, in their order."""
    parts = max(1, -(-self.source_records // SHARD_RECORDS))
    return [(variant, part) for variant in range(self.recipe.variants) for part in range(parts)]

  def tickets(self, folder: pathlib.Path) -> list[Ticket]:
    """One a shard, whose file is to be written into `folder`."""
    return [
      Ticket(self.spec.name, number, variant, part, folder, self.recipe)
      for number, (variant, part) in enumerate(self.shards)
    ]


def part_of(source_records: int, part: int) -> range:
  """The records of a part."""
  return range(part * SHARD_RECORDS, min((part + 1) * SHARD_RECORDS, source_records))


def within(indices: Int32[np.ndarray, " n"], span: range) -> list[int]:
  """The indices that lie in a part."""
  return indices[(indices >= span.start) & (indices < span.stop)].tolist()


@functools.lru_cache(maxsize=2)  # a worker goes through the shards of a task one after another
def renderer(task: str, recipe: Any) -> rendering.Renderer:
  """What renders a task as a recipe (of a store, of an export) says."""
  return rendering.Renderer(task, recipe.data_dir, recipe.render_seed, *recipe.manner)


def make(
  jobs: Sequence[Job],
  make_shard: Callable[[Ticket], Result],
  finish: Callable[[Job, pathlib.Path, list[Result]], None],
  processes: int,
) -> Iterator[tuple[str, int, Result]]:
  """Makes the shards of tasks in worker processes; (task, records of the source, result) as each is done.

  Args:
    make_shard: what a worker does, importable; see `workers.results`.
    finish: given a task, its temporary folder and the results in the order of its shards, puts it in its place.
    processes: workers; 1 works in this process.
  """
  under_way: dict[pathlib.Path, _UnderWay] = {}  # by temporary folder: a task in two manners is two jobs of one name
  processes = min(processes, sum(len(job.shards) for job in jobs))
  with (
    contextlib.ExitStack() as folders,
    contextlib.closing(workers.results(make_shard, _tickets(jobs, under_way, folders), processes)) as results,
  ):
    for ticket, result in results:
      task = under_way[ticket.folder]
      task.results[ticket.number] = result
      yield ticket.task, len(part_of(task.job.source_records, ticket.part)), result
      if len(task.results) == len(task.job.shards):
        del under_way[ticket.folder]
        finish(task.job, task.folder, [task.results[number] for number in range(len(task.results))])
        task.building.close()  # now and not in the end: it holds a file open


@dataclasses.dataclass
class _UnderWay:
  """A task some of whose shards are made."""

  job: Job
  folder: pathlib.Path
  building: contextlib.ExitStack
  results: dict[int, Any] = dataclasses.field(default_factory=dict)


def _tickets(
  jobs: Sequence[Job], under_way: dict[pathlib.Path, _UnderWay], folders: contextlib.ExitStack
) -> Iterator[Ticket]:
  """The shards of every task; its temporary folder is made when its turn comes, and gone in the end at the latest."""
  for job in jobs:
    building = folders.enter_context(contextlib.ExitStack())
    folder = building.enter_context(store_writing.building(job.final))
    under_way[folder] = _UnderWay(job, folder, building)
    yield from job.tickets(folder)
