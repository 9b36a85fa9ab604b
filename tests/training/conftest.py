"""The tiny model, made once."""

import pytest

from flan_jax.models.model import Model
from tests.training.tiny import TINY


@pytest.fixture(scope="session")
def tiny() -> Model:
  return Model(TINY)
