"""Preparation on Apache Beam (Dataflow, Spark, Flink): the record files of local workers, made by a runner's machines.

    tasks → tickets → record files → together by store → stores

All machines see data, vocabulary and stores under the same absolute paths (NFS, Lustre, a mounted bucket) and have
flan_jax installed. Runners repeat what failed, and at times what did not: each attempt at a record file writes to a
folder of its own, and what would be made for a store that stands by now is passed over.
"""

import contextlib
import dataclasses
import functools
import os
import pathlib
import resource
import shutil
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from flan_jax import errors
from flan_jax.data import prepare, shards, store_writing
from flan_jax.progress import Advance

if TYPE_CHECKING:
  import apache_beam

_LOOK_SECONDS = 2.0  # between two looks at which stores stand


def maker(runner: str, options: Sequence[str] = ()) -> prepare.Make:
  """What `prepare.prepare` takes as `make`, to have its stores made by Beam.

  Args:
    runner: DirectRunner (this machine), DataflowRunner, SparkRunner, FlinkRunner, or another that Beam knows.
    options: Beam's own flags, such as '--direct_num_workers=4' or '--project=P'.

  Raises:
    FlanJaxError: Apache Beam is not installed.
    UsageError: Beam has no such runner, or refuses an option.
  """
  try:
    import apache_beam
    from apache_beam.options import pipeline_options
  except ImportError as error:
    raise errors.FlanJaxError(
      f"--runner {runner} needs Apache Beam ({error}), whose pins and TensorFlow's do not go together: "
      "'source scripts/beam_environment.sh' makes an environment of its own (constraints-beam.txt)"
    ) from None
  try:
    made = pipeline_options.PipelineOptions([f"--runner={runner}", *options])
    apache_beam.runners.create_runner(runner)
  except (ValueError, ImportError, AttributeError, SystemExit) as error:
    raise errors.UsageError(f"--runner {runner}: {error}") from None
  return functools.partial(_make, options=made, runner=runner)


@dataclasses.dataclass(frozen=True)
class _Task:
  """What travels through the pipeline for a task: a few hundred bytes, since Dataflow allows 10 MB for all of them."""

  name: str
  recipe: prepare.Recipe
  folder: pathlib.Path
  final: pathlib.Path


@dataclasses.dataclass(frozen=True)
class _Made:
  """A record file that lies in its task's folder."""

  task: _Task
  number: int
  result: prepare.Result


def _make(
  jobs: list[shards.Job],
  advance: Advance,
  options: "apache_beam.options.pipeline_options.PipelineOptions",
  runner: str,
) -> None:
  import apache_beam

  _allow_open_files(len(jobs))
  with contextlib.ExitStack() as folders:
    tasks = [_task(job, folders.enter_context(store_writing.building(job.final))) for job in jobs]
    with _telling(jobs, tasks, advance), _naming_runner(runner), apache_beam.Pipeline(options=options) as pipeline:
      _build(pipeline, tasks)
  absent = [job.spec.name for job in jobs if not job.final.exists()]
  if absent:
    raise errors.FlanJaxError(f"{runner} ended without the stores of {len(absent)} tasks: {', '.join(absent[:5])} ...")


def _allow_open_files(more: int) -> None:
  """Each temporary folder holds one open, and 1,024 is a usual limit; flan2022 has more tasks."""
  soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
  if soft != resource.RLIM_INFINITY:
    allowed = soft + more if hard == resource.RLIM_INFINITY else min(soft + more, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def _task(job: shards.Job, folder: pathlib.Path) -> _Task:
  """With absolute paths: a worker has another working folder."""
  recipe = dataclasses.replace(
    job.recipe,
    data_dir=None if job.recipe.data_dir is None else os.path.abspath(job.recipe.data_dir),
    vocabulary_path=os.path.abspath(job.recipe.vocabulary_path),
  )
  return _Task(job.spec.name, recipe, folder.absolute(), job.final.absolute())


def _build(pipeline: "apache_beam.Pipeline", tasks: Sequence[_Task]) -> None:
  import apache_beam as beam

  made = (
    pipeline
    | "tasks" >> beam.Create(tasks)
    | "spread tasks" >> beam.Reshuffle()
    | "tickets" >> beam.FlatMap(_tickets)
    | "spread tickets" >> beam.Reshuffle()
    | "record files" >> beam.FlatMap(_record_file)
  )
  _ = made | "by store" >> beam.GroupByKey() | "stores" >> beam.MapTuple(_store)


def _tickets(task: _Task) -> Iterator[tuple[_Task, shards.Ticket]]:
  if not task.final.exists():
    for ticket in _job(task).tickets(task.folder):
      yield task, ticket


def _record_file(work: tuple[_Task, shards.Ticket]) -> Iterator[tuple[str, _Made]]:
  """Makes a shard in a folder of its own and puts the whole file among its task's."""
  task, ticket = work
  if task.final.exists():
    return
  attempt = pathlib.Path(tempfile.mkdtemp(dir=task.folder, prefix="attempt-"))
  try:
    result = prepare.make_shard(dataclasses.replace(ticket, folder=attempt))
    os.replace(attempt / result.shard.file, task.folder / result.shard.file)
  finally:
    shutil.rmtree(attempt, ignore_errors=True)
  # Not by the task's name, since a task in two manners is two stores; as text, since Beam compares keys' bytes.
  yield str(task.final), _Made(task, ticket.number, result)


def _store(_: str, made: Iterable[_Made]) -> None:
  """Commits a task all of whose record files are there."""
  made = sorted(made, key=lambda one: one.number)
  task = made[0].task
  if task.final.exists():
    return
  job = _job(task)
  if [one.number for one in made] != list(range(len(job.shards))):
    raise errors.FlanJaxError(f"{task.name}: {len(made)} record files of {len(job.shards)} came together")
  for left_behind in task.folder.glob("attempt-*"):  # by a worker that died
    shutil.rmtree(left_behind, ignore_errors=True)
  prepare.finish(job, task.folder, [one.result for one in made])


def _job(task: _Task) -> shards.Job:
  """As the launching machine has it, or an error: its key tells whether this machine has the same data and code."""
  job = prepare.job_of(task.name, task.recipe, task.recipe.vocabulary(), task.final.parents[1])
  if job.final != task.final:
    raise errors.FlanJaxError(
      f"{task.name}: a worker's key is {job.final.name}, the launching machine's {task.final.name}. The data folder, "
      "the vocabulary or the version of flan_jax is another one there"
    )
  return job


@contextlib.contextmanager
def _telling(jobs: Sequence[shards.Job], tasks: Sequence[_Task], advance: Advance) -> Iterator[None]:
  """Advances as record files and stores come to stand, whatever the runner itself reports."""
  told, ended = [0] * len(jobs), threading.Event()

  def look() -> None:
    for i, (job, task) in enumerate(zip(jobs, tasks, strict=True)):
      share = 1.0 if job.final.exists() else len(list(task.folder.glob("tokens-*"))) / len(job.shards)
      done = int(share * job.source_records * job.recipe.variants)
      if done > told[i]:
        advance(done - told[i], task.name)
        told[i] = done

  def watch() -> None:
    while not ended.wait(_LOOK_SECONDS):
      look()

  thread = threading.Thread(target=watch, daemon=True)
  thread.start()
  try:
    yield
  finally:
    ended.set()
    thread.join()
    look()


@contextlib.contextmanager
def _naming_runner(runner: str) -> Iterator[None]:
  """Runners wrap what a worker raised in errors of many kinds, tracebacks inside; the last line says what it was."""
  try:
    yield
  except Exception as error:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
    said = next((line for line in lines if "FlanJaxError: " in line), lines[-1])
    raise errors.FlanJaxError(f"{runner} failed: {said.rpartition('FlanJaxError: ')[2]}") from error
