"""The published recipes resolve to what is committed, and to what the paper says."""

import pathlib

import gin
import pytest
import yaml

from tests.conftest import SHARED
from tests.golden_configs import DEVICES, FOLDER, SIZES, STRATEGIES, golden, resolved


@pytest.fixture(autouse=True)
def _forget_gin():
  yield
  gin.clear_config()


@pytest.mark.parametrize("size", SIZES)
def test_recipes_resolve_to_what_is_committed(size):
  text = golden(size)
  committed = (FOLDER / f"flan_t5_{size}.gin").read_text(encoding="utf-8")
  assert text == committed, "if the change is meant: python -m tests.golden_configs --write"


def test_all_sizes_on_all_meshes_are_there():
  for size in SIZES:
    text = (FOLDER / f"flan_t5_{size}.gin").read_text(encoding="utf-8")
    assert [line.split()[-1] for line in text.splitlines() if line.startswith("# --sharding")] == [*STRATEGIES[1:]]
    assert all(f"# {name}:" in text for name in DEVICES)


@pytest.mark.parametrize("size", SIZES)
def test_recipes_are_the_papers(size):
  """Table 22 of Chung et al. 2022, and the row lengths of the FLAN repository."""
  steps = {"small": 98_000, "base": 84_000, "large": 64_000, "xl": 38_000, "xxl": 14_000}[size]
  run = resolved(size, "fsdp")
  assert (run.train_steps, run.batch_size, run.learning_rate, run.model.dropout_rate) == (steps, 64, 5e-4, 0.05)
  assert run.task_feature_lengths == {"inputs": 2048, "targets": 512}
  assert run.mixture_or_task_name == "flan2022_b"
  assert (type(run.optimizer).__name__, type(run.schedule).__name__) == ("Adafactor", "Constant")
  assert run.initial_checkpoint_path == "LM_ADAPTED"


@pytest.mark.parametrize("size", SIZES)
def test_recipes_are_the_facts(size):
  facts = SHARED / "facts" / "chung2022_hparams.yaml"
  if not facts.exists():
    pytest.skip(f"{facts} is not here: it is the workplace's, not the project's")
  table = yaml.safe_load(pathlib.Path(facts).read_text(encoding="utf-8"))
  row, packing, run = table["models"][f"flan_t5_{size}"], table["packing"], resolved(size, "data_parallel")
  assert (run.train_steps, run.batch_size, run.model.dropout_rate, run.learning_rate) == (
    row["steps"],
    row["batch"],
    row["dropout"],
    row["lr"],
  )
  assert run.task_feature_lengths == {"inputs": packing["inputs"], "targets": packing["targets"]}
