"""Each task of a mixture once through rendering and tokenisation, into its store; what stands is left as it is."""

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import pathlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from flan_jax import errors
from flan_jax.data import (
  instructions,
  mixtures,
  rendering,
  shards,
  sources,
  specs,
  store_writing,
  tokenising,
  verifying,
  vocabularies,
)
from flan_jax.data.formats import Manner
from flan_jax.data.mixtures import MixtureSpec
from flan_jax.data.shards import Job, Ticket
from flan_jax.data.store import Origin, TaskStore, open_store
from flan_jax.progress import Advance, Progress, silently

STORE_VERSION = 4  # part of every key: raise it when the files' layout or the length rule changes
FEATURES = ("inputs", "targets")
_BATCH_EXAMPLES = 512  # rendered and tokenised at once


def prepare(
  mixture: MixtureSpec,
  *,
  data_dir: str | os.PathLike | None,
  vocabulary: vocabularies.Vocabulary,
  lengths: Mapping[str, int],
  store_dir: str | os.PathLike,
  render_seed: int = 0,
  variants: int = 1,
  processes: int | None = None,
  strict: bool = False,
  verify: bool = False,
  make: "Make | None" = None,
  progress: Progress = silently,
) -> list[TaskStore]:
  """The stores of a mixture's tasks, in its order; those that do not stand yet are made.

  Only training examples are stored; evaluation renders the held-out ones itself. How the examples of each task fared
  (kept, held out, left out and why) stands in its manifest.

  Args:
    mixture: the tasks, all of them installed.
    data_dir: the user's data folder; None for generated tasks.
    lengths: tokens of a row, EOS included, by feature: 'inputs' and 'targets'; or, for an objective, the one length
      'text' that `objectives.longest_text` gives. The rule is `tokenising`'s.
    store_dir: receives a folder a task, and in it one a key.
    render_seed: of the draws of wordings, formats and exemplars; the order of training has another.
    variants: how often each example is rendered, under different draws; epoch e of a run reads variant e mod this.
    processes: workers, None for one a core; 1 works in this process.
    strict: whether a malformed record of a source is an error; otherwise it is left out and counted.
    verify: reads every file of the stores that stand first, and makes those again that are damaged.
    make: what makes the missing stores instead of such workers; see `beam`.
    progress: shows how many renderings of the sources' records were done.

  Raises:
    MissingDataError: a task's file is not there.
    FlanJaxError: a full disk, a damaged store, a template that cannot be rendered; with `strict`, a malformed record.
  """
  jobs = jobs_of(
    mixture,
    data_dir=data_dir,
    vocabulary=vocabulary,
    lengths=lengths,
    store_dir=store_dir,
    render_seed=render_seed,
    variants=variants,
  )
  if verify:
    verifying.remove_damaged([job.final for job in jobs], progress)
  missing = [job for job in jobs if not job.final.exists()]
  if missing:
    what = f"preparing {mixture.name} ({len(missing)} tasks)"
    with progress(what, sum(job.source_records for job in missing) * variants, "records") as advance:
      (make or functools.partial(_make_here, processes=processes or os.cpu_count() or 1))(missing, advance)
  stores = opened(jobs, mixture, data_dir)
  if strict:
    _refuse_malformed(stores)
  return stores


def jobs_of(
  mixture: MixtureSpec,
  *,
  data_dir: str | os.PathLike | None,
  vocabulary: vocabularies.Vocabulary,
  lengths: Mapping[str, int],
  store_dir: str | os.PathLike,
  render_seed: int = 0,
  variants: int = 1,
) -> list[Job]:
  """What `prepare` makes of a mixture's tasks and where, in its order; some may stand. Arguments are `prepare`'s."""
  jobs = []
  for part in mixture.parts:
    recipe = Recipe(
      data_dir=None if data_dir is None else os.fspath(data_dir),
      vocabulary_path=str(vocabulary.path),
      extra_ids=vocabulary.extra_ids,
      room=tokenising.room_of(lengths),
      manner=part.manner,
      render_seed=render_seed,
      variants=variants,
    )
    jobs += [job_of(task, recipe, vocabulary, pathlib.Path(store_dir)) for task in part.tasks]
  return jobs


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What all tasks of a part share in a preparation; small and hashable, since it travels with each ticket.

  Attributes:
    room: what an example has to fit into.
    manner: as in mixtures.Part.
  """

  data_dir: str | None
  vocabulary_path: str
  extra_ids: int
  room: tokenising.Room
  manner: Manner
  render_seed: int
  variants: int

  def vocabulary(self) -> vocabularies.Vocabulary:
    """Loaded once a process."""
    return vocabularies.load_vocabulary(self.vocabulary_path, extra_ids=self.extra_ids)


def key_digest(key: Mapping[str, Any]) -> str:
  """16 hexadecimal digits that change with anything that shaped a store."""
  return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


# (the tasks whose stores do not stand, what to call with the source's records that are done) -> makes their stores.
Make = Callable[[list[Job], Advance], None]


def job_of(task: str, recipe: Recipe, vocabulary: vocabularies.Vocabulary, store_dir: pathlib.Path) -> Job:
  """The job of a task; reads all of its source once, for the fingerprint."""
  spec = specs.get_task(task, recipe.data_dir)
  source = sources.open_source(spec, recipe.data_dir)
  key = {
    "store": STORE_VERSION,
    "rendering": rendering.shaping_content(source),
    "source": source.fingerprint(),
    "vocabulary": {"sha256": vocabulary.sha256, "extra_ids": vocabulary.extra_ids},
    "lengths": dataclasses.asdict(recipe.room),
    **instructions.manner_content(spec, recipe.manner, recipe.data_dir),
    "render_seed": recipe.render_seed,
    "variants": recipe.variants,
  }
  return Job(spec, recipe, key, store_dir / task / key_digest(key))


def opened(jobs: Sequence[Job], mixture: MixtureSpec, data_dir: str | os.PathLike | None) -> list[TaskStore]:
  """The stores with their rates, for which all must stand."""
  stores = [open_store(job.final, limit=mixture.max_per_task) for job in jobs]
  examples = {store.task: store.variants[0] or max(store.variants) for store in stores}
  rates = mixtures.rates(mixture, examples, data_dir)
  return [dataclasses.replace(store, rate=rates[store.task]) for store in stores]


def _refuse_malformed(stores: Sequence[TaskStore]) -> None:
  told = [problem for store in stores for problem in store.manifest["malformed"]]
  if told:
    total = sum(store.manifest["counts"]["malformed records"] for store in stores)
    raise errors.FlanJaxError(
      f"{total} malformed records; without --strict they are left out and counted:\n  " + "\n  ".join(told[:20])
    )


@dataclasses.dataclass(frozen=True)
class Result:
  """A shard's index, how its source's examples fared, and with the first shard the records that are no examples."""

  shard: store_writing.Shard
  counts: Counter[str]
  lost: sources.Lost


def _make_here(jobs: list[Job], advance: Advance, processes: int) -> None:
  """Makes stores with worker processes of this machine."""
  tokens, token_bytes = 0, np.dtype(store_writing.token_dtype(jobs[0].recipe.vocabulary().size)).itemsize
  with contextlib.closing(shards.make(jobs, make_shard, finish, processes)) as made:
    for task, records, result in made:
      tokens += int(result.shard.index[:, :-1].sum())
      advance(records, f"{task}, {tokens:,} tokens, {tokens * token_bytes / 1e6:,.1f} MB")


def finish(job: Job, folder: pathlib.Path, results: Sequence[Result]) -> None:
  """Commits the store of a task all of whose record files lie in `folder`; `results` in the order of its shards."""
  lost = results[0].lost
  facts = {
    "task": job.spec.name,
    "features": list(FEATURES),
    "token_dtype": store_writing.token_dtype(job.recipe.vocabulary().size),
    "variants": job.recipe.variants,
    "counts": {**_total(result.counts for result in results), **lost.counts()},
    "malformed": lost.first(),
    "key": job.key,
  }
  store_writing.commit(folder, job.final, [result.shard for result in results], facts)


def _total(counts: Iterable[Counter[str]]) -> Counter[str]:
  total: Counter[str] = Counter()
  for one in counts:
    total.update(one)  # unlike +, keeps what was counted 0 times
  return total


def make_shard(ticket: Ticket) -> Result:
  """What a worker does: the training examples of one range of the source, written to one record file."""
  renderer, vocabulary = shards.renderer(ticket.task, ticket.recipe), ticket.recipe.vocabulary()
  span = shards.part_of(len(renderer.source), ticket.part)
  chosen = shards.within(renderer.splits.train, span)
  counts = Counter({"kept": 0, "held out": len(span) - len(chosen)})
  writer = store_writing.ShardWriter(ticket.folder, ticket.number, FEATURES, store_writing.token_dtype(vocabulary.size))
  with store_writing.naming_disk_errors(ticket.folder.parent), writer:
    for start in range(0, len(chosen), _BATCH_EXAMPLES):
      examples = [renderer.source[i] for i in chosen[start : start + _BATCH_EXAMPLES]]
      for one in tokenising.tokenise(renderer, vocabulary, ticket.recipe.room, examples, ticket.variant):
        counts.update(_add(writer, one))
  return Result(writer.shard, counts, sources.Lost() if ticket.number else renderer.source.lost)


def _add(writer: store_writing.ShardWriter, one: tokenising.Tokenised | str) -> list[str]:
  """Writes the example, or the piece of it, if it may be kept; returns what to count."""
  if isinstance(one, str):
    return [one]
  if one.left_out:
    return [one.left_out]
  made = one.rendered
  origin = Origin(one.example_id, made.wording, made.format, made.shots, made.variant)
  writer.add({"inputs": one.inputs, "targets": one.targets}, origin)
  if one.piece is not None:
    return ["pieces"] if one.piece else ["kept", "kept in pieces", "pieces"]
  counted = ["kept"]
  counted += ["kept with fewer exemplars"] if one.exemplars_dropped else []
  counted += ["kept with a shortened context"] if one.shortened else []
  return counted
