"""The sweeps of gin_configs resolve to what is committed."""

import pytest

from tests.sweeps.golden_sweeps import FOLDER, NAMES, golden


@pytest.mark.parametrize("name", NAMES)
def test_sweeps_resolve_to_what_is_committed(name, monkeypatch):
  monkeypatch.delenv("FLAN_JAX_DATA_DIR", raising=False)
  committed = (FOLDER / f"{name}.gin").read_text(encoding="utf-8")
  assert golden(name) == committed, "if the change is meant: python -m tests.sweeps.golden_sweeps --write"


def test_no_committed_plan_is_of_a_sweep_that_is_gone():
  assert sorted(path.stem for path in FOLDER.glob("*.gin")) == sorted(NAMES)
