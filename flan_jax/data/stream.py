"""The training stream: batch after batch without end, each a function of (stores, seed, position) and of nothing else.

A window is a declared number of successive examples of the mixture. It is planned whole, from lengths alone: which
examples come (`mixing`), which share a row (`packing`), and in which order the rows come (a hash; packing sorts them).
A batch is the next rows, and goes on into the next window where one ends. So a run resumes from two integers, and any
host can build any rows.
"""

import dataclasses
import functools
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int, Int64

from flan_jax import draws, errors
from flan_jax.data import limits, packing
from flan_jax.data.mixing import Draw, Mixing, permute
from flan_jax.data.objectives import Objective, most_taken
from flan_jax.data.records import Records
from flan_jax.data.segments import Batch, RowShape, Sequences, of_segments
from flan_jax.data.store import Origin, TaskStore

STREAM_VERSION = 2  # part of a run's identity: raise it when the same stores and seed give other rows
WINDOW = 16_384  # examples; rows are about 99.5% full from here on, and a plan takes 0.04 s
_CHECKED = 1 << 18  # examples at once; seven denoisers take 150 bytes for each
SUBMIXTURES = "decoder_submixtures"  # the array of a batch that says each target token's submixture
_WINDOWS = 2  # kept in memory: the one that a batch ends and the one that it begins


@dataclasses.dataclass(frozen=True)
class Position:
  """Where the next batch begins; all the state that a checkpoint of the data needs."""

  window: int = 0
  row: int = 0

  def to_json(self) -> dict[str, int]:
    return dataclasses.asdict(self)

  @classmethod
  def from_json(cls, content: Mapping[str, int]) -> "Position":
    return cls(content["window"], content["row"])


@dataclasses.dataclass(frozen=True, eq=False)
class Plan:
  """The rows of one window; entries of the arrays are examples, ordered by row.

  Attributes:
    window: its number.
    task: int64 [examples], index into the stores.
    example: int64 [examples], index into the task's store.
    epoch: int64 [examples], how often the task had been gone through before.
    key: uint64 [examples], what an objective draws from.
    starts: int64 [rows + 1]; the examples of row r are starts[r] .. starts[r + 1] - 1.
    again: names of the tasks that in this window have been gone through in all their variants and begin anew.
  """

  window: int
  task: np.ndarray
  example: np.ndarray
  epoch: np.ndarray
  key: np.ndarray
  starts: np.ndarray
  again: tuple[str, ...]

  @property
  def rows(self) -> int:
    return len(self.starts) - 1


@dataclasses.dataclass(frozen=True)
class Segment:
  """Provenance of one example of a batch: its row in the batch, its segment id there, and what made it."""

  row: int
  segment: int
  task: str
  example: int
  epoch: int
  origin: Origin


@runtime_checkable
class Windows(Protocol):
  """Who makes the windows that batches are cut from: a `Stream` itself, or processes that make them `ahead`."""

  def plan(self, window: int) -> Plan:
    """As `Stream.plan`."""

  def held(self, window: int, alignment: int, shard: tuple[int, int]) -> "Held":
    """As `Stream.held`."""


class Stream:
  """The batches of a run."""

  def __init__(
    self,
    stores: Sequence[TaskStore],
    rates: Sequence[int | float],
    shape: RowShape,
    batch_rows: int,
    seed: int,
    window: int = WINDOW,
    objective: Objective | None = None,
    planned: Callable[[int, Plan], None] | None = None,
    submixtures: Sequence[int] = (),
  ):
    """Reads the lengths of all examples, no tokens.

    Args:
      stores: the tasks, all different; those without examples are passed over.
      rates: how often each task is drawn, in any unit; 0 for never. Usually `store.rate`.
      shape: of a row; at least what the stores were prepared for.
      batch_rows: packed rows of a batch, over all hosts.
      seed: of the order.
      window: examples that are planned together. Another window is another order.
      objective: what is made of each example; None leaves it as it is.
      planned: hears of each window as it is planned, in whichever thread; of one again where it was forgotten.
      submixtures: an index for each store; batches then have the int32 array `decoder_submixtures` [rows, targets] of
        each target token's index (0 on padding). None for no such array.

    Raises:
      FlanJaxError: no task has examples, a rate is no finite number from 0 on, or an example is longer than a row.
    """
    # As given, for a process that makes the same stream.
    self._arguments = (stores, rates, shape, batch_rows, seed, window, objective, None, submixtures)
    _require_rates(stores, rates)
    drawn = [(store, rate) for store, rate in zip(stores, rates, strict=True) if len(store) and rate > 0]
    if not drawn:
      raise errors.FlanJaxError(_nothing_to_train_on(stores))
    self.stores = tuple(store for store, _ in drawn)
    self.batch_rows = batch_rows
    self._shape = shape
    self._objective = objective
    of_task = dict(zip((store.task for store in stores), submixtures, strict=True)) if submixtures else {}
    self._submixtures = np.array([of_task[store.task] for store in self.stores] if of_task else (), np.int32)
    self._planned = planned
    self._seed = seed
    self._window = window
    names = [store.task for store in self.stores]
    sizes, used = zip(*map(limits.records, self.stores), strict=True)
    self._mixing = Mixing(names, sizes, [float(rate) for _, rate in drawn], seed, used)
    self._records = Records(self.stores)
    self._check_lengths()
    self._plan = functools.lru_cache(maxsize=_WINDOWS)(self._make_plan)
    self._held = functools.lru_cache(maxsize=_WINDOWS)(self._make_held)

  def __reduce__(self):
    """Pickled as what it is made of."""
    return Stream, self._arguments

  def batch(
    self, position: Position, shard: tuple[int, int] = (0, 1), windows: "Windows | None" = None
  ) -> tuple[Batch, Position]:
    """The batch at a position, or one host's rows of it, and the position of the next.

    Args:
      position: any that `batch` gave, or Position().
      shard: (index, count); equal numbers of rows, which concatenate to the batch in the order of the indices.
      windows: makes the windows; None for this stream, here and now.

    Returns:
      int32 arrays of batch_rows / count rows, see the `RowShape`; the next Position.

    Raises:
      ValueError: the rows do not divide by the count.
      StoreError: a store is damaged.
    """
    mine, windows = _shard_rows(self.batch_rows, shard), windows or self
    pieces, after = self._pieces(position, windows)
    parts = []
    for piece in pieces:
      first, last = max(piece.first, mine.start), min(piece.first + piece.rows, mine.stop)
      if first < last:
        held = windows.held(piece.window, piece.alignment, shard)
        parts.append(held.part(piece.start + first - piece.first, last - first, first - mine.start))
    row, task, inputs, targets = Held.together(parts)
    batch = self._shape.batch(len(mine), row, inputs, targets)
    if len(self._submixtures):
      batch[SUBMIXTURES] = of_segments(self._submixtures[task], row, batch["decoder_segment_ids"])
    return batch, after

  def rows(self, position: Position) -> list[Segment]:
    """What stands in the batch at a position, by row and segment, without reading its tokens."""
    found = []
    for piece in self._pieces(position, self)[0]:
      plan = self.plan(piece.window)
      for row in range(piece.rows):
        start, stop = plan.starts[piece.start + row : piece.start + row + 2].tolist()
        found += [self._segment(plan, entry, piece.first + row, entry - start + 1) for entry in range(start, stop)]
    return found

  def plan(self, window: int) -> Plan:
    """What stands in the rows of a window."""
    return self._plan(window)

  def same_objective(self, one: Position, other: Position) -> bool:
    """Whether the last rows before two positions are made of examples alike; that may change where a window begins."""
    # The row before a window's first is the last of the window before.
    windows = [max(at.window - (at.row == 0), 0) for at in (one, other)]
    return not self._objective or self._objective.at(windows[0]) == self._objective.at(windows[1])

  def taken(self, window: int) -> Int[np.ndarray, "examples sides"]:
    """Tokens that each example of a window takes of each side of its row, EOS included, in the plan's order."""
    return self._taken(window, self.plan(window))

  def held(self, window: int, alignment: int, shard: tuple[int, int]) -> "Held":
    """The tokens of all rows of a window that are a shard's.

    Args:
      alignment: batches begin at the rows that are this number modulo `batch_rows`.
    """
    return self._held(window, alignment, shard)

  def note(self, window: int, plan: Plan) -> None:
    """Tells whoever wanted to hear of planned windows."""
    if self._planned:
      self._planned(window, plan)

  def _make_plan(self, window: int) -> Plan:
    drawn = self._mixing.draw(window * self._window, self._window)
    packed = packing.pack(self._taken(window, drawn), self._shape.capacity)
    rows = int(packed.max()) + 1
    row = self._shuffled(window, rows)[packed]
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(rows + 1))
    again = tuple(sorted({self.stores[task].task for task in drawn.task[drawn.again].tolist()}))
    plan = Plan(window, drawn.task[order], drawn.example[order], drawn.epoch[order], drawn.key[order], starts, again)
    self.note(window, plan)
    return plan

  def _taken(self, window: int, chosen: Draw | Plan) -> Int[np.ndarray, "examples sides"]:
    lengths = self._records.lengths[self._records.first[chosen.task] + chosen.example]
    if self._objective:
      lengths = self._objective.at(window).lengths(lengths, chosen.key)
    return self._shape.taken(lengths)

  def _shuffled(self, window: int, rows: int) -> Int64[np.ndarray, "rows"]:
    key = np.full(rows, draws.hash64(self._seed, window, "rows"), np.uint64)
    return permute(np.arange(rows), np.full(rows, rows), key)

  def _pieces(self, position: Position, windows: "Windows") -> tuple[list["_Piece"], Position]:
    """The stretches of windows that a batch is made of, and where the next batch begins."""
    window, row, filled = position.window, position.row, 0
    pieces = []
    while filled < self.batch_rows:
      rows = windows.plan(window).rows
      if not 0 <= row < rows:
        raise ValueError(f"window {window} has {rows} rows, there is no row {row}: the position is of another stream")
      taken = min(rows - row, self.batch_rows - filled)
      pieces.append(_Piece(window, row, taken, filled, (row - filled) % self.batch_rows))
      filled, row = filled + taken, row + taken
      if row == rows:
        window, row = window + 1, 0
    return pieces, Position(window, row)

  def _make_held(self, window: int, alignment: int, shard: tuple[int, int]) -> "Held":
    return self.read(self.plan(window), alignment, shard)

  def read(self, plan: Plan, alignment: int, shard: tuple[int, int]) -> "Held":
    """What `held` gives, of a plan that is made already."""
    mine = _shard_rows(self.batch_rows, shard)
    place = (np.arange(plan.rows) - alignment) % self.batch_rows
    is_mine = (place >= mine.start) & (place < mine.stop)
    counts = np.diff(plan.starts)
    wanted = np.flatnonzero(np.repeat(is_mine, counts))
    inputs, targets = self._records.read(self._records.first[plan.task[wanted]] + plan.example[wanted])
    if self._objective:
      inputs, targets = self._objective.at(plan.window).made(inputs, targets, plan.key[wanted])
    return Held(np.concatenate([[0], np.cumsum(np.where(is_mine, counts, 0))]), plan.task[wanted], inputs, targets)

  def _segment(self, plan: Plan, entry: int, row: int, segment: int) -> Segment:
    store, example = self.stores[plan.task[entry]], int(plan.example[entry])
    return Segment(row, segment, store.task, example, int(plan.epoch[entry]), store.origins([example])[0])

  def _check_lengths(self) -> None:
    """Nothing that an objective may make of an example is longer than a row."""
    for start in range(0, len(self._records.lengths), _CHECKED):
      taken = most_taken(self._objective, self._records.lengths[start : start + _CHECKED], self._shape)
      long = np.flatnonzero((taken > self._shape.capacity).any(axis=1))
      if len(long):
        store = self.stores[int(np.searchsorted(self._records.first, start + long[0], side="right")) - 1]
        raise errors.FlanJaxError(
          f"{store.folder}: an example of {taken[long[0]].tolist()} tokens (with EOS) is longer than a row of "
          f"{list(self._shape.capacity)}; prepare the task for these lengths"
        )


@dataclasses.dataclass(frozen=True)
class _Piece:
  """A stretch of one window in a batch: rows start .. start + rows - 1 are the batch's from `first` on."""

  window: int
  start: int
  rows: int
  first: int
  alignment: int  # rows of the window that are this number modulo the batch's rows begin a batch


@dataclasses.dataclass(frozen=True, eq=False)
class Held:
  """A shard's tokens of a window in memory.

  Attributes:
    starts: int64 [rows of the window + 1]: index of each row's first example in the sequences; a row of another shard
      has none.
    task: int64 [examples], index into the stream's stores.
  """

  starts: np.ndarray
  task: np.ndarray
  inputs: Sequences
  targets: Sequences

  def part(self, first: int, rows: int, to: int) -> tuple[np.ndarray, np.ndarray, Sequences, Sequences]:
    """(row, task, inputs, targets) of the examples of some rows of the window, which become the rows from `to` on."""
    starts = self.starts[first : first + rows + 1]
    span = slice(int(starts[0]), int(starts[-1]))
    return np.repeat(np.arange(to, to + rows), np.diff(starts)), self.task[span], self.inputs[span], self.targets[span]

  @staticmethod
  def together(
    parts: list[tuple[np.ndarray, np.ndarray, Sequences, Sequences]],
  ) -> tuple[np.ndarray, np.ndarray, Sequences, Sequences]:
    if len(parts) == 1:
      return parts[0]
    row, task, inputs, targets = zip(*parts, strict=True)
    return np.concatenate(row), np.concatenate(task), Sequences.joined(inputs), Sequences.joined(targets)


def _require_rates(stores: Sequence[TaskStore], rates: Sequence[int | float]) -> None:
  for store, rate in zip(stores, rates, strict=True):
    if not (math.isfinite(rate) and rate >= 0):
      raise errors.FlanJaxError(f"{store.task}: the mixture gives it the rate {rate}, not a finite number from 0 on")
  if not math.isfinite(sum(rates)):
    raise errors.FlanJaxError(
      f"the rates of {errors.first_of([store.task for store in stores])} have no finite sum; divide them all by one "
      "number, since only their proportions count"
    )


def _nothing_to_train_on(stores: Sequence[TaskStore]) -> str:
  named = errors.first_of([store.task for store in stores])
  counts: Counter[str] = Counter()
  for store in stores:
    counts.update(store.manifest.get("counts", {}))
  reasons = [f"{count:,} {reason}" for reason, count in counts.most_common() if reason.startswith("left out")]
  return f"no example to train on in {named}{': ' if reasons else ''}{'; '.join(reasons[:2])}"


def _shard_rows(batch_rows: int, shard: tuple[int, int]) -> range:
  index, count = shard
  if batch_rows % count or not 0 <= index < count:
    raise ValueError(f"{batch_rows} rows are not {count} equal shards with a number {index}")
  size = batch_rows // count
  return range(index * size, (index + 1) * size)
