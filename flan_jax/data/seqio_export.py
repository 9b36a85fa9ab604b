"""Tasks and mixtures that a user registered in SeqIO, into stores; a run that trains on them imports no TensorFlow.

The work is done in a subprocess (`python -m flan_jax.data.seqio_export`), which imports the user's module. It leaves a
record of what it read beside the stores: hashes of the module's source files, versions of packages, the mixture's
rates. A later run compares these, and starts the subprocess again only where something changed.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import os
import pathlib
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from flan_jax import atomic, errors
from flan_jax.data import prepare, store_writing
from flan_jax.data.store import Origin, TaskStore, open_store
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary

if TYPE_CHECKING:
  import seqio

_REPORT = "flan_jax.seqio_export\t"  # begins the lines that are for the parent; others are the module's own printing
_VERSIONED = ("seqio", "tensorflow", "tensorflow-datasets", "sentencepiece")


@dataclasses.dataclass(frozen=True)
class Request:
  """What to export, in plain values: it travels to the subprocess as JSON.

  Attributes:
    name: of the SeqIO task or mixture.
    module: dotted name of what registers it when imported.
    lengths: tokens of a row by feature, EOS included.
  """

  name: str
  module: str
  vocabulary_path: str
  extra_ids: int
  lengths: dict[str, int]
  store_dir: str

  def vocabulary(self) -> Vocabulary:
    return load_vocabulary(self.vocabulary_path, extra_ids=self.extra_ids)

  def shape(self) -> dict[str, Any]:
    """The parts of a store's key that are known without the module."""
    return {
      "store": prepare.STORE_VERSION,
      "module": self.module,
      "vocabulary": {"sha256": self.vocabulary().sha256, "extra_ids": self.extra_ids},
      "lengths": self.lengths,
      "versions": {name: importlib.metadata.version(name) for name in _VERSIONED},
    }

  def record_path(self) -> pathlib.Path:
    """Where the subprocess says what it read and made."""
    return pathlib.Path(self.store_dir) / "seqio" / self.name / f"{prepare.key_digest(self.shape())}.json"


def prepare_registered(
  name: str,
  module: str,
  *,
  vocabulary: Vocabulary,
  lengths: Mapping[str, int],
  store_dir: str | os.PathLike,
  progress: prepare.Progress = prepare.silently,
) -> list[TaskStore]:
  """The stores of the leaf tasks of a user's SeqIO task or mixture, with the rates that the mixture gives them.

  Each task's train split is read once, unshuffled and untrimmed by SeqIO; an example that does not fit a row is left
  out and counted in the manifest (a preprocessor of the user's own may cut it first: that is theirs to say).

  Args:
    name: what the module registers.
    module: dotted name, found on PYTHONPATH or in the working folder.
    vocabulary: of the run; the tasks' features must use the same SentencePiece file (or pass ids through).
    lengths: tokens of a row by feature, 'inputs' and 'targets'; SeqIO's `sequence_length`.

  Raises:
    UsageError: no such module or name, another vocabulary, no train split, no targets.
    FlanJaxError: the module's code failed; a full disk; a damaged store.
  """
  request = Request(
    name, module, str(vocabulary.path), vocabulary.extra_ids, dict(lengths), os.path.abspath(os.fspath(store_dir))
  )
  record = _current_record(request)
  if record is None:
    _run(request, progress)
    record = json.loads(request.record_path().read_text(encoding="utf-8"))
  return [open_store(pathlib.Path(request.store_dir) / made["folder"], made["rate"]) for made in record["tasks"]]


def _current_record(request: Request) -> dict[str, Any] | None:
  """The record of an earlier export, if the module's files are as they were and the stores stand."""
  path = request.record_path()
  if not path.exists():
    return None
  record = json.loads(path.read_text(encoding="utf-8"))
  same = all(_digest(pathlib.Path(file)) == digest for file, digest in record["sources"].items())
  standing = all((pathlib.Path(request.store_dir) / made["folder"]).exists() for made in record["tasks"])
  return record if same and standing else None


def _digest(path: pathlib.Path) -> str:
  return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def _run(request: Request, progress: prepare.Progress) -> None:
  """Runs the subprocess; raises its error, which comes as a report, or the end of what it wrote on stderr."""
  # TensorFlow would take the accelerator's memory and write pages of notes.
  environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
  command = [sys.executable, "-m", "flan_jax.data.seqio_export", json.dumps(dataclasses.asdict(request))]
  with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, text=True, env=environment) as child:
      reports = _reports(child.stdout)
      total = next(reports, {"tasks": 0})["tasks"]
      with progress(f"preparing {request.name} from {request.module}", total, "tasks") as advance:
        for report in reports:
          advance(1, report["task"])
    if child.returncode:
      said.seek(0)
      tail = "".join(said.readlines()[-15:])
      raise errors.FlanJaxError(f"the SeqIO module {request.module} failed while {request.name} was read:\n{tail}")


_ERRORS = {"usage": errors.UsageError, "failed": errors.FlanJaxError}


def _reports(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
  """First the number of tasks, then each task that is done; raises the error that the subprocess reports."""
  for line in lines:
    if not line.startswith(_REPORT):
      print(line, end="", file=sys.stderr)
      continue
    report = json.loads(line.removeprefix(_REPORT))
    if "error" in report:
      raise _ERRORS[report["kind"]](report["error"])
    yield report


def main(argument: str) -> None:
  """The subprocess: exports what the JSON of a Request asks for, and reports on stdout."""
  request = Request(**json.loads(argument))
  try:
    _export(request)
  except errors.FlanJaxError as error:
    _report(error=str(error), kind="usage" if isinstance(error, errors.UsageError) else "failed")


def _report(**content: Any) -> None:
  print(f"{_REPORT}{json.dumps(content)}", flush=True)


def _export(request: Request) -> None:
  from flan_jax.data import seqio_bridge

  leaves = seqio_bridge.user_tasks(request.module, request.name)
  sources = {str(path): _digest(path) for path in _source_files(request.module)}
  _report(tasks=len(leaves))
  made = []
  for leaf in leaves:
    key = {**request.shape(), "sources": sorted(sources.values()), "task": leaf.task.name}
    folder = pathlib.Path("seqio", request.name, leaf.task.name, prepare.key_digest(key))
    _write_task(leaf.task, request, key, pathlib.Path(request.store_dir) / folder)
    made.append({"task": leaf.task.name, "rate": leaf.rate, "folder": str(folder)})
    _report(task=leaf.task.name)
  record = {"sources": sources, "tasks": made, **request.shape()}
  atomic.write_atomically(request.record_path(), json.dumps(record, indent=2).encode())


def _source_files(module: str) -> list[pathlib.Path]:
  """The user's own code that is loaded: the module, its package, and whatever was not installed."""
  installed = [pathlib.Path(sysconfig.get_path(kind)).resolve() for kind in ("stdlib", "purelib", "platlib")]
  ours = pathlib.Path(__file__).resolve().parents[1]
  package = module.partition(".")[0]
  found = set()
  for name, loaded in list(sys.modules.items()):
    file = getattr(loaded, "__file__", None)
    if not isinstance(file, str) or not file.endswith(".py"):
      continue
    path = pathlib.Path(file).resolve()
    theirs = not any(path.is_relative_to(folder) for folder in (*installed, ours))
    if theirs or name.partition(".")[0] == package:
      found.add(path)
  return sorted(found)


def _write_task(task: "seqio.Task", request: Request, key: Mapping[str, Any], final: pathlib.Path) -> None:
  if final.exists():
    return
  vocabulary = request.vocabulary()
  _check_task(task, vocabulary)
  dtype = store_writing.token_dtype(vocabulary.size)
  counts = Counter({"kept": 0})
  with store_writing.building(final) as temporary, store_writing.naming_disk_errors(final.parent):
    with store_writing.ShardWriter(temporary, 0, prepare.FEATURES, dtype) as writer:
      for number, tokens in enumerate(_examples(task, request.lengths)):
        fate = _fate(tokens, request.lengths)
        counts[fate] += 1
        if fate == "kept":
          writer.add(tokens, Origin(str(number), "", "seqio", 0))
    facts = {
      "task": task.name,
      "features": list(prepare.FEATURES),
      "token_dtype": dtype,
      "counts": dict(counts),
      "key": key,
    }
    store_writing.commit(temporary, final, [writer.shard], facts)


def _check_task(task: "seqio.Task", vocabulary: Vocabulary) -> None:
  if "train" not in task.splits:
    raise errors.UsageError(f"SeqIO task {task.name} has no split 'train', only {', '.join(task.splits)}")
  if "targets" not in task.output_features:
    raise errors.UsageError(f"SeqIO task {task.name} has no feature 'targets', only {', '.join(task.output_features)}")
  for name in set(prepare.FEATURES) & set(task.output_features):
    theirs = task.output_features[name].vocabulary
    if not _same_ids(theirs, vocabulary):
      raise errors.UsageError(
        f"SeqIO task {task.name} tokenises {name} with {theirs}, the run with {vocabulary.path} "
        f"({vocabulary.extra_ids} extra ids); give both the same file (--gin.VOCABULARY)"
      )


def _same_ids(theirs: "seqio.Vocabulary", vocabulary: Vocabulary) -> bool:
  import seqio
  import tensorflow as tf

  if isinstance(theirs, seqio.PassThroughVocabulary):
    return theirs.vocab_size <= vocabulary.size
  if not isinstance(theirs, seqio.SentencePieceVocabulary):
    return False
  with tf.io.gfile.GFile(theirs.sentencepiece_model_file, "rb") as file:
    digest = hashlib.sha256(file.read()).hexdigest()
  # Without sentinels the pieces still have the same ids.
  return digest == vocabulary.sha256 and theirs.extra_ids in (0, vocabulary.extra_ids)


def _examples(task: "seqio.Task", lengths: Mapping[str, int]) -> Iterator[dict[str, np.ndarray]]:
  """The clean tokens of the train split, in SeqIO's order; a task without the feature 'inputs' has empty ones."""
  dataset = task.get_dataset(
    sequence_length=lengths, split="train", shuffle=False, num_epochs=1, trim_output_features=False
  )
  absent = {feature: np.zeros(0, np.int32) for feature in prepare.FEATURES if feature not in task.output_features}
  for example in dataset.as_numpy_iterator():
    # A column that is no output feature may be there too, as text.
    tokens = {**example, **absent}
    yield {feature: _clean(tokens[feature]) for feature in prepare.FEATURES}


def _clean(tokens: np.ndarray) -> np.ndarray:
  """Without the EOS at the end, if there is one: the stream appends it."""
  return tokens[:-1] if len(tokens) and tokens[-1] == Vocabulary.eos_id else tokens


def _fate(tokens: Mapping[str, np.ndarray], lengths: Mapping[str, int]) -> str:
  if not len(tokens["targets"]):
    return "left out: empty target"
  long = [feature for feature, ids in tokens.items() if len(ids) >= lengths[feature]]
  return f"left out: {long[0]} longer than the row" if long else "kept"


if __name__ == "__main__":
  main(sys.argv[1])
