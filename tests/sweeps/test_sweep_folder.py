"""A sweep's folder says all that the sweep is, takes further runs, and refuses others."""

import dataclasses
import json
import shutil

import pytest

from flan_jax import configuration
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.sweeps import folder, planning
from flan_jax.sweeps.running import states
from tests.sweeps.toy_sweep import toy_sweep


@pytest.fixture
def plan_of(tmp_path):
  """A function from further gin lines to the plan of the toy sweep, always in the same folder."""
  return lambda *lines, **given: planning.load(toy_sweep(tmp_path, *lines), folder=tmp_path / "sweep", **given)


def files(path):
  return {each.relative_to(path): each.stat().st_mtime_ns for each in path.rglob("*") if each.is_file()}


@pytest.mark.parametrize("lines", [[], ["sweep.budget = @EqualExamples()", "EqualExamples.examples = 9"]])
def test_what_is_read_is_what_was_written(plan_of, lines):
  plan = plan_of(*lines, "cot/Axis.also = {'True': ['LEARNING_RATE = 0.5']}")
  folder.write(plan)
  assert folder.read(plan.folder) == plan
  run = plan.runs[-1]
  configuration.parse((run.folder / "run.gin").read_text().splitlines())
  assert configuration.build() == run.training
  assert json.loads((run.folder / "run.json").read_text())["config"] == run.config


def test_a_folder_may_be_moved(plan_of, tmp_path):
  plan = plan_of()
  folder.write(plan)
  shutil.move(plan.folder, tmp_path / "elsewhere")
  moved = folder.read(tmp_path / "elsewhere")
  assert [run.folder for run in moved.runs] == [tmp_path / "elsewhere" / "runs" / run.name for run in plan.runs]
  assert [run.config for run in moved.runs] == [run.config for run in plan.runs]


def test_the_same_sweep_again_writes_nothing(plan_of):
  folder.write(plan_of())
  before = files(plan_of().folder)
  folder.write(plan_of())
  assert files(plan_of().folder) == before


def test_more_values_and_seeds_extend_it(plan_of):
  folder.write(plan_of())
  before = files(plan_of().folder)
  more = plan_of(bindings=["tasks/Axis.values=[0, 2, 3, 4]", "seed/Axis.values=[0, 1, 2]"])
  folder.write(more)
  assert folder.read(more.folder) == more
  after = files(more.folder)
  kept = [path for path in before if path.parts[0] == "runs"]
  assert [after[path] for path in kept] == [before[path] for path in kept]


@pytest.mark.parametrize(
  ("lines", "given", "message"),
  [
    (["TRAIN_STEPS = 7"], {}, "in run tasks-2_cot-True_seed-0 TRAIN_STEPS was 6, is 7, WarmupLinear.total_steps was 6"),
    ([], {"quick": True}, "with runs that are none of this one's: tasks-0_seed-1"),
    (
      ["cot/Axis.values = [True]"],
      {},
      "none of this one's: tasks-2_cot-False_seed-0, tasks-2_cot-False_seed-1. Runs can",
    ),
    (["held_out/Evaluation.examples = 3"], {}, "other evaluations: held_out.examples was 2, is 3"),
    (["held_out/Evaluation.name = 'other'", "sweep.score = 'other/zero_shot'"], {}, "other is new, held_out is gone"),
    (["sweep.name = 'another'"], {}, "has the sweep toy, this is another"),
  ],
)
def test_another_sweep_is_refused_with_what_differs(plan_of, lines, given, message):
  folder.write(plan_of())
  before = files(plan_of().folder)
  with pytest.raises(UsageError) as error:
    folder.write(plan_of(*lines, **given))
  assert message in str(error.value)
  assert str(error.value).endswith("Take another --model_dir, or remove it")
  assert files(plan_of().folder) == before


def test_runs_trained_with_other_settings_are_refused_where_the_record_of_the_sweep_is_gone(plan_of):
  """Training would go on from their checkpoints, and be called a run of the new settings."""
  plan = plan_of()
  folder.write(plan)
  run = plan.runs[-1]  # not an untuned one
  (run.folder / "state.json").write_text(json.dumps({"state": "stopped", "config": run.config, "stages": {}}))
  (run.folder / "checkpoints/3/record").mkdir(parents=True)
  (plan.folder / "sweep.json").unlink()
  before = files(plan.folder)
  with pytest.raises(FlanJaxError, match=rf"{run.name} has checkpoints of other settings: take another --model_dir"):
    folder.write(plan_of("LEARNING_RATE = 0.5"))
  assert files(plan.folder) == before
  folder.write(plan)


def test_places_and_words_may_change(plan_of, tmp_path):
  """They change no result."""
  folder.write(plan_of())
  plan = plan_of("sweep.title = 'Another title'", options={"store_dir": str(tmp_path / "store")})
  folder.write(plan)
  assert folder.read(plan.folder) == plan


def test_what_is_no_sweep_or_is_damaged_is_said(plan_of, tmp_path):
  with pytest.raises(UsageError, match=r"no sweep's folder: it has no sweep.json"):
    folder.read(tmp_path)
  plan = plan_of()
  folder.write(plan)
  (plan.runs[0].folder / "run.json").write_text("{")
  with pytest.raises(FlanJaxError, match=r"run.json is no JSON .*; remove it, and the sweep's own command writes it"):
    folder.read(plan.folder)
  folder.write(plan)
  assert folder.read(plan.folder) == plan


def test_finished_and_running_runs_are_left_and_failed_ones_until_retried(plan_of, monkeypatch):
  plan = dataclasses.replace(plan_of(), runs=plan_of().runs[: len(states.STATES)])
  of_run = dict(zip((run.name for run in plan.runs), states.STATES, strict=True))
  monkeypatch.setattr(states, "state_of", lambda run: of_run[run.name])
  assert [of_run[run.name] for run in folder.runs_to_do(plan)] == ["waiting", "stopped"]
  assert [of_run[run.name] for run in folder.runs_to_do(plan, retry=True)] == ["waiting", "stopped", "failed"]
