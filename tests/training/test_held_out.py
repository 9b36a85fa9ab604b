"""Evaluation while training: its numbers on any mesh, that it changes no run, and what a resumed run does."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from flan_jax.data.mixtures import get_mixture
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.decoding.decode import generate
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.models.model import Model
from flan_jax.models.stacking import stacked
from flan_jax.training.checkpoints import Saving
from flan_jax.training.held_out import Evaluation, HeldOut, asked
from flan_jax.training.losses import Loss
from flan_jax.training.optimizers import AdamW
from flan_jax.training.partitioning import Partitioning, batch_sharding
from flan_jax.training.schedules import Constant
from flan_jax.training.step import StepSettings, batch_scores
from flan_jax.training.trainer import Trainer
from tests.training.launching import KILLED, check_same_run, metrics_of, randomly
from tests.training.tiny import batch_of
from tests.training.toy_run import LENGTHS, MODEL, STEPS, TASK, toy_run

SETTINGS = HeldOut(period=8, examples=12, generations=3)
STRICT = Loss(label_smoothing=0.1, z_loss=1e-4)  # of which the evaluation knows nothing


@pytest.fixture(scope="module")
def vocabulary():
  return load_vocabulary("demo")


@pytest.fixture(scope="module")
def sides(store, vocabulary, tmp_path_factory):
  training = toy_run(tmp_path_factory.mktemp("asked"), store, 1, held_out=SETTINGS)
  return asked(training, vocabulary, [TASK], {TASK})


def evaluation(sides, vocabulary, mesh, model=MODEL, rows=8) -> tuple[Evaluation, Trainer]:
  trainer = Trainer(
    Model(model),
    mesh,
    optimizer=AdamW(),
    learning_rate=1e-3,
    schedule=Constant(),
    settings=StepSettings(STRICT),
  )
  return Evaluation(SETTINGS, sides, trainer, vocabulary, LENGTHS, rows), trainer


@pytest.fixture(scope="module")
def single(sides, vocabulary):
  """(metrics, samples) on one device."""
  made, trainer = evaluation(sides, vocabulary, Partitioning().mesh(jax.devices()[:1]))
  return made.measure(trainer.start().params)


def test_the_numbers_are_those_of_each_example_alone(sides, vocabulary, single):
  """Unpacked, one by one, with a plain loss; outputs are those of plain decoding."""
  model = Model(MODEL)
  params = model.init(0)
  score = jax.jit(lambda params, batch: batch_scores(model, params, batch, Loss()))
  for side, found in sides.items():
    sums = np.zeros(3)
    for question in found:
      pair = tuple(np.array(ids, np.int32) for ids in vocabulary.encode([question.inputs, question.targets]))
      scores = score(params, _alone(*pair))
      sums += [float(np.sum(each)) for each in (scores.loss, scores.correct, scores.weight)]
    assert single[0][f"{side}/loss"] == pytest.approx(sums[0] / sums[2], rel=1e-5)
    assert single[0][f"{side}/accuracy"] == pytest.approx(sums[1] / sums[2])
    prompts = vocabulary.encode([question.inputs for question in found[: SETTINGS.generations]])
    outputs = generate(model, params, prompts, max_tokens=LENGTHS["targets"])
    assert [sample.output for sample in single[1] if sample.side == side] == list(map(vocabulary.decode, outputs))


def _alone(inputs, targets):
  """One example in a row of the shortest shape of a few, so that few are compiled."""
  slots = 6 * (-(-max((len(inputs) + 1) / 6, (len(targets) + 1) / 4) // 4) * 4)
  return jax.tree.map(jnp.asarray, batch_of([(inputs, targets)], per_row=int(slots // 6)))


@pytest.mark.parametrize(
  ("partitioning", "settings", "rows"),
  [
    (Partitioning(data=2, fsdp=2, model=2), {}, 8),
    pytest.param(Partitioning(fsdp=4, model=2), {"scan_layers": True}, 4, marks=pytest.mark.slow),
  ],
  ids=["three axes", "fsdp and scanned"],
)
def test_sharded_and_scanned_measure_the_same(partitioning, settings, rows, sides, vocabulary, single):
  model = dataclasses.replace(MODEL, **settings)
  made, trainer = evaluation(sides, vocabulary, partitioning.mesh(), model, rows)
  params = Model(MODEL).init(0)
  placed = jax.device_put(stacked(params) if settings else params, trainer.shardings.params)
  metrics, samples = made.measure(placed)
  assert metrics == pytest.approx(single[0], rel=1e-5)
  assert samples == single[1]


def test_rows_that_do_not_divide_over_the_mesh_are_filled_up(sides, vocabulary):
  """Three prompts on eight devices."""
  mesh = Partitioning().mesh()
  params = Model(MODEL).init(0)
  prompts = vocabulary.encode([question.inputs for question in sides["held_out"][:3]])
  replicated = jax.device_put(params, jax.NamedSharding(mesh, jax.P()))
  outputs = generate(Model(MODEL), replicated, prompts, max_tokens=8, rows=batch_sharding(mesh))
  assert outputs == generate(Model(MODEL), params, prompts, max_tokens=8)


# --- in a run ---


def measured(model_dir):
  return [line for line in metrics_of(model_dir) if "held_out/loss" in line]


@pytest.fixture(scope="module")
def evaluated(launch, tmp_path_factory):
  model_dir = tmp_path_factory.mktemp("evaluated")
  said = launch.finish(model_dir, "--held_out", "12")
  assert "step 12: new examples: loss" in said
  assert f"new examples, wrong, {TASK}: said" in said
  return model_dir


def test_a_run_is_evaluated_each_period_and_at_its_end(evaluated):
  lines = measured(evaluated)
  assert [line["step"] for line in lines] == [12, 24, STEPS]
  names = {f"{side}/{name}" for side in ("held_out", "unseen") for name in ("loss", "accuracy", "exact_match")}
  assert all(set(line) == {"step", *names} for line in lines)
  assert lines[-1]["held_out/loss"] < lines[0]["held_out/loss"]
  samples = [json.loads(line) for line in (evaluated / "samples.jsonl").read_text().splitlines()]
  assert [sample["step"] for sample in samples] == [12] * 4 + [24] * 4 + [STEPS] * 4
  assert {sample["task"] for sample in samples if sample["side"] == "held_out"} == {TASK}


def test_an_evaluated_run_is_the_same_run(evaluated, whole, tmp_path):
  for name in ("checkpoints", "rows", "vocabulary", "config", "windows"):
    for path in evaluated.glob(f"{name}*"):
      (tmp_path / path.name).symlink_to(path)
  plain = [line for line in metrics_of(evaluated) if "loss" in line]
  (tmp_path / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in plain))
  check_same_run(tmp_path, whole)


@pytest.mark.slow
def test_a_killed_run_goes_on_with_the_same_examples(launch, evaluated, tmp_path):
  """Killed after an evaluation that came after the last checkpoint: its line and samples are not there twice."""
  draw = randomly("held out")
  at = draw.randint(14, 18)
  options = ("--held_out", "12", "--checkpoint_period", "10")
  (ended,) = launch.run(tmp_path, *options, signals={0: f"{at}:SIGKILL:0"})
  assert ended.code == KILLED
  launch.finish(tmp_path, *options)
  assert measured(tmp_path) == measured(evaluated)
  assert (tmp_path / "held_out.json").read_text() == (evaluated / "held_out.json").read_text()
  assert (tmp_path / "samples.jsonl").read_text() == (evaluated / "samples.jsonl").read_text()


@pytest.mark.slow
def test_two_processes_evaluate_as_one(launch, evaluated, tmp_path):
  launch.finish(tmp_path, "--held_out", "12", processes=2)
  for mine, theirs in zip(measured(tmp_path), measured(evaluated), strict=True):
    assert mine == pytest.approx(theirs, rel=1e-4)


def test_a_checkpoint_has_the_metrics_of_its_step(evaluated):
  """By which the best are kept."""
  (line,) = [line for line in measured(evaluated) if line["step"] == STEPS]
  record = layout.read_record(layout.step_folder(evaluated))
  assert {"step": STEPS, **record["metrics"]} == line


# --- refusals ---


@pytest.mark.parametrize(
  ("settings", "message"),
  [
    ({"period": 0}, "HeldOut.period = 0: must be at least 1"),
    ({"generations": -1}, "at least 0"),
    ({"examples": 4, "generations": 5}, "there are only 4 examples a side"),
  ],
)
def test_settings_that_mean_nothing_are_refused(settings, message):
  with pytest.raises(UsageError, match=message):
    HeldOut(**settings)


def test_a_mixture_of_the_user_s_own_has_no_held_out_examples(store, vocabulary, tmp_path):
  training = toy_run(tmp_path, store, 1, held_out=SETTINGS, module="mine")
  with pytest.raises(UsageError, match="none is held out; set it to None"):
    asked(training, vocabulary, ["mine.task"], {"mine.task"})


def test_rows_in_which_no_held_out_example_fits_are_told(store, vocabulary, tmp_path):
  training = toy_run(tmp_path, store, 1, held_out=SETTINGS, task_feature_lengths={"inputs": 4, "targets": 32})
  with pytest.raises(UsageError, match=r"no example of .* is held out and fits a row of .*4"):
    asked(training, vocabulary, [TASK], {TASK})


def test_other_settings_choose_other_examples(store, vocabulary, tmp_path):
  def sides_of(**settings):
    training = toy_run(tmp_path, store, 1, held_out=dataclasses.replace(SETTINGS, **settings))
    return asked(training, vocabulary, [TASK], {TASK})

  first = sides_of()
  assert sides_of(generations=1) == first
  named = sides_of(unseen="demo_held_out")
  assert named["held_out"] == first["held_out"]
  assert {question.task for question in named["unseen"]} <= set(get_mixture("demo_held_out").tasks)
  assert set(sides_of(unseen="")) == {"held_out"}


def test_best_of_nothing_is_refused(store, tmp_path):
  with pytest.raises(UsageError, match="keep_best needs held-out evaluations"):
    toy_run(tmp_path, store, 1, saving=Saving(keep_best=1))


@pytest.mark.parametrize("best_by", ["held_out/exact_match", "held_out/bleu", "unseen/loss"])
def test_best_by_what_will_not_be_measured_is_refused_at_the_start(best_by, store, tmp_path):
  settings = dataclasses.replace(SETTINGS, generations=0, unseen="")
  run = toy_run(tmp_path, store, 1, held_out=settings, saving=Saving(keep_best=1, best_by=best_by))
  with pytest.raises(UsageError, match=f"{best_by}. is not what is measured, which is held_out/loss, held_out"):
    run.run()
  assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"key": 1}', '{"key": {}, "sides": {"held_out": [1]}}'])
def test_a_damaged_file_of_examples_is_named(content, store, vocabulary, tmp_path):
  (tmp_path / "held_out.json").write_text(content)
  with pytest.raises(FlanJaxError, match=r"held_out\.json cannot be read .*: take it away"):
    asked(toy_run(tmp_path, store, 1, held_out=SETTINGS), vocabulary, [TASK], {TASK})


def test_an_optimizer_of_no_checkpoint_is_refused(store, tmp_path):
  with pytest.raises(UsageError, match="INITIAL_OPTIMIZER = True: there is nothing to take it from"):
    toy_run(tmp_path, store, 1, initial_optimizer=True)
