"""The tiny model, and the toy run with its prepared task, each made once."""

import pathlib

import pytest

from flan_jax.models.model import Model
from tests.training.launching import Launcher, launcher
from tests.training.tiny import TINY
from tests.training.toy_run import STEPS, prepare_toy


@pytest.fixture(scope="session")
def tiny() -> Model:
  return Model(TINY)


@pytest.fixture(scope="session")
def store(tmp_path_factory) -> pathlib.Path:
  folder = tmp_path_factory.mktemp("store")
  prepare_toy(folder)
  return folder


@pytest.fixture(scope="session")
def launch(store) -> Launcher:
  return launcher(store)


@pytest.fixture(scope="session")
def whole(launch, tmp_path_factory) -> pathlib.Path:
  """The MODEL_DIR of an uninterrupted run in one process on one device; read only."""
  model_dir = tmp_path_factory.mktemp("whole")
  assert f"finished at step {STEPS}" in launch.finish(model_dir)
  return model_dir
