"""The benchmark of saving and restoring, on a model that takes a moment."""

import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/bench_checkpoint.py"


@pytest.mark.slow
def test_it_measures_each_part_and_leaves_nothing(tmp_path):
  command = [sys.executable, SCRIPT, "--size", "t5_demo", "--folder", tmp_path, "--repeats", "1", "--json"]
  result = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
  assert 0 < result["save_blocking_s"] <= result["save_s"]
  assert result["array_mb"] <= result["file_mb"] < 1.2 * result["array_mb"] + 1
  assert not list(tmp_path.iterdir())
