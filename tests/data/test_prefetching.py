"""Batches made ahead are the stream's own, by whomever they are made; nothing is left running, errors are heard."""

import multiprocessing
import os
import signal
import threading

import numpy as np
import pytest
from handmade import make_store, numbered

from flan_jax import errors
from flan_jax.data.prefetching import Ahead, Prefetcher
from flan_jax.data.segments import EncoderDecoderRows
from flan_jax.data.stream import Position, Stream

ROWS = 8


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
  root = tmp_path_factory.mktemp("stores")
  return [make_store(root, f"t.{i}", numbered(i, n)) for i, n in enumerate((30, 7, 50))]


def stream_of(stores, **changes):
  return Stream(stores, [store.rate for store in stores], EncoderDecoderRows(24, 12), ROWS, 3, 60, **changes)


def take(stream, batches, shard=(0, 1)):
  taken, position = [], Position()
  for _ in range(batches):
    batch, position = stream.batch(position, shard)
    taken.append((batch, position))
  return taken


def go_on(stream, position, windows):
  for _ in range(60):
    _, position = stream.batch(position, windows=windows)


def assert_same(batches, expected):
  for batch, after in expected:
    made, position = next(batches)
    assert position == after
    assert all(np.array_equal(made[name], batch[name]) for name in batch)


@pytest.mark.parametrize(("processes", "shard"), [(0, (0, 1)), (1, (0, 1)), (2, (1, 4))])
def test_prefetched_batches_are_the_streams_in_order(stores, processes, shard):
  """Over 20 windows and more; with hosts, whose rows of a window depend on where its batches begin."""
  with Prefetcher(stream_of(stores), Position(), shard, processes=processes) as batches:
    assert_same(batches, take(stream_of(stores), 60, shard))
  assert not multiprocessing.active_children()


def test_whoever_listens_hears_of_each_window_whoever_plans_it(stores):
  heard = {}
  stream = stream_of(stores, planned=lambda window, plan: heard.setdefault(window, plan.rows))
  with Prefetcher(stream, Position(), processes=1) as batches:
    last = [next(batches) for _ in range(30)][-1][1]
  assert {window: rows for window, rows in heard.items() if window <= last.window} == {
    window: stream_of(stores).plan(window).rows for window in range(last.window + 1)
  }


@pytest.mark.parametrize("processes", [0, 1])
def test_what_makes_batches_ends_with_the_context(stores, processes):
  with Prefetcher(stream_of(stores), Position(), ahead=1, processes=processes) as batches:
    next(batches)
    assert batches._thread.is_alive()
  assert not batches._thread.is_alive()
  assert not multiprocessing.active_children()
  batches.close()
  assert list(batches) == []


@pytest.mark.parametrize("processes", [0, 1])
def test_the_makers_error_reaches_the_consumer(tmp_path, processes):
  store = make_store(tmp_path, "t.damaged", numbered(0, 50))
  damaged = stream_of([store])
  (store.folder / "tokens-00000.bin").unlink()
  with Prefetcher(damaged, Position(), processes=processes) as batches:
    for _ in range(2):  # and does not make the second call wait for ever
      with pytest.raises(errors.FlanJaxError, match="damaged"):
        next(batches)
  assert "batches" not in {thread.name for thread in threading.enumerate()}


def test_an_error_in_another_process_is_its_own_here(tmp_path):
  """The first window is read here, before the file goes; the next one there."""
  store = make_store(tmp_path, "t.damaged", numbered(0, 50))
  stream = stream_of([store])
  with Ahead(stream, 1) as windows:
    batch, position = stream.batch(Position(), windows=windows)
    assert len(batch)
    (store.folder / "tokens-00000.bin").unlink()
    with pytest.raises(errors.FlanJaxError, match=r"tokens-00000.bin.*damaged"):
      go_on(stream, position, windows)


def test_a_killed_process_is_told(stores):
  stream = stream_of(stores)
  with Ahead(stream, 1) as windows:
    _, position = stream.batch(Position(), windows=windows)
    windows.plan(1)
    (process,) = multiprocessing.active_children()
    os.kill(process.pid, signal.SIGKILL)
    with pytest.raises(errors.FlanJaxError, match=r"was killed.*input_processes = 0"):
      go_on(stream, position, windows)
