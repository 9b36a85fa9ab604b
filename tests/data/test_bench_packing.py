"""The packing benchmark on a file of lengths: whole windows and a rest, what fits no row, and what is no such file."""

import json
import pathlib
import subprocess
import sys

import numpy as np

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/bench_packing.py"


def bench(*arguments):
  return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)


def test_windows_add_up_and_what_is_too_long_is_counted(tmp_path):
  # Two windows of 4 and a rest of 1, each of them a row of its own at every shape. 600 inputs fit a row but for 512.
  np.save(tmp_path / "lengths.npy", np.array([[100, 20]] * 8 + [[600, 60]], np.int64))
  done = bench("--lengths", tmp_path / "lengths.npy", "--window", "4", "--json")
  at = json.loads(done.stdout)
  assert list(at) == ["2048/512", "1024/256", "512/128"]
  assert [(x["rows"], x["bound_rows"], x["cut"]) for x in at.values()] == [(3, 3, 0), (3, 3, 0), (3, 3, 1)]
  assert at["2048/512"]["fill_inputs"] == 1400 / (3 * 2048)
  assert at["512/128"]["fill_inputs"] == (800 + 512) / (3 * 512)
  assert all(x["examples_per_s"] > 0 for x in at.values())


def test_what_is_no_file_of_lengths_is_said(tmp_path):
  np.save(tmp_path / "flat.npy", np.arange(4))
  for arguments, words in [
    ((), "--lengths"),
    (("--lengths", tmp_path / "absent.npy"), "real_mix_lengths.py"),
    (("--lengths", tmp_path / "flat.npy"), "wanted integers [n, 2]"),
  ]:
    done = bench(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
