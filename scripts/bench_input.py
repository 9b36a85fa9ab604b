"""The input stream beside SeqIO's own: time to the first batch, memory, packed rows a second.

python scripts/bench_input.py                                # 100 and 2,000 tasks
python scripts/bench_input.py --tasks 100 --json

The same tasks (scripts/bench_input_tasks.py, registered in SeqIO) are read by flan_jax from their stores and by
seqio.get_dataset with its packing, each in a process of its own, one after the other. For each number of tasks:

  first_batch_s    from after the imports to the first batch of a prepared mixture
  rss_mb           the most resident memory, some seconds of rows included, of the process and those that it started
  rows_per_s       packed rows, as the trainer gets them with train.input_processes = --processes
  rows_per_s_alone the same with a thread of the one process only
  read_rows_per_s  the same records in the same order read into preallocated rows, with nothing planned or laid out
  open_files       file descriptors of the process, the most seen
  seqio_*          SeqIO's; null where it took longer than --seqio_limit_s
"""

import argparse
import itertools
import json
import multiprocessing
import os
import pathlib
import re
import resource
import subprocess
import sys
import tempfile
import time

SCRIPTS = pathlib.Path(__file__).parent
MODULE = "bench_input_tasks"


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--tasks", type=int, nargs="+", default=[100, 2000])
  parser.add_argument("--lengths", type=int, nargs=2, default=[512, 128], metavar=("I", "T"), help="slots of a row")
  parser.add_argument("--batch_rows", type=int, default=64)
  parser.add_argument("--seconds", type=float, default=15.0, help="how long rows are counted")
  parser.add_argument("--processes", type=int, default=2, help="that make windows ahead; train.input_processes")
  parser.add_argument("--seqio_limit_s", type=float, default=600.0)
  parser.add_argument("--store_dir", help="keeps the stores (default: a temporary folder)")
  parser.add_argument("--json", action="store_true")
  parser.add_argument("--measure", choices=["prepare", "ours", "seqio"], help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.measure:
    print(json.dumps(_MEASURES[args.measure](args)))
    return
  with tempfile.TemporaryDirectory() as folder:
    # A folder for each number: to the store, they are one module that has not changed.
    root = pathlib.Path(args.store_dir or folder)
    results = {str(tasks): measured(args, tasks, str(root / str(tasks))) for tasks in args.tasks}
  print(json.dumps(results) if args.json else table(results))


def measured(args: argparse.Namespace, tasks: int, store_dir: str) -> dict[str, float | None]:
  """All figures of one number of tasks; every measurement is a process."""
  _in_process("prepare", args, tasks, store_dir)
  ours = _in_process("ours", args, tasks, store_dir)
  seqio = _in_process("seqio", args, tasks, store_dir, args.seqio_limit_s + args.seconds)
  names = ("first_batch_s", "rss_mb", "rows_per_s")
  return {**ours, **{f"seqio_{name}": seqio[name] if seqio else None for name in names}}


def _in_process(measure: str, args: argparse.Namespace, tasks: int, store_dir: str, limit: float | None = None):
  command = [sys.executable, __file__, "--measure", measure, "--tasks", str(tasks), "--store_dir", store_dir]
  command += ["--lengths", *map(str, args.lengths), "--batch_rows", str(args.batch_rows)]
  command += ["--processes", str(args.processes)]
  path = os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent), os.environ.get("PYTHONPATH", "")])
  environment = {
    **os.environ,
    "PYTHONPATH": path,
    "BENCH_INPUT_TASKS": str(tasks),
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
  }
  command += ["--seconds", str(args.seconds)]
  try:
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=limit, check=True)
  except subprocess.TimeoutExpired:
    return None
  return json.loads(done.stdout.splitlines()[-1])


def _stores(args: argparse.Namespace):
  from flan_jax import progress
  from flan_jax.data.preparation import Preparation
  from flan_jax.data.vocabularies import load_vocabulary

  return Preparation(
    mixture="bench_input",
    module=MODULE,
    vocabulary=load_vocabulary("demo"),
    lengths=dict(zip(("inputs", "targets"), args.lengths, strict=True)),
    store_dir=args.store_dir,
  ).stores(progress=progress.shown)


def prepare(args: argparse.Namespace) -> dict[str, float]:
  started = time.perf_counter()
  _stores(args)
  return {"prepare_s": time.perf_counter() - started}


def ours(args: argparse.Namespace) -> dict[str, float]:
  from flan_jax.data.prefetching import Prefetcher
  from flan_jax.data.segments import EncoderDecoderRows
  from flan_jax.data.stream import Position, Stream

  started = time.perf_counter()
  stores = _stores(args)
  if len(stores) != args.tasks[0]:
    raise RuntimeError(f"{len(stores)} stores instead of {args.tasks[0]}")
  rates = [store.rate for store in stores]
  stream = Stream(stores, rates, EncoderDecoderRows(*args.lengths), args.batch_rows, seed=0)
  with Prefetcher(stream, Position(), processes=args.processes) as batches:
    next(batches)
    first = time.perf_counter() - started
    together, files, children = _counted(batches, args)
  with Prefetcher(stream, Position()) as batches:
    next(batches)
    alone, _, _ = _counted(batches, args)
  if {"tensorflow", "seqio", "jax"} & set(sys.modules):
    raise RuntimeError("the input stream imported TensorFlow, SeqIO or JAX")
  return {
    "first_batch_s": first,
    "rss_mb": _rss() + children,
    "rows_per_s": together,
    "rows_per_s_alone": alone,
    "read_rows_per_s": reading(stream, args),
    "open_files": files,
  }


def _counted(batches, args: argparse.Namespace) -> tuple[float, int, float]:
  """(rows a second, most open files of this process, MB of the processes that it started)."""
  rows, files, begun = 0, 0, time.perf_counter()
  while (spent := time.perf_counter() - begun) < args.seconds:
    next(batches)
    rows += args.batch_rows
    if rows % 4096 < args.batch_rows:
      files = max(files, len(os.listdir("/proc/self/fd")))
  peaks = [pathlib.Path(f"/proc/{child.pid}/status").read_text() for child in multiprocessing.active_children()]
  return rows / spent, files, sum(int(re.search(r"VmHWM:\s+(\d+)", peak)[1]) for peak in peaks) / 1024


def reading(stream, args: argparse.Namespace) -> float:
  """Rows a second of the bare reading: planned beforehand, each record to its place in rows that are there already."""
  import numpy as np

  from flan_jax.data.records import Records

  records = Records(stream.stores)
  plans = [stream.plan(window) for window in range(4)]
  wanted = [records.first[plan.task] + plan.example for plan in plans]
  rows = [np.zeros((max(plan.rows for plan in plans), slots), np.int32) for slots in args.lengths]
  done, begun = 0, time.perf_counter()
  while (spent := time.perf_counter() - begun) < args.seconds / 3:
    for plan, entries in zip(plans, wanted, strict=True):
      for out, side in zip(rows, records.read(entries), strict=True):
        bounds = np.r_[side.starts, len(side.tokens)][plan.starts].tolist()
        for row, (start, stop) in enumerate(itertools.pairwise(bounds)):
          out[row, : stop - start] = side.tokens[start:stop]
      done += plan.rows
  return done / spent


def seqio(args: argparse.Namespace) -> dict[str, float]:
  import bench_input_tasks
  import seqio

  started = time.perf_counter()
  dataset = seqio.get_dataset(
    bench_input_tasks.MIXTURE,
    dict(zip(("inputs", "targets"), args.lengths, strict=True)),
    dataset_split="train",
    shuffle=True,
    num_epochs=None,
    feature_converter=seqio.EncDecFeatureConverter(pack=True),
    seed=0,
  )
  batches = dataset.batch(args.batch_rows, drop_remainder=True).prefetch(8).as_numpy_iterator()
  next(batches)
  first = time.perf_counter() - started
  rows, begun = 0, time.perf_counter()
  while (spent := time.perf_counter() - begun) < args.seconds:
    next(batches)
    rows += args.batch_rows
  return {"first_batch_s": first, "rss_mb": _rss(), "rows_per_s": rows / spent}


_MEASURES = {"prepare": prepare, "ours": ours, "seqio": seqio}


def _rss() -> float:
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def table(results: dict[str, dict[str, float | None]]) -> str:
  names = list(next(iter(results.values())))
  lines = [f"{'tasks':>22}" + "".join(f"{tasks:>12}" for tasks in results)]
  for name in names:
    values = (result[name] for result in results.values())
    lines.append(f"{name:>22}" + "".join(f"{'-' if value is None else f'{value:,.1f}':>12}" for value in values))
  return "\n".join(lines)


if __name__ == "__main__":
  main()
