"""Laws of what is known of a run: it agrees with the batches that it was trained on, and with its prepared tasks."""

import dataclasses
import functools
import itertools
import json
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax import configuration
from flan_jax.data import limits
from flan_jax.data.formats import FORMATS
from flan_jax.data.mixtures import get_mixture
from flan_jax.data.prepare import prepare
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.interop import checkpoints as layout
from flan_jax.models.model import Model
from flan_jax.sweeps.plan import STATE, PlannedRun
from flan_jax.sweeps.results import mixture_facts, run_facts, training_log
from flan_jax.training import description
from flan_jax.training.counts import Counts, batch_counts
from flan_jax.training.feed import open_feed
from flan_jax.training.flops import training_flops
from flan_jax.training.guard import GuardState
from flan_jax.training.metrics import Meter
from flan_jax.training.step import ScoreSums, StepMetrics
from flan_jax.training.writers import Writers
from tests.training.toy_run import LENGTHS, MODEL, TASK, prepare_toy, toy_run

STEPS = 12


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> PlannedRun:
  """What a run leaves behind, of one whose steps compute nothing: the meter's lines of its batches, a checkpoint."""
  store, run = tmp_path_factory.mktemp("store"), tmp_path_factory.mktemp("run")
  prepare_toy(store)
  training, vocabulary = toy_run(run, store, STEPS), load_vocabulary("demo")
  feed = open_feed(training, vocabulary)
  with Writers(["jsonl"], run, 0, {}) as writers:
    flops = functools.partial(training_flops, MODEL)
    meter = Meter(writers.write, lambda *_, **__: None, lambda update: 1e-3, 2, STEPS, flops=flops)
    for step, counts in zip(range(1, STEPS + 1), batches_of(feed), strict=False):
      meter.finished(step, metrics(counts))
  guard = dict.fromkeys(GuardState._fields, 0)
  reached = {"step": STEPS, "position": feed.beginning.to_json(), "jumps": [], "guard": guard}
  record = {**reached, **description.record(training, vocabulary, {TASK}, feed.identity)}
  layout.write_step(run / layout.CHECKPOINTS / str(STEPS), {layout.PARAMS: Model(MODEL).init(0)}, record)
  (run / "versions.json").write_text('{"devices": "16 gpu (NVIDIA H100 80GB HBM3), 2 processes"}')
  return PlannedRun("seed-0", {"seed": 0}, training)


def batches_of(feed) -> Iterator[Counts]:
  """The counts of each of its batches."""
  position = feed.beginning
  while True:
    batch, position = feed.stream.batch(position)
    yield jax.device_get(batch_counts({name: jnp.asarray(array) for name, array in batch.items()}))


def metrics(counts: Counts) -> StepMetrics:
  """Of a step with these counts."""
  nothing = np.zeros(0, np.float32)
  sums = ScoreSums(*np.float32([3.0, 0.0, 1.0, 2.0]), nothing, nothing)
  return StepMetrics(sums, *np.float32([1.0, 1.0, 1.0]), 0, 0, counts, np.zeros(2, np.int32))


def facts(run: PlannedRun) -> dict:
  return run_facts.facts(run, training_log.read(run.folder))


def test_what_was_trained_on_is_what_its_batches_hold(run):
  """Up to the first step, which is counted like those after it."""
  each = itertools.islice(batches_of(open_feed(run.training, load_vocabulary("demo"))), STEPS)
  counts, found = Counts(*np.sum(list(each), axis=0).tolist()), facts(run)
  assert found["steps"] == found["train_steps"] == STEPS
  assert found["trained_examples"] == pytest.approx(counts.examples, rel=0.1)
  assert found["trained_tokens"] == pytest.approx(counts.tokens, rel=0.1)
  assert found["flops"] == pytest.approx(training_flops(MODEL, counts), rel=0.1)


def test_what_it_is(run):
  found = facts(run)
  assert (found["config"], found["seed"], found["tuned"], found["mixture"]) == (run.config, 0, True, TASK)
  assert (found["device"], found["devices"]) == ("NVIDIA H100 80GB HBM3", 16)
  assert (found["tasks"], found["pretraining_flops"], found["initial_checkpoint"]) == (1, None, None)
  assert run_facts.step_of(run) == STEPS


def test_a_run_that_has_not_begun_says_what_is_planned(run, tmp_path):
  training = dataclasses.replace(run.training, model_dir=str(tmp_path / "none"))
  found = facts(dataclasses.replace(run, training=training))
  assert (found["train_steps"], found["steps"], found["mixture"]) == (STEPS, 0, TASK)
  assert found["parameters"] == facts(run)["parameters"]
  assert found.get("tasks") is None
  assert found["flops"] is None


def test_seconds_are_of_all_starts_of_its_commands(run):
  state = run.folder / STATE
  stages = {"train": {"seconds": 9.5}, "evaluate held_out": {"seconds": 2.0}, "evaluate suites": {"seconds": 3.0}}
  state.write_text(json.dumps({"state": "finished", "config": run.config, "stages": stages}))
  found = facts(run)
  state.unlink()
  assert (found["train_seconds"], found["evaluate_seconds"]) == (9.5, 5.0)
  assert (facts(run)["train_seconds"], facts(run)["evaluate_seconds"]) == (None, None)


def test_an_untuned_run_is_trained_on_nothing(run):
  found = facts(dataclasses.replace(run, tuned=False))
  assert (found["tasks"], found["steps"], found["train_steps"], found["flops"]) == (0, 0, 0, 0.0)
  assert found.get("mixture") is None
  assert run_facts.step_of(dataclasses.replace(run, tuned=False)) == 0


def test_what_it_began_with_is_counted_where_it_is_a_run_of_ours(run, tmp_path):
  for checkpoint in (run.folder, run.folder / layout.CHECKPOINTS / str(STEPS)):
    training = dataclasses.replace(run.training, initial_checkpoint_path=str(checkpoint), model_dir=str(tmp_path))
    assert facts(dataclasses.replace(run, training=training))["pretraining_flops"] == facts(run)["flops"]


def test_what_is_published_is_that_of_its_size(run):
  """Chung et al. 2022, Table 2."""
  begun = dataclasses.replace(run.training, initial_checkpoint_path="gs://somewhere/t5_1_1_lm100k_xl")
  assert run_facts.pretraining_flops(begun) is None
  assert run_facts.pretraining_flops(dataclasses.replace(begun, model=configuration.model("t5_1_1_xl"))) == 9e21


def test_models_are_called_as_their_files(run):
  for name in ("t5_demo", "t5_1_1_xl", "mt5_small"):
    config = dataclasses.replace(configuration.model(name), dropout_rate=0.3, remat_policy="full")
    assert run_facts.model_name(config) == name
  assert run_facts.model_name(MODEL) == "1+1 layers, 16 wide, 2×8 heads, mlp 16, 1536 rows"
  # ../shared/facts/t5_sizes.csv
  assert run_facts.parameters(configuration.model("t5_1_1_small")) == 76_961_152


@pytest.mark.parametrize("limit", [None, 50])
def test_a_mixture_is_counted_at_its_rates(tmp_path, limit):
  """Against the examples of two tasks, each looked at."""
  tasks = {"demo.number_smallest": 1.0, "demo.sum_gain": 3.0}
  stores = prepare(
    get_mixture("demo").only(tasks),
    data_dir=None,
    vocabulary=load_vocabulary("demo"),
    lengths=LENGTHS,
    store_dir=tmp_path,
    processes=1,
  )
  data = {"rates": {**tasks, "demo.other": 0.0}, "max_per_task": limit}
  data["stores"] = {store.task: str(store.folder.relative_to(tmp_path)) for store in stores}
  found = mixture_facts.of_record({"data": data, "store_dir": str(tmp_path)})
  expected = dict.fromkeys(("tokens", "cot", "few_shot"), 0.0)
  for store in stores:
    _, used = limits.records(dataclasses.replace(store, limit=limit))
    chosen = np.arange(len(store)) if used is None else used
    forms = [FORMATS[origin.format] for origin in store.origins(chosen)]
    share = tasks[store.task] / 4 / len(chosen)
    expected["tokens"] += share * (store.lengths[chosen] + 1).sum()
    expected["cot"] += share * sum(form.rationale for form in forms)
    expected["few_shot"] += share * sum(form.few_shot for form in forms)
    assert limit is None or len(chosen) == limit
  assert found.tasks == 2
  assert found.examples == sum(limit or len(store) for store in stores)
  assert dataclasses.asdict(found) == pytest.approx({**dataclasses.asdict(found), **expected})
  assert 0 < found.cot < 1
  assert 0 < found.few_shot < 1


def test_without_its_stores_nothing_is_known_of_a_mixture(tmp_path):
  data = {"rates": {TASK: 1.0}, "stores": {TASK: "gone"}, "max_per_task": None}
  assert mixture_facts.of_record({"data": data, "store_dir": str(tmp_path)}) is None
  assert mixture_facts.of_record({"mixture": "converted"}) is None
