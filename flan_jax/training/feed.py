"""From a mixture's name to the stream of its batches, preparing what was not prepared yet."""

import dataclasses
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from flan_jax import configuration, processes, progress
from flan_jax.data.mixture_functions import canonical
from flan_jax.data.mixtures import get_mixture
from flan_jax.data.objectives import Objective, described, longest_text
from flan_jax.data.prefetching import Prefetcher
from flan_jax.data.preparation import Preparation, store_folder
from flan_jax.data.segments import row_shape
from flan_jax.data.store import TaskStore, open_store
from flan_jax.data.stream import STREAM_VERSION, Position, Stream
from flan_jax.data.submixtures import Submixtures, submixtures
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.training.windows import WindowLog

if TYPE_CHECKING:
  from flan_jax.training.train import Training


@dataclasses.dataclass(frozen=True)
class Feed:
  """The data of a run.

  Attributes:
    stream: its batches.
    tasks: full names of the tasks it draws from.
    identity: what the meaning of a position depends on, as JSON; a run resumes only where it is the same.
    processes: that make windows ahead; they change no batch.
    submixtures: names by the index that `decoder_submixtures` of a batch has; none where batches have no such array.
  """

  stream: Stream
  tasks: tuple[str, ...]
  identity: dict[str, Any]
  processes: int
  submixtures: tuple[str, ...] = ()

  beginning = Position()

  def position(self, content: dict[str, int]) -> Position:
    """A position as a checkpoint holds it."""
    return Position.from_json(content)

  def batches(self, position: Position, shard: tuple[int, int] = (0, 1)) -> Prefetcher:
    """A context manager that makes batches from there on in a thread of its own.

    Args:
      shard: (index, count) of the rows wanted, as `partitioning.process_rows` says them.
    """
    return Prefetcher(self.stream, position, shard, processes=self.processes)


def open_feed(training: "Training", vocabulary: Vocabulary) -> Feed:
  """The feed of a run. Of several processes the first prepares what is missing, while the others wait.

  Raises:
    UsageError: an unknown mixture, an objective that the rows or the vocabulary do not allow.
    FlanJaxError: see `Preparation.stores`.
  """
  asked = preparation(training, vocabulary)
  stores = processes.first_then_others("stores", lambda: asked.stores(progress=progress.shown))
  mixture = None if training.module else get_mixture(training.mixture_or_task_name, training.data_dir)
  told_apart = submixtures(stores, mixture, training.data_dir)
  return _feed(training, vocabulary, stores, log=processes.is_first(), told_apart=told_apart)


def past_feed(model_dir: pathlib.Path) -> Feed:
  """The feed of a run as its newest checkpoint tells it, whatever the collections say today; prepares nothing.

  Raises:
    UsageError: the folder holds no checkpoint, or its config.gin says something else.
    StoreError: a store is damaged or no more.
  """
  record = layout.read_record(layout.step_folder(model_dir))
  if "data" not in record:
    raise UsageError(f"{model_dir} holds a converted checkpoint, which no run here has trained: it has no rows")
  before, folder = record["data"], pathlib.Path(record["store_dir"])
  if not folder.is_dir():
    raise UsageError(f"the stores of {model_dir} were in {folder}, which is not there; only they know its rows")
  vocabulary = load_vocabulary(str(model_dir / layout.VOCABULARY_FILE), extra_ids=record["vocabulary"]["extra_ids"])
  configuration.parse((model_dir / "config.gin").read_text(encoding="utf-8").splitlines())
  training = dataclasses.replace(configuration.build(), model_dir=str(model_dir), store_dir=str(folder))
  limit = before.get("max_per_task")
  stores = [open_store(folder / at, before["rates"][task], limit) for task, at in before["stores"].items()]
  feed = of_stores(training, vocabulary, stores)
  if changed := [name for name in feed.identity if feed.identity[name] != before.get(name)]:
    raise UsageError(f"{model_dir}/config.gin is not what its checkpoints were trained with: {', '.join(changed)}")
  return feed


def of_stores(training: "Training", vocabulary: Vocabulary, stores: Sequence[TaskStore]) -> Feed:
  """The feed of a run from stores that stand; writes nothing, and tells no submixtures apart."""
  return _feed(training, vocabulary, stores, log=False, told_apart=Submixtures())


def _feed(
  training: "Training", vocabulary: Vocabulary, stores: Sequence[TaskStore], log: bool, told_apart: Submixtures
) -> Feed:
  lengths = training.task_feature_lengths
  objective = _objective(training, vocabulary)
  identity = {
    "stream": STREAM_VERSION,
    "mixture": _mixture(training),
    "max_per_task": next(iter(stores)).limit if stores else None,
    "task_feature_lengths": dict(lengths),
    "batch_size": training.batch_size,
    "seed": training.seed,
    "window": training.window,
    "objective": described(objective),
    "rates": {store.task: store.rate for store in stores},
    "stores": {store.task: os.path.relpath(store.folder, store_folder(training.store_dir)) for store in stores},
  }
  planned = WindowLog(pathlib.Path(training.model_dir), identity, training.variants).planned if log else None
  stream = Stream(
    stores,
    [store.rate for store in stores],
    row_shape(lengths),
    training.batch_size,
    training.seed,
    training.window,
    objective,
    planned=planned,
    submixtures=told_apart.of_store,
  )
  tasks = tuple(store.task for store in stores)
  return Feed(stream, tasks, identity, training.input_processes, told_apart.names)


def preparation(training: "Training", vocabulary: Vocabulary) -> Preparation:
  """How the settings of a run say that its mixture is prepared."""
  lengths, objective = training.task_feature_lengths, _objective(training, vocabulary)
  return Preparation(
    mixture=training.mixture_or_task_name,
    vocabulary=vocabulary,
    lengths=lengths if objective is None else {"text": longest_text(objective, row_shape(lengths))},
    data_dir=training.data_dir,
    store_dir=training.store_dir,
    missing=training.missing,
    strict=training.strict,
    module=training.module,
    render_seed=training.render_seed,
    variants=training.variants,
  )


def _mixture(training: "Training") -> str:
  """Its name in the one spelling that it has; names of the user's own module are left as they are."""
  return training.mixture_or_task_name if training.module else canonical(training.mixture_or_task_name)


def _objective(training: "Training", vocabulary: Vocabulary) -> Objective | None:
  return training.objective and training.objective.for_vocabulary(vocabulary)
