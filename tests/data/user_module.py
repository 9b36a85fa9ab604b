"""A module that registers tasks with SeqIO, as a user would write it, and its preparation without a subprocess."""

import contextlib
import dataclasses
import importlib
import io
import json
import pathlib
import sys
from collections.abc import Iterator, Sequence

import sentencepiece

from flan_jax.data import seqio_export
from flan_jax.data.seqio_record import Request
from flan_jax.data.store import TaskStore
from flan_jax.data.vocabularies import Vocabulary

LENGTHS = {"inputs": 16, "targets": 12}
MODULE = """
import functools, os, pathlib, time, seqio, tensorflow as tf
from my_texts import RATES, TEXTS
print("hello from the module", end="")
vocabulary = seqio.SentencePieceVocabulary({path!r}, 100)
features = {{"inputs": seqio.Feature(vocabulary), "targets": seqio.Feature(vocabulary)}}

def rows(name, texts, split, shuffle_files, seed=None):
  hold = pathlib.Path(f"hold_{{name}}")
  while hold.exists():
    hold.with_name("holding").write_text(str(os.getpid()))
    time.sleep(0.05)
  return tf.data.Dataset.from_tensor_slices({{"inputs": [a for a, _ in texts], "targets": [b for _, b in texts]}})

def late(split, shuffle_files, seed=None):
  import my_late_helper
  return rows("mine_late", my_late_helper.TEXTS, split, shuffle_files)

def failing(split, shuffle_files, seed=None):
  raise FileNotFoundError("no such bucket")

@seqio.map_over_dataset(num_seeds=1)
def one_word(row, seed):
  words = tf.constant(["red", "green", "blue"])
  return {{**row, "inputs": words[tf.random.stateless_uniform([], seed, 0, 3, tf.int32)]}}

def clock(dataset):
  def timed(text):
    return text + b" red" * (time.time_ns() // 1000 % 11)
  return dataset.map(
    lambda row: {{**row, "inputs": tf.ensure_shape(tf.numpy_function(timed, [row["inputs"]], tf.string), [])}})

def padded(dataset):
  return dataset.map(lambda row: {{**row, "targets": tf.concat([row["targets"], [-1]], 0)}})

def add(name, texts, *more, features=features, splits=("train",), before=(), source=None):
  source = source or functools.partial(rows, name, texts)
  seqio.TaskRegistry.add(
    name, source=seqio.FunctionDataSource(source, splits=splits),
    preprocessors=[*before, seqio.preprocessors.tokenize, *more], output_features=features)

add("mine_eos", TEXTS, seqio.preprocessors.append_eos)
add("mine_bare", TEXTS[:3])
add("mine_drawn", TEXTS * 8, before=[one_word])
add("mine_clock", TEXTS * 4, before=[clock])
add("mine_late", (), source=late)
add("mine_targets", TEXTS, seqio.preprocessors.append_eos, features={{"targets": features["targets"]}})
add("mine_bytes", TEXTS, features={{**features, "targets": seqio.Feature(seqio.ByteVocabulary())}})
add("mine_padded", TEXTS, padded)
add("mine_test_only", TEXTS, splits=("test",))
add("mine_failing", (), source=failing)
seqio.MixtureRegistry.add("mine", [(name, lambda task: RATES[task.name]) for name in RATES])
seqio.MixtureRegistry.add("mine/../../escaped", [("mine_bare", 1.0)])
"""
TEXTS = [
  ("red", "apple"),
  ("green blue red", "pear"),
  ("blue", "plum pear"),
  ("red " * 30, "apple"),
  ("red", "pear " * 30),
]
RATES = {"mine_eos": 3.0, "mine_bare": 0.5, "mine_drawn": 1.0}


def write_module(folder: pathlib.Path) -> Vocabulary:
  """my_tasks.py, and what it imports; returns the vocabulary of its tasks."""
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["red green blue apple pear plum"] * 50), model_prefix=f"{folder}/mine", vocab_size=40,
    hard_vocab_limit=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
  )  # fmt: skip
  (folder / "my_tasks.py").write_text(MODULE.format(path=f"{folder}/mine.model"))
  (folder / "my_texts.py").write_text(_texts_file())
  (folder / "my_late_helper.py").write_text("TEXTS = [('red', 'apple')]\n")
  return Vocabulary(f"{folder}/mine.model")


@contextlib.contextmanager
def edited(texts: Sequence[tuple[str, str]] = TEXTS, rates: dict[str, float] | None = None) -> Iterator[None]:
  """Other texts or rates in the module, which lies in the working folder, for the length of the context."""
  path = pathlib.Path("my_texts.py")
  path.write_text(_texts_file(texts, rates))
  try:
    yield
  finally:
    path.write_text(_texts_file())


def _texts_file(texts: Sequence[tuple[str, str]] = TEXTS, rates: dict[str, float] | None = None) -> str:
  return f"TEXTS = {texts!r}\nRATES = {rates or RATES!r}\n"


def export(
  name: str, vocabulary: Vocabulary, store_dir: pathlib.Path, module="my_tasks", **more
) -> dict[str, TaskStore]:
  """The stores by task."""
  stores = seqio_export.prepare_registered(
    name, module, vocabulary=vocabulary, lengths=LENGTHS, store_dir=store_dir, **more
  )
  return {store.task: store for store in stores}


def requested(name: str, vocabulary: Vocabulary, store_dir: pathlib.Path, module="my_tasks", **more) -> Request:
  """What `export` asks for."""
  return Request(name, module, str(vocabulary.path), vocabulary.extra_ids, LENGTHS, str(store_dir), **more)


class RunHere:
  """Stands for `seqio_export._run`: a fresh import of the module in this process, since TensorFlow's takes seconds.

  Attributes:
    actions: what was run.
    reports: of the newest run.
  """

  def __init__(self):
    self.actions: list[str] = []
    self.reports: list[dict] = []

  def __call__(self, action: str, request: Request, processes: int | None, progress: object) -> None:
    from flan_jax.data import seqio_worker

    self.actions.append(action)
    _forget()
    job = {"action": action, "processes": 1, "request": dataclasses.asdict(request)}
    with contextlib.redirect_stdout(io.StringIO()) as said:
      seqio_worker.main(json.dumps(job))
    self.reports = list(seqio_export._reports(said.getvalue().splitlines(keepends=True)))


def _forget() -> None:
  import seqio

  from flan_jax.data import seqio_reading

  for name in [name for name in sys.modules if name.startswith("my_")]:
    del sys.modules[name]
  for registry in (seqio.TaskRegistry, seqio.MixtureRegistry):
    for name in [name for name in registry._REGISTRY if name.startswith("mine")]:
      registry.remove(name)
  seqio_reading.tasks.cache_clear()
  importlib.invalidate_caches()
