"""An export has the store's examples in the store's order, as text, in files that other tools read."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys

import pyarrow.dataset
import pyarrow.parquet
import pytest
from handmade import tokens_of

from flan_jax import errors
from flan_jax.data import export_files, mixtures, specs, splits, tokenising
from flan_jax.data.export import export
from flan_jax.data.prepare import prepare
from flan_jax.data.rendering import Renderer
from flan_jax.data.vocabularies import load_vocabulary

KINDS = ("parquet", "jsonl")
LENGTHS = (16, 16)  # some prompts lose exemplars, some do not fit


@pytest.fixture
def exported(toy, tmp_path):
  """A function that exports a toy mixture and reads the rows back, by task; its arguments replace the usual ones."""

  def run(name="toy", out="out", **changes):
    usual = {"to": "jsonl", "data_dir": toy.data_dir, "processes": 1}
    content = export(mixtures.get_mixture(name), out=tmp_path / out, **{**usual, **changes})
    return content, {task["task"]: rows_of(tmp_path / out, task) for task in content["tasks"]}

  return run


def rows_of(folder: pathlib.Path, task: dict) -> list[dict]:
  read = {".parquet": read_parquet, ".jsonl": read_lines}
  paths = [folder / task["task"] / file["file"] for file in task["files"]]
  return [row for path in paths for row in read[path.suffix](path)]


def read_parquet(path: pathlib.Path) -> list[dict]:
  return pyarrow.parquet.read_table(path).to_pylist()


def read_lines(path: pathlib.Path) -> list[dict]:
  return [json.loads(line) for line in path.read_bytes().decode().split("\n")[:-1]]


def bytes_of(folder: pathlib.Path) -> dict[str, bytes]:
  return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_exported_text_is_the_stores_tokens_in_the_stores_order(exported, toy, tmp_path, monkeypatch, kind):
  monkeypatch.setattr("flan_jax.data.shards.SHARD_RECORDS", 17)
  words = load_vocabulary("demo")
  drawn = {"render_seed": 3, "variants": 2}
  content, rows = exported(to=kind, vocabulary=words, lengths=LENGTHS, **drawn)
  stores = prepare(
    mixtures.get_mixture("toy"), data_dir=toy.data_dir, vocabulary=words, store_dir=tmp_path / "store", processes=1,
    lengths=dict(zip(("inputs", "targets"), LENGTHS, strict=True)), **drawn,
  )  # fmt: skip
  assert sum(store.manifest["counts"].get(tokenising.INPUTS_TOO_LONG, 0) for store in stores) > 0
  assert sum(store.manifest["counts"].get("kept with fewer exemplars", 0) for store in stores) > 0
  for store, told in zip(stores, content["tasks"], strict=True):
    made = rows[store.task]
    assert words.encode([row["inputs"] for row in made]) == tokens_of(store)["inputs"]
    assert words.encode([row["targets"] for row in made]) == tokens_of(store)["targets"]
    origins = store.origins(range(len(store)))
    kept = [(row["example_id"], row["template"], row["format"], row["shots"], row["variant"]) for row in made]
    assert kept == [(o.example_id, o.wording, o.format, o.shots, o.variant) for o in origins]
    assert {row["rate"] for row in made} == {store.rate} == {told["rate"]}
    assert told["counts"] == {
      reason: count
      for reason, count in store.manifest["counts"].items()
      if reason == "malformed records" or (count and not reason.startswith("kept"))
    }
    assert told["rows"] == len(store) == sum(file["rows"] for file in told["files"])


@pytest.mark.parametrize("kind", KINDS)
def test_rows_say_what_their_task_is(exported, kind):
  content, rows = exported(to=kind)
  assert content["columns"] == [*export_files.COLUMNS, "rate"]
  for name, made in rows.items():
    spec = specs.get_task(name)
    assert made
    for row in made:
      assert list(row) == content["columns"]
      told = (row["task"], row["cluster"], row["licence"], row["cap"], row["split"])
      assert told == (name, spec.cluster, spec.licence, spec.cap, "train")
  assert {row["rate"] for row in rows["toy.parity"]} == {7}  # its cap


def test_parquet_and_json_lines_say_the_same(exported):
  assert exported(to="parquet", out="p")[1] == exported(to="jsonl", out="j")[1]


def test_parquet_is_read_as_one_table(exported, tmp_path, monkeypatch):
  monkeypatch.setattr("flan_jax.data.export_files._ROW_GROUP", 10)
  monkeypatch.setattr("flan_jax.data.export._BATCH_EXAMPLES", 16)
  content, _ = exported(to="parquet")
  table = pyarrow.dataset.dataset(tmp_path / "out", format="parquet").to_table()
  assert len(table) == content["rows"]
  assert table.column_names == content["columns"]
  file = next((tmp_path / "out" / "toy.capitals").glob("*.parquet"))
  assert pyarrow.parquet.ParquetFile(file).num_row_groups > 1


def test_an_export_of_no_rows_still_has_its_columns(exported, tmp_path):
  content, rows = exported("toy.echo_a", to="parquet", vocabulary=load_vocabulary("demo"), lengths=(2, 2))
  assert (content["rows"], rows["toy.echo_a"], content["tasks"][0]["rate"]) == (0, [], 0)
  (file,) = (tmp_path / "out" / "toy.echo_a").glob("*.parquet")
  assert pyarrow.parquet.read_table(file).column_names == content["columns"]


def test_splits_are_parts_of_all(exported, toy):
  train, held_out, everything = (exported("toy.capitals", out=s, split=s)[1] for s in ("train", "held_out", "all"))
  source = Renderer("toy.capitals", toy.data_dir).source
  assert [row["example_id"] for row in everything["toy.capitals"]] == [source[i].id for i in range(len(source))]
  for name, part in (("train", train), ("held_out", held_out)):
    wanted = [source[int(i)].id for i in getattr(splits.split(source), name)]
    assert [row["example_id"] for row in part["toy.capitals"]] == wanted
    assert [row["example_id"] for row in everything["toy.capitals"] if row["split"] == name] == wanted
  assert {row["rate"] for row in held_out["toy.capitals"]} == {None}
  assert {row["rate"] for row in everything["toy.capitals"]} == {len(train["toy.capitals"])}


def test_without_lengths_texts_are_as_they_were_drawn(exported, toy):
  content, rows = exported("toy")
  (part,) = mixtures.get_mixture("toy").parts
  for name, made in rows.items():
    renderer = Renderer(name, toy.data_dir, formats=part.formats, shots=part.shots)
    rendered = [renderer.render(renderer.source[int(i)]) for i in renderer.splits.train]
    assert [(row["inputs"], row["targets"]) for row in made] == [(one.inputs, one.targets) for one in rendered]
  assert content["settings"]["vocabulary"] is None


@pytest.mark.parametrize("kind", KINDS)
def test_processes_change_no_byte_and_what_stands_is_left(exported, tmp_path, monkeypatch, kind):
  exported(to=kind, out="one")
  exported(to=kind, out="two", processes=2)
  assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")
  monkeypatch.setattr("flan_jax.data.export._make", None)
  exported(to=kind, out="one")
  assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "two")


PROGRAM = """
import contextlib, os, signal, sys
from flan_jax.data import export, mixtures
kind, data_dir, out = sys.argv[1:]

@contextlib.contextmanager
def progress(*_):
  calls = iter(range(99))
  yield lambda *_: next(calls) == 2 and os.kill(os.getpid(), signal.SIGKILL)

export.export(mixtures.get_mixture("toy"), out=out, to=kind, data_dir=data_dir, processes=2, progress=progress)
"""


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_export_that_is_repeated_is_the_same_folder(exported, toy, tmp_path, kind):
  command = [sys.executable, "-c", PROGRAM, kind, str(toy.data_dir), str(tmp_path / "killed")]
  assert subprocess.run(command, timeout=60, check=False).returncode == -signal.SIGKILL
  assert not (tmp_path / "killed" / "_mixture.json").exists()
  exported(to=kind, out="killed")
  exported(to=kind, out="whole")
  assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "whole")


@pytest.mark.parametrize(
  "change", [{"render_seed": 1}, {"variants": 2}, {"to": "parquet"}, {"name": "toy.parity"}, {"split": "all"}]
)
def test_another_export_in_the_same_folder_is_refused(exported, tmp_path, change):
  exported()
  before = bytes_of(tmp_path / "out")
  with pytest.raises(errors.UsageError, match=r"--out .*it has toy\..* in it\. Give a new folder"):
    exported(**change)
  assert bytes_of(tmp_path / "out") == before


@pytest.mark.parametrize("size", [None, 7])
def test_a_file_that_is_gone_or_cut_is_named(exported, tmp_path, size):
  exported()
  path = next((tmp_path / "out" / "toy.parity").glob("*.jsonl"))
  path.unlink() if size is None else os.truncate(path, size)
  with pytest.raises(errors.FlanJaxError, match=rf"{path.name}: {size or 0} bytes where \d+ were written\. Delete"):
    exported()


def test_a_full_disk_is_named_and_leaves_no_folder_of_a_task(exported, tmp_path, monkeypatch):
  def full(*_):
    raise OSError(28, "No space left on device")

  monkeypatch.setattr("flan_jax.data.export_files._JsonLines.write", full)
  with pytest.raises(errors.FlanJaxError, match=r"cannot write in .*: No space left"):
    exported()
  assert list((tmp_path / "out").iterdir()) == []


def test_without_pyarrow_parquet_says_what_to_install(exported, monkeypatch):
  monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
  with pytest.raises(errors.FlanJaxError, match="pip install pyarrow, or --to jsonl"):
    exported(to="parquet")


def test_progress_counts_every_record(exported):
  seen = []

  @contextlib.contextmanager
  def progress(what, total, unit):
    seen.append((total, unit))
    yield lambda done, note: seen.append((done, note))

  exported(progress=progress, variants=2)
  (total, unit), *advances = seen
  assert sum(done for done, _ in advances) == total == 2 * (60 + 40 + 2 + 2)
  assert unit == "records"
