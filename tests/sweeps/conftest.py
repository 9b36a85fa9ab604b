"""What the tests of sweeps share."""

import gin
import pytest


@pytest.fixture(autouse=True)
def _forget_gin():
  yield
  gin.clear_config()
