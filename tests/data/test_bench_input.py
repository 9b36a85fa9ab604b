"""The benchmark of the input stream on a few tasks: it runs to its end and says what the issue asks of it."""

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/bench_input.py"


@pytest.mark.slow
def test_a_small_benchmark_says_all_figures():
  arguments = ["--tasks", "3", "5", "--seconds", "0.5", "--json"]
  done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, check=True)
  found = json.loads(done.stdout)
  assert list(found) == ["3", "5"]
  for figures in found.values():
    names = {"first_batch_s", "rss_mb", "rows_per_s"}
    assert set(figures) >= {*names, *(f"seqio_{name}" for name in names), "read_rows_per_s", "open_files"}
    assert all(value > 0 for value in figures.values())
