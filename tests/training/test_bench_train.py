"""The training benchmark: its rows of next-fit, and one whole run of it on the smallest model."""

import argparse
import importlib.util
import json
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

SCRIPT = pathlib.Path(__file__).parents[2] / "scripts/bench_train.py"
SPEC = importlib.util.spec_from_file_location("bench_train", SCRIPT)
bench_train = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(bench_train)

CAPACITY = (16, 8)


@given(st.lists(st.tuples(st.integers(1, 16), st.integers(1, 8)), min_size=1))
def test_next_fit_closes_a_row_at_the_first_example_that_does_not_fit(examples):
  lengths = np.array(examples)
  row = bench_train.next_fit(lengths, CAPACITY)
  assert row[0] == 0
  assert set(np.diff(row)) <= {0, 1}
  filled = np.stack([np.bincount(row, side) for side in lengths.T], axis=1)
  assert (filled <= CAPACITY).all()
  for first in np.flatnonzero(np.diff(row)) + 1:
    assert (filled[row[first] - 1] + lengths[first] > CAPACITY).any()


def test_a_batch_has_the_examples_of_whole_rows():
  args = argparse.Namespace(batch=5, inputs=16, targets=8, model={"vocab_size": 40})
  lengths = np.random.default_rng(0).integers(1, 9, (30, 2))
  batch = bench_train.packed_batch(lengths, bench_train.next_fit(lengths, CAPACITY), args)
  assert batch["encoder_input_tokens"].shape == (5, 16)
  assert (batch["encoder_segment_ids"].max(axis=1) == batch["decoder_segment_ids"].max(axis=1)).all()
  assert ((batch["encoder_input_tokens"] >= 3) == (batch["encoder_segment_ids"] > 0)).all()


@pytest.mark.slow
def test_all_figures_of_the_smallest_model(tmp_path):
  np.save(tmp_path / "lengths.npy", np.tile([[20, 4], [9, 8], [31, 2]], (50, 1)))
  command = [sys.executable, SCRIPT, "--size", "t5_demo", "--batch", "8", "--inputs", "32", "--targets", "8"]
  command += ["--steps", "2", "--lengths", tmp_path / "lengths.npy", "--json"]
  figures = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
  assert all(figures[name] > 0 for name in ("step_s", "cpu_s", "compile_s", "temp_mb", "rss_mb"))
  assert 6 < figures["loss"] < 8  # ln 1,024 = 6.9
  assert figures["useful_tokens_per_s"] >= figures["next_fit_tokens_per_s"] >= figures["unpacked_tokens_per_s"]
  assert "transformers_step_s" in figures
