"""The benchmark of the readers on small files: it runs to its end, and each reader's memory stays flat."""

import importlib.util
import json
import pathlib
import subprocess
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[3] / "scripts/bench_sources.py"


def run(*arguments: str) -> dict:
  done = subprocess.run([sys.executable, SCRIPT, *arguments, "--json"], capture_output=True, text=True, check=True)
  return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
def test_each_record_is_read_and_memory_stays_flat():
  found = run("--quick", "--readers", "tsv", "csv", "jsonl", "json", "parquet")
  assert {kind: figures["records"] for kind, figures in found.items()} == dict.fromkeys(found, 10_000)
  for figures in found.values():
    assert figures["records_per_s"] > 0
    # The file has 4 MB; a reader that kept its records, or the file, would grow by more.
    assert figures["growth_mb"] < 3


@pytest.mark.slow
def test_libraries_and_a_preparation():
  found = run("--quick", "--readers", "squad", "tfds", "huggingface")
  if importlib.util.find_spec("datasets") is None:
    assert "datasets" in found.pop("huggingface")["skipped"]
  assert all(figures["records"] == 10_000 for figures in found.values())
  assert run("--prepare", "2000")["prepare"]["examples"] > 1800  # some are held out
