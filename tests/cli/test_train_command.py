"""Short forms and gin on the command line of `train`; the run itself is tested in tests/training."""

import pytest

from flan_jax.cli.main import run
from flan_jax.cli.train import command
from flan_jax.configuration import SHORT_FORMS


def test_every_short_form_is_an_option():
  options = {option.name for option in command.params}
  assert set(SHORT_FORMS) <= options
  of_the_command = {"model", "gin_files", "gin_search_paths", "sharding", "cpu_devices"}
  assert options - set(SHORT_FORMS) == of_the_command | {"cluster", "coordinator", "count", "index"}


def test_short_forms_print_the_gin_that_they_stand_for(capsys):
  # The unknown name stops it before anything is trained.
  assert run(["train", "t5_demo", "--mixture", "cot", "--steps", "3", "--gin.NO_SUCH.thing=1"]) == 2
  said = capsys.readouterr()
  assert "MIXTURE_OR_TASK_NAME = 'cot'\nTRAIN_STEPS = 3\n" in said.out
  assert "include 'gin_configs/models/t5_demo.gin'" in said.out
  assert said.err.startswith("flan-jax: ")
  assert "NO_SUCH" in said.err


def test_an_unknown_model_names_the_nearest(capsys):
  assert run(["train", "t5_dem", "--mixture", "cot"]) == 2
  assert "no model 't5_dem'. Nearest: t5_demo" in capsys.readouterr().err


def test_nothing_to_train(capsys):
  assert run(["train"]) == 2
  assert "needs a model" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("given", "message"),
  [
    (["--processes", "2"], "--coordinator and --process is not known: give all"),
    (["--coordinator", "localhost:1234", "--processes", "2", "--process", "2"], "must be from 0 to 1"),
    (["--coordinator", "localhost", "--processes", "2", "--process", "0"], "must be HOST:PORT of process 0"),
  ],
)
def test_processes_that_cannot_meet(given, message, capsys, tmp_path):
  assert run(["train", "t5_demo", "--mixture", "demo", "--steps", "1", "--model_dir", str(tmp_path), *given]) == 2
  assert message in capsys.readouterr().err
