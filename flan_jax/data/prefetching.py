"""Batches before they are asked for: by a thread, and the windows that they are cut from by processes.

One process plans, reads and lays out some 30,000 rows of 512/128 a second, which few trainers ask for. Where more are,
each window is planned and read in another process (it is a function of its number) and the thread lays out rows alone.
"""

import concurrent.futures
import contextlib
import multiprocessing
import queue
import threading

from flan_jax import errors
from flan_jax.data import workers
from flan_jax.data.segments import Batch
from flan_jax.data.stream import Held, Plan, Position, Stream


class Prefetcher:
  """Batches of a stream in order, made ahead by one thread; an endless iterator, closed by its context.

  >>> with Prefetcher(stream, position) as batches:
  ...   for batch, after in batches: ...
  """

  def __init__(
    self, stream: Stream, position: Position, shard: tuple[int, int] = (0, 1), ahead: int = 8, processes: int = 0
  ):
    """Starts the thread.

    Args:
      position: of the first batch.
      shard: see `Stream.batch`.
      ahead: batches that wait ready; a new window takes some 0.1 s to plan and read, which they bridge.
      processes: that make the windows after the first one; 0 leaves them to the thread.
    """
    self._ready: queue.Queue[tuple[Batch, Position] | BaseException] = queue.Queue(ahead)
    self._closed = threading.Event()
    self._thread = threading.Thread(
      target=self._work, args=(stream, position, shard, processes), name="batches", daemon=True
    )
    self._thread.start()

  def __enter__(self) -> "Prefetcher":
    return self

  def __exit__(self, *_: object) -> None:
    self.close()

  def __iter__(self) -> "Prefetcher":
    return self

  def __next__(self) -> tuple[Batch, Position]:
    """A batch and the position after it; raises what the thread raised, then and ever after."""
    if self._closed.is_set():
      raise StopIteration
    ready = self._ready.get()
    if isinstance(ready, BaseException):
      self._ready.put(ready)
      raise ready
    return ready

  def close(self) -> None:
    """Ends the thread; may be called twice."""
    self._closed.set()
    with contextlib.suppress(queue.Empty):
      while True:
        self._ready.get_nowait()
    self._thread.join()

  def _work(self, stream: Stream, position: Position, shard: tuple[int, int], processes: int) -> None:
    try:
      with Ahead(stream, processes) if processes else contextlib.nullcontext() as windows:
        while not self._closed.is_set():
          batch, position = stream.batch(position, shard, windows)
          self._put((batch, position))
    except BaseException as error:  # whatever it is, the consumer must hear of it rather than wait
      self._put(error)

  def _put(self, item: tuple[Batch, Position] | BaseException) -> None:
    while not self._closed.is_set():
      with contextlib.suppress(queue.Full):
        self._ready.put(item, timeout=0.1)
        return


class Ahead:
  """Makes the windows of a stream in other processes, a few windows ahead of what is asked for. A context manager."""

  def __init__(self, stream: Stream, processes: int):
    self._stream = stream
    self._depth = processes + 1
    self._plans: dict[int, concurrent.futures.Future[Plan]] = {}
    self._held: dict[tuple[int, int], concurrent.futures.Future[Held]] = {}
    context = multiprocessing.get_context("spawn")
    self._executor = concurrent.futures.ProcessPoolExecutor(processes, context, _begin, (stream,))

  def __enter__(self) -> "Ahead":
    return self

  def __exit__(self, *_: object) -> None:
    self._executor.shutdown(cancel_futures=True)

  def plan(self, window: int) -> Plan:
    """As `Stream.plan`; the first window is planned here, while the processes start."""
    if not self._plans:
      self._plans[window] = _done(self._stream.plan(window))
    for later in range(window, window + self._depth):
      if later not in self._plans:
        self._plans[later] = self._submit(_plan, later)
    plan = _result(self._plans[window])
    self._stream.note(window, plan)
    return plan

  def held(self, window: int, alignment: int, shard: tuple[int, int]) -> Held:
    """As `Stream.held`; asks for the windows after it as far as they are planned."""
    if not self._held:
      self._held[window, alignment] = _done(self._stream.read(self.plan(window), alignment, shard))
    later, at = window, alignment
    while later < window + self._depth and (later == window or self._plans[later].done()):
      plan = self.plan(window) if later == window else _result(self._plans[later])
      if (later, at) not in self._held:
        self._held[later, at] = self._submit(_read, plan, at, shard)
      # A batch begins at the rows that are `at` modulo the batch; in the next window these have other numbers.
      later, at = later + 1, (at - plan.rows) % self._stream.batch_rows
    self._forget(window)
    return _result(self._held[window, alignment])

  def _submit(self, function, *arguments) -> concurrent.futures.Future:
    try:
      return self._executor.submit(function, *arguments)
    except concurrent.futures.process.BrokenProcessPool:
      raise _killed() from None

  def _forget(self, window: int) -> None:
    """Drops what lies before a window; a batch asks for its windows in order."""
    self._plans = {at: plan for at, plan in self._plans.items() if at >= window}
    self._held = {at: held for at, held in self._held.items() if at[0] >= window}


def _killed() -> errors.FlanJaxError:
  return errors.FlanJaxError(
    "a process that makes input windows was killed, most often because memory ran out; train.input_processes = 0 "
    "needs none"
  )


def _done(value):
  future: concurrent.futures.Future = concurrent.futures.Future()
  future.set_result(value)
  return future


def _result(future: concurrent.futures.Future):
  try:
    return future.result()
  except concurrent.futures.process.BrokenProcessPool:
    raise _killed() from None


# --- in the processes ---

_stream: Stream


def _begin(stream: Stream) -> None:
  global _stream
  workers.live_with_parent()
  _stream = stream


def _plan(window: int) -> Plan:
  return _stream.plan(window)


def _read(plan: Plan, alignment: int, shard: tuple[int, int]) -> Held:
  return _stream.read(plan, alignment, shard)
