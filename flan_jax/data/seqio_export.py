"""Tasks and mixtures that a user registered in SeqIO, into stores; a run that trains on them imports no TensorFlow.

The work is done in a subprocess (`seqio_worker`), which imports the user's module and leaves a record of what it read
beside the stores. A later run compares the record, and starts the subprocess again only where something changed.
"""

import dataclasses
import json
import os
import pathlib
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from flan_jax import errors
from flan_jax.data import verifying
from flan_jax.data.seqio_record import Request, read_record
from flan_jax.data.store import TaskStore, open_store
from flan_jax.data.vocabularies import Vocabulary
from flan_jax.progress import Progress, silently

REPORT = "flan_jax.seqio_export\t"  # begins what is for the parent; other lines are the module's own printing


def prepare_registered(
  name: str,
  module: str,
  *,
  vocabulary: Vocabulary,
  lengths: Mapping[str, int],
  store_dir: str | os.PathLike,
  render_seed: int = 0,
  variants: int = 1,
  on_change: Literal["check", "prepare"] = "check",
  processes: int | None = None,
  verify: bool = False,
  progress: Progress = silently,
) -> list[TaskStore]:
  """The stores of the leaf tasks of a user's SeqIO task or mixture, with the rates that the mixture gives them.

  Each task's train split is read once a variant, unshuffled and untrimmed by SeqIO; an example that does not fit a row
  is left out and counted in the manifest (a preprocessor of the user's own may cut it first: that is theirs to say).

  Where the module's files, the packages that it loads or its vocabulary are no longer those of the record, 'check'
  makes some 100 examples anew (`seqio_check` says which). Are they the same, the stores are used and the record says
  so, with the rates that the mixture has now: rates are not in the stores. Otherwise it refuses. 'prepare' makes the
  stores anew; the old ones stay.

  Args:
    name: what the module registers.
    module: dotted name, found on PYTHONPATH or in the working folder.
    vocabulary: of the run; the tasks' features must use the same SentencePiece file (or pass ids through).
    lengths: tokens of a row by feature, 'inputs' and 'targets', which are SeqIO's `sequence_length` too; or {'text': N}
      under an objective, where SeqIO gets none, so that no preprocessor trims a text that is to be cut into pieces.
    store_dir: receives `seqio/NAME`, with the record and a folder a task.
    render_seed: with task and variant, the seed that SeqIO gets for preprocessors that draw.
    variants: passes over each dataset, each with other seeds; a store holds them all, one after another.
    on_change: see above.
    processes: that import the module and share the tasks; None for one in 50 tasks, the cores at most.
    verify: reads every file of the stores that stand first, and makes those again that are damaged.
    progress: shows the tasks done, and each one's size.

  Raises:
    UsageError: no such module or name, another vocabulary, no train split, no targets.
    FlanJaxError: the examples changed since they were prepared; the module's code failed; a full disk; a damaged store.
  """
  request = Request(
    name, module, str(vocabulary.path), vocabulary.extra_ids, dict(lengths), os.path.abspath(os.fspath(store_dir)),
    render_seed, variants,
  )  # fmt: skip
  if verify and (record := read_record(request)):
    verifying.remove_damaged([pathlib.Path(request.store_dir) / made.folder for made in record.tasks], progress)
  if (record := read_record(request)) and record.changes():
    _run(on_change, request, processes, progress)
    record = read_record(request)
  if record is None or len(record.standing(request)) < len(record.tasks):
    _run("prepare", request, processes, progress)
  return [open_store(pathlib.Path(request.store_dir) / made.folder, made.rate) for made in read_record(request).tasks]


def _run(action: str, request: Request, processes: int | None, progress: Progress) -> None:
  """Runs the subprocess; raises its error, which comes as a report, or the end of what it wrote on stderr."""
  # TensorFlow would take the accelerator's memory and write pages of notes.
  environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu", "TF_CPP_MIN_LOG_LEVEL": "3"}
  job = json.dumps({"action": action, "processes": processes, "request": dataclasses.asdict(request)})
  command = [sys.executable, "-m", "flan_jax.data.seqio_worker", job]
  with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as said:
    # The subprocess ends when its stdin does: with this block, or with this process however that ends.
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": said}
    with subprocess.Popen(command, **pipes, text=True, errors="replace", env=environment) as child:
      reports = _reports(child.stdout)
      total = next(reports, {"tasks": 0})["tasks"]
      with progress(f"{_VERBS[action]} {request.name} from {request.module}", total, "tasks") as advance:
        for report in reports:
          advance(report["done"], report["note"])
    if child.returncode:
      said.seek(0)
      tail = "".join(said.readlines()[-15:])
      raise errors.FlanJaxError(f"the SeqIO module {request.module} failed while {request.name} was read:\n{tail}")


_VERBS = {"prepare": "preparing", "check": "checking"}
_ERRORS = {"usage": errors.UsageError, "failed": errors.FlanJaxError}


def _reports(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
  """First the number of tasks, then what is done of them; raises the error that the subprocess reports."""
  for line in lines:
    printed, *contents = line.split(REPORT)
    print(printed, end="", file=sys.stderr)
    for report in map(json.loads, contents):
      if "error" in report:
        raise _ERRORS[report["kind"]](report["error"])
      if "said" in report:
        print(report["said"], file=sys.stderr)
      else:
        yield report
