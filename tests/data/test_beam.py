"""Stores that Apache Beam makes are those of local workers, whatever its runner repeats.

The pipeline itself runs where Apache Beam is installed: `bash scripts/test_beam.sh` makes that environment.
"""

import collections
import contextlib
import dataclasses
import functools
import json
import pathlib
import random
import sys

import pytest

from flan_jax import errors
from flan_jax.data import beam, mixtures, prepare, store_writing
from flan_jax.data.preparation import Preparation
from flan_jax.data.store import damages
from flan_jax.data.vocabularies import load_vocabulary

LENGTHS = {"inputs": 16, "targets": 16}


@pytest.fixture
def prepared(toy, tmp_path, monkeypatch):
  """A function that prepares the toy mixture in shards of 17 records into the folder of that name."""
  monkeypatch.setattr("flan_jax.data.shards.SHARD_RECORDS", 17)

  def run(folder, mixture=None, **changes):
    usual = {"vocabulary": load_vocabulary("demo"), "lengths": LENGTHS, "processes": 1, "variants": 2}
    store_dir = tmp_path / folder
    mixture = mixture or mixtures.get_mixture("toy")
    return prepare.prepare(mixture, data_dir=toy.data_dir, store_dir=store_dir, **{**usual, **changes})

  return run


def files_of(folder: pathlib.Path) -> dict[str, bytes | dict]:
  """All that two preparations must agree on: the bytes of every file but for the manifests' time of day."""
  found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
  for name in found:
    if name.endswith("manifest.json"):
      found[name] = json.loads(found[name])
      del found[name]["made"], found[name]["xxh3"]  # the latter is of all the rest
  return found


def make_by_hand(jobs, advance, seed=0):
  """What a runner does, each step at least once and in any order."""
  rng = random.Random(seed)
  with contextlib.ExitStack() as folders:
    tasks = [beam._task(job, folders.enter_context(store_writing.building(job.final))) for job in jobs]
    for task in tasks:
      (task.folder / "attempt-of-the-dead").mkdir()
    work = [one for task in tasks for one in (*beam._tickets(task), *beam._tickets(task))]
    rng.shuffle(work)
    together = collections.defaultdict(dict)
    for one in work:
      for key, done in beam._record_file(one):
        together[key][done.number] = done
    for key, made in together.items():
      for _ in range(2):
        beam._store(key, rng.sample(list(made.values()), len(made)))
    for one in work:  # a store that stands is let stand
      assert list(beam._tickets(one[0])) == list(beam._record_file(one)) == []


def in_two_manners():
  """The toy mixture, and its tasks in the other manner that they have alone."""
  (usual,) = mixtures.get_mixture("toy").parts
  (alone,) = mixtures.get_mixture("toy.capitals").parts
  assert alone.manner != usual.manner
  return mixtures.MixtureSpec("both", (usual, dataclasses.replace(alone, name="alone", tasks=usual.tasks)))


@pytest.mark.parametrize("seed", range(3))
def test_steps_that_are_repeated_in_any_order_make_the_same_stores(prepared, tmp_path, seed):
  prepared("local")
  prepared("by_hand", make=functools.partial(make_by_hand, seed=seed))
  assert files_of(tmp_path / "by_hand") == files_of(tmp_path / "local")


def test_a_task_in_two_manners_is_two_stores(prepared, tmp_path):
  prepared("local", mixture=in_two_manners())
  stores = prepared("by_hand", mixture=in_two_manners(), make=make_by_hand)
  assert len({store.folder for store in stores}) == 8
  assert files_of(tmp_path / "by_hand") == files_of(tmp_path / "local")


def test_a_worker_with_other_data_is_refused(prepared, tmp_path):
  def make(jobs, advance):
    with store_writing.building(jobs[0].final) as folder:
      task = beam._task(jobs[0], folder)
      other = dataclasses.replace(task, recipe=dataclasses.replace(task.recipe, render_seed=9))
      list(beam._tickets(other))

  with pytest.raises(errors.FlanJaxError, match=r"toy\.capitals: a worker's key is .* another one there"):
    prepared("store", make=make)
  assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == []


def test_a_missing_record_file_makes_no_store(prepared):
  def make(jobs, advance):
    with store_writing.building(jobs[0].final) as folder:
      task = beam._task(jobs[0], folder)
      made = [one for work in beam._tickets(task) for _, one in beam._record_file(work)]
      beam._store(task.name, made[:-1])

  with pytest.raises(errors.FlanJaxError, match="7 record files of 8 came together"):
    prepared("store", make=make)


def test_progress_tells_every_record_once(prepared, monkeypatch):
  monkeypatch.setattr("flan_jax.data.beam._LOOK_SECONDS", 0.001)
  seen = []

  @contextlib.contextmanager
  def progress(what, total, unit):
    seen.append((total, unit))
    yield lambda done, note: seen.append((done, note))

  def make(jobs, advance):
    with contextlib.ExitStack() as folders:
      tasks = [beam._task(job, folders.enter_context(store_writing.building(job.final))) for job in jobs]
      with beam._telling(jobs, tasks, advance):
        for task in tasks:
          beam._store(task.name, [made for work in beam._tickets(task) for _, made in beam._record_file(work)])

  prepared("store", make=make, progress=progress)
  (total, _), *advances = seen
  assert sum(done for done, _ in advances) == total == 2 * (60 + 40 + 2 + 2)
  assert all(done > 0 for done, _ in advances)


def test_without_beam_the_runner_says_how_to_install_it(toy, monkeypatch):
  monkeypatch.setitem(sys.modules, "apache_beam", None)
  asked = Preparation(
    mixture="toy", vocabulary=load_vocabulary("demo"), lengths=LENGTHS, data_dir=toy.data_dir, runner="DirectRunner"
  )
  with pytest.raises(errors.FlanJaxError, match=r"--runner DirectRunner needs Apache Beam.*beam_environment"):
    asked.stores()


def test_a_runner_is_not_for_modules(monkeypatch):
  asked = Preparation(
    mixture="m", module="mine", vocabulary=load_vocabulary("demo"), lengths=LENGTHS, runner="DirectRunner"
  )
  with pytest.raises(errors.UsageError, match="--runner DirectRunner: tasks of a SeqIO module"):
    asked.stores()


@pytest.fixture
def apache_beam():
  return pytest.importorskip("apache_beam", reason="has an environment of its own: bash scripts/test_beam.sh")


def test_beams_stores_are_those_of_local_workers(apache_beam, prepared, tmp_path):
  prepared("local", mixture=in_two_manners())
  stores = prepared("beam", mixture=in_two_manners(), make=beam.maker("DirectRunner"))
  assert files_of(tmp_path / "beam") == files_of(tmp_path / "local")
  assert all(damages(store) == [] for store in stores)


def test_beams_worker_processes_make_the_same(apache_beam, prepared, tmp_path, monkeypatch, toy):
  monkeypatch.undo()  # shards of the usual size, which other processes know
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(toy.collection.parent))
  prepared("local")
  prepared(
    "beam", make=beam.maker("DirectRunner", ["--direct_num_workers=2", "--direct_running_mode=multi_processing"])
  )
  assert files_of(tmp_path / "beam") == files_of(tmp_path / "local")


def test_what_fails_in_beam_is_told_in_a_line_and_leaves_nothing(apache_beam, prepared, tmp_path, monkeypatch):
  def full(*_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr("flan_jax.data.store_writing.ShardWriter.add", full)
  with pytest.raises(errors.FlanJaxError, match=r"^DirectRunner failed: cannot write in .*No space left"):
    prepared("beam", make=beam.maker("DirectRunner"))
  assert [path for path in (tmp_path / "beam").rglob("*") if path.is_file()] == []


def test_an_unknown_runner_is_named(apache_beam):
  with pytest.raises(errors.UsageError, match="--runner NoRunner: Unexpected pipeline runner"):
    beam.maker("NoRunner")
