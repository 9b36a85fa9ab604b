"""From a mixture's name to the stream of its batches, preparing what was not prepared yet."""

import dataclasses
import os
import pathlib
import sys
from typing import TYPE_CHECKING, Any

from flan_jax import progress
from flan_jax.data.mixtures import get_mixture, installed
from flan_jax.data.prepare import prepare
from flan_jax.data.segments import row_shape
from flan_jax.data.seqio_export import prepare_registered
from flan_jax.data.store import TaskStore
from flan_jax.data.stream import Position, Prefetcher, Stream
from flan_jax.data.vocabularies import Vocabulary

if TYPE_CHECKING:
  from flan_jax.training.train import Training


@dataclasses.dataclass(frozen=True)
class Feed:
  """The data of a run.

  Attributes:
    stream: its batches.
    tasks: full names of the tasks it draws from.
    identity: what the meaning of a position depends on, as JSON; a run resumes only where it is the same.
  """

  stream: Stream
  tasks: tuple[str, ...]
  identity: dict[str, Any]

  beginning = Position()

  def position(self, content: dict[str, int]) -> Position:
    """A position as a checkpoint holds it."""
    return Position.from_json(content)

  def batches(self, position: Position) -> Prefetcher:
    """A context manager that makes batches from there on in a thread of its own."""
    return Prefetcher(self.stream, position)


def open_feed(training: "Training", vocabulary: Vocabulary) -> Feed:
  """The feed of a run.

  Raises:
    UsageError: an unknown mixture.
    FlanJaxError: missing files; see `mixtures.installed`, `prepare` and `prepare_registered`.
  """
  stores = (_registered if training.module else _declared)(training, vocabulary)
  rates = [store.rate for store in stores]
  lengths = training.task_feature_lengths
  stream = Stream(stores, rates, row_shape(lengths), training.batch_size, training.seed, training.window)
  identity = {
    "mixture": training.mixture_or_task_name,
    "task_feature_lengths": dict(lengths),
    "batch_size": training.batch_size,
    "seed": training.seed,
    "window": training.window,
    "rates": {store.task: store.rate for store in stores},
    "stores": {store.task: store.folder.name for store in stores},
  }
  return Feed(stream, tuple(store.task for store in stores), identity)


def _registered(training: "Training", vocabulary: Vocabulary) -> list[TaskStore]:
  """Of a mixture that the user's module registers with SeqIO."""
  return prepare_registered(
    training.mixture_or_task_name,
    training.module,
    vocabulary=vocabulary,
    lengths=training.task_feature_lengths,
    store_dir=_store_dir(training.store_dir),
    progress=progress.shown,
  )


def _declared(training: "Training", vocabulary: Vocabulary) -> list[TaskStore]:
  """Of a mixture or task of our collections."""
  mixture = get_mixture(training.mixture_or_task_name)
  present, absent = installed(mixture, training.data_dir, training.missing)
  for file in absent:
    print(f"skipped: {file}", file=sys.stderr)
  if absent:
    print(f"{len(absent)} of {len(mixture.tasks)} tasks skipped; the others' rates are renormalised", file=sys.stderr)
  return prepare(
    dataclasses.replace(mixture, tasks=present),
    data_dir=training.data_dir,
    vocabulary=vocabulary,
    lengths=training.task_feature_lengths,
    store_dir=_store_dir(training.store_dir),
    render_seed=training.render_seed,
    progress=progress.shown,
  )


def _store_dir(path: str | None) -> pathlib.Path:
  if path is not None:
    return pathlib.Path(path).expanduser()
  cache = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
  return pathlib.Path(cache) / "flan_jax" / "store"
