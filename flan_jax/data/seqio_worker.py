"""The subprocess of `seqio_export`: imports the user's module, makes or checks the stores, and reports on stdout.

`python -m flan_jax.data.seqio_worker JOB`; it shares the tasks with further processes if there are many.
"""

import dataclasses
import functools
import importlib.metadata
import json
import os
import pathlib
import signal
import sys
import sysconfig
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from flan_jax import errors
from flan_jax.data import prepare, seqio_check, seqio_reading, store_writing, tokenising, workers
from flan_jax.data.seqio_export import REPORT
from flan_jax.data.seqio_record import Made, Record, Request, digests, installed_versions, read_record, store_key
from flan_jax.data.store import Origin, open_store

# Importing TensorFlow and the module takes 5 s and 0.9 GB, a small task 0.25 s, most of it TensorFlow's tracing.
_TASKS_A_PROCESS = 50
_REPORT_SECONDS = 5.0  # between two reports of a long task


def main(argument: str) -> None:
  """Does what `seqio_export` asks for in JSON: {action: prepare or check, processes, request}."""
  job = json.loads(argument)
  try:
    _ACTIONS[job["action"]](Request(**job["request"]), job["processes"])
  except errors.FlanJaxError as error:
    _report(error=str(error), kind="usage" if isinstance(error, errors.UsageError) else "failed")


def _prepare(request: Request, processes: int | None) -> None:
  before = read_record(request)
  record = _loaded(request, before)
  leaves = seqio_reading.tasks(request.module, request.name)
  standing = {} if before is None or before.changes() else {made.task: made.folder for made in before.tasks}
  made = [Made(name, leaf.rate, _folder(request, record, name, standing)) for name, leaf in leaves.items()]
  store_dir = pathlib.Path(request.store_dir)
  tickets = [_Ticket(request, one.task, record, one.folder) for one in made if not (store_dir / one.folder).exists()]
  _report(tasks=len(tickets))
  later: dict[str, str] = {}  # files that were imported only when a dataset was built
  for _, sources in workers.results(_make, tickets, _processes(len(tickets), processes)):
    later.update(sources)
  dataclasses.replace(record, sources={**later, **record.sources}, tasks=tuple(made)).write(request)


def _check(request: Request, processes: int | None) -> None:
  """Compares some examples with those in the stores; the record then stands for what is loaded now."""
  before = read_record(request)
  now = _loaded(request, before)
  leaves = seqio_reading.tasks(request.module, request.name)
  seqio_check.require_same_tasks(request, before, list(leaves))
  samples = seqio_check.samples(request, before)
  _report(tasks=len(samples))
  found = []
  for sample, examples in workers.results(seqio_check.read, samples, _processes(len(samples), processes)):
    found.append((sample, examples))
    _report(done=1, note=sample.task)
  seqio_check.require_same_examples(request, before, found)
  changed = [made for made in before.tasks if made.rate != leaves[made.task].rate]
  for made in changed:
    _report(said=f"{request.name}: the rate of {made.task} is now {leaves[made.task].rate:g}, it was {made.rate:g}")
  made = tuple(dataclasses.replace(made, rate=leaves[made.task].rate) for made in before.tasks)
  sources = {**digests(_source_files(request.module)), **now.sources}  # with those that were imported late
  dataclasses.replace(now, sources=sources, tasks=made).write(request)


_ACTIONS = {"prepare": _prepare, "check": _check}


def _processes(tasks: int, asked: int | None) -> int:
  cores = os.cpu_count() or 1
  return max(1, min(tasks, asked or min(cores, -(-tasks // _TASKS_A_PROCESS))))


def _report(**content: Any) -> None:
  # One short write, so that the lines of several processes do not mix; print's line break is another, if unbuffered.
  sys.stdout.write(f"{REPORT}{json.dumps(content)}\n")
  sys.stdout.flush()


def _loaded(request: Request, before: Record | None) -> Record:
  """What the module is now, without its stores. A file that an earlier run imported late is watched from the start."""
  leaves = seqio_reading.tasks(request.module, request.name)
  known = before.sources if before else ()
  vocabularies = set().union(*(seqio_reading.vocabulary_files(leaf.task) for leaf in leaves.values()))
  return Record(
    sources=digests({*known, *_source_files(request.module)}),
    vocabularies=digests(vocabularies),
    versions=installed_versions(("python", *_packages())),
    tasks=(),
  )


def _source_files(module: str) -> list[str]:
  """The user's own code that is loaded: the module, its package, and whatever was not installed."""
  package = module.partition(".")[0]
  found = set()
  for name, loaded in list(sys.modules.items()):
    file = getattr(loaded, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py") or name.startswith("__autograph_generated_file"):
      continue  # autograph's are TensorFlow's rewriting of functions that are here already, in temporary files
    path, installed = _place(file)
    if not installed or name.partition(".")[0] == package:
      found.add(path)
  return sorted(found)


@functools.cache  # TensorFlow's 4,000 modules are gone through after every task
def _place(file: str) -> tuple[str, bool]:
  """The real path of a file, and whether it was installed (or is ours)."""
  path = pathlib.Path(file).resolve()
  return str(path), any(path.is_relative_to(folder) for folder in _installed())


@functools.cache
def _installed() -> list[pathlib.Path]:
  folders = [pathlib.Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "purelib", "platlib")]
  return [*folders, pathlib.Path(__file__).resolve().parents[1]]


@functools.cache
def _packages() -> list[str]:
  """The installed packages of which something is loaded."""
  loaded = {name.partition(".")[0] for name in list(sys.modules)}
  owners = importlib.metadata.packages_distributions()
  return sorted({owner for name in loaded for owner in owners.get(name, ())})


def _folder(request: Request, record: Record, task: str, standing: Mapping[str, str]) -> str:
  """Where a task's store belongs: with nothing changed, where the earlier record has it."""
  if task in standing:
    return standing[task]
  key = store_key(request, record.sources, record.versions, task)
  return str(pathlib.Path("seqio", request.name, task, prepare.key_digest(key)))


@dataclasses.dataclass(frozen=True)
class _Ticket:
  """One task to read, and the folder of its store."""

  request: Request
  task: str
  record: Record
  folder: str


def _make(ticket: _Ticket) -> dict[str, str]:
  """What a worker does: a task's store. Returns digests of the user's files that are loaded by then."""
  _write(ticket)
  return digests(_source_files(ticket.request.module))


def _write(ticket: _Ticket) -> None:
  request, final = ticket.request, pathlib.Path(ticket.request.store_dir) / ticket.folder
  dtype = store_writing.token_dtype(request.vocabulary().size)
  counts = Counter({"kept": 0})
  shards, read = [], []
  with store_writing.building(final) as temporary, store_writing.naming_disk_errors(final.parent):
    for variant in range(request.variants):
      with store_writing.ShardWriter(temporary, variant, prepare.FEATURES, dtype) as writer:
        read.append(_write_pass(ticket, variant, writer, counts))
      shards.append(writer.shard)
    facts = {
      "task": ticket.task,
      "features": list(prepare.FEATURES),
      "token_dtype": dtype,
      "counts": dict(counts),
      "variants": request.variants,
      "read": read,
      "key": store_key(request, ticket.record.sources, ticket.record.versions, ticket.task),
    }
    store_writing.commit(temporary, final, shards, facts)
  _report(done=1, note=_size(open_store(final).manifest))


def _write_pass(ticket: _Ticket, variant: int, writer: store_writing.ShardWriter, counts: Counter[str]) -> int:
  """Writes one variant's examples that fit; returns how many there were."""
  number, said = 0, time.monotonic()
  room = tokenising.room_of(ticket.request.lengths)
  for example in seqio_reading.examples(ticket.request, ticket.task, variant):
    counts[example.fate] += 1
    if example.fate == "kept":
      counts.update(_add(writer, example.tokens, room, number, variant))
    number += 1
    if time.monotonic() - said > _REPORT_SECONDS:
      said = time.monotonic()
      _report(done=0, note=f"{ticket.task}: {counts.total():,} examples so far")
  return number


def _add(
  writer: store_writing.ShardWriter, tokens: Mapping[str, np.ndarray], room: tokenising.Room, number: int, variant: int
) -> list[str]:
  """Writes an example, or the pieces of a text; returns what to count of these."""
  targets = tokens["targets"]
  parts = room.pieces(len(tokens["inputs"]), len(targets))
  for i, part in enumerate(parts):
    name = f"{number}#{i}" if len(parts) > 1 else str(number)
    writer.add({**tokens, "targets": targets[part]}, Origin(name, "", "seqio", 0, variant))
  return ["kept in pieces", *["pieces"] * len(parts)] if len(parts) > 1 else []


def _size(manifest: Mapping[str, Any]) -> str:
  megabytes = sum(entry["bytes"] for entry in (manifest["index"], manifest["origins"], *manifest["records"])) / 1e6
  tokens = sum(manifest["tokens"].values())
  return f"{manifest['task']}: {manifest['examples']:,} examples, {tokens:,} tokens, {megabytes:,.1f} MB"


def _end_with_stdin() -> None:
  """Ctrl-C is the parent's to handle, and a parent that ends closes the pipe; temporary folders are the next run's."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)

  def follow() -> None:
    sys.stdin.read()
    os._exit(1)

  threading.Thread(target=follow, daemon=True).start()


if __name__ == "__main__":
  _end_with_stdin()
  main(sys.argv[1])
