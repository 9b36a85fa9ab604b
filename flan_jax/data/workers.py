"""A function over many small tickets in fresh processes, which end with their parent however it ends."""

import concurrent.futures
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from flan_jax import errors

_IN_FLIGHT = 3  # tickets a process: enough that none waits, few enough that a stop is soon

Ticket = TypeVar("Ticket")
Result = TypeVar("Result")


def results(
  function: Callable[[Ticket], Result], tickets: Iterable[Ticket], processes: int
) -> Iterator[tuple[Ticket, Result]]:
  """(ticket, function(ticket)) as they are done; a ticket is taken from the iterable when its turn comes.

  Processes are spawned, not forked: the threads of JAX in a forked process deadlock. So `function` must be importable,
  and what it imports is paid for once a process. With one process nothing is spawned.

  Raises:
    FlanJaxError: a process was killed (usually for want of memory).
    Exception: what `function` raised.
  """
  if processes == 1:
    yield from ((ticket, function(ticket)) for ticket in tickets)
    return
  context = multiprocessing.get_context("spawn")
  executor = concurrent.futures.ProcessPoolExecutor(processes, context, initializer=live_with_parent)
  try:
    yield from _as_done(executor, function, tickets, processes * _IN_FLIGHT)
  except concurrent.futures.process.BrokenProcessPool:
    raise errors.FlanJaxError(
      f"one of {processes} worker processes was killed, most often because memory ran out; fewer processes need less"
    ) from None
  finally:
    executor.shutdown(cancel_futures=True)


def _as_done(
  executor: concurrent.futures.Executor,
  function: Callable[[Ticket], Result],
  tickets: Iterable[Ticket],
  in_flight: int,
) -> Iterator[tuple[Ticket, Result]]:
  pending: dict[concurrent.futures.Future[Result], Ticket] = {}
  waiting = iter(tickets)
  exhausted = False
  while pending or not exhausted:
    while not exhausted and len(pending) < in_flight:
      try:
        ticket = next(waiting)
      except StopIteration:
        exhausted = True
      else:
        pending[executor.submit(function, ticket)] = ticket
    done, _ = concurrent.futures.wait(pending, return_when=concurrent.futures.FIRST_COMPLETED)
    for future in done:
      yield pending.pop(future), future.result()


def live_with_parent() -> None:
  """Ctrl-C is the parent's to handle; a worker of a killed parent would otherwise wait for tickets for ever."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)
  parent = multiprocessing.parent_process()

  def follow() -> None:
    parent.join()
    os._exit(1)

  threading.Thread(target=follow, daemon=True).start()
