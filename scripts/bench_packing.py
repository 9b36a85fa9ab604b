"""Packs given lengths at three shapes of a row and prints rows, what is provably needed, and speed.

python scripts/real_mix_lengths.py --data_dir ../shared/data --out /tmp/lengths.npy
python scripts/bench_packing.py --lengths /tmp/lengths.npy --window 16384 --json

FILE.npy holds integers [n, 2]: tokens of inputs and of targets, EOS counted. It is cut into windows, each packed on its
own; rows and bounds are sums over the windows, the last and shorter one included. All examples are packed: one that is
longer than a row fills that side of one, and `cut` says how many there were. (The length rule of `prepare` leaves such
examples out instead; rows without them are easier to fill.)
"""

import argparse
import json
import pathlib
import time

import numpy as np
from jaxtyping import Int

from flan_jax.data import packing, packing_bound

SHAPES = ((2048, 512), (1024, 256), (512, 128))


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument(
    "--lengths", type=pathlib.Path, required=True, metavar="FILE.npy", help="scripts/real_mix_lengths.py writes one"
  )
  parser.add_argument("--window", type=int, default=16_384, help="examples that are planned together")
  parser.add_argument("--repeats", type=int, default=3, help="each window is timed so often and its best time counts")
  parser.add_argument("--json", action="store_true")
  args = parser.parse_args()
  if args.window < 1 or args.repeats < 1:
    parser.error("--window and --repeats must be 1 or more")
  try:
    lengths = read_lengths(args.lengths)
  except ValueError as error:
    parser.error(str(error))
  results = {f"{shape[0]}/{shape[1]}": measured(lengths, shape, args.window, args.repeats) for shape in SHAPES}
  print(json.dumps(results) if args.json else table(results))


def read_lengths(path: pathlib.Path) -> Int[np.ndarray, "n 2"]:
  """The lengths of a file. Raises ValueError if there are none."""
  try:
    lengths = np.load(path)
  except (OSError, ValueError, EOFError) as error:
    raise ValueError(f"--lengths {path}: {error}; scripts/real_mix_lengths.py writes such a file") from None
  if lengths.ndim != 2 or lengths.shape[1] != 2 or lengths.dtype.kind not in "iu" or not len(lengths):
    raise ValueError(f"--lengths {path}: {lengths.dtype} {list(lengths.shape)}, wanted integers [n, 2]")
  bad = np.flatnonzero((lengths < 0).any(axis=1) | (lengths.sum(axis=1) < 1))
  if len(bad):
    raise ValueError(f"--lengths {path}: example {bad[0]} has lengths {lengths[bad[0]].tolist()}")
  return lengths.astype(np.int32)


def measured(lengths: Int[np.ndarray, "n 2"], shape: tuple[int, int], window: int, repeats: int) -> dict[str, float]:
  """What packing all windows at one shape gives; seconds are one core's processor time for planning alone."""
  rows = bound = 0
  tokens, seconds = np.zeros(2, np.int64), 0.0
  fitted = np.minimum(lengths, np.array(shape, np.int32))
  packing.pack(fitted[:100], shape)  # the first call warms up
  for start in range(0, len(lengths), window):
    drawn = fitted[start : start + window]
    times = []
    for _ in range(repeats):
      started = time.process_time()
      row_of = packing.pack(drawn, shape)
      times.append(time.process_time() - started)
    rows += int(row_of.max(initial=-1)) + 1
    bound += packing_bound.bound_rows(drawn, shape)
    tokens, seconds = tokens + drawn.sum(axis=0), seconds + min(times)
  fill = tokens / (max(rows, 1) * np.array(shape))
  return {
    "rows": rows,
    "bound_rows": bound,
    "fill_inputs": float(fill[0]),
    "fill_targets": float(fill[1]),
    "examples_per_s": len(lengths) / max(seconds, 1e-9),
    "examples": len(lengths),
    "cut": int((lengths > shape).any(axis=1).sum()),
  }


def table(results: dict[str, dict[str, float]]) -> str:
  """A line a shape."""
  lines = ["    shape      rows     bound   above  inputs targets  examples/s       cut"]
  for name, at in results.items():
    above = at["rows"] / max(at["bound_rows"], 1) - 1
    lines.append(
      f"{name:>9} {at['rows']:>9,} {at['bound_rows']:>9,} {above:>7.2%} {at['fill_inputs']:>7.1%} "
      f"{at['fill_targets']:>7.1%} {at['examples_per_s']:>11,.0f} {at['cut']:>9,}"
    )
  return "\n".join(lines)


if __name__ == "__main__":
  main()
