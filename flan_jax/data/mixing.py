"""Which example of which task comes i-th in a run: arithmetic, without state and without visiting the others.

A binary tree over the tasks shares the run's places out. A node that has received n of them gives round(n * share) to
its lighter child and the rest to the heavier one, so the i-th place runs down the tree to one leaf: that is its task,
and its number among the leaf's places says which epoch and, through a permutation, which example.

The tree is Huffman's, whose nodes weigh at least 1, 1, 2, 3, 5, ... times a leaf on the way up from it. A rounding is
off by at most half an example and reaches the leaf divided by the weight of the child where it happened, so at every
prefix of a run a task is within (1 + 1 + 1/2 + 1/3 + 1/5 + ...) / 2 < 1.7 examples of its rate; on real rates, 1.1.
"""

import dataclasses
import heapq
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64, Int64, UInt64

from flan_jax import draws

# Luby and Rackoff: four rounds of a random function look like a random permutation; of a handful of places, not quite.
_FEISTEL_ROUNDS = 4


@dataclasses.dataclass(frozen=True)
class Draw:
  """Examples of a run by task, one entry a place of the run."""

  task: np.ndarray  # int64 [n]: index into the tasks
  example: np.ndarray  # int64 [n]: index into the task's records
  epoch: np.ndarray  # int64 [n]: how often the task was gone through whole before this example
  key: np.ndarray  # uint64 [n]: a hash of (seed, task, epoch, example), for whatever is drawn as the row is built
  again: np.ndarray  # bool [n]: whether here the task has been gone through in all its variants and begins anew


class Mixing:
  """The endless order of a mixture's examples, as a function of (rates, sizes, seed)."""

  def __init__(
    self,
    names: Sequence[str],
    sizes: Sequence[Sequence[int]],
    rates: Sequence[int | float],
    seed: int,
    used: Sequence[Int64[np.ndarray, " records"] | None] = (),
  ):
    """The shares are rates over their sum; `names` key the permutations, so that a task's order ignores its neighbours.

    Epoch e of a task goes once through the examples of its variant e mod E, in an order of its own.

    Args:
      names: the tasks, all different.
      sizes: for each, how many examples each of its E variants has, in the order of its records; at least 1 in all.
      rates: how often each is drawn, in any unit; above 0.
      seed: of the order; rendering has another.
      used: for each task the records that are drawn of it, variant after variant, as `sizes` counts them; None (or no
        list at all) for all it has.

    Raises:
      ValueError: no tasks, a size or a rate that is not positive, or lists of unequal lengths.
    """
    totals = [sum(variants) for variants in sizes]
    if not len(names) == len(sizes) == len(rates) or not names or min(totals) < 1 or min(rates) <= 0:
      raise ValueError(f"a size and a rate above 0 for each of {len(names)} tasks, got {sizes} and {rates}")
    self._names = names
    self._seed = seed
    self._tree = _Tree.over(rates)
    self._variants = np.array([len(variants) for variants in sizes], np.int64)
    # Row t: where the records of each variant of task t begin, then their number; the last one repeated to the width.
    begins = np.zeros((len(sizes), max(self._variants) + 1), np.int64)
    for row, variants in zip(begins, sizes, strict=True):
      row[1:] = sum(variants)
      np.cumsum(variants, out=row[1 : len(variants) + 1])
    self._begins = begins
    some = [each for each in used if each is not None]
    self._used = np.concatenate([np.zeros(0, np.int64), *some])
    # Where each task's records begin in `_used`; -1 for a task that is drawn whole.
    self._used_first = np.full(len(sizes), -1, np.int64)
    limited = [task for task, each in enumerate(used) if each is not None]
    self._used_first[limited] = np.cumsum([0, *map(len, some)])[: len(some)]

  def draw(self, start: int, count: int) -> Draw:
    """The examples at places start .. start + count - 1 of the run."""
    task, nth = self._tree.place(np.arange(start, start + count, dtype=np.int64))
    cycle, record = np.divmod(nth, self._begins[task, -1])
    variant = (record[:, None] >= self._begins[task, 1:]).sum(axis=1)
    begin = self._begins[task, variant]
    epoch = cycle * self._variants[task] + variant
    order = self._order_keys(task, epoch)
    example = self._records(task, begin + permute(record - begin, self._begins[task, variant + 1] - begin, order))
    return Draw(task, example, epoch, mix(order ^ mix(example.astype(np.uint64))), (record == 0) & (cycle > 0))

  def _records(self, task: Int64[np.ndarray, " n"], nth: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """The records of tasks by their number among those that are drawn."""
    first = self._used_first[task]
    if not len(self._used):
      return nth
    return np.where(first < 0, nth, self._used[np.where(first < 0, 0, first + nth)])

  def _order_keys(self, task: Int64[np.ndarray, " n"], epoch: Int64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    pairs, which = np.unique(epoch * len(self._names) + task, return_inverse=True)
    epochs_and_tasks = (divmod(pair, len(self._names)) for pair in pairs.tolist())
    keys = [draws.hash64(self._seed, self._names[t], e, "order") for e, t in epochs_and_tasks]
    return np.array(keys, np.uint64)[which]


def permute(
  index: Int64[np.ndarray, " n"], size: Int64[np.ndarray, " n"], key: UInt64[np.ndarray, " n"]
) -> Int64[np.ndarray, " n"]:
  """Where each index lands under the permutation of range(size) that its key names; elementwise.

  A Feistel network permutes the smallest 4**k >= size; what lands beyond the size walks on along its cycle until it is
  back inside (fewer than four steps on average), which leaves a bijection of range(size).
  """
  half = _half_bits(size)
  out = index.astype(np.uint64)
  walking = np.arange(len(index))
  while len(walking):
    out[walking] = _feistel(out[walking], half[walking], key[walking])
    walking = walking[out[walking] >= size[walking].astype(np.uint64)]
  return out.astype(np.int64)


def _half_bits(size: Int64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
  """The least k >= 1 with 4**k >= size; frexp is exact, unlike a logarithm."""
  bits = np.frexp((size - 1).astype(np.float64))[1]
  return np.maximum((bits + 1) // 2, 1).astype(np.uint64)


def _feistel(
  x: UInt64[np.ndarray, " n"], half: UInt64[np.ndarray, " n"], key: UInt64[np.ndarray, " n"]
) -> UInt64[np.ndarray, " n"]:
  mask = (np.uint64(1) << half) - np.uint64(1)
  left, right = x >> half, x & mask
  for step in range(_FEISTEL_ROUNDS):
    left, right = right, left ^ (mix(right + key + np.uint64(step * 0x9E3779B97F4A7C15 % 2**64)) & mask)
  return (left << half) | right


def mix(x: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
  """SplitMix64's finaliser: every input bit reaches every output bit."""
  x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
  x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
  return x ^ (x >> np.uint64(31))


@dataclasses.dataclass(frozen=True)
class _Tree:
  """Nodes 0 .. tasks - 1 are the tasks, the last node is the root."""

  light: Int64[np.ndarray, " nodes"]  # the child with the smaller rate; a leaf has itself
  heavy: Int64[np.ndarray, " nodes"]
  share: Float64[np.ndarray, " nodes"]  # the lighter child's share of the node, at most 1/2
  tasks: int

  @classmethod
  def over(cls, rates: Sequence[int | float]) -> "_Tree":
    light, heavy, share = list(range(len(rates))), list(range(len(rates))), [0.0] * len(rates)
    heap = [(float(rate), node) for node, rate in enumerate(rates)]
    heapq.heapify(heap)
    while len(heap) > 1:
      (smaller, left), (larger, right) = heapq.heappop(heap), heapq.heappop(heap)
      heapq.heappush(heap, (smaller + larger, len(light)))
      light.append(left)
      heavy.append(right)
      share.append(smaller / (smaller + larger))
    return cls(np.array(light, np.int64), np.array(heavy, np.int64), np.array(share), len(rates))

  def place(self, places: Int64[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """(task of each place, how many of that task's places came before)."""
    node = np.full(len(places), len(self.light) - 1, np.int64)
    nth = places.copy()
    inner = np.flatnonzero(node >= self.tasks)
    while len(inner):
      at, before = node[inner], nth[inner]
      light_before = _rounded(before, self.share[at])
      goes_light = _rounded(before + 1, self.share[at]) > light_before
      nth[inner] = np.where(goes_light, light_before, before - light_before)
      node[inner] = np.where(goes_light, self.light[at], self.heavy[at])
      inner = inner[node[inner] >= self.tasks]
    return node, nth


def _rounded(n: Int64[np.ndarray, " k"], share: Float64[np.ndarray, " k"]) -> Int64[np.ndarray, " k"]:
  # share <= 1/2, so one more place adds 0 or 1: float64 keeps n * share exact to far below 1/2 up to n = 2**50.
  return np.floor(n * share + 0.5).astype(np.int64)
