"""Preparing the toy collection: what is stored, what is left out, and that nothing depends on processes or kills."""

import contextlib
import dataclasses
import signal
import subprocess
import sys

import pytest
import sentencepiece
from handmade import tokens_of

from flan_jax.data import mixtures, splits, tokenising
from flan_jax.data.prepare import prepare
from flan_jax.data.rendering import Renderer
from flan_jax.data.store import StoreError, damages, open_store
from flan_jax.data.vocabularies import Vocabulary

LENGTHS = {"inputs": 64, "targets": 16}


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory) -> Vocabulary:
  """A tiny one, numbered as T5's."""
  prefix = tmp_path_factory.mktemp("vocabulary") / "toy"
  lines = [f"Capital of land {i}? city {i} is ruled from. Is it even? yes no Think first. Answer:" for i in range(200)]
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(lines), model_prefix=str(prefix), vocab_size=80, hard_vocab_limit=False,
    pad_id=0, eos_id=1, unk_id=2, bos_id=-1, minloglevel=2,
  )  # fmt: skip
  return Vocabulary(f"{prefix}.model")


@pytest.fixture
def prepared(toy, vocabulary, tmp_path):
  """A function that prepares the toy mixture; its arguments replace the usual ones."""

  def run(name="toy", **changes):
    usual = {"vocabulary": vocabulary, "lengths": LENGTHS, "store_dir": tmp_path / "store", "processes": 1}
    return prepare(mixtures.get_mixture(name), data_dir=toy.data_dir, **{**usual, **changes})

  return run


def contents(stores):
  """All that two preparations must agree on."""
  return [(store.task, origins(store), tokens_of(store)) for store in stores]


def origins(store):
  return store.origins(range(len(store)))


def test_the_store_holds_the_rendered_training_examples(prepared, toy, vocabulary):
  for store in prepared():
    (mixture,) = mixtures.get_mixture("toy").parts
    renderer = Renderer(store.task, toy.data_dir, formats=mixture.formats, shots=mixture.shots)
    examples = [renderer.source[int(i)] for i in renderer.splits.train]
    read = tokens_of(store)
    assert [origin.example_id for origin in origins(store)] == [example.id for example in examples]
    for example, inputs, targets, origin in zip(examples, read["inputs"], read["targets"], origins(store), strict=True):
      rendered = renderer.render(example, format=origin.format, shots=origin.shots)
      assert (rendered.wording, rendered.format) == (origin.wording, origin.format)
      assert inputs == vocabulary.encode([rendered.inputs])[0]
      assert targets == vocabulary.encode([rendered.targets])[0]


def test_rates_are_examples_up_to_the_cap(prepared):
  stores = {store.task: store for store in prepared()}
  assert stores["toy.parity"].rate == 7.0  # its cap
  assert len(stores["toy.parity"]) > 7
  assert stores["toy.capitals"].rate == len(stores["toy.capitals"])


def test_every_source_example_is_accounted_for(prepared, toy):
  (store,) = prepared("toy_reasoned")
  counts = store.manifest["counts"]
  assert counts["kept"] == len(store)
  assert counts["held out"] == len(splits.split(Renderer("toy.capitals", toy.data_dir).source).held_out)
  left_out = sum(number for reason, number in counts.items() if reason.startswith("left out"))
  assert counts["kept"] + counts["held out"] + left_out == 60


def test_variants_are_other_draws_of_the_same_examples(prepared, toy, vocabulary):
  (once,), (store,) = prepared("toy.capitals"), prepared("toy.capitals", variants=3)
  assert store.folder != once.folder
  assert len(store.variants) == 3
  assert store.rate == once.rate  # another number of variants is no other mixture
  made, read = origins(store), tokens_of(store)["inputs"]
  assert [origin.variant for origin in made] == [v for v, count in enumerate(store.variants) for _ in range(count)]
  assert made[: len(once)] == origins(once)
  assert sum(store.manifest["counts"].values()) >= 3 * 60
  assert len({(origin.wording, origin.format) for origin in made if origin.example_id == made[0].example_id}) > 1
  renderer = Renderer("toy.capitals", toy.data_dir)
  by_id = {renderer.source[i].id: renderer.source[i] for i in range(60)}
  for origin, inputs in zip(made, read, strict=True):
    rendered = renderer.render(by_id[origin.example_id], origin.variant, format=origin.format, shots=origin.shots)
    assert inputs == vocabulary.encode([rendered.inputs])[0]


def test_shards_and_processes_change_nothing(prepared, tmp_path, monkeypatch):
  whole = contents(prepared())
  monkeypatch.setattr("flan_jax.data.shards.SHARD_RECORDS", 17)
  sharded = prepared(store_dir=tmp_path / "sharded")
  assert max(len(store.manifest["records"]) for store in sharded) == 4  # ceil(60 / 17)
  assert contents(sharded) == whole
  monkeypatch.undo()


def test_two_processes_make_what_one_makes(prepared, toy, tmp_path, monkeypatch):
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(toy.collection.parent))
  assert contents(prepared(processes=2, store_dir=tmp_path / "two")) == contents(prepared())


def test_what_stands_is_not_made_again(prepared, monkeypatch):
  first = prepared()
  monkeypatch.setattr("flan_jax.data.prepare._make_here", None)
  assert [store.folder for store in prepared()] == [store.folder for store in first]


@pytest.mark.parametrize(
  "change", [{"lengths": {"inputs": 63, "targets": 16}}, {"render_seed": 1}, {"name": "toy_rest"}]
)
def test_what_shapes_the_records_changes_the_key(prepared, change):
  before = {store.task: store.folder.name for store in prepared()}
  after = {store.task: store.folder.name for store in prepared(**change)}
  assert all(before[task] != name for task, name in after.items())


def test_the_sources_content_changes_the_key_and_the_cap_does_not(prepared, toy):
  from flan_jax.data import sources, specs

  spec = specs.get_task("toy.parity")
  before = prepared("toy.parity")[0].folder
  monkey = dataclasses.replace(spec, cap=3)
  specs._tasks(toy.collection, str(toy.data_dir))["toy.parity"] = monkey
  path = toy.data_dir / "toy" / "parity.jsonl"
  content = path.read_bytes()
  try:
    (again,) = prepared("toy.parity")
    assert (again.folder, again.rate) == (before, 3.0)
    path.write_bytes(content.replace(b"Is 1 even", b"Is 1 Even"))
    sources.open_source.cache_clear()
    assert prepared("toy.parity")[0].folder != before
  finally:
    path.write_bytes(content)
    sources.open_source.cache_clear()
    specs._tasks(toy.collection, str(toy.data_dir))["toy.parity"] = spec


def test_prompts_lose_exemplars_before_they_are_left_out(prepared, toy, vocabulary):
  """Queries are never cut: what is kept is a whole prompt with fewer exemplars, or with none."""
  (store,) = prepared("toy.capitals", lengths={"inputs": 30, "targets": 40})
  counts = store.manifest["counts"]
  assert counts["kept with fewer exemplars"] > 5
  assert store.lengths[:, 0].max() + 1 <= 30
  renderer = Renderer("toy.capitals", toy.data_dir)
  for inputs, origin in zip(tokens_of(store)["inputs"], origins(store), strict=True):
    query = next(e for i in range(60) if (e := renderer.source[i]).id == origin.example_id).fields["question"]
    assert query in vocabulary.decode(inputs)


def test_too_long_targets_and_queries_are_left_out_with_the_reason(prepared):
  (short_targets,) = prepared("toy.capitals", lengths={"inputs": 64, "targets": 8})
  (short_inputs,) = prepared("toy.capitals", lengths={"inputs": 5, "targets": 64})
  assert short_targets.manifest["counts"][tokenising.TARGETS_TOO_LONG] > 5
  assert short_inputs.manifest["counts"][tokenising.INPUTS_TOO_LONG] > 5
  assert len(short_inputs) == short_inputs.manifest["counts"]["kept"]


def test_examples_without_rationale_are_left_out_of_rationale_formats(prepared, toy, vocabulary):
  (store,) = prepared("toy_reasoned", lengths={"inputs": 64, "targets": 64})
  assert {origin.format for origin in origins(store)} == {"cot"}
  renderer = Renderer("toy.capitals", toy.data_dir, formats=(("cot", 1),))
  bare = dataclasses.replace(renderer.source[0], fields={"question": "Where?", "label": "here"})
  reasoned = renderer.source[1]
  made = tokenising.tokenise(renderer, vocabulary, tokenising.Sides(64, 64), [bare, reasoned, bare])
  assert (made[0], made[2]) == (tokenising.NO_RATIONALE, tokenising.NO_RATIONALE)
  assert made[1].rendered.example_id == reasoned.id


def test_progress_counts_every_source_example(prepared):
  seen = []

  @contextlib.contextmanager
  def progress(what, total, unit):
    seen.append((what, total, unit))
    yield lambda done, note: seen.append((done, note))

  prepared(progress=progress)
  (what, total, unit), *advances = seen
  assert (what, unit) == ("preparing toy (4 tasks)", "records")
  assert sum(done for done, _ in advances) == total == 60 + 40 + 2 + 2
  assert {note.partition(",")[0] for _, note in advances} == {"toy.capitals", "toy.parity", "toy.echo_a", "toy.echo_b"}


def test_a_finished_task_keeps_no_temporary_folder(prepared, tmp_path):
  """Each has a file open, and a process may have some thousand."""
  under_way = []

  @contextlib.contextmanager
  def progress(*_):
    yield lambda *_: under_way.append([path.parent.name for path in (tmp_path / "store").glob("*/.*")])

  prepared(progress=progress)
  assert under_way == [["toy.capitals"], ["toy.parity"], ["toy.echo_a"], ["toy.echo_b"]]


def test_a_damaged_store_is_named(prepared):
  folder = prepared("toy.parity")[0].folder
  (folder / "index.npy").write_bytes(b"")
  with pytest.raises(StoreError, match=r"index\.npy.*delete"):
    prepared("toy.parity")


PROGRAM = """
import contextlib, os, signal, sys
from flan_jax.data import mixtures, prepare, vocabularies
vocabulary, data_dir, store_dir, kill_at = sys.argv[1:]

@contextlib.contextmanager
def progress(*_):
  calls = iter(range(99))
  yield lambda *_: next(calls) == int(kill_at) and os.kill(os.getpid(), signal.SIGKILL)

prepare.prepare(
  mixtures.get_mixture("toy"), data_dir=data_dir, vocabulary=vocabularies.Vocabulary(vocabulary),
  lengths={"inputs": 64, "targets": 16}, store_dir=store_dir, processes=2, progress=progress,
)
"""


def start(toy, vocabulary, store_dir, kill_at=-1) -> subprocess.Popen:
  return subprocess.Popen(
    [sys.executable, "-c", PROGRAM, str(vocabulary.path), str(toy.data_dir), str(store_dir), str(kill_at)]
  )


def test_a_killed_preparation_leaves_nothing_that_is_taken_for_whole(prepared, toy, vocabulary, tmp_path):
  assert start(toy, vocabulary, tmp_path / "killed", kill_at=2).wait(60) == -signal.SIGKILL
  whole = [path for path in (tmp_path / "killed").glob("*/*") if not path.name.startswith(".")]
  assert len(whole) in (2, 3)  # the third task's progress is told before its store is committed
  for folder in whole:
    assert damages(open_store(folder)) == []
  assert contents(prepared(store_dir=tmp_path / "killed")) == contents(prepared())
  assert list((tmp_path / "killed").glob("*/.*")) == []  # what the killed one left behind is gone


def test_two_preparers_of_one_store_are_safe(prepared, toy, vocabulary, tmp_path):
  both = [start(toy, vocabulary, tmp_path / "both") for _ in range(2)]
  assert [one.wait(60) for one in both] == [0, 0]
  stores = prepared(store_dir=tmp_path / "both")
  assert contents(stores) == contents(prepared())
  assert all(damages(store) == [] for store in stores)
  assert len(list((tmp_path / "both").glob("*/*"))) == 4
