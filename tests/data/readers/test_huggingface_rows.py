"""Hugging Face `datasets` on local files: saved ones and data files come back at random; nothing else is looked for."""

import csv
import json
import shutil
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import readers
from flan_jax.data.readers import huggingface

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
records = st.fixed_dictionaries({"text": texts, "label": st.sampled_from([0, 1]), "tags": st.lists(texts, max_size=2)})


@pytest.fixture(scope="module")
def library(tmp_path_factory):
  library = pytest.importorskip("datasets", reason="the optional extra `huggingface` is not installed")
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(library.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
    library.disable_progress_bars()
    yield library


def dataset(library, rows):
  tags = library.List(library.Value("string"))
  columns = {"text": library.Value("string"), "label": library.ClassLabel(names=["no", "yes"]), "tags": tags}
  return library.Dataset.from_list(rows, features=library.Features(columns))


def opened(path, **entry) -> readers.Rows:
  return readers.open_rows({"huggingface": path.name, **entry}, path.parent)


def every(rows) -> list[dict]:
  return [rows.read(row) for row in range(len(rows))]


@settings(max_examples=20, deadline=None)
@given(rows=st.lists(records, min_size=1, max_size=6), shards=st.integers(1, 2))
def test_a_saved_dataset_comes_back(library, tmp_path_factory, rows, shards):
  folder = tmp_path_factory.mktemp("hf") / "d"
  dataset(library, rows).save_to_disk(folder, num_shards=min(shards, len(rows)))
  read = opened(folder)
  assert every(read) == rows
  assert [read.read(row) for row in reversed(range(len(rows)))] == rows[::-1]
  assert [read.id(row) for row in range(len(rows))] == [str(row) for row in range(len(rows))]
  assert read.place(0) == f"{folder}, row 0"


def test_the_splits_of_a_saved_dict(library, tmp_path):
  whole = dataset(library, [{"text": f"t{i}", "label": i % 2, "tags": []} for i in range(9)])
  library.DatasetDict({"train": whole, "test": whole.select([5, 3])}).save_to_disk(tmp_path / "d")
  assert [row["text"] for row in every(opened(tmp_path / "d", split="test"))] == ["t5", "t3"]
  assert len(opened(tmp_path / "d")) == 9  # train
  with pytest.raises(errors.FlanJaxError, match=r"no split 'valid'; its splits: train, test"):
    len(opened(tmp_path / "d", split="valid"))
  with pytest.raises(errors.FlanJaxError, match=r"no splits; leave `split: train` out"):
    opened(tmp_path / "d" / "train", split="train")


@pytest.mark.parametrize("kind", ["parquet", "jsonl", "csv"])
def test_data_files_by_the_names_that_datasets_knows(library, tmp_path, kind):
  rows = [{"text": f"té {i}", "number": i} for i in range(5)]
  for split, part in (("train", rows), ("test", rows[:2])):
    with (tmp_path / f"{split}.{kind}").open("w", encoding="utf-8", newline="") as file:
      if kind == "csv":
        writer = csv.DictWriter(file, ["text", "number"])
        writer.writeheader()
        writer.writerows(part)
      elif kind == "jsonl":
        file.writelines(json.dumps(row) + "\n" for row in part)
      else:
        library.Dataset.from_list(part).to_parquet(tmp_path / f"{split}.parquet")
  assert every(opened(tmp_path, split="train")) == rows
  assert every(opened(tmp_path, split="test")) == rows[:2]


def test_a_script_beside_the_data_is_not_run(library, tmp_path):
  marker = tmp_path / "ran"
  folder = tmp_path / "d"
  folder.mkdir()
  (folder / "d.py").write_text(f"open({str(marker)!r}, 'w').close()", encoding="utf-8")
  (folder / "train.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
  with pytest.raises(errors.FlanJaxError, match="scripts are no longer supported"):
    len(opened(folder))
  assert not marker.exists()


def test_no_network_is_asked(library, tmp_path):
  (tmp_path / "train.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
  code = """
import pathlib, socket, sys
def refused(*args, **kwargs): sys.exit("a network was asked for")
socket.socket.connect = socket.getaddrinfo = refused
from flan_jax.data import readers
folder = pathlib.Path(sys.argv[1])
assert readers.open_rows({"huggingface": folder.name}, folder.parent).read(0) == {"a": 1}
assert "tensorflow" not in sys.modules and "jax" not in sys.modules
"""
  environment = {"HF_HOME": str(tmp_path / "home"), "PYTHONPATH": ":".join(filter(None, sys.path))}
  done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], env=environment, capture_output=True, text=True)
  assert done.returncode == 0, done.stderr


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_damaged_folder_gives_rows_or_reasons(library, tmp_path_factory, data):
  folder = tmp_path_factory.mktemp("hf") / "d"
  dataset(library, [{"text": f"t{i}", "label": i % 2, "tags": ["a"]} for i in range(9)]).save_to_disk(folder)
  victim = data.draw(st.sampled_from(sorted(folder.iterdir())), "file")
  content = bytearray(victim.read_bytes())
  if data.draw(st.booleans(), "cut"):
    content = content[: data.draw(st.integers(0, len(content) - 1))]
  else:
    for _ in range(data.draw(st.integers(1, 4))):
      content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
  victim.write_bytes(content)
  read = opened(folder)
  try:
    rows = range(len(read))
  except errors.FlanJaxError as error:
    assert str(folder) in str(error)  # noqa: PT017
    return
  for row in rows:
    try:
      assert isinstance(read.read(row), dict)
    except ValueError as error:
      assert str(error)  # noqa: PT017


def test_the_fingerprint_changes_with_content_and_split(library, tmp_path):
  prints = []
  for text in ("a", "b", "a"):
    shutil.rmtree(tmp_path / "d", ignore_errors=True)
    dataset(library, [{"text": text, "label": 0, "tags": []}]).save_to_disk(tmp_path / "d")
    prints.append(opened(tmp_path / "d").fingerprint())
  assert prints[0] != prints[1]
  assert opened(tmp_path / "d").fingerprint() == prints[2]
  (tmp_path / "train.jsonl").write_text('{"a": 1}\n', encoding="utf-8")
  assert opened(tmp_path, split="train").fingerprint() != opened(tmp_path, split="test").fingerprint()


def test_a_lacking_package_and_a_file_are_told(tmp_path, monkeypatch):
  with pytest.raises(errors.FlanJaxError, match="a folder was expected"):
    opened(tmp_path / "nothing")
  monkeypatch.setitem(sys.modules, "datasets", None)
  with pytest.raises(errors.FlanJaxError, match=r"needs the package `datasets`.*flan_jax\[huggingface\]"):
    huggingface.open_huggingface({"huggingface": tmp_path.name}, tmp_path.parent)
