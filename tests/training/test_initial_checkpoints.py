"""Runs that start from checkpoints of any kind, with the state of their Adafactor or without."""

import dataclasses

import jax
import numpy as np
import pytest

from flan_jax.errors import UsageError
from flan_jax.interop.convert import Wish, convert
from flan_jax.interop.loading import open_source
from flan_jax.models.model import Model
from flan_jax.training.optimizers import Adafactor, AdamW
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.schedules import Constant
from flan_jax.training.state import optimizer_arrays
from flan_jax.training.step import StepSettings
from flan_jax.training.trainer import Trainer
from tests.training.toy_run import MODEL, on_one_device, toy_run

SCANNED = dataclasses.replace(MODEL, scan_layers=True)


@pytest.fixture(scope="module")
def sources(store, tmp_path_factory):
  """The same parameters and state of Adafactor (of two updates) as every kind of checkpoint that holds one."""
  folder = tmp_path_factory.mktemp("sources")
  with on_one_device():
    toy_run(folder / "run", store, 2, optimizer=Adafactor()).run()
  run = open_source(folder / "run")
  convert(run, folder / "t5x", Wish("t5x", layout="orbax"))
  convert(run, folder / "scanned", Wish("flan_jax", scan=True))
  return [run, *(open_source(folder / name) for name in ("t5x", "scanned"))]


@pytest.mark.slow
@pytest.mark.parametrize("model", [MODEL, SCANNED], ids=["unrolled", "scanned"])
def test_every_kind_gives_the_same_state_where_it_is_wanted(sources, model):
  settings = {"optimizer": Adafactor(), "learning_rate": 1e-3, "schedule": Constant(), "settings": StepSettings()}
  wanted = Trainer(Model(model), Partitioning(2, 2, 2).mesh(), **settings).abstract()
  states = []
  for source in sources:
    params = source.parameters({name: shape.sharding for name, shape in wanted.params.items()}, model)
    arrays = source.optimizer_arrays(optimizer_arrays(wanted))
    for found, asked in ((params, wanted.params), (arrays, optimizer_arrays(wanted))):
      assert {name: x.sharding for name, x in found.items()} == {name: x.sharding for name, x in asked.items()}
    states.append((params, arrays))
    assert (int(arrays["0.count"]), int(arrays["2.count"])) == (2, 0)
  for state in states[1:]:
    jax.tree.map(np.testing.assert_array_equal, state, states[0])


def test_a_run_begins_with_what_t5x_left(sources, store, tmp_path):
  """Step 0 of the new run holds parameters and Adafactor's state; without being asked for, the state is fresh."""
  run, t5x, _ = sources
  for initial_optimizer in (True, False):
    settings = {"initial_checkpoint_path": t5x.path, "initial_optimizer": initial_optimizer, "optimizer": Adafactor()}
    model_dir = tmp_path / str(initial_optimizer)
    with on_one_device():
      toy_run(model_dir, store, 1, **settings).run()
    # Adafactor's updates go on from those of the checkpoint, whatever the run's own step is.
    exported = convert(open_source(model_dir), tmp_path / f"t5x_{initial_optimizer}", Wish("t5x"))
    assert exported["destination"]["step"] == (3 if initial_optimizer else 1)
    ours = convert(open_source(model_dir), tmp_path / f"ours_{initial_optimizer}", Wish("flan_jax"))
    assert ours["destination"]["step"] == 1
    assert open_source(tmp_path / f"ours_{initial_optimizer}").updates() == exported["destination"]["step"]
    begun = open_source(model_dir / "checkpoints" / "0")
    jax.tree.map(np.testing.assert_array_equal, begun.parameters(), run.parameters())
    name = "encoder.layers_0.mlp.wo.kernel"
    kept = np.array_equal(begun.moments()("v", name), run.moments()("v", name))
    assert kept == initial_optimizer


def test_only_adafactors_state_is_taken_over(sources, store, tmp_path):
  settings = {"initial_checkpoint_path": sources[1].path, "initial_optimizer": True, "optimizer": AdamW()}
  with pytest.raises(UsageError, match="only Adafactor's state can be taken over"):
    toy_run(tmp_path / "m", store, 1, **settings).run()


def test_a_converted_checkpoint_is_no_run_to_go_on_with(sources, store, tmp_path):
  convert(sources[0], tmp_path / "m", Wish("flan_jax"))
  with pytest.raises(UsageError, match=r"holds a converted checkpoint.*INITIAL_CHECKPOINT_PATH"):
    toy_run(tmp_path / "m", store, 5).run()
