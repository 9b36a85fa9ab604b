"""Prices: exact where stores stand, close where data is there, an upper bound where nothing is."""

import dataclasses
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax import configuration
from flan_jax.cli import pricing_view
from flan_jax.data.mixtures import get_mixture
from flan_jax.data.objectives import PrefixLM, SpanCorruption, Stages
from flan_jax.data.prepare import prepare
from flan_jax.data.stream import Position
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.sweeps import budgets, planning
from flan_jax.sweeps.plan import Plan, PlannedRun
from flan_jax.sweeps.pricing import pricing, workload
from flan_jax.sweeps.sweep import EqualExamples, EqualSteps
from flan_jax.training.checkpoints import Saving
from flan_jax.training.counts import Counts, batch_counts
from flan_jax.training.flops import training_flops
from tests.sweeps.test_budgets import TWO, sweep_of
from tests.training.toy_run import LENGTHS, MODEL, on_one_device, prepare_toy, toy_run


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
  """The toy task, and two tasks; of these two variants, too."""
  folder = tmp_path_factory.mktemp("stores")
  prepare_toy(folder)
  how = {"data_dir": None, "vocabulary": load_vocabulary("demo"), "lengths": LENGTHS, "processes": 1}
  for variants in (1, 2):
    prepare(get_mixture(TWO), store_dir=folder, variants=variants, **how)
  return folder


def plan_of(*trainings, folder=pathlib.Path("sweep"), budget=None, tuned=True) -> Plan:
  runs = [PlannedRun(f"seed-{i}", {"seed": i}, each, tuned) for i, each in enumerate(trainings)]
  return Plan(sweep_of(budget or EqualSteps()), folder, tuple(runs))


def price_of(training, **settings) -> pricing.Price:
  (price,) = pricing.priced(plan_of(training, **settings), "TPU v4", 1, 0.5).prices
  return price


def counted(training, steps: int) -> Counts:
  """What the batches of a run really hold, as its meter counts it."""
  stream, position, total = budgets.stream_of(training), Position(), np.zeros(len(Counts._fields))
  for _ in range(steps):
    batch, position = stream.batch(position)
    arrays = {name: array for name, array in batch.items() if name.endswith(("segment_ids", "positions"))}
    total += np.array([float(each) for each in batch_counts(jax.tree.map(jnp.asarray, arrays))])
  return Counts(*total.tolist())


@pytest.mark.parametrize("settings", [{}, {"mixture_or_task_name": TWO, "seed": 2, "batch_size": 3}])
def test_where_stores_stand_it_is_what_the_runs_batches_hold(stores, tmp_path, settings):
  """Over several windows, and ending within one."""
  training = toy_run(tmp_path / "run", stores, 14, **settings)
  price, counts = price_of(training), counted(training, 14)
  assert price.basis == workload.STORES
  assert (price.steps, price.examples, price.tokens) == (14, counts.examples, counts.tokens)
  assert price.flops == pytest.approx(training_flops(MODEL, counts), rel=1e-12)
  assert price.filled == pytest.approx(counts.tokens / counts.slots)
  assert price.device_hours == pytest.approx(price.flops / (0.5 * 275e12) / 3600)
  assert not (tmp_path / "run").exists()


def test_of_a_long_run_the_first_windows_stand_for_the_rest(stores, tmp_path):
  """32 windows of 43 examples are some 500 rows."""
  short, long = (toy_run(tmp_path, stores, steps) for steps in (62, 6200))
  ratio = price_of(long).flops / price_of(short).flops
  assert ratio == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize("settings", [{"mixture_or_task_name": TWO}, {"mixture_or_task_name": TWO, "variants": 2}])
def test_without_stores_a_sample_comes_close(stores, tmp_path, settings):
  training = toy_run(tmp_path / "run", tmp_path / "empty", 200, window=16384, **settings)
  guess = price_of(training)
  assert (guess.basis, set(guess.missing)) == (workload.SAMPLE, set(guess.stores))
  assert not (tmp_path / "empty").exists()
  exact = price_of(dataclasses.replace(training, store_dir=str(stores)))
  assert (exact.basis, exact.missing) == (workload.STORES, frozenset())
  assert guess.flops == pytest.approx(exact.flops, rel=0.05)
  assert guess.examples == pytest.approx(exact.examples, rel=0.05)
  assert guess.store_bytes == pytest.approx(exact.store_bytes, rel=0.2)
  assert exact.store_bytes == sum(
    file.stat().st_size for folder in exact.stores for file in folder.iterdir() if file.is_file()
  )


def test_a_sample_knows_objectives(tmp_path):
  plain = price_of(toy_run(tmp_path / "run", tmp_path, 9))
  corrupted = price_of(toy_run(tmp_path / "run", tmp_path, 9, objective=PrefixLM()))
  assert corrupted.basis == workload.SAMPLE
  assert corrupted.examples != plain.examples
  first, soon, late = (
    price_of(toy_run(tmp_path / "run", tmp_path, 9, objective=Stages((SpanCorruption(), PrefixLM()), (windows,))))
    for windows in (1000, 2, 1)
  )
  assert first.examples > soon.examples > late.examples > corrupted.examples


def test_without_any_data_full_rows_are_the_most_that_it_can_be(stores, tmp_path):
  """The whole Flan 2022 is priced on a machine that has nothing of it."""
  configuration.parse(
    ["include 'gin_configs/runs/flan_t5_xl.gin'", "INITIAL_CHECKPOINT_PATH = 'gs://none'", "MODEL_DIR = 'none'"]
  )
  xl = configuration.build()
  price = price_of(xl)
  assert price.basis == workload.FULL_ROWS
  assert "flan2022_b" in price.note
  assert price.examples is None
  assert (price.filled, price.tokens) == (1.0, 38_000 * 64 * 2560)
  assert (price.pretraining_flops, price.published_flops) == (9.0e21, 5.6e19)
  assert 1.0 < price.flops / price.published_flops < 1.1  # attention over 2,048 tokens of one example
  assert price.paper_flops / price.published_flops == pytest.approx(2.85 / 3, rel=0.01)
  of_part = price_of(dataclasses.replace(xl, mixture_or_task_name="flan2022_a(tasks=282)"))
  assert (of_part.basis, of_part.flops) == (workload.FULL_ROWS, price.flops)
  toy = price_of(toy_run(tmp_path / "run", stores, 9))
  bound = price_of(toy_run(tmp_path / "run", stores, 9, vocabulary="t5"))  # its file is not here
  assert (bound.basis, "t5" in bound.note) == (workload.FULL_ROWS, True)
  assert toy.flops < bound.flops


@pytest.mark.parametrize("name", [name for name in configuration.config_names("sweeps") if "flan2022" in name])
def test_presets_of_the_papers_size_are_priced_with_nothing_downloaded(name, monkeypatch, capsys):
  monkeypatch.delenv("FLAN_JAX_DATA_DIR", raising=False)
  content = pricing_view.content(planning.load(name), "TPU v4", 64, None)
  assert {run["basis"] for run in content["runs"] if run["tuned"]} == {workload.FULL_ROWS}
  assert all(run["store_bytes"] > 1e6 and 0.1 < run["hours"] < 10 for run in content["runs"] if run["tuned"])
  pricing_view.show(content)
  said = capsys.readouterr().out
  assert "the most that it can be" in said
  assert "as many examples as published" in said


@pytest.mark.parametrize("name", ["demmo", "flan2022_c", "demo(tasks=5000)"])
def test_a_mistyped_mixture_is_no_missing_file(tmp_path, name):
  with pytest.raises(UsageError):
    price_of(toy_run(tmp_path, tmp_path, 9, mixture_or_task_name=name))


@pytest.mark.parametrize("settings", [{}, {"vocabulary": "t5"}])
def test_equal_examples_make_the_steps(stores, tmp_path, settings):
  """Those of the run itself where stores stand; at most those where nothing does."""
  training = toy_run(tmp_path / "run", stores, 7, **settings)
  price = price_of(training, budget=EqualExamples(300))
  known = budgets.steps_for(toy_run(tmp_path / "run", stores, 7), 300)
  assert price.steps == (known if not settings else 38)  # 300 rows of one example, by 8


def test_what_trains_nothing_costs_nothing(stores, tmp_path):
  training = toy_run(tmp_path / "run", stores, 7)
  price = price_of(training, tuned=False)
  assert (price.basis, price.steps, price.flops, price.device_hours) == (workload.UNTUNED, 0, 0, 0)
  assert (price.checkpoints, price.stores) == (1, {})
  assert price_of(dataclasses.replace(training, initial_checkpoint_path="x"), tuned=False).checkpoints == 0


def test_one_stream_is_held_at_a_time(stores, tmp_path):
  """However many seeds: over thousands of tasks each takes a gigabyte."""
  known = workload.Known()
  for seed in (0, 1, 0):
    found = workload.workload(toy_run(tmp_path, stores, 5, seed=seed), known)
    assert found.counts(40) == found.counts(40)
    assert len(known.streams) == 1
  assert len(known.workloads) == 2


def test_runs_share_stores_and_their_sum_counts_each_once(stores, tmp_path):
  runs = [toy_run(tmp_path, stores, 5, seed=seed) for seed in (0, 1)]
  prices = pricing.priced(plan_of(*runs), "TPU v4", 4, None)
  assert prices.stores == prices.prices[0].stores == prices.prices[1].stores
  assert prices.flops == sum(price.flops for price in prices.prices)
  assert prices.hours == pytest.approx(sum(price.device_hours for price in prices.prices) / 4)


@pytest.fixture(scope="module")
def finished(stores, tmp_path_factory):
  """The plan of a run that is done, with what its execution would have noted: 4 s of training, 6 s of evaluation."""
  folder = tmp_path_factory.mktemp("sweep")
  training = toy_run(folder / "runs" / "seed-0", stores, 5, saving=Saving(period=2, keep=2), writers=("jsonl",))
  with on_one_device():
    training.run()
  plan = plan_of(training, dataclasses.replace(training, seed=1, model_dir=str(folder / "other")), folder=folder)
  stages = {"train": {"seconds": 4.0, "exit_code": 0}, "evaluate held_out": {"seconds": 6.0, "exit_code": 0}}
  state = {"state": "finished", "config": plan.runs[0].config, "stage": "evaluate held_out", "stages": stages}
  (plan.runs[0].folder / "state.json").write_text(json.dumps(state))
  # The tests' process has eight devices, of which it used one.
  (plan.runs[0].folder / "versions.json").write_text(json.dumps({"devices": "1 cpu (cpu)"}))
  return plan


@pytest.mark.slow
def test_checkpoints_are_as_many_and_as_large_as_said(finished):
  price = pricing.priced(finished, "TPU v4").prices[0]
  folder = finished.runs[0].folder
  steps = layout.saved_steps(folder)
  assert (steps, price.checkpoints) == ([0, 4, 5], 3)
  kinds = layout.read_record(layout.step_folder(folder))["arrays"]
  arrays = [kind for item in kinds.values() for kind in item.values()]
  assert price.checkpoint_bytes == sum(np.dtype(dtype).itemsize * int(np.prod(shape)) for dtype, shape in arrays)


def test_the_meter_of_the_run_saw_these_flops(finished):
  """It writes FLOP/s and steps a second from the second step on."""
  lines = [json.loads(line) for line in (finished.runs[0].folder / "metrics.jsonl").read_text().splitlines()]
  of_steps = [line["model_flops_per_s"] / line["steps_per_s"] for line in lines if "steps_per_s" in line]
  training = finished.runs[0].training
  first = price_of(dataclasses.replace(training, train_steps=1)).flops
  assert pricing.priced(finished, "TPU v4").prices[0].flops - first == pytest.approx(sum(of_steps), rel=1e-6)


def test_a_cpu_is_as_fast_as_it_was_in_finished_runs(finished):
  prices = pricing.priced(finished, "cpu", 2, None)
  done, other = prices.prices
  assert done.device_hours * 3600 == pytest.approx(4.0)
  assert other.device_hours == pytest.approx(done.device_hours * other.flops / done.flops)
  assert other.evaluated_seconds == 6.0
  assert prices.evaluation_hours == pytest.approx(12 / 3600)
  assert "measured" in prices.rate.said


def test_what_ran_elsewhere_measures_no_cpu(finished):
  """On an accelerator; on two devices of a CPU each did half."""
  path = finished.runs[0].folder / "versions.json"
  whole = path.read_text()
  for devices, hours in (("1 gpu (NVIDIA H100 80GB HBM3)", None), ("2 cpu (cpu)", 8.0)):
    path.write_text(json.dumps({"devices": devices}))
    prices = pricing.priced(finished, "cpu", 1, None)
    assert ("measured" in prices.rate.said) == (hours is not None)
    assert hours is None or prices.prices[0].device_hours * 3600 == pytest.approx(hours)
  path.write_text(whole)


def test_a_run_of_other_settings_measures_nothing(finished):
  changed = dataclasses.replace(finished.runs[0].training, learning_rate=0.5)
  prices = pricing.priced(plan_of(changed, folder=finished.folder), "cpu", 1, None)
  assert "measured" not in prices.rate.said
  assert prices.prices[0].evaluated_seconds is prices.evaluation_hours is None


def test_a_pipe_gets_plain_lines_and_json_is_json(finished, capsys):
  content = json.loads(json.dumps(pricing_view.content(finished, "TPU v4", 8, None)))
  pricing_view.show(content)
  table, _, rest = capsys.readouterr().out.partition("\n\n")
  header, *lines = [line.split("\t") for line in table.splitlines()]
  assert [line[header.index("run")] for line in lines] == ["seed-0", "seed-1"]
  assert {len(line) for line in lines} == {len(header)}
  assert float(lines[0][header.index("FLOPs")]) == pytest.approx(content["runs"][0]["flops"], rel=0.005)
  for said in ("2 runs", "1 stores", "8 x TPU v4", "training/flops.py", "0.3 (assumed", "evaluation (0.00333 hours"):
    assert said in rest
  assert content["sums"]["flops"] == sum(run["flops"] for run in content["runs"])


@pytest.mark.parametrize(("count", "told"), [(999, "999 B"), (1500, "1.5 kB"), (2.5e15, "2,500.0 TB")])
def test_sizes_are_told_in_powers_of_a_thousand(count, told):
  assert pricing_view.size(count) == told
