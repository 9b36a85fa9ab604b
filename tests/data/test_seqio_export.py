"""A user's own SeqIO mixture in stores: same tokens, same rates, and no TensorFlow in the process that asked."""

import itertools
import pathlib
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from handmade import tokens_of
from user_module import LENGTHS, TEXTS, RunHere, export, requested, write_module

from flan_jax import errors
from flan_jax.data import seqio_export
from flan_jax.data.seqio_record import read_record


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  """Holds the user's module, and what that imports."""
  return tmp_path_factory.mktemp("module")


@pytest.fixture(scope="module")
def vocabulary(folder):
  return write_module(folder)


@pytest.fixture(autouse=True)
def _working_folder(folder, vocabulary, monkeypatch):
  monkeypatch.chdir(folder)


@pytest.fixture
def here(monkeypatch):
  """Preparation in this process; see `RunHere`."""
  monkeypatch.setattr(seqio_export, "_run", RunHere())
  return seqio_export._run


@pytest.fixture(scope="module")
def killed(folder, vocabulary, tmp_path_factory):
  """(store_dir, manifests) after a preparation that was killed when two of three tasks were made."""
  store_dir = tmp_path_factory.mktemp("store")
  hold, holding = folder / "hold_mine_eos", folder / "holding"
  hold.touch()
  program = (
    "import sys; from flan_jax.data import seqio_export, vocabularies\n"
    "seqio_export.prepare_registered('mine', 'my_tasks', vocabulary=vocabularies.Vocabulary(sys.argv[1]), "
    f"lengths={LENGTHS}, store_dir=sys.argv[2], processes=2)\n"
  )
  asking = subprocess.Popen([sys.executable, "-c", program, str(vocabulary.path), str(store_dir)], cwd=folder)
  try:
    _wait_for(lambda: len(list(store_dir.rglob("manifest.json"))) == 2 and holding.exists() and holding.read_text())
  finally:
    asking.kill()
    asking.wait()
    hold.unlink()
  _wait_for(lambda: not _running(int(holding.read_text())))
  return store_dir, {path: path.stat().st_mtime_ns for path in store_dir.rglob("manifest.json")}


def _wait_for(condition):
  deadline = time.monotonic() + 120
  while not condition():
    assert time.monotonic() < deadline
    time.sleep(0.05)


def _running(pid):
  try:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
  except FileNotFoundError:
    return False


@pytest.fixture(scope="module")
def made(killed, folder, vocabulary):
  """(store_dir, the stores of the mixture) after the next preparation, all as a user has it."""
  with pytest.MonkeyPatch.context() as patch:
    patch.chdir(folder)
    return killed[0], export("mine", vocabulary, killed[0])


def test_a_kill_ends_the_workers_and_leaves_whole_tasks(killed, folder):
  assert len(killed[1]) == 2
  assert not list(killed[0].glob("seqio/mine/*.json"))


@pytest.mark.slow
def test_the_next_run_makes_the_tasks_that_are_missing(killed, made):
  assert {path: path.stat().st_mtime_ns for path in killed[1]} == killed[1]
  assert {name: len(store) for name, store in made[1].items()} == {"mine_bare": 3, "mine_drawn": 32, "mine_eos": 3}
  (only,) = made[1]["mine_eos"].folder.parent.iterdir()  # the killed run's temporary folder is gone
  assert only == made[1]["mine_eos"].folder


def test_the_stores_hold_the_users_tokens_without_eos(made, vocabulary):
  for task in ("mine_eos", "mine_bare"):
    read = tokens_of(made[1][task])
    for feature, side in (("inputs", 0), ("targets", 1)):
      # The last two texts are too long, or not in the task.
      assert read[feature] == vocabulary.encode([text[side] for text in TEXTS[:3]])


def test_rates_are_the_mixtures(made):
  assert {task: store.rate for task, store in made[1].items()} == {"mine_eos": 3, "mine_bare": 0.5, "mine_drawn": 1}


def test_what_does_not_fit_is_left_out_and_counted(made):
  assert made[1]["mine_eos"].manifest["counts"] == {
    "kept": 3, "left out: inputs longer than the row": 1, "left out: targets longer than the row": 1
  }  # fmt: skip
  assert made[1]["mine_bare"].manifest["counts"] == {"kept": 3}
  assert {task: store.manifest["read"] for task, store in made[1].items()} == {
    "mine_eos": [5], "mine_bare": [3], "mine_drawn": [40]
  }  # fmt: skip
  assert [origin.format for origin in made[1]["mine_eos"].origins([0, 1])] == ["seqio", "seqio"]


def test_the_record_names_the_users_files_and_the_packages_that_it_loads(made, vocabulary):
  record = read_record(requested("mine", vocabulary, made[0]))
  assert sorted(name.rpartition("/")[2] for name in record.sources) == ["my_tasks.py", "my_texts.py"]
  assert list(record.vocabularies) == [str(vocabulary.path)]
  assert {"python", "seqio", "tensorflow", "tensorflow-text"} <= set(record.versions)
  assert record.changes() == []


def test_nothing_is_run_while_the_module_is_as_recorded(made, vocabulary, here):
  for on_change in ("check", "prepare"):
    again = export("mine", vocabulary, made[0], on_change=on_change)
    assert {task: (store.folder, store.rate) for task, store in again.items()} == {
      task: (store.folder, store.rate) for task, store in made[1].items()
    }
  assert here.actions == []


@pytest.mark.slow
def test_a_failing_module_is_told_with_its_traceback(vocabulary, tmp_path, folder):
  (folder / "broken.py").write_text("def load():\n  raise RuntimeError('no such bucket')\nload()\n")
  with pytest.raises(errors.FlanJaxError, match=r"(?s)module broken failed.*RuntimeError: no such bucket"):
    export("mine", vocabulary, tmp_path, "broken")


@pytest.mark.parametrize(
  ("name", "module", "message"),
  [
    ("min", "my_tasks", "no SeqIO task or mixture 'min'. Nearest: mine"),
    ("mine", "no_such_module", "no_such_module"),
    ("mine_bytes", "my_tasks", "mine_bytes tokenises targets with .*ByteVocabulary.*VOCABULARY"),
    ("mine_test_only", "my_tasks", "mine_test_only has no split 'train', only test"),
    ("mine/../../escaped", "my_tasks", "'mine/../../escaped': its stores' folder needs a name without '/'"),
  ],
)
def test_mistakes_are_usage_errors(vocabulary, tmp_path, here, name, module, message):
  with pytest.raises(errors.UsageError, match=message):
    export(name, vocabulary, tmp_path, module)


def test_an_error_of_the_users_code_names_the_task_and_leaves_nothing(vocabulary, tmp_path, here):
  # An OSError of theirs too: it is not the store's disk that fails.
  with pytest.raises(
    errors.FlanJaxError, match=r"(?s)my_tasks failed while mine_failing.*FileNotFoundError: no such b"
  ):
    export("mine_failing", vocabulary, tmp_path)
  assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_ids_that_the_vocabulary_has_not_are_refused(vocabulary, tmp_path, here):
  with pytest.raises(errors.FlanJaxError, match=r"^SeqIO task mine_padded, example 0: targets holds -1, "):
    export("mine_padded", vocabulary, tmp_path)
  assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
  ("ids", "told"),
  [
    (np.array([5, 10**6]), r"holds 1000000, which is no id of .*\.model \(0 to \d+\)"),
    (np.array([5.0]), r"is of type float64 and shape \[1\], not a list of token ids"),
    (np.array([[5]]), r"is of type int64 and shape \[1, 1\], not"),
    (np.array(5), r"and shape \[\], not"),
    (np.array([b"text"], object), "is of type object and"),
  ],
)
def test_what_is_no_list_of_ids_is_told(vocabulary, ids, told):
  from flan_jax.data import seqio_reading

  seqio_reading._require_ids("targets", np.array([0, vocabulary.size - 1]), vocabulary)
  seqio_reading._require_ids("targets", np.zeros(0, np.int32), vocabulary)
  with pytest.raises(errors.FlanJaxError, match=told):
    seqio_reading._require_ids("targets", ids, vocabulary)


def test_progress_says_what_each_task_holds(vocabulary, tmp_path, here):
  store = export("mine_drawn", vocabulary, tmp_path)["mine_drawn"]
  total, report = here.reports
  assert total == {"tasks": 1}
  assert report["done"] == 1
  assert re.fullmatch(rf"mine_drawn: 32 examples, {store.lengths.sum()} tokens, \d+\.\d MB", report["note"])


def test_reports_are_told_from_what_the_module_prints(capsys):
  one, two = (f'{seqio_export.REPORT}{{"done": {n}}}' for n in (1, 2))
  lines = ["hello\n", f"no newline{one}\n", f"{one}{two}\n"]  # two processes may write one line
  assert list(seqio_export._reports(lines)) == [{"done": 1}, {"done": 1}, {"done": 2}]
  assert capsys.readouterr().err == "hello\nno newline"


def test_a_task_without_inputs_has_empty_ones(vocabulary, tmp_path, here):
  store = export("mine_targets", vocabulary, tmp_path)["mine_targets"]
  assert store.lengths[:, 0].tolist() == [0, 0, 0, 0]
  assert tokens_of(store, [2])["targets"][0] == vocabulary.encode(["plum pear"])[0]


def test_draws_are_those_of_render_seed_and_variant(vocabulary, tmp_path, here):
  def drawn(folder, **more):
    store = export("mine_drawn", vocabulary, tmp_path / folder, **more)["mine_drawn"]
    inputs = tokens_of(store)["inputs"]
    return [inputs[a:b] for a, b in itertools.pairwise(np.cumsum([0, *store.variants]))], store

  (first, second), store = drawn("a", variants=2)
  assert store.variants == (32, 32)
  assert first != second
  assert drawn("b", variants=2)[0] == [first, second]
  assert drawn("c")[0] == [first]  # a variant is the same whatever follows it
  assert drawn("d", render_seed=1)[0] != [first]
  # The fifth text is too long, so that its place is not taken.
  assert [(origin.example_id, origin.variant) for origin in store.origins([3, 4, 32])] == [
    ("3", 0), ("5", 0), ("0", 1)
  ]  # fmt: skip


def test_a_damaged_store_is_made_again_and_no_other(vocabulary, tmp_path, here):
  made = export("mine", vocabulary, tmp_path)
  before = {task: (store.folder, (store.folder / "manifest.json").stat().st_mtime_ns) for task, store in made.items()}
  tokens = made["mine_drawn"].folder / "tokens-00000.bin"
  content = tokens.read_bytes()
  tokens.write_bytes(bytes([content[0] ^ 1]) + content[1:])
  again = export("mine", vocabulary, tmp_path, verify=True)
  assert tokens.read_bytes() == content
  after = {task: (store.folder, (store.folder / "manifest.json").stat().st_mtime_ns) for task, store in again.items()}
  assert {task for task in made if after[task] != before[task]} == {"mine_drawn"}
  assert here.actions == ["prepare", "prepare"]


def test_a_record_that_cannot_be_read_is_made_again_and_no_store(vocabulary, tmp_path, here):
  before = export("mine", vocabulary, tmp_path)
  (path,) = (tmp_path / "seqio" / "mine").glob("*.json")
  path.write_bytes(path.read_bytes()[:20])
  again = export("mine", vocabulary, tmp_path)
  assert {task: store.folder for task, store in again.items()} == {task: store.folder for task, store in before.items()}
  assert {task: store.manifest for task, store in again.items()} == {
    task: store.manifest for task, store in before.items()
  }


def test_what_is_imported_with_the_dataset_is_watched_too(vocabulary, tmp_path, here):
  export("mine_late", vocabulary, tmp_path)
  record = read_record(requested("mine_late", vocabulary, tmp_path))
  assert "my_late_helper.py" in {path.rpartition("/")[2] for path in record.sources}


@pytest.mark.parametrize(
  ("tasks", "asked", "processes"), [(1, 8, 1), (3, 2, 2), (2000, 3, 3), (50, None, 1), (0, 4, 1)]
)
def test_processes_are_as_many_as_pay(tasks, asked, processes):
  from flan_jax.data import seqio_worker

  assert seqio_worker._processes(tasks, asked) == processes


def test_the_asking_process_imports_no_tensorflow():
  program = "import sys, flan_jax.data.seqio_export, flan_jax.data.prepare, flan_jax.data.stream\n"
  check = program + "assert not {'tensorflow', 'seqio', 'jax'} & set(sys.modules), 'heavy'"
  assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_trailing_eos_is_trimmed_once_and_inner_ids_stay():
  from flan_jax.data import seqio_reading

  assert seqio_reading._clean(np.array([0, 1, 5, 1], np.int32)).tolist() == [0, 1, 5]
  assert seqio_reading._clean(np.array([5, 0], np.int32)).tolist() == [5, 0]
  assert seqio_reading._clean(np.array([], np.int32)).tolist() == []
