"""`inspect --catalog`: every task once, and the counts that explain themselves."""

import json
import subprocess
import sys

import pytest

from flan_jax.data import catalogue, specs

SAID_OF_A_TASK = [
  "task", "collection", "dataset", "category", "cluster", "cap", "examples", "licence", "formats", "language",
  "available",
]  # fmt: skip


def test_every_task_is_listed_once(said, toy):
  found = json.loads(said("inspect", "--catalog", "--data_dir", toy.data_dir, "--json"))
  assert [line["task"] for line in found["tasks"]] == list(specs.task_names(None, toy.data_dir))
  assert all(list(line) == SAID_OF_A_TASK for line in found["tasks"])
  of_toy = {line["task"]: line for line in found["tasks"] if line["collection"] == "toy"}
  assert all(line["available"] for line in of_toy.values())
  assert of_toy["toy.capitals"]["formats"] == ["zero_shot", "cot", "few_shot", "few_shot_cot"]
  assert of_toy["toy.capitals"]["examples"] is None  # nobody published it, and nothing was read


def test_examples_are_counted_when_asked(said, toy, monkeypatch):
  monkeypatch.setattr(specs, "collections", lambda: ("toy",))
  found = json.loads(said("inspect", "--catalog", "--count", "--data_dir", toy.data_dir, "--json"))
  assert {line["task"]: line["examples"] for line in found["tasks"]} == {
    "toy.capitals": 60,
    "toy.parity": 40,
    "toy.echo_a": 2,
    "toy.echo_b": 2,
  }


def test_a_pipe_gets_every_column_and_the_reasons(said, toy):
  text = said("inspect", "--catalog", "--data_dir", toy.data_dir)
  assert text.splitlines()[0].split("\t") == SAID_OF_A_TASK
  assert "Why the counts differ" in text
  assert all(note in text for one in catalogue.published() for note in one.notes)
  assert "\x1b" not in text


def test_real_tasks_are_reconciled_with_the_published_file(said, shared_data):
  found = json.loads(said("inspect", "--catalog", "--data_dir", shared_data, "--json"))["reconciliation"]
  assert (found["catalogue"]["rows"], found["catalogue"]["datasets"], found["catalogue"]["categories"]) == (
    1945,
    485,
    162,
  )
  lines = {line["submixture"]: line for line in found["submixtures"]}
  left = sum(map(len, found["rows_without_a_task"].values()))
  assert lines["all"]["tasks of ours"] + left == 1945
  assert sum(lines[name]["tasks of ours"] for name in lines if name != "all") == lines["all"]["tasks of ours"]
  # The nine sets in four categories, Super-NI's samples and T0's 193 subtasks are all declared or found.
  assert lines["cot"]["tasks of ours"] == 36
  assert lines["niv2"]["tasks of ours"] == 112
  assert lines["t0_sf"]["tasks of ours"] == 193
  assert "super_ni" not in found["tasks_without_a_row"]


_CODE = """
import sys, pathlib
from flan_jax.cli import catalogue_view
found = catalogue_view.content({folder})
heavy = {{"tensorflow", "jax", "seqio", "pyarrow", "datasets"}} & set(sys.modules)
print(len(found["tasks"]), sorted(heavy))
"""


@pytest.mark.parametrize(("data", "tasks"), [("without", 200), ("with", 2_500)])
def test_the_catalogue_imports_no_heavy_library(data, tasks, request):
  """How long it takes: scripts/bench_render.py --data_dir D."""
  folder = f"pathlib.Path({str(request.getfixturevalue('shared_data'))!r})" if data == "with" else None
  command = [sys.executable, "-c", _CODE.format(folder=folder)]
  count, heavy = subprocess.check_output(command, text=True).split(maxsplit=1)
  assert int(count) >= tasks
  assert heavy.strip() == "[]"
