"""The parts of a mixture whose losses a run tells apart: a name for each task, and few names in all."""

import dataclasses
import os
from collections import defaultdict
from collections.abc import Sequence

from flan_jax.data import specs
from flan_jax.data.mixtures import MixtureSpec
from flan_jax.data.store import TaskStore

MOST = 16  # names; more are no help in a log line
OTHER = "other"


@dataclasses.dataclass(frozen=True)
class Submixtures:
  """Of the stores of a mixture.

  Attributes:
    names: none where there is nothing to tell apart.
    of_store: for each store, in their order, the index of its name; empty where there are no names.
  """

  names: tuple[str, ...] = ()
  of_store: tuple[int, ...] = ()


def submixtures(
  stores: Sequence[TaskStore], mixture: MixtureSpec | None = None, data_dir: str | os.PathLike | None = None
) -> Submixtures:
  """The mixture's parts; of a mixture that has one part its tasks, or their clusters where there are many tasks.

  flan2022_b gives muffin, t0_sf, cot and niv2; demo, whose 138 tasks are one part, its seven clusters. Where there are
  more than `MOST` names, those with the lowest rates are 'other' together.

  Args:
    stores: of tasks of the mixture.
    mixture: None for tasks that a user's module registered, which are told apart by name.
    data_dir: the user's data folder, in which some collections find their tasks.
  """
  name_of = _names(stores, mixture, data_dir)
  rates: dict[str, float] = defaultdict(float)
  for store, name in zip(stores, name_of, strict=True):
    rates[name] += store.rate
  if len(rates) > MOST:
    kept = set(sorted(rates, key=lambda name: -rates[name])[: MOST - 1])
    name_of = [name if name in kept else OTHER for name in name_of]
  names = tuple(dict.fromkeys(name_of))
  return Submixtures(names, tuple(map(names.index, name_of))) if len(names) > 1 else Submixtures()


def _names(stores: Sequence[TaskStore], mixture: MixtureSpec | None, data_dir: str | os.PathLike | None) -> list[str]:
  tasks = [store.task for store in stores]
  if mixture is not None:
    part_of = {task: part.name for part in mixture.parts for task in part.tasks}
    if len(set(map(part_of.get, tasks))) > 1:
      return [part_of[task] for task in tasks]
    clusters = [specs.get_task(task, data_dir).cluster for task in tasks]
    if len(tasks) > MOST and len(set(clusters)) > 1:
      return clusters
  return tasks
