"""The n examples of a task that a mixture with max_per_task=n uses: those whose ids hash lowest.

So they are among those of any larger n, whatever the file's order, the seeds and the number of variants.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from flan_jax import draws
from flan_jax.data.store import TaskStore


def chosen(task: str, ids: Sequence[str], limit: int) -> Int64[np.ndarray, "chosen"]:
  """The places, ascending, of the ids that are used; an id that comes several times counts once, and comes whole."""
  distinct: dict[str, int] = {}  # not numpy's strings, to which "a" and "a\\0" are one
  which = np.array([distinct.setdefault(each, len(distinct)) for each in ids], np.int64)
  if len(distinct) <= limit:
    return np.arange(len(which))
  order = np.argsort(np.array([draws.hash64(task, each, "limit") for each in distinct], np.uint64))
  used = np.zeros(len(distinct), bool)
  used[order[:limit]] = True
  return np.flatnonzero(used[which])


def records(store: TaskStore) -> tuple[tuple[int, ...], Int64[np.ndarray, "chosen"] | None]:
  """(how many records of each variant are used, which they are; None for all of a store)."""
  if store.limit is None or len(store) <= store.limit:
    return store.variants, None
  used = chosen(store.task, store.example_ids(), store.limit)
  ends = np.searchsorted(used, np.cumsum(store.variants))
  return tuple(np.diff(ends, prepend=0).tolist()), used
