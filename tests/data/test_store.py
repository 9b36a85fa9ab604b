"""The store's files: what is put in comes out, and nothing half-written or damaged is taken for whole."""

import contextlib
import dataclasses
import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from handmade import FEATURES, make_store, numbered, shard_of, tokens_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import store, store_writing, verifying
from flan_jax.data.records import Records
from flan_jax.data.store import Origin, StoreError, open_store
from flan_jax.progress import silently

TOKENS = st.lists(st.integers(0, 65_535), max_size=9)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=12), shards=st.integers(1, 3), data=st.data())
def test_examples_come_out_as_they_went_in_and_in_any_order(tmp_path_factory, pairs, shards, data):
  made = make_store(tmp_path_factory.mktemp("store"), "a.b", pairs, shards)
  wanted = data.draw(st.lists(st.integers(0, len(pairs) - 1), max_size=20))
  read = tokens_of(made, wanted)
  for side, feature in enumerate(FEATURES):
    assert read[feature] == [list(pairs[i][side]) for i in wanted]
  assert made.lengths.tolist() == [[len(inputs), len(targets)] for inputs, targets in pairs]
  assert made.origins(wanted) == [Origin(f"x{i}", f"wording{i % 3}", "zero_shot", i) for i in wanted]


def test_the_manifest_counts_and_says_with_what_it_was_made(tmp_path):
  made = make_store(tmp_path, "a.b", [([5, 6], [7]), ([], [0, 8])])
  assert (len(made), made.rate, made.task, made.features) == (2, 2.0, "a.b", FEATURES)
  assert made.manifest["tokens"] == {"inputs": 2, "targets": 3}
  assert {"python", "numpy", "sentencepiece"} <= set(made.manifest["versions"])


def test_a_store_without_examples_stands(tmp_path):
  made = make_store(tmp_path, "a.b", [])
  assert len(made) == 0
  assert made.lengths.shape == (0, 2)
  assert tokens_of(made) == {"inputs": [], "targets": []}


@pytest.mark.parametrize("file", ["tokens-00000.bin", "index.npy", "origins.npz", "manifest.json"])
def test_a_cut_or_absent_file_is_named_when_the_store_is_opened(tmp_path, file):
  path = make_store(tmp_path, "a.b", numbered(0, 50)).folder / file
  path.write_bytes(path.read_bytes()[:-7])
  with pytest.raises(StoreError, match=rf"{file}.*--verify"):
    open_store(path.parent)
  path.unlink()
  with pytest.raises(StoreError, match=file):
    open_store(path.parent)


def test_flipped_bits_are_found_by_checksum(tmp_path):
  made = make_store(tmp_path, "a.b", numbered(0, 50), shards=2)
  assert store.damages(made) == []
  path = made.folder / "tokens-00001.bin"
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 4
  path.write_bytes(content)
  assert store.damages(open_store(made.folder)) == ["tokens-00001.bin"]


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bit=st.integers(0, 7), place=st.floats(0, 1, exclude_max=True))
def test_a_flipped_bit_is_found_as_its_record_is_read(tmp_path_factory, bit, place):
  made = make_store(tmp_path_factory.mktemp("store"), "a.b", numbered(0, 20))
  path = made.folder / "tokens-00000.bin"
  content = bytearray(path.read_bytes())
  content[int(place * len(content))] ^= 1 << bit
  path.write_bytes(content)
  with pytest.raises(StoreError, match=r"tokens-00000\.bin: the record at byte \d+ is not what was written.*--verify"):
    tokens_of(made)


def test_a_file_that_was_cut_while_it_is_used_is_named(tmp_path):
  made = make_store(tmp_path, "a.b", numbered(0, 20))
  os.truncate(made.folder / "tokens-00000.bin", 30)
  with pytest.raises(StoreError, match=r"tokens-00000\.bin: the file ends within the record at byte"):
    tokens_of(made)


def test_a_file_system_that_gives_less_than_asked_for_is_asked_again(tmp_path, monkeypatch):
  """preadv may stop short anywhere; here it gives at most three bytes at a time."""
  made = make_store(tmp_path, "a.b", numbered(0, 20))
  whole, real = tokens_of(made), os.preadv
  monkeypatch.setattr(os, "preadv", lambda file, parts, offset: real(file, [parts[0][:3]], offset))
  assert tokens_of(made) == whole


def test_stores_of_different_vocabularies_are_refused(tmp_path):
  one = make_store(tmp_path, "a.b", numbered(0, 3))
  other = dataclasses.replace(one, task="a.c", manifest={**one.manifest, "token_dtype": "int32"})
  with pytest.raises(errors.FlanJaxError, match=r"different vocabularies.*a\.b has uint16, a\.c has int32"):
    Records([one, other])


@pytest.mark.parametrize("change", [{"examples": 9}, {"variants": [9]}, {"index": {}}, {"task": "a.c"}, {"xxh3": "0"}])
def test_a_changed_manifest_is_named(tmp_path, change):
  path = make_store(tmp_path, "a.b", numbered(0, 50)).folder / "manifest.json"
  path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
  with pytest.raises(StoreError, match=r"manifest\.json: it is not what was written"):
    open_store(path.parent)


def test_two_that_verify_at_once_remove_a_damaged_store_once(tmp_path, monkeypatch, capsys):
  """Both find the damage; while the second looks, the first removes the store and somebody makes it again."""
  folder = make_store(tmp_path, "a.b", numbered(0, 5)).folder
  (folder / "tokens-00000.bin").write_bytes(b"")
  found = verifying._faults

  def slow(looked_at):
    wrong = found(looked_at)
    monkeypatch.setattr(verifying, "_faults", found)
    assert verifying.remove_damaged([folder], silently) == [folder]
    make_store(tmp_path, "a.b", numbered(0, 5))
    return wrong

  monkeypatch.setattr(verifying, "_faults", slow)
  assert verifying.remove_damaged([folder], silently) == []
  assert store.damages(open_store(folder)) == []
  assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_an_interrupted_writer_leaves_nothing(tmp_path):
  final = tmp_path / "a.b" / "key"
  with contextlib.suppress(KeyboardInterrupt), store_writing.building(final) as temporary:
    shard_of(temporary, 0, numbered(0, 5))
    raise KeyboardInterrupt
  assert list(final.parent.iterdir()) == []


def test_a_killed_writer_leaves_no_store_and_its_folder_is_swept(tmp_path):
  final = tmp_path / "a.b" / "key"
  program = (
    "import os, pathlib, sys; from flan_jax.data import store_writing\n"
    "with store_writing.building(pathlib.Path(sys.argv[1])) as folder:\n"
    "  (folder / 'tokens-00000.bin').write_bytes(b'half')\n"
    "  os.kill(os.getpid(), 9)\n"
  )
  assert subprocess.run([sys.executable, "-c", program, str(final)], check=False).returncode == -9
  assert not final.exists()
  assert len(list(final.parent.iterdir())) == 1
  make_store(tmp_path, "a.b", numbered(0, 5))
  assert [path.name for path in final.parent.iterdir()] == ["key"]


def test_a_living_writers_folder_is_left_alone(tmp_path):
  final = tmp_path / "a.b" / "key"
  with store_writing.building(final) as temporary:
    make_store(tmp_path, "a.b", numbered(0, 5))
    assert temporary.exists()


def test_process_numbers_do_not_tell_whose_folder_it_is(tmp_path):
  """Another container with this machine's name has numbers of its own: ours may be its, or one that is gone here."""
  final = tmp_path / "a.b" / "key"
  gone = subprocess.Popen([sys.executable, "-c", ""])
  gone.wait()
  with store_writing.building(final) as temporary:
    living = temporary.parent.rename(_of_process(temporary.parent, gone.pid))
    make_store(tmp_path, "a.b", numbered(0, 5))
    assert (living / temporary.name).is_dir()
  living.rename(_of_process(living, os.getpid()))
  make_store(tmp_path, "a.b", numbered(0, 5))
  assert [path.name for path in final.parent.iterdir()] == ["key"]


def _of_process(folder, pid):
  machine = folder.name.split(".")[1]
  return folder.with_name(f".{machine}.{pid}.another")


def test_without_locks_nothing_is_swept(tmp_path, monkeypatch):
  def flock(*_):
    raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

  final = tmp_path / "a.b" / "key"
  monkeypatch.setattr(store_writing.locks.fcntl, "flock", flock)
  with store_writing.building(final) as temporary:
    made = make_store(tmp_path, "a.b", numbered(0, 5))
    assert temporary.is_dir()
    monkeypatch.undo()
    make_store(tmp_path, "a.b", numbered(0, 5))
    assert temporary.is_dir()
  assert store.damages(made) == []
  assert [path.name for path in final.parent.iterdir()] == ["key"]


def test_the_slower_of_two_preparers_keeps_the_faster_ones_store(tmp_path):
  final = tmp_path / "a.b" / "key"
  with store_writing.building(final) as slow:
    shard = shard_of(slow, 0, numbered(0, 5))
    faster = make_store(tmp_path, "a.b", numbered(0, 5))
    store_writing.commit(slow, final, [shard], {"task": "a.b", "features": list(FEATURES), "token_dtype": "uint16"})
  assert open_store(final).manifest == faster.manifest
  assert [path.name for path in final.parent.iterdir()] == ["key"]


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path, monkeypatch):
  def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

  monkeypatch.setattr(store_writing.json, "dumps", full)
  with pytest.raises(errors.FlanJaxError, match=r"cannot write in .*a\.b: No space left"):
    make_store(tmp_path, "a.b", numbered(0, 5))
  assert list((tmp_path / "a.b").iterdir()) == []


def test_a_store_folder_that_cannot_be_made_is_named(tmp_path):
  (tmp_path / "file").write_text("in the way")
  with pytest.raises(errors.FlanJaxError, match="cannot write in"):
    make_store(tmp_path / "file", "a.b", [])


def test_many_stores_hold_no_files_open(tmp_path):
  made = [make_store(tmp_path, f"a.t{n}", [([n], [n])]) for n in range(300)]
  before = len(os.listdir("/proc/self/fd"))  # of other tests in this process
  read = Records(made).read(np.arange(300))
  assert len(os.listdir("/proc/self/fd")) <= before
  assert [tokens.tolist() for tokens in read[0].clean()] == [[n] for n in range(300)]


def test_token_types_hold_every_id():
  assert store_writing.token_dtype(65_536) == "uint16"
  assert store_writing.token_dtype(65_537) == "int32"
