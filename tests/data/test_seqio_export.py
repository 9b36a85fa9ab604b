"""A user's own SeqIO mixture in stores: same tokens, same rates, and no TensorFlow in the process that asked."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import sentencepiece
from handmade import tokens_of

from flan_jax import errors
from flan_jax.data import seqio_export
from flan_jax.data.seqio_export import Request, prepare_registered
from flan_jax.data.store import open_store
from flan_jax.data.vocabularies import Vocabulary

LENGTHS = {"inputs": 16, "targets": 12}

MODULE = """
import functools, seqio, tensorflow as tf
from my_texts import TEXTS
print("hello from the module")
vocabulary = seqio.SentencePieceVocabulary({path!r}, 100)
features = {{"inputs": seqio.Feature(vocabulary), "targets": seqio.Feature(vocabulary)}}

def rows(texts, split, shuffle_files, seed=None):
  return tf.data.Dataset.from_tensor_slices({{"inputs": [a for a, _ in texts], "targets": [b for _, b in texts]}})

def add(name, texts, features, *more, splits=("train",)):
  seqio.TaskRegistry.add(
    name, source=seqio.FunctionDataSource(functools.partial(rows, texts), splits=splits),
    preprocessors=[seqio.preprocessors.tokenize, *more], output_features=features)

add("mine_eos", TEXTS, features, seqio.preprocessors.append_eos)
add("mine_bare", TEXTS[:3], features)
add("mine_targets", TEXTS, {{"targets": features["targets"]}}, seqio.preprocessors.append_eos)
add("mine_bytes", TEXTS, {{**features, "targets": seqio.Feature(seqio.ByteVocabulary())}})
add("mine_test_only", TEXTS, features, splits=("test",))
seqio.MixtureRegistry.add("mine", [("mine_eos", 3), ("mine_bare", 0.5)])
"""
TEXTS = [
  ("red", "apple"),
  ("green blue red", "pear"),
  ("blue", "plum pear"),
  ("red " * 30, "apple"),
  ("red", "pear " * 30),
]


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory):
  prefix = tmp_path_factory.mktemp("vocabulary") / "mine"
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["red green blue apple pear plum"] * 50), model_prefix=str(prefix), vocab_size=40,
    hard_vocab_limit=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
  )  # fmt: skip
  return Vocabulary(f"{prefix}.model")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, vocabulary):
  """Holds the user's module, and what that imports."""
  folder = tmp_path_factory.mktemp("module")
  (folder / "my_tasks.py").write_text(MODULE.format(path=str(vocabulary.path)))
  (folder / "my_texts.py").write_text(f"TEXTS = {TEXTS!r}\n")
  return folder


@pytest.fixture(autouse=True)
def _working_folder(folder, monkeypatch):
  monkeypatch.chdir(folder)


def export(name, vocabulary, store_dir, module="my_tasks"):
  return prepare_registered(name, module, vocabulary=vocabulary, lengths=LENGTHS, store_dir=store_dir)


@pytest.fixture(scope="module")
def made(folder, vocabulary, tmp_path_factory):
  """(store_dir, the stores of the mixture)."""
  store_dir = tmp_path_factory.mktemp("store")
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    return store_dir, export("mine", vocabulary, store_dir)


def test_the_stores_hold_the_users_tokens_without_eos(made, vocabulary):
  for store in made[1]:
    read = tokens_of(store)
    for feature, side in (("inputs", 0), ("targets", 1)):
      # The last two texts are too long, or not in the task.
      assert read[feature] == vocabulary.encode([text[side] for text in TEXTS[:3]])


def test_rates_are_the_mixtures(made):
  assert {store.task: store.rate for store in made[1]} == {"mine_eos": 3.0, "mine_bare": 0.5}


def test_what_does_not_fit_is_left_out_and_counted(made):
  counts = {store.task: store.manifest["counts"] for store in made[1]}
  assert counts["mine_eos"] == {
    "kept": 3, "left out: inputs longer than the row": 1, "left out: targets longer than the row": 1
  }  # fmt: skip
  assert counts["mine_bare"] == {"kept": 3}
  assert [origin.format for origin in made[1][0].origins([0, 1])] == ["seqio", "seqio"]


def test_nothing_is_run_again_while_the_modules_files_are_the_same(made, vocabulary, monkeypatch):
  monkeypatch.setattr(seqio_export, "_run", None)
  again = export("mine", vocabulary, made[0])
  assert [(store.folder, store.rate) for store in again] == [(store.folder, store.rate) for store in made[1]]


def test_a_changed_file_that_the_module_imports_runs_it_again(made, vocabulary, folder, monkeypatch):
  def run(*_):
    raise InterruptedError

  monkeypatch.setattr(seqio_export, "_run", run)
  path = folder / "my_texts.py"
  before = path.read_text()
  path.write_text(before.replace("plum pear", "plum plum"))
  try:
    with pytest.raises(InterruptedError):
      export("mine", vocabulary, made[0])
  finally:
    path.write_text(before)


def test_the_record_names_the_users_files_only(made):
  (path,) = (made[0] / "seqio" / "mine").glob("*.json")
  sources = json.loads(path.read_text())["sources"]
  assert sorted(name.rpartition("/")[2] for name in sources) == ["my_tasks.py", "my_texts.py"]


def exported_here(name, vocabulary, store_dir, module="my_tasks"):
  """What the subprocess does, in this process: TensorFlow takes seconds to import."""
  seqio_export.main(
    json.dumps(dataclasses.asdict(Request(name, module, str(vocabulary.path), 100, LENGTHS, str(store_dir))))
  )


@pytest.mark.parametrize(
  ("name", "module", "message"),
  [
    ("min", "my_tasks", "no SeqIO task or mixture 'min'. Nearest: mine"),
    ("mine", "no_such_module", "no_such_module"),
    ("mine_bytes", "my_tasks", "mine_bytes tokenises targets with .*ByteVocabulary.*VOCABULARY"),
    ("mine_test_only", "my_tasks", "mine_test_only has no split 'train', only test"),
  ],
)
def test_mistakes_are_reported_as_usage_errors(vocabulary, tmp_path, capsys, name, module, message):
  exported_here(name, vocabulary, tmp_path, module)
  lines = capsys.readouterr().out.splitlines()
  with pytest.raises(errors.UsageError, match=message):
    list(seqio_export._reports(lines))


def test_a_task_without_inputs_has_empty_ones(vocabulary, tmp_path):
  exported_here("mine_targets", vocabulary, tmp_path)
  (path,) = tmp_path.glob("seqio/mine_targets/*.json")
  (task,) = json.loads(path.read_text())["tasks"]
  store = open_store(tmp_path / task["folder"])
  assert store.lengths[:, 0].tolist() == [0, 0, 0, 0]
  assert tokens_of(store, [2])["targets"][0] == vocabulary.encode(["plum pear"])[0]


def test_a_failing_module_is_told_with_its_traceback(vocabulary, tmp_path, folder):
  (folder / "broken.py").write_text("def load():\n  raise RuntimeError('no such bucket')\nload()\n")
  with pytest.raises(errors.FlanJaxError, match=r"(?s)module broken failed.*RuntimeError: no such bucket"):
    export("mine", vocabulary, tmp_path, "broken")


def test_the_asking_process_imports_no_tensorflow():
  program = "import sys, flan_jax.data.seqio_export, flan_jax.data.prepare, flan_jax.data.stream\n"
  check = program + "assert not {'tensorflow', 'seqio', 'jax'} & set(sys.modules), 'heavy'"
  assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_trailing_eos_is_trimmed_once_and_inner_ids_stay():
  assert seqio_export._clean(np.array([0, 1, 5, 1], np.int32)).tolist() == [0, 1, 5]
  assert seqio_export._clean(np.array([5, 0], np.int32)).tolist() == [5, 0]
  assert seqio_export._clean(np.array([], np.int32)).tolist() == []
