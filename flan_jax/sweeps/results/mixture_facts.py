"""What a run was trained on, counted in its prepared tasks at the rates that its checkpoint tells."""

import dataclasses
import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from flan_jax.data import formats, limits
from flan_jax.data.store import TaskStore, open_store
from flan_jax.errors import FlanJaxError


@dataclasses.dataclass(frozen=True)
class MixtureFacts:
  """Of a mixture's training examples.

  Attributes:
    tasks: that have examples and a rate above 0.
    examples: that these tasks have, each at most its max_per_task.
    tokens: inputs and targets of an example, EOS included, at the rates; None with an objective, which makes others.
    cot: share of the examples, at the rates, that reason before they answer.
    few_shot: share with exemplars. Both are None where tasks of a user's module do not tell.
  """

  tasks: int
  examples: int
  tokens: float | None = None
  cot: float | None = None
  few_shot: float | None = None


def of_record(record: Mapping[str, Any]) -> MixtureFacts | None:
  """The facts of what a checkpoint's run was trained on; None where its stores are no more.

  Args:
    record: of the checkpoint, as `interop.checkpoints.read_record` gives it.
  """
  data = record.get("data")
  if data is None:  # a converted checkpoint
    return None
  root, limit = pathlib.Path(record["store_dir"]), data.get("max_per_task")
  drawn = {task: rate for task, rate in data["rates"].items() if rate > 0}
  try:
    counted = {task: _counted(root / data["stores"][task], limit) for task in drawn}
  except FlanJaxError:
    return None
  there = {task: found for task, found in counted.items() if found.examples}
  total = sum(drawn[task] for task in there)

  def mean(name: str) -> float | None:
    values = {task: getattr(found, name) for task, found in there.items()}
    if not there or None in values.values():
      return None
    return sum(drawn[task] * value for task, value in values.items()) / total

  examples = sum(found.examples for found in there.values())
  return MixtureFacts(len(there), examples, mean("tokens"), mean("cot"), mean("few_shot"))


@functools.lru_cache(maxsize=4096)  # the runs of a sweep share their stores
def _counted(folder: pathlib.Path, limit: int | None) -> MixtureFacts:
  """The facts of one task."""
  store = open_store(folder, limit=limit)
  sizes, used = limits.records(store)
  if not sum(sizes):
    return MixtureFacts(1, 0)
  chosen = slice(None) if used is None else used
  tokens = None
  if store.features == ("inputs", "targets"):
    tokens = float((store.lengths[chosen].sum(axis=1) + 2).mean())  # an EOS each
  return MixtureFacts(1, sizes[0], tokens, *_shares(store, chosen))


def _shares(store: TaskStore, chosen: slice | np.ndarray) -> tuple[float | None, float | None]:
  """The shares of examples that reason first, and that have exemplars."""
  names, which = store.formats()
  counts = np.bincount(which[chosen], minlength=len(names))
  drawn = {name: count / counts.sum() for name, count in zip(names, counts.tolist(), strict=True) if count}
  if not drawn.keys() <= formats.FORMATS.keys():
    return None, None
  forms = {formats.FORMATS[name]: share for name, share in drawn.items()}
  reasoning = sum(share for form, share in forms.items() if form.rationale)
  return float(reasoning), float(sum(share for form, share in forms.items() if form.few_shot))
