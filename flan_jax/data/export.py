"""A mixture's rendered text in files that anything reads: an example a row, with what made it and what its task is.

    OUT/_mixture.json                       settings, and the rate, cap, licence, citation and counts of each task
    OUT/TASK/TASK-00000-of-00002.parquet    the rows of TASK in the order of its store: variant 0 first
    OUT/TASK/_task.json                     what _mixture.json says of it, and the key that tells settings apart

A task's folder appears whole or not at all, as a store does; one that stands with the same key is left as it is.
"""

import contextlib
import dataclasses
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from flan_jax import atomic, errors
from flan_jax.data import (
  export_files,
  instructions,
  limits,
  mixtures,
  prepare,
  rendering,
  shards,
  sources,
  specs,
  store_writing,
  tokenising,
)
from flan_jax.data.formats import Manner
from flan_jax.data.mixtures import MixtureSpec
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary
from flan_jax.progress import Advance, Progress, silently

EXPORT_VERSION = 1  # part of every key: raise it when columns or files change
MIXTURE, TASK = "_mixture.json", "_task.json"  # readers of a folder (pyarrow, Spark) pass over what begins with "_"
SPLITS = ("train", "held_out", "all")
_BATCH_EXAMPLES = 512

Split = Literal["train", "held_out", "all"]


def export(
  mixture: MixtureSpec,
  *,
  out: str | os.PathLike,
  to: str,
  data_dir: str | os.PathLike | None,
  split: Split = "train",
  vocabulary: Vocabulary | None = None,
  lengths: tuple[int, int] | None = None,
  render_seed: int = 0,
  variants: int = 1,
  processes: int | None = None,
  progress: Progress = silently,
) -> dict[str, Any]:
  """Writes the texts of a mixture's tasks; with vocabulary and lengths, those that `prepare` stores as tokens.

  Args:
    mixture: the tasks, all of them installed.
    out: folder that receives the files; nothing else may be in it.
    to: 'parquet' or 'jsonl'.
    data_dir: the user's data folder; None for generated tasks.
    split: 'train' (what a run trains on), 'held_out', or 'all', in the order of the source.
    vocabulary, lengths: of the length rule (see `tokenising`), (inputs, targets) with EOS; both None for none.
    render_seed, variants: as in `prepare.prepare`.
    processes: workers, None for one a core; 1 works in this process.
    progress: shows how many renderings of the sources' records were done.

  Returns:
    The content of _mixture.json. A task's rate there is as `prepare` gives it (see `mixtures.rates`); None for split
    'held_out', which nothing trains on. The rate that its rows have is that within its part, min(its training examples
    of variant 0 that were kept, its cap): it does not know of the other tasks.

  Raises:
    MissingDataError: a task's file is not there.
    UsageError: something else is in `out`, such as an export with other settings.
    FlanJaxError: a full disk, a record or template that cannot be rendered, pyarrow is not installed.
  """
  export_files.kind(to)
  folder = pathlib.Path(out)
  jobs = []
  for part in mixture.parts:
    recipe = Recipe(
      data_dir=None if data_dir is None else os.fspath(data_dir),
      to=to,
      split=split,
      vocabulary=None if vocabulary is None else (str(vocabulary.path), vocabulary.extra_ids),
      lengths=lengths,
      max_per_task=mixture.max_per_task,
      render_seed=render_seed,
      variants=variants,
      manner=part.manner,
      cap=part.cap,
    )
    jobs += [_job(task, recipe, vocabulary, folder) for task in part.tasks]
  _check_folder(folder, jobs)
  missing = [job for job in jobs if not job.final.exists()]
  for job in jobs:
    _check_whole(job.final)
  if missing:
    total = sum(job.source_records for job in missing) * variants
    with progress(f"exporting {mixture.name} ({len(missing)} tasks)", total, "records") as advance:
      _make(missing, processes or os.cpu_count() or 1, advance)
  content = _content(mixture, vocabulary, jobs, data_dir)
  atomic.write_atomically(folder / MIXTURE, _json(content))
  return content


@dataclasses.dataclass(frozen=True)
class Recipe:
  """What all tasks of a part share in an export; small and hashable, since it travels with each ticket.

  Attributes:
    vocabulary: (path, extra ids); None for no length rule.
    manner, cap: of the task's part of the mixture.
  """

  data_dir: str | None
  to: str
  split: Split
  vocabulary: tuple[str, int] | None
  lengths: tuple[int, int] | None
  max_per_task: int | None
  render_seed: int
  variants: int
  manner: Manner
  cap: int | None

  def settings(self, vocabulary: Vocabulary | None) -> dict[str, Any]:
    """What shapes the rows besides the tasks: the vocabulary's content, not where it lies."""
    words = None if vocabulary is None else {"sha256": vocabulary.sha256, "extra_ids": vocabulary.extra_ids}
    settings = {**dataclasses.asdict(self), "vocabulary": words}
    del settings["data_dir"], settings["manner"]
    return json.loads(json.dumps(settings))  # as it will be read again: lists, no tuples


def _job(task: str, recipe: Recipe, vocabulary: Vocabulary | None, folder: pathlib.Path) -> shards.Job:
  spec = specs.get_task(task, recipe.data_dir)
  source = sources.open_source(spec, recipe.data_dir)
  key = {
    "export": EXPORT_VERSION,
    "rendering": rendering.shaping_content(source),
    "source": source.fingerprint(),
    "told": [spec.cluster, spec.licence, spec.citation, spec.origin, spec.cap],
    "settings": recipe.settings(vocabulary) | instructions.manner_content(spec, recipe.manner, recipe.data_dir),
  }
  return shards.Job(spec, recipe, key, folder / task)


def _check_folder(folder: pathlib.Path, jobs: Sequence[shards.Job]) -> None:
  """An export would be read together with whatever else lies there."""
  ours = {MIXTURE, *(job.final.name for job in jobs)}
  strangers = sorted(path.name for path in folder.glob("[!.]*") if path.name not in ours) if folder.exists() else []
  others = [job.final.name for job in jobs if job.final.exists() and _facts(job.final).get("key") != _digest(job)]
  if strangers or others:
    found = strangers[0] if strangers else f"{others[0]}, exported from other data or with other settings"
    raise errors.UsageError(f"--out {folder}: it has {found} in it. Give a new folder, or delete what is there")


def _check_whole(folder: pathlib.Path) -> None:
  """Raises FlanJaxError where a file of a task that was exported earlier is cut or gone."""
  for entry in _facts(folder).get("files", ()):
    path = folder / entry["file"]
    size = path.stat().st_size if path.exists() else 0
    if size != entry["bytes"]:
      raise errors.FlanJaxError(
        f"{path}: {size} bytes where {entry['bytes']} were written. Delete {folder}, and the same export makes it again"
      )


def _digest(job: shards.Job) -> str:
  return prepare.key_digest(job.key)


def _facts(folder: pathlib.Path) -> dict[str, Any]:
  try:
    return json.loads((folder / TASK).read_bytes())
  except (OSError, ValueError):
    return {}


@dataclasses.dataclass(frozen=True)
class _Result:
  """How many rows a file has and the training examples among them, how the others fared, and the lost records."""

  rows: int
  trained: int
  counts: Counter[str]
  lost: sources.Lost


def _make(jobs: list[shards.Job], processes: int, advance: Advance) -> None:
  with contextlib.closing(shards.make(jobs, _make_part, _finish, processes)) as made:
    for task, records, _ in made:
      advance(records, task)


def _part_path(folder: pathlib.Path, number: int) -> pathlib.Path:
  return folder / f"part-{number:05}"


def _make_part(ticket: shards.Ticket) -> _Result:
  """What a worker does: the rows of one range of the source, without their rate, in one file."""
  renderer = shards.renderer(ticket.task, ticket.recipe)
  span = shards.part_of(len(renderer.source), ticket.part)
  train = set(shards.within(renderer.splits.train, span))
  chosen = _chosen(renderer, ticket.recipe.split, span)
  left = "held out" if ticket.recipe.split == "train" else "training examples"
  counts = Counter({left: len(span) - len(chosen)} if ticket.recipe.split != "all" else {})
  if ticket.recipe.max_per_task is not None:
    used = [i for i in chosen if i not in train or i in _used(ticket.task, ticket.recipe)]
    counts["beyond max_per_task"] = len(chosen) - len(used)
    chosen = used
  rows = trained = 0
  cap = renderer.spec.cap if ticket.recipe.cap is None else ticket.recipe.cap
  with (
    store_writing.naming_disk_errors(ticket.folder.parent),
    export_files.kind(ticket.recipe.to).writer(_part_path(ticket.folder, ticket.number)) as writer,
  ):
    for start in range(0, len(chosen), _BATCH_EXAMPLES):
      batch = chosen[start : start + _BATCH_EXAMPLES]
      made = _rendered(renderer, ticket.recipe, [renderer.source[i] for i in batch], ticket.variant)
      kept = [(i, one) for i, one in zip(batch, made, strict=True) if not isinstance(one, str)]
      counts.update(one for one in made if isinstance(one, str))
      writer.write([_row(renderer.spec, one, "train" if i in train else "held_out", cap) for i, one in kept])
      rows += len(kept)
      trained += sum(i in train for i, _ in kept)
  return _Result(rows, trained, counts, sources.Lost() if ticket.number else renderer.source.lost)


@functools.lru_cache(maxsize=2)  # as `shards.renderer`
def _used(task: str, recipe: Recipe) -> frozenset[int]:
  """The training examples that a limited mixture uses of a task."""
  renderer = shards.renderer(task, recipe)
  train = renderer.splits.train
  ids = [renderer.source[i].id for i in train.tolist()]
  return frozenset(train[limits.chosen(task, ids, recipe.max_per_task)].tolist())


def _chosen(renderer: rendering.Renderer, split: Split, span: range) -> list[int]:
  return list(span) if split == "all" else shards.within(getattr(renderer.splits, split), span)


def _rendered(
  renderer: rendering.Renderer, recipe: Recipe, examples: Sequence[sources.Example], variant: int
) -> list[rendering.Rendered | str]:
  """Each example rendered, by the length rule if there is one, or the reason why it is left out."""
  if recipe.vocabulary is not None:
    path, extra_ids = recipe.vocabulary
    vocabulary = load_vocabulary(path, extra_ids=extra_ids)
    fitted = tokenising.tokenise(renderer, vocabulary, tokenising.Sides(*recipe.lengths), examples, variant)
    return [one if isinstance(one, str) else one.left_out or one.rendered for one in fitted]
  return [_as_drawn(renderer, example, variant) for example in examples]


def _as_drawn(renderer: rendering.Renderer, example: sources.Example, variant: int) -> rendering.Rendered | str:
  if not renderer.renders(example):
    return tokenising.NO_RATIONALE
  made = renderer.render(example, variant)
  return made if made.targets else tokenising.EMPTY_TARGET


def _row(spec: specs.TaskSpec, made: rendering.Rendered, split: str, cap: int) -> export_files.Row:
  return {
    "inputs": made.inputs,
    "targets": made.targets,
    "task": spec.name,
    "template": made.wording,
    "format": made.format,
    "shots": made.shots,
    "variant": made.variant,
    "example_id": made.example_id,
    "split": split,
    "cluster": spec.cluster,
    "licence": spec.licence,
    "cap": cap,
  }


def _finish(job: shards.Job, folder: pathlib.Path, results: Sequence[_Result]) -> None:
  """Gives the rows their rate, now that all are counted, and puts the task's folder in its place."""
  trained = sum(result.trained for result, (variant, _) in zip(results, job.shards, strict=True) if variant == 0)
  cap = job.spec.cap if job.recipe.cap is None else job.recipe.cap
  rate = None if job.recipe.split == "held_out" else min(trained, cap)
  files = []
  with store_writing.naming_disk_errors(job.final.parent):
    for number, result in enumerate(results):
      path = folder / f"{job.spec.name}-{number:05}-of-{len(results):05}.{job.recipe.to}"
      export_files.kind(job.recipe.to).with_rate(_part_path(folder, number), path, rate)
      _part_path(folder, number).unlink()
      store_writing.flush(path)
      files.append({"file": path.name, "rows": result.rows, "bytes": path.stat().st_size})
    told = {**_told(job, results), "cap": cap, "trained_on": trained, "rate": rate}
    (folder / TASK).write_bytes(_json({**told, "files": files, "key": _digest(job)}))
    store_writing.flush(folder / TASK)
    store_writing.settle(folder, job.final)


def _told(job: shards.Job, results: Sequence[_Result]) -> dict[str, Any]:
  counts = sum((result.counts for result in results), Counter())
  lost = results[0].lost
  return {
    "task": job.spec.name,
    "cluster": job.spec.cluster,
    "licence": job.spec.licence,
    "citation": job.spec.citation,
    "origin": job.spec.origin,
    "rows": sum(result.rows for result in results),
    "counts": {**counts, **lost.counts()},
    "malformed": lost.first(),
  }


def _content(
  mixture: MixtureSpec, vocabulary: Vocabulary | None, jobs: Sequence[shards.Job], data_dir: str | os.PathLike | None
) -> dict[str, Any]:
  """Of _mixture.json; no time of day in it, so that the same export is the same bytes."""
  recipe = jobs[0].recipe
  tasks = [_facts(job.final) for job in jobs]
  rates = mixtures.rates(mixture, {task["task"]: task["trained_on"] for task in tasks}, data_dir)
  if recipe.split != "held_out":
    tasks = [{**task, "rate": rates[task["task"]]} for task in tasks]
  common = {name: value for name, value in recipe.settings(vocabulary).items() if name not in _OF_A_PART}
  libraries = ("flan_jax", "numpy", "sentencepiece", *(("pyarrow",) if recipe.to == "parquet" else ()))
  return {
    "mixture": mixture.name,
    "columns": [*export_files.COLUMNS, export_files.RATE],
    "settings": common,
    "parts": json.loads(json.dumps([dataclasses.asdict(part) for part in mixture.parts])),
    "rows": sum(task["rows"] for task in tasks),
    "bytes": sum(file["bytes"] for task in tasks for file in task["files"]),
    "tasks": tasks,
    "versions": {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in libraries}},
  }


_OF_A_PART = ("cap",)


def _json(content: dict[str, Any]) -> bytes:
  return f"{json.dumps(content, indent=2, ensure_ascii=False)}\n".encode()
