"""What a run's rows hold, before it runs: from its stores, else from a sample of its data, else at most.

Three ways, the first that the machine allows:

    stores      the stream's own plans of the windows that the run will read: exact. Of a run of more than 32 windows
                (of 16,384 examples each, usually) the first 32, whose rows stand for the rest.
    sample      its files are here, its stores are not: some examples of each task are rendered, tokenised and left out
                as preparing would do it, drawn at the mixture's rates, and packed.
    full rows   nothing is here: each row is one example without a token of padding, the most that a row can cost.
"""

import dataclasses
import functools
import math
import os
import pathlib
import types
from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Int

from flan_jax import progress
from flan_jax.data import length_sample, mixtures, packing, sources, specs, tokenising
from flan_jax.data.mixture_functions import parse
from flan_jax.data.objectives import Objective
from flan_jax.data.preparation import present
from flan_jax.data.prepare import opened
from flan_jax.data.segments import row_shape
from flan_jax.data.store import TaskStore
from flan_jax.data.stream import Stream
from flan_jax.data.vocabularies import PUBLIC, Vocabulary, load_vocabulary
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.sweeps import budgets
from flan_jax.sweeps.pricing import store_sizes
from flan_jax.training import feed
from flan_jax.training.counts import Counts
from flan_jax.training.train import Training

STORES, SAMPLE, FULL_ROWS, UNTUNED = "stores", "sample", "full rows", "untuned"
_WINDOWS = 32  # planned of one run, at most: 1 to 3 seconds
_SAMPLED_OF_A_TASK = 64
_TASKS_OF_A_PROCESS = 200  # sampled in 3 to 10 seconds; starting a process takes one


@runtime_checkable
class Workload(Protocol):
  """The rows of a stream.

  Attributes:
    basis: STORES, SAMPLE or FULL_ROWS; UNTUNED of a run that trains nothing.
    note: why nothing better was to be had; '' otherwise.
    stores: bytes of each task's store by its folder (by its name where its files are not here), measured or estimated.
    missing: those of these folders that do not stand yet, and whose bytes are estimated.
  """

  basis: str
  note: str
  stores: Mapping[pathlib.Path, int]
  missing: frozenset[pathlib.Path]

  def rows_of(self, examples: int) -> int:
    """How many rows the first so many examples need."""

  def counts(self, rows: int) -> Counts:
    """What the first so many rows hold."""


@dataclasses.dataclass
class Known:
  """What is looked up once for all runs of a sweep, by the settings that it depends on."""

  workloads: dict[str, Workload] = dataclasses.field(default_factory=dict)
  data: dict[str, "_Data | str"] = dataclasses.field(default_factory=dict)
  samples: length_sample.Known = dataclasses.field(default_factory=dict)
  streams: dict[str, Stream] = dataclasses.field(default_factory=dict)

  def stream(self, training: Training, data: "_Data") -> Stream:
    """That of a run's batches. The last one alone is kept: over all of Flan 2022 it holds a gigabyte of lengths."""
    key = budgets.fields_of(training, budgets.STREAM_FIELDS)
    if key not in self.streams:
      self.streams = {}
      self.streams = {key: feed.of_stores(training, data.vocabulary, data.stores).stream}
    return self.streams[key]


def workload(training: Training, known: Known) -> Workload:
  """The best that can be known here of a run's rows. Prepares nothing.

  Args:
    known: what was found for other runs; is added to.

  Raises:
    FlanJaxError: an unknown mixture, a damaged store. Files that are missing are none.
  """
  key = budgets.fields_of(training, budgets.STREAM_FIELDS)
  if key not in known.workloads:
    known.workloads[key] = _workload(training, known)
  return known.workloads[key]


@dataclasses.dataclass(frozen=True)
class _Data:
  """A mixture whose files are here.

  Attributes:
    vocabulary: of its stores.
    stores: with the mixture's rates; None where some do not stand.
    pools: samples of its tasks, where that is so.
    bytes: of each store by its folder, measured or estimated.
    missing: those that do not stand.
  """

  vocabulary: Vocabulary
  stores: list[TaskStore] | None
  pools: Mapping[str, length_sample.Pool]
  bytes: Mapping[pathlib.Path, int]
  missing: frozenset[pathlib.Path]


def _workload(training: Training, known: Known) -> Workload:
  key = budgets.fields_of(training, budgets.STORE_FIELDS)
  if key not in known.data:
    known.data[key] = _data(training, known)
  data = known.data[key]
  if isinstance(data, str):
    sizes = store_sizes.published(training) if training.module is None else {}
    return _Mean(FULL_ROWS, _full_row(training), training, sizes, frozenset(sizes), data)
  if data.stores is None:
    return _Mean(SAMPLE, _sampled_row(training, data), training, data.bytes, data.missing)
  return _Planned(lambda: known.stream(training, data), training, data.bytes)


class Nothing:
  """The workload of a run that trains nothing."""

  basis, note, stores, missing = UNTUNED, "", types.MappingProxyType({}), frozenset()

  def rows_of(self, examples: int) -> int:
    return 0

  def counts(self, rows: int) -> Counts:
    return Counts(*[0.0] * len(Counts._fields))


class _Planned:
  """Rows as the stream plans them."""

  basis, note, missing = STORES, "", frozenset()

  def __init__(self, stream: Callable[[], Stream], training: Training, stores: Mapping[pathlib.Path, int]):
    self.stores = stores
    self.rows_of = functools.cache(self._rows_of)
    self.counts = functools.cache(self._counts)
    self._stream, self._training = stream, training

  def _rows_of(self, examples: int) -> int:
    stream = self._stream()
    if examples <= _WINDOWS * self._training.window:
      return budgets.rows_of(stream, examples)
    plans = [stream.plan(window) for window in range(_WINDOWS)]
    return math.ceil(examples * sum(plan.rows for plan in plans) / sum(len(plan.task) for plan in plans))

  def _counts(self, rows: int) -> Counts:
    stream, total, done = self._stream(), np.zeros(len(Counts._fields)), 0
    for window in range(_WINDOWS):
      if done == rows:
        break
      plan = stream.plan(window)
      taken = min(plan.rows, rows - done)
      total += _counted(stream.taken(window)[: plan.starts[taken]])
      done += taken
    return _with_slots(total * (rows / done if done else 0.0), rows, self._training)


class _Mean:
  """Rows of which only what they hold on average is known."""

  def __init__(
    self,
    basis: str,
    of_row: Float[np.ndarray, "counts"],
    training: Training,
    stores: Mapping[pathlib.Path, int],
    missing: frozenset[pathlib.Path],
    note: str = "",
  ):
    self.basis, self.stores, self.missing, self.note = basis, stores, missing, note
    self._of_row, self._training = of_row, training

  def rows_of(self, examples: int) -> int:
    return math.ceil(examples / self._of_row[0])

  def counts(self, rows: int) -> Counts:
    return _with_slots(self._of_row * rows, rows, self._training)


def _data(training: Training, known: Known) -> _Data | str:
  """What is here of a run's data; what is not, in words, where something is missing."""
  if training.module:
    return f"tasks of a SeqIO module ({training.module}) are looked at when they are prepared"
  try:
    mixture = present(training.mixture_or_task_name, training.data_dir, training.missing)
    vocabulary = load_vocabulary(training.vocabulary, training.data_dir)
  except FlanJaxError as error:
    if _is_about_files(error, training):
      return str(error).splitlines()[0].rstrip(":")
    raise
  asked = feed.preparation(training, vocabulary)
  jobs = asked.jobs(mixture)
  missing = [job for job in jobs if not job.final.exists()]
  standing = {job.final: store_sizes.standing(job.final) for job in jobs if job.final.exists()}
  if not missing:
    return _Data(vocabulary, opened(jobs, mixture, training.data_dir), {}, standing, frozenset())
  pools = length_sample.sampled(
    mixture,
    data_dir=training.data_dir,
    vocabulary=vocabulary,
    render_seed=training.render_seed,
    room=tokenising.room_of(asked.lengths),
    of_task=_SAMPLED_OF_A_TASK,
    known=known.samples,
    processes=min(os.cpu_count() or 1, math.ceil(len(jobs) / _TASKS_OF_A_PROCESS)),
    progress=progress.shown,
  )
  estimated = {job.final: store_sizes.like(pools[job.spec.name], training.variants, vocabulary.size) for job in missing}
  return _Data(vocabulary, None, pools, {**standing, **estimated}, frozenset(estimated))


def _is_about_files(error: FlanJaxError, training: Training) -> bool:
  """Whether other files in the data folder would mend it, rather than another request."""
  if isinstance(error, UsageError):
    base = parse(training.mixture_or_task_name).base
    declared = (mixture for mixture in mixtures.declared_mixtures(training.data_dir) if mixture.name == base)
    patterns = {pattern for mixture in declared for part in mixture.parts for pattern in part.patterns}
    return any(specs.discovers(pattern.partition(".")[0]) for pattern in patterns)
  return isinstance(error, sources.MissingDataError) or (
    training.vocabulary in PUBLIC and not _has_file(training.vocabulary, training.data_dir)
  )


def _has_file(vocabulary: str, data_dir: str | None) -> bool:
  return data_dir is not None and (pathlib.Path(data_dir) / PUBLIC[vocabulary][0]).is_file()


def _sampled_row(training: Training, data: _Data) -> Float[np.ndarray, " counts"]:
  """What a row of examples drawn from the samples holds on average over the run, whose objective may change."""
  given = training.objective and training.objective.for_vocabulary(data.vocabulary)
  row_under = functools.cache(functools.partial(_sampled_row_under, training, data))
  total, rows, window, wanted = 0.0, 0.0, 0, max(training.train_steps * training.batch_size, 1)
  while rows < wanted:
    row = row_under(given and given.at(window))
    here = min(training.window / row[0], wanted - rows)
    total, rows, window = total + row * here, rows + here, window + 1
  return total / rows


def _sampled_row_under(training: Training, data: _Data, objective: Objective | None) -> Float[np.ndarray, " counts"]:
  shape = row_shape(training.task_feature_lengths)
  lengths = length_sample.drawn(list(data.pools.values()), training.seed) - 1
  if not len(lengths):
    raise FlanJaxError(f"{training.mixture_or_task_name}: no example of it fits a row of {list(shape.capacity)} tokens")
  if objective:
    keys = np.random.default_rng(training.seed).integers(0, 1 << 64, len(lengths), np.uint64)
    lengths = objective.lengths(lengths, keys)
  taken = shape.taken(lengths)
  return _counted(taken) / (packing.pack(taken, shape.capacity).max() + 1)


def _full_row(training: Training) -> Float[np.ndarray, " counts"]:
  return _counted(np.array([row_shape(training.task_feature_lengths).capacity]))


def _counted(taken: Int[np.ndarray, "examples sides"]) -> Float[np.ndarray, " counts"]:
  """The fields of Counts for examples of so many tokens (inputs, targets), EOS included; slots are left at 0."""
  read, said = taken.astype(np.float64).T
  pairs = (read * read, said * (said + 1) / 2, said * read)
  return np.array([len(taken), read.sum(), said.sum(), 0.0, *(each.sum() for each in pairs)])


def _with_slots(counts: Float[np.ndarray, " counts"], rows: int, training: Training) -> Counts:
  slots = rows * sum(training.task_feature_lengths.values())
  return Counts(*counts.tolist())._replace(slots=float(slots))
