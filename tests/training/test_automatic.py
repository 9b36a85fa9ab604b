"""What is chosen for devices that need not be here, and that a run holds to what was chosen."""

import dataclasses
import re

import gin
import jax
import pytest

from flan_jax import configuration
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.models.configs import T5Config
from flan_jax.training import accelerators, automatic
from flan_jax.training.automatic import Auto, Devices, choose, estimate
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.train import Training
from flan_jax.training.trainer import Trainer
from tests.training.toy_run import toy_run

LARGE = T5Config(32128, 1024, 16, 64, 2816, 24, 24)


@pytest.fixture(autouse=True)
def _forget_gin():
  yield
  gin.clear_config()


def run(**settings) -> Training:
  lengths = {"inputs": 2048, "targets": 512}
  given = {"model": LARGE, "batch_size": 64, "task_feature_lengths": lengths, "vocabulary": "t5", **settings}
  return toy_run("model", "store", 1, partitioning=Auto(), **given)


def devices(kind: str, count: int) -> Devices:
  return Devices(kind, count, accelerators.accelerator(kind).memory)


@pytest.mark.parametrize("kind", ["NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-40GB", "TPU v3", "TPU v4", "TPU v5 lite"])
@pytest.mark.parametrize("count", [4, 8, 16, 64, 128])
def test_what_is_chosen_divides_and_fits(kind, count):
  here = devices(kind, count)
  choice = choose(run(), here)
  sizes = choice.training.partitioning.sizes(count)
  assert min(sizes.values()) > 0
  assert 64 % (sizes["data"] * sizes["fsdp"] * choice.training.accumulation) == 0
  assert LARGE.num_heads % sizes["model"] == 0
  assert choice.estimate == estimate(choice.training, here)
  assert choice.estimate.total <= 0.8 * here.memory
  assert choice.training.model.scan_layers


def test_more_memory_costs_less():
  """Less remat, fewer microbatches, less splitting as devices grow."""
  policies = ("none", "dots", "full")
  ways = [choose(run(), Devices("TPU v9", 8, memory * 1e9)).training for memory in (8, 16, 32, 64, 512)]
  split = [way.partitioning.fsdp * way.partitioning.model for way in ways]
  assert split == sorted(split, reverse=True)
  assert ways[-1].partitioning == Partitioning(8, 1, 1)
  assert (ways[-1].model.remat_policy, ways[-1].accumulation) == ("none", 1)
  same_mesh = [policies.index(way.model.remat_policy) for way in ways if way.partitioning.data == 8]
  assert same_mesh == sorted(same_mesh, reverse=True)


def test_what_the_user_set_stands():
  given = run(accumulation=2, model=dataclasses.replace(LARGE, remat_policy="full"))
  choice = choose(given, devices("NVIDIA H100 80GB HBM3", 8)).training
  assert (choice.accumulation, choice.model.remat_policy) == (2, "full")


def test_nothing_else_changes():
  given = run()
  chosen = choose(given, devices("TPU v4", 16)).training
  back = dataclasses.replace(chosen, partitioning=Auto(), accumulation=1, model=given.model)
  assert back == given


def test_the_lines_that_are_said_make_the_same_run():
  options = {"mixture": "demo", "steps": 1, "model_dir": "m"}
  lines = configuration.lines("t5_1_1_large", sharding="auto", options=options)
  configuration.parse(lines)
  choice = choose(configuration.build(), devices("TPU v3", 32))
  configuration.parse([*configuration.lines("t5_1_1_large", options=options), *choice.lines()])
  assert configuration.build() == choice.training
  configuration.parse(configuration.gin_text(choice.training).splitlines())
  assert configuration.build() == choice.training


def test_what_fits_nowhere_says_what_is_closest():
  xxl = T5Config(32128, 4096, 64, 64, 10240, 24, 24)
  message = r"does not fit 8 x TPU v3 \(16 GB each\). Closest is .*remat_policy = 'full'.* GB .*take more devices"
  with pytest.raises(UsageError, match=message):
    choose(run(model=xxl), devices("TPU v3", 8))
  with pytest.raises(UsageError, match="finds no mesh over 7 x TPU v4"):
    choose(run(), devices("TPU v4", 7))


@pytest.mark.slow
def test_a_run_resolves_itself_and_its_folder_holds_what_was_chosen(store, tmp_path, capsys):
  """On the eight devices of this CPU, whose memory is the host's."""
  toy_run(tmp_path, store, 2, partitioning=Auto(), log_period=1).run()
  said = capsys.readouterr().out
  assert "# --sharding auto for 8 x cpu: 0." in said
  assert "Partitioning.data = 8\n" in said
  text = (tmp_path / "config.gin").read_text()
  assert "train.partitioning = @Partitioning()" in text
  assert "Partitioning.data = 8" in text
  assert "Auto" not in text


def test_a_mesh_that_is_given_is_made_to_fit():
  """The first remat policy and number of microbatches that do; more of either is never needed."""
  here = devices("TPU v4", 16)
  fsdp = dataclasses.replace(run(), partitioning=Partitioning(1, -1, 1))
  choice = automatic.on_its_mesh(fsdp, here)
  assert choice.training.partitioning == fsdp.partitioning
  assert choice.estimate.total <= 0.8 * here.memory < estimate(fsdp, here).total
  assert automatic.on_its_mesh(fsdp, Devices("TPU v0", 16, 1e9)) is None


def test_out_of_memory_says_which_knobs_with_figures():
  here = devices("NVIDIA A100-SXM4-80GB", 8)
  said = automatic.out_of_memory(dataclasses.replace(run(), partitioning=Partitioning(1, -1, 1)), here)
  needed, on_mesh, auto = (float(size) for size in re.findall(r"(\d+\.\d) GB[ )]", said))
  assert f"the step needs {needed} GB (activations" in said
  assert f"ACCUMULATION=4 on the same mesh ({on_mesh} GB); or --sharding auto, which takes Partitioning.data=8" in said
  assert max(on_mesh, auto) <= 64 < needed
  small = dataclasses.replace(run(), partitioning=Partitioning())
  assert "Nothing else fits by estimate" in automatic.out_of_memory(small, Devices("TPU v0", 1, 1e9))


def test_a_run_that_is_out_of_memory_ends_with_that(store, tmp_path, monkeypatch):
  def exhausted(self, state, batch):
    return jax.jit(lambda: jax.numpy.ones((1 << 24, 1 << 22)))()  # more than any address space: the error is XLA's own

  monkeypatch.setattr(Trainer, "step", exhausted)
  with pytest.raises(FlanJaxError, match=r"^out of memory: 8 x cpu have .* GB each, the step needs 0\.\d GB"):
    toy_run(tmp_path, store, 2).run()


def test_devices_that_nobody_knows_are_said(monkeypatch):
  monkeypatch.setattr(accelerators, "device_memory", lambda device: None)
  with pytest.raises(UsageError, match=r"does not know the memory of a cpu: choose one of .*two_d"):
    automatic.resolved(run())
