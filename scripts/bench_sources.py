"""Records a second of each reader over a large file, and how much memory grows while it streams.

python scripts/bench_sources.py --json                       # 200 MB a reader; a minute to make each file
python scripts/bench_sources.py --quick --readers csv tfds   # 4 MB, two readers
python scripts/bench_sources.py --prepare 300000             # memory of a whole preparation from a JSONL of so many

Each reader runs in a process of its own. `growth_mb` is the peak of anonymous memory (RssAnon of /proc: what mmap maps
of the file is the system's to drop) above what the process held when the file was open and its first record was read.
`index_mb` is what it held then above the start: the library's own size, and a few bytes a record.
"""

import argparse
import contextlib
import csv
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

RECORD_BYTES = 400


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--readers", nargs="+", choices=WRITERS, default=list(WRITERS), metavar="READER")
  parser.add_argument("--megabytes", type=int, default=200, help="size of each generated file")
  parser.add_argument("--quick", action="store_true", help="4 MB instead")
  parser.add_argument("--prepare", type=int, metavar="EXAMPLES", help="measures `prepare` instead of the readers")
  parser.add_argument("--json", action="store_true")
  parser.add_argument("--folder", type=pathlib.Path, help=argparse.SUPPRESS)  # the measuring process's
  args = parser.parse_args()
  if args.folder is not None:
    measure = preparing if args.prepare else streaming
    print(json.dumps(measure(args.folder, args.prepare or args.readers[0])))
    return
  examples = (4 if args.quick else args.megabytes) * 1_000_000 // RECORD_BYTES
  with tempfile.TemporaryDirectory() as folder:
    if args.prepare:
      write_task(pathlib.Path(folder), args.prepare)
      results = {"prepare": in_a_process(folder, ["--prepare", str(args.prepare)])}
    else:
      results = {kind: result(kind, pathlib.Path(folder), examples) for kind in args.readers}
  if args.json:
    print(json.dumps(results))
    return
  for kind, found in results.items():
    print(f"{kind:>12}: " + ", ".join(f"{name} {value:,}" for name, value in found.items()))


def result(kind: str, folder: pathlib.Path, examples: int) -> dict[str, Any]:
  """What one reader does, in a process of its own, over a file that is made for it."""
  try:
    WRITERS[kind](folder / kind, examples)
  except ImportError as error:
    return {"skipped": str(error)}
  found = in_a_process(folder, ["--readers", kind])
  return {**found, "megabytes": round(size(folder / kind) / 1e6)}


def size(path: pathlib.Path) -> int:
  """Bytes of a file, or of all files of a folder."""
  return sum(file.stat().st_size for file in (path, *path.rglob("*")) if file.is_file())


def in_a_process(folder: str | os.PathLike, arguments: list[str]) -> dict[str, Any]:
  """The figures that this script prints for `--folder`."""
  command = [sys.executable, __file__, "--folder", str(folder), *arguments]
  return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.splitlines()[-1])


def streaming(folder: pathlib.Path, kind: str) -> dict[str, float]:
  """Opens a reader and reads everything in order."""
  from flan_jax.data import readers

  start = anonymous_mb()
  rows = readers.open_rows(entry_of(kind), folder)
  started = time.perf_counter()
  rows.read(0)
  opened = time.perf_counter() - started
  held, peak, started = anonymous_mb(), 0.0, time.perf_counter()
  for row in range(len(rows)):
    rows.read(row)
    if row % 5000 == 0:
      peak = max(peak, anonymous_mb())
  seconds = time.perf_counter() - started
  return {
    "records": len(rows),
    "records_per_s": round(len(rows) / seconds),
    "first_record_s": round(opened, 2),
    "index_mb": round(held - start, 1),
    "growth_mb": round(max(peak, anonymous_mb()) - held, 1),
  }


def preparing(folder: pathlib.Path, examples: int) -> dict[str, float]:
  """Prepares the task of `write_task` in this process; memory is looked at 50 times a second."""
  os.environ["FLAN_JAX_COLLECTIONS"] = str(folder / "collections")
  from flan_jax.data import mixtures, prepare, vocabularies

  mixture, vocabulary = mixtures.get_mixture("bench.large"), vocabularies.load_vocabulary("demo")
  start, peak, done = anonymous_mb(), [0.0], threading.Event()

  def watch() -> None:
    while not done.wait(0.02):
      peak[0] = max(peak[0], anonymous_mb())

  watcher, started = threading.Thread(target=watch), time.perf_counter()
  watcher.start()
  lengths = {"inputs": 512, "targets": 128}
  places = {"data_dir": folder, "store_dir": folder / "store"}
  (store,) = prepare.prepare(mixture, vocabulary=vocabulary, lengths=lengths, processes=1, **places)
  seconds = time.perf_counter() - started
  done.set()
  watcher.join()
  growth = peak[0] - start
  return {
    "examples": len(store),
    "examples_per_s": round(len(store) / seconds),
    "growth_mb": round(growth, 1),
    "growth_bytes_per_example": round(growth * 1e6 / examples),
  }


def anonymous_mb() -> float:
  """RssAnon of this process."""
  status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
  return int(status.split("RssAnon:")[1].split()[0]) / 1024


def entry_of(kind: str) -> dict[str, Any]:
  """The reader entry for the file that the kind's writer makes in the data folder."""
  more = {"tsv": {"header": True}, "json": {"rows": "data"}}.get(kind, {})
  return {"tfds": "large:1.0.0"} if kind == "tfds" else {kind: kind, **more}


def records(examples: int) -> Iterator[dict[str, Any]]:
  """Questions of about RECORD_BYTES bytes each, none like another."""
  for i in range(examples):
    words = " ".join(f"word{(i * 31 + j * j) % 9973}" for j in range(38))
    yield {"id": f"record-{i}", "question": f"{i}: {words}?", "answer": f"answer {i % 1000}"}


def write_lines(path: pathlib.Path, examples: int) -> None:
  with path.open("w", encoding="utf-8") as file:
    file.writelines(json.dumps(record) + "\n" for record in records(examples))


def write_table(path: pathlib.Path, examples: int, delimiter: str) -> None:
  with path.open("w", encoding="utf-8", newline="") as file:
    writer = csv.DictWriter(file, ["id", "question", "answer"], delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records(examples))


def write_json(path: pathlib.Path, examples: int) -> None:
  with path.open("w", encoding="utf-8") as file:
    file.write('{"version": 1, "data": [')
    file.writelines((",\n" if i else "\n") + json.dumps(record) for i, record in enumerate(records(examples)))
    file.write("]}\n")


def write_squad(path: pathlib.Path, examples: int) -> None:
  def article(record: dict[str, Any]) -> dict[str, Any]:
    asked = {"id": record["id"], "question": "Which answer?", "answers": [{"text": record["answer"]}]}
    return {"title": record["id"], "paragraphs": [{"context": record["question"], "qas": [asked]}]}

  with path.open("w", encoding="utf-8") as file:
    file.write('{"data": [')
    file.writelines((",\n" if i else "\n") + json.dumps(article(record)) for i, record in enumerate(records(examples)))
    file.write("]}\n")


def write_parquet(path: pathlib.Path, examples: int) -> None:
  import pyarrow
  import pyarrow.parquet

  made, group = records(examples), 20_000
  schema = pyarrow.schema([(name, pyarrow.string()) for name in ("id", "question", "answer")])
  with pyarrow.parquet.ParquetWriter(path, schema) as writer:
    while part := [record for _, record in zip(range(group), made, strict=False)]:
      writer.write_table(pyarrow.Table.from_pylist(part, schema=schema))


def write_huggingface(path: pathlib.Path, examples: int) -> None:
  import datasets

  datasets.disable_progress_bars()
  cache = str(path.with_name("cache"))
  datasets.Dataset.from_generator(lambda: records(examples), cache_dir=cache).save_to_disk(path)


def write_tfds(path: pathlib.Path, examples: int) -> None:
  import tensorflow_datasets as tfds

  class Large(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Texts only."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
      columns = {name: tfds.features.Text() for name in ("id", "question", "answer")}
      features = tfds.features.FeaturesDict(columns)
      return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager):
      return {"train": self._generate_examples()}

    def _generate_examples(self):
      yield from enumerate(records(examples))

  tfds.disable_progress_bar()
  with contextlib.redirect_stdout(sys.stderr):  # where TFDS says what it does
    Large(data_dir=str(path), file_format="tfrecord").download_and_prepare()


def write_task(folder: pathlib.Path, examples: int) -> None:
  """A collection with one task, whose JSONL file has so many examples."""
  write_lines(folder / "large.jsonl", examples)
  wordings = ["{{ question }}", "Q: {{ question }}\nA:", "{{ question }} Say what is right."]
  kind = {"name": "bench_qa", "fields": ["question", "answer"], "target": "{{ answer }}", "wordings": wordings}
  task = {"name": "large", "reader": {"jsonl": "large.jsonl"}, "type": "bench_qa", "cluster": "qa"}
  collection = folder / "collections" / "bench"
  collection.mkdir(parents=True)
  for name, entries in (("types", [kind]), ("tasks", [task]), ("mixtures", [])):
    (collection / f"{name}.yaml").write_text(json.dumps(entries), encoding="utf-8")  # JSON is YAML


WRITERS: dict[str, Callable[[pathlib.Path, int], None]] = {
  "tsv": lambda path, examples: write_table(path, examples, "\t"),
  "csv": lambda path, examples: write_table(path, examples, ","),
  "jsonl": write_lines,
  "json": write_json,
  "squad": write_squad,
  "parquet": write_parquet,
  "tfds": write_tfds,
  "huggingface": write_huggingface,
}


if __name__ == "__main__":
  main()
