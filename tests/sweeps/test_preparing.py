"""What is looked at and made before the first run starts."""

import json

import pytest

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.sweeps import folder, planning, preparing
from tests.sweeps.toy_sweep import toy_sweep

NO_MIXTURE = ("held_out/Evaluation.mixture = None", "sweep.score = 'held_out/direct'")


@pytest.fixture
def plan_of(tmp_path):
  """A function from further gin lines to the plan of the toy sweep."""
  return lambda *lines, **given: planning.load(toy_sweep(tmp_path, *lines), folder=tmp_path / "sweep", **given)


def test_runs_of_the_same_stores_are_prepared_once(plan_of):
  plan = plan_of("tasks/Axis.lines = ['mixture.tasks = {value}', 'LEARNING_RATE = 0.1']")
  names = [each.mixture_or_task_name for each in preparing.distinct(plan.runs)]
  assert names == ["demo(tasks=2)", "demo(tasks=2, cot=False)"]


@pytest.mark.parametrize("checkpoint", [None, "gs://b/base"])
def test_untuned_runs_need_no_store_that_no_other_needs(plan_of, checkpoint):
  """Their own mixture would be all of the demo."""
  plan = plan_of(options={"initial_checkpoint": checkpoint})
  tuned = [run for run in plan.runs if run.tuned]
  assert {each.mixture_or_task_name for each in preparing.distinct(plan.runs)} == {
    run.training.mixture_or_task_name for run in tuned
  }


@pytest.mark.parametrize(
  ("lines", "message"),
  [
    (["held_out/Evaluation.mixture = 'demo_held_ou'"], "evaluation held_out: no mixture or task 'demo_held_ou'"),
    (["held_out/Evaluation.formats = ['zero_shot', 'cott']"], "evaluation held_out: no format 'cott'"),
    (["held_out/Evaluation.mixture = 'cot'"], "evaluation held_out: "),
    ([*NO_MIXTURE, "held_out/Evaluation.suites = ['mmul']"], "no suite 'mmul'"),
    ([*NO_MIXTURE, "held_out/Evaluation.suites = ['mmlu']"], "evaluation held_out: mmlu: "),
  ],
)
def test_what_cannot_be_measured_is_told_before_anything_is_written(plan_of, lines, message, tmp_path):
  with pytest.raises(FlanJaxError) as error:
    preparing.made_ready(plan_of(*lines))
  assert message in str(error.value)
  assert not (tmp_path / "sweep").exists()


def test_a_beginning_that_is_not_there_is_told_before_anything_is_written(plan_of, tmp_path):
  """One on another machine is not looked for."""
  with pytest.raises(UsageError, match=rf"run tasks-0: {tmp_path}/none is not there"):
    preparing.made_ready(plan_of(options={"initial_checkpoint": str(tmp_path / "none")}))
  assert not (tmp_path / "sweep").exists()
  preparing.check_beginnings(plan_of(options={"initial_checkpoint": "gs://nobody/none"}))


def test_a_beginning_that_has_gone_since_is_told_of_the_runs_that_have_not_begun(plan_of, tmp_path):
  plan = plan_of("tasks/Axis.values = [2]", options={"initial_checkpoint": str(tmp_path / "gone")})
  first, second, *_ = plan.runs
  (first.folder / "checkpoints/3/record").mkdir(parents=True)
  with pytest.raises(UsageError, match=rf"run {second.name}: {tmp_path}/gone is not there"):
    preparing.check_beginnings(plan)


def test_another_sweeps_folder_is_refused_before_stores_are_made(plan_of, monkeypatch):
  folder.write(plan_of())
  monkeypatch.setattr(preparing, "prepare", lambda *_: pytest.fail("stores were asked for"))
  with pytest.raises(UsageError, match="with other settings"):
    preparing.made_ready(plan_of("TRAIN_STEPS = 7"))


def test_a_number_of_examples_becomes_steps_before_the_folder_is_written(plan_of, tmp_path):
  """Of demo tasks several examples share a row, so fewer steps than rows of one example each would take."""
  lines = ["sweep.budget = @EqualExamples()", "EqualExamples.examples = 200", "tasks/Axis.values = [1]"]
  lines += ["cot/Axis.values = [True]", "mixture.name = 'demo.number_smallest'"]
  plan = plan_of(*lines, options={"store_dir": str(tmp_path / "store")})
  assert {run.training.train_steps for run in plan.runs} == {50}
  ready = preparing.made_ready(plan, stores=False)
  steps = [run.training.train_steps for run in ready.runs]
  assert all(0 < each < 50 for each in steps)
  assert [json.loads((run.folder / "run.json").read_text())["train_steps"] for run in ready.runs] == steps
  assert folder.read(plan.folder) == ready
