"""The command line of `sweep`: what it plans, prints and refuses; runs are executed in tests/sweeps."""

import dataclasses
import json
import pathlib

import pytest

from flan_jax.cli import sweep
from flan_jax.cli.main import run
from flan_jax.sweeps.running.launchers.settings import Settings
from tests.sweeps.toy_sweep import toy_sweep

ROOT = pathlib.Path(__file__).parent.parent.parent


def test_every_setting_of_launchers_is_an_option():
  options = {option.name for option in sweep.command.params}
  assert {field.name for field in dataclasses.fields(Settings)} <= options
  grouped = [name for names in sweep._GROUPS.values() for name in names]
  assert sorted(grouped) == sorted(options - {"sweep"})


def test_print_writes_the_folder_and_prints_what_is_to_be_done(said, tmp_path):
  folder = tmp_path / "sweep"
  command = ("sweep", toy_sweep(tmp_path), "--launcher", "print", "--model_dir", folder)
  script = said(*command, "--gin.seed/Axis.values=[7]", "--gin.BATCH_SIZE=2")
  record = json.loads((folder / "sweep.json").read_text())
  names = ["tasks-0_seed-7", "tasks-2_cot-True_seed-7", "tasks-2_cot-False_seed-7"]
  assert [each["name"] for each in record["runs"]] == names
  assert script.count("-m flan_jax.sweeps.running.execution") == 3
  assert "BATCH_SIZE = 2\n" in (folder / "runs" / "tasks-0_seed-7" / "run.gin").read_text()
  assert said(*command, "--gin.seed/Axis.values=[7]", "--gin.BATCH_SIZE=2") == script
  assert said(*command, "--gin.seed/Axis.values=[7, 8]", "--gin.BATCH_SIZE=2").count("sweeps.running.execution") == 6


@pytest.mark.parametrize("by_folder", [True, False])
def test_the_table_is_of_a_sweep_or_of_its_folder(by_folder, said, tmp_path):
  """What has not begun has a line, too."""
  folder, file = tmp_path / "sweep", toy_sweep(tmp_path)
  said("sweep", file, "--launcher", "print", "--model_dir", folder)
  named = (folder,) if by_folder else (file, "--model_dir", folder)
  found = json.loads(said("sweep", *named, "--table", "--json"))
  assert found["sweep"] == "toy"
  assert {run["state"] for run in found["runs"]} == {"waiting"}
  assert len(found["runs"]) == 6
  assert (folder / "table.csv").exists()
  assert (folder / "table.parquet").exists()


def test_a_dry_run_writes_nothing(said, tmp_path):
  folder = tmp_path / "sweep"
  options = ("--dry_run", "--accelerator", "TPU v4", "--devices", 4, "--utilisation", 0.5, "--json")
  found = json.loads(said("sweep", toy_sweep(tmp_path), "--model_dir", folder, "--store_dir", tmp_path / "s", *options))
  assert len(found["runs"]) == 6
  assert found["sums"]["flops"] > 0
  assert not folder.exists()
  assert not (tmp_path / "s").exists()


def test_a_failed_run_is_told_with_its_last_lines_and_left_until_it_is_retried(tmp_path, capsys, monkeypatch):
  """This one asks for a mesh of three devices where each program has as many as the tests, eight."""
  monkeypatch.setenv("PYTHONPATH", str(ROOT))
  few = ["seed/Axis.values = [0]", "cot/Axis.values = [True]", "tasks/Axis.values = [2]"]
  folder = tmp_path / "sweep"
  command = ["sweep", toy_sweep(tmp_path, *few, "Partitioning.model = 3"), "--model_dir", str(folder)]
  command += ["--store_dir", str(tmp_path / "store")]
  for more, starts in (([], 1), ([], 1), (["--retry"], 2)):
    assert run([*command, *more]) == 1
    said = capsys.readouterr().err
    assert "tasks-2_cot-True_seed-0: failed (train)\n  " in said
    assert "does not fit 8 device(s)" in said
    assert said.endswith("flan-jax: 1 of 1 runs failed; mended, the same command with --retry goes on\n")
    log = (folder / "runs" / "tasks-2_cot-True_seed-0" / "log.txt").read_text()
    assert log.count("train: flan-jax train") == starts
  assert (folder / "table.csv").exists()


def launch(plan, runs, settings, watch):
  """A launcher whose runs were all killed before they began."""


def test_runs_that_did_not_end_are_no_success(tmp_path, capsys, monkeypatch):
  monkeypatch.setitem(sweep.LAUNCHERS, "local", __name__)
  command = ["sweep", toy_sweep(tmp_path, "tasks/Axis.values = [0]"), "--model_dir", str(tmp_path / "sweep")]
  assert run([*command, "--initial_checkpoint", "gs://b/base"]) == 1
  assert capsys.readouterr().err.endswith("flan-jax: 1 of 1 runs did not end: tasks-0; the same command goes on\n")


def test_a_folder_is_no_gin_file(said, tmp_path, capsys):
  folder = tmp_path / "sweep"
  assert run(["sweep", str(tmp_path), "--table"]) == 2
  assert f"{tmp_path} is a folder; SWEEP is the gin file" in capsys.readouterr().err
  said("sweep", toy_sweep(tmp_path), "--launcher", "print", "--model_dir", folder)
  assert run(["sweep", str(folder)]) == 2
  assert "of which --table prints what is there; SWEEP is the gin file" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("given", "message"),
  [
    (["--json"], "--json is for --dry_run and --table"),
    (["--dry_run", "--table"], "give one"),
    (["--launcher", "prin"], "'prin' is not one of 'local', 'slurm', 'print'"),
    (["--launcher", "print", "--gin.SEED=3"], "SEED = 3: the axis seed varies that"),
    (["--table"], "is no sweep's folder: it has no sweep.json"),
  ],
)
def test_what_does_not_fit_is_said_in_one_line(given, message, tmp_path, capsys):
  assert run(["sweep", toy_sweep(tmp_path), "--model_dir", str(tmp_path / "none"), *given]) == 2
  error = capsys.readouterr().err
  assert message in error
  assert error.startswith("flan-jax: ")
  assert error.count("\n") == 1
