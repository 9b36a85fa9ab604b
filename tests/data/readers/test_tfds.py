"""Prepared TensorFlow datasets: built here with TFDS itself, read at random in both formats, without TensorFlow."""

import importlib
import json
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flan_jax import errors
from flan_jax.data import readers, sources, specs
from flan_jax.data.readers import tfds

SIZE = 50
FORMATS = ("tfrecord", "array_record")


def made(i: int) -> dict:
  """The i-th example of the dataset, as the reader should give it."""
  answers = [f"answer {j}" for j in range(i % 3)]
  return {
    "idx": i,
    "text": f"té\n{i}",
    "label": i % 2,
    "answers": {"text": answers, "start": list(range(len(answers)))},
    "vector": [float(i), 0.5],
    "tags": ["a", "b"][: i % 3],
  }


def build(data_dir: pathlib.Path, file_format: str, examples: int = SIZE) -> None:
  import tensorflow_datasets as library

  features = library.features

  class TinyToy(library.core.GeneratorBasedBuilder, skip_registration=True):
    """Text, ClassLabel, Sequence and Tensor, in two configurations."""

    VERSION = library.core.Version("1.0.2")
    BUILDER_CONFIGS = (library.core.BuilderConfig(name="one"),)

    def _info(self):
      answers = features.Sequence({"text": features.Text(), "start": np.int32})
      columns = {"idx": np.int32, "text": features.Text(), "label": features.ClassLabel(names=["no", "yes"])}
      columns |= {"answers": answers, "vector": features.Tensor(shape=(2,), dtype=np.float32)}
      columns |= {"tags": features.Sequence(features.Text())}
      return library.core.DatasetInfo(builder=self, features=features.FeaturesDict(columns))

    def _split_generators(self, dl_manager):
      return {"train": self._generate_examples(examples), "test": self._generate_examples(4)}

    def _generate_examples(self, count):
      for i in range(count):
        record = made(i)
        answers = [
          dict(zip(record["answers"], pair, strict=True)) for pair in zip(*record["answers"].values(), strict=True)
        ]
        yield i, {**record, "answers": answers}

  builder = TinyToy(data_dir=str(data_dir), config="one", file_format=file_format)
  builder.download_and_prepare(download_config=library.download.DownloadConfig(num_shards=3))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> dict[str, pathlib.Path]:
  folders = {name: tmp_path_factory.mktemp(name) for name in FORMATS}
  for name, folder in folders.items():
    build(folder / "tfds", name)
  return folders


@pytest.fixture(autouse=True)
def _no_own_folder(monkeypatch, tmp_path):
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "own"))


def opened(data_dir, split="train", name="tiny_toy/one:1.0.2") -> readers.Rows:
  return readers.open_rows({"tfds": name, "split": split}, data_dir)


def every(rows) -> list[dict]:
  return [rows.read(row) for row in range(len(rows))]


@pytest.mark.parametrize("file_format", FORMATS)
def test_every_example_comes_back(prepared, file_format):
  rows = opened(prepared[file_format])
  read = every(rows)
  assert sorted(read, key=lambda record: record["idx"]) == [made(i) for i in range(SIZE)]
  assert len({rows.id(row) for row in range(SIZE)}) == SIZE
  order = np.random.default_rng(0).permutation(SIZE).tolist()
  assert [rows.read(row) for row in order] == [read[row] for row in order]


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("split", ["train[:-20]", "train[30:]", "train[10%:50%]", "train[:0]", "test+train[:3]"])
def test_slices_are_those_of_tfds(prepared, file_format, split):
  library = pytest.importorskip("tensorflow_datasets")
  folder = prepared[file_format] / "tfds" / "tiny_toy" / "one" / "1.0.2"
  rows = opened(prepared[file_format], split)
  assert len(rows) == library.builder_from_directory(folder).info.splits[split].num_examples
  if "+" not in split:
    whole = opened(prepared[file_format])
    ids = {whole.id(row): whole.read(row) for row in range(SIZE)}
    assert all(ids[rows.id(row)] == rows.read(row) for row in range(len(rows)))  # a slice does not change the ids
    assert [rows.place(row) for row in range(len(rows))] == [
      whole.place(row) for row in range(SIZE) if whole.id(row) in {rows.id(r) for r in range(len(rows))}
    ]


def test_reading_needs_neither_tensorflow_nor_a_network(prepared):
  code = """
import socket, sys
def refused(*args, **kwargs): raise OSError("no network here")
socket.socket.connect = socket.getaddrinfo = refused
import pathlib
from flan_jax.data import readers
for folder in sys.argv[1:]:
  rows = readers.open_rows({"tfds": "tiny_toy/one:1.0.2"}, pathlib.Path(folder))
  assert len([rows.read(row) for row in range(len(rows))]) == 50
assert "tensorflow" not in sys.modules
"""
  done = subprocess.run([sys.executable, "-c", code, *map(str, prepared.values())], capture_output=True, text=True)
  assert done.returncode == 0, done.stderr


def test_an_unprepared_dataset_says_how_to_prepare_it(prepared, tmp_path):
  reader = {"tfds": "tiny_toy/one:1.0.3", "split": "train"}
  spec = specs.TaskSpec("t.t", "t", reader, "span_qa", "c")
  with pytest.raises(sources.MissingDataError) as caught:
    sources.open_source(spec, prepared["tfrecord"])
  told = str(caught.value)
  assert "There is version 1.0.2, which the task does not ask for" in told
  assert f'tfds.load("tiny_toy/one:1.0.3", data_dir="{prepared["tfrecord"]}/tfds")' in told
  assert f"belongs in {prepared['tfrecord']}/tfds/tiny_toy/one/1.0.3" in told
  assert "There is version" not in str(sources.missing_file(spec, tmp_path))
  with pytest.raises(errors.FlanJaxError, match=r"1\.0\.2, which the task does not ask for"):
    opened(prepared["tfrecord"], name="tiny_toy/one:1.0.3")


def test_the_folder_of_tfds_itself_is_looked_at_second(prepared, monkeypatch, tmp_path):
  monkeypatch.setenv("TFDS_DATA_DIR", str(prepared["tfrecord"] / "tfds"))
  assert readers.needs({"tfds": "tiny_toy/one:1.0.2"}) == ()
  assert len(opened(tmp_path)) == SIZE
  shutil.copytree(prepared["array_record"] / "tfds", tmp_path / "tfds")
  assert "array_record" in opened(tmp_path).place(0)


@pytest.mark.parametrize(
  ("name", "split", "reason"),
  [
    ("tiny_toy/one", "train", "not of the form NAME:VERSION or NAME/CONFIG:VERSION"),
    ("../up:1.0.0", "train", "not of the form"),
    ("tiny_toy/one:1.0.2", "valid", "split 'valid'.*'train', 'test'"),
    ("tiny_toy/one:1.0.2", "train[5:", "split 'train\\[5:'"),
  ],
)
def test_a_wrong_name_or_split_is_told(prepared, name, split, reason):
  with pytest.raises(errors.FlanJaxError, match=reason):
    opened(prepared["tfrecord"], split, name)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), file_format=st.sampled_from(FORMATS))
def test_a_damaged_shard_gives_examples_or_reasons(prepared, tmp_path_factory, data, file_format):
  copy = tmp_path_factory.mktemp("damaged")
  shutil.copytree(prepared[file_format] / "tfds", copy / "tfds")
  files = sorted((copy / "tfds" / "tiny_toy" / "one" / "1.0.2").iterdir())
  victim = data.draw(st.sampled_from(files), "file")
  content = bytearray(victim.read_bytes())
  if data.draw(st.booleans(), "cut"):
    content = content[: data.draw(st.integers(0, len(content) - 1))]
  else:
    for _ in range(data.draw(st.integers(1, 4))):
      content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
  victim.write_bytes(content)
  try:
    rows = opened(copy)
  except errors.FlanJaxError as error:
    assert str(copy) in str(error)  # noqa: PT017
    return
  for row in range(len(rows)):
    try:
      assert isinstance(rows.read(row), dict)
    except ValueError as error:
      assert str(error)  # noqa: PT017


def renamed(features: dict, name: str) -> list[dict]:
  """Ways in which a features.json can name a class for TFDS to import."""
  text = features["featuresDict"]["features"]["text"]
  now = {**features, "featuresDict": {"features": {"text": {**text, "pythonClassName": name}}}}
  other_spelling = {**text, "python_class_name": name}
  other_spelling.pop("pythonClassName")
  own = features["pythonClassName"]
  before = {"type": own, "content": {"text": {"type": name, "content": {}}}}
  within = {"pythonClassName": own, "jsonFeature": {"json": json.dumps(before["content"])}}
  return [now, {**now, "featuresDict": {"features": {"text": other_spelling}}}, before, within]


@pytest.mark.parametrize("way", range(4))
def test_no_class_of_a_stranger_is_imported(prepared, tmp_path, monkeypatch, way):
  shutil.copytree(prepared["tfrecord"] / "tfds", tmp_path / "tfds")
  (path,) = tmp_path.rglob("features.json")
  marker = tmp_path / "marker"
  (tmp_path / f"stranger{way}.py").write_text(f"open({str(marker)!r}, 'w').close()", encoding="utf-8")
  monkeypatch.syspath_prepend(str(tmp_path))
  hostile = renamed(json.loads(path.read_text(encoding="utf-8")), f"stranger{way}.Text")[way]
  path.write_text(json.dumps(hostile), encoding="utf-8")
  with pytest.raises(errors.FlanJaxError, match=rf"features\.json: refused: it names the class 'stranger{way}\.Text'"):
    opened(tmp_path)
  assert not marker.exists()
  importlib.import_module(f"stranger{way}")  # which TFDS would have done
  assert marker.exists()


def test_a_lost_shard_is_told(prepared, tmp_path):
  shutil.copytree(prepared["tfrecord"] / "tfds", tmp_path / "tfds")
  lost = next(tmp_path.rglob("*train.tfrecord-00001*"))
  lost.unlink()
  with pytest.raises(errors.FlanJaxError, match=rf"{lost.name}: the shard is not there"):
    opened(tmp_path)


def test_the_fingerprint_changes_with_split_and_content(prepared, tmp_path):
  same = tmp_path / "same"
  shutil.copytree(prepared["array_record"] / "tfds", same / "tfds")
  build(tmp_path / "other" / "tfds", "array_record", examples=SIZE + 1)
  prints = [opened(folder).fingerprint() for folder in (prepared["array_record"], same, tmp_path / "other")]
  assert prints[0] == prints[1] != prints[2]
  assert opened(same, "train[:-1]").fingerprint() != prints[0]
  assert tfds.DEFAULT_SPLIT == "train"
