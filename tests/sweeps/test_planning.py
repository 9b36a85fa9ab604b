"""A sweep's gin file and a command line become runs: which, with what settings, and what is refused."""

import dataclasses
import itertools
import pathlib
import shlex

import pytest

from flan_jax import configuration
from flan_jax.errors import UsageError
from flan_jax.sweeps import commands, planning
from flan_jax.sweeps.sweep import Axis, EqualExamples, Evaluation, Sweep
from tests.sweeps.toy_sweep import toy_sweep


@pytest.fixture
def plan_of(tmp_path):
  """A function from further gin lines and a command line to the plan of the toy sweep."""
  return lambda *lines, **given: planning.load(toy_sweep(tmp_path, *lines), folder=tmp_path / "sweep", **given)


def test_the_grid_is_the_product_of_its_axes_in_order(plan_of, tmp_path):
  plan = plan_of(bindings=["tasks/Axis.values=[0, 2, 4]"])
  tuned = [run for run in plan.runs if run.tuned]
  assert [tuple(run.axes.values()) for run in tuned] == list(itertools.product([2, 4], [True, False], [0, 1]))
  first = tuned[0]
  assert first.name == "tasks-2_cot-True_seed-0"
  assert first.folder == tmp_path / "sweep" / "runs" / first.name
  for run in tuned:
    said = "" if run.axes["cot"] else ", cot=False"
    assert run.training.mixture_or_task_name == f"demo(tasks={run.axes['tasks']}, seed={run.axes['seed']}{said})"
    assert run.training.seed == run.axes["seed"]
    assert (run.training.train_steps, run.training.schedule.total_steps) == (6, 6)


def test_untuned_runs_that_begin_alike_are_one(plan_of):
  """Fresh networks differ by seed alone; with a checkpoint nothing tells them apart."""
  fresh = [run for run in plan_of().runs if not run.tuned]
  assert [(run.name, dict(run.axes)) for run in fresh] == [
    ("tasks-0_seed-0", {"tasks": 0, "cot": None, "seed": 0}),
    ("tasks-0_seed-1", {"tasks": 0, "cot": None, "seed": 1}),
  ]
  assert all(run.training.train_steps == 0 and run.trains for run in fresh)
  assert all(pathlib.Path(run.checkpoint).name == run.name for run in fresh)
  (given,) = (run for run in plan_of(options={"initial_checkpoint": "gs://bucket/base"}).runs if not run.tuned)
  assert (given.name, given.axes) == ("tasks-0", {"tasks": 0, "cot": None, "seed": None})
  assert (given.checkpoint, given.trains) == ("gs://bucket/base", False)


def test_an_untuned_run_is_called_the_same_when_axes_get_more_values(plan_of):
  """So a sweep of one seed is extended to several, and does not measure its beginning again."""
  few = ["seed/Axis.values=[0]", "cot/Axis.values=[True]"]
  for options in ({}, {"initial_checkpoint": "gs://bucket/base"}):
    (one,) = (run for run in plan_of(options=options, bindings=few).runs if not run.tuned)
    first = next(run for run in plan_of(options=options).runs if not run.tuned)
    assert (one.name, one.axes, one.config) == (first.name, first.axes, first.config)
  sizes = ["cot/Axis.name = 'size'", "cot/Axis.lines = ['T5Config.emb_dim = {value}']"]
  for values, names in {
    "[8]": ["tasks-0_size-8_seed-0"],
    "[8, 24]": ["tasks-0_size-8_seed-0", "tasks-0_size-24_seed-0"],
  }.items():
    plan = plan_of(*sizes, f"cot/Axis.values = {values}", "seed/Axis.values = [0]")
    assert [run.name for run in plan.runs if not run.tuned] == names


def test_quick_lines_come_before_the_command_line(plan_of):
  quick = plan_of(quick=True)
  assert {run.axes["seed"] for run in quick.runs} == {0}
  assert {run.training.train_steps for run in quick.runs} == {0, 2}
  both = plan_of(quick=True, options={"steps": 3}, bindings=["seed/Axis.values=[5]"])
  assert {run.axes["seed"] for run in both.runs} == {5}
  assert {run.training.train_steps for run in both.runs} == {0, 3}


def test_the_usual_folder_is_named_after_the_sweep(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  file = toy_sweep(tmp_path)
  assert planning.load(file).folder == tmp_path / "runs/sweeps/toy"
  assert planning.load(file, quick=True).folder == tmp_path / "runs/sweeps/toy_quick"


def test_folders_and_files_are_named_from_the_root(plan_of, tmp_path, monkeypatch):
  """A launcher may start runs elsewhere."""
  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv("FLAN_JAX_DATA_DIR", "data")
  (tmp_path / "base").mkdir()
  (tmp_path / "demo").mkdir()  # no vocabulary, which is a file
  training = plan_of(options={"store_dir": "store", "initial_checkpoint": "base"}).runs[-1].training
  assert training.store_dir == str(tmp_path / "store")
  assert training.data_dir == str(tmp_path / "data")
  assert training.initial_checkpoint_path == str(tmp_path / "base")
  assert training.vocabulary == "demo"


@pytest.mark.parametrize(
  ("values", "names"),
  [
    ([1, -1, 0.5, 1e-9], ["1", "-1", "0.5", "1e-09"]),
    ([True, None], ["True", "None"]),
    (["t5_1_1_xl", "a b/c", "../x"], ["t5-1-1-xl", "a-b-c", "..-x"]),
  ],
)
def test_values_make_names_of_folders(plan_of, values, names):
  few = ["tasks/Axis.values = [2]", "seed/Axis.values = [0]", "cot/Axis.lines = ['MODULE = \"{name}\"']"]
  few.append(f"cot/Axis.values = {values!r}")
  assert [run.name for run in plan_of(*few).runs] == [f"tasks-2_cot-{name}_seed-0" for name in names]


@pytest.mark.parametrize(
  ("lines", "given", "message"),
  [
    ([], {"options": {"seed": 3}}, "SEED = 3: the axis seed varies that (SEED = 0)"),
    ([], {"bindings": ["train.seed=3"]}, "train.seed = 3: the axis seed varies that"),
    ([], {"bindings": ["mixture.cot=False"]}, "the axis cot varies that (mixture.cot = True)"),
    ([], {"options": {"model_dir": "x"}}, "--model_dir says the one of the sweep"),
    (["sweep.budget = @EqualExamples()", "EqualExamples.examples = 9"], {"options": {"steps": 3}}, "how many examples"),
    (["SEEED = 3"], {}, "nothing reads the gin binding of SEEED. Nearest that are read: SEED"),
    (["WarmupLinear.warmup_step = 3"], {}, "no WarmupLinear parameter 'warmup_step'. Nearest: warmup_steps"),
    (["sweep.scores = 3"], {}, "no sweep parameter 'scores'. Nearest: score"),
    (["taks/Axis.values = [3]"], {}, "the gin binding of taks/Axis.values. Nearest that are read: tasks/Axis.values"),
    (["sweep.score = 'held_out/zero_shoot'"], {}, "of the evaluation held_out there are zero_shot"),
    (["sweep.score = 'held_out'"], {}, "of the evaluation held_out there are zero_shot"),
    (["sweep.score = 'heldout/zero_shot'"], {}, "EVALUATION/VARIANT, and the evaluations are held_out"),
    (["cot/Axis.lines = ['mixture.cott = {value}']"], {}, "run tasks-0_cot-True_seed-0: mixture.cott"),
    (["cot/Axis.values = ['a b', 'a-b']", "cot/Axis.lines = []"], {}, "several runs would be called"),
    (
      ["cot/Axis.lines = []"],
      {},
      "seed-0 and tasks-2_cot-False_seed-0 have the same settings: what do the values of cot",
    ),
    (["cot/Axis.lines = ['train.seed = {value}']"], {}, "the axes cot and seed both vary train.seed"),
    (["sweep.name = ''"], {}, "sweep.name = '': it names a folder"),
    (["sweep.name = '../x'"], {}, "sweep.name = '../x': it names a folder"),
    (["sweep.axes = []"], {}, "sweep.axes: none: at least one"),
    (
      ["sweep.ladder = ['held_out', 'new']"],
      {},
      "names new, and the evaluations of mixtures are held_out",
    ),
    (["sweep.ladder = ['held_out']"], {}, "at least two rungs"),
    (["TRAIN_STEPS = %gin.REQUIRED"], {}, "TRAIN_STEPS has no value: give --steps"),
  ],
)
def test_what_does_not_fit_is_refused(plan_of, lines, given, message):
  with pytest.raises(UsageError) as error:
    plan_of(*lines, **given)
  assert message in str(error.value)


@pytest.mark.parametrize(
  ("asked", "named", "wrong"),
  [
    ({}, ["cot", "direct", "direct@5", "normalised_average"], ["zero_shot", "cott"]),
    ({"modes": ["cot"]}, ["cot", "normalised_average"], ["direct"]),
    ({"paths": [1, 40]}, ["cot", "cot@40"], ["cot@5"]),
    ({"paths": [40]}, ["cot@40"], ["cot"]),
  ],
)
def test_a_score_of_suites_is_one_that_they_have(asked, named, wrong):
  suites = {"axes": [Axis(name="seed", values=[0])], "evaluations": [Evaluation(name="e", suites=["bbh"], **asked)]}
  for variant in named:
    assert Sweep(name="s", score=f"e/{variant}", **suites)
  for variant in wrong:
    with pytest.raises(UsageError, match=rf"'e/{variant}': of the evaluation e there are "):
      Sweep(name="s", score=f"e/{variant}", **suites)


def test_a_sweep_that_is_not_there_is_told(tmp_path):
  with pytest.raises(UsageError, match="no sweep 'demo_num_task'"):
    planning.load("demo_num_task")
  with pytest.raises(UsageError, match="no gin file"):
    planning.load(str(tmp_path / "none.gin"))
  with pytest.raises(
    UsageError, match=r"quickstart.gin is no sweep, it has no sweep.name. A sweep to learn from: gin_"
  ):
    planning.load("gin_configs/runs/quickstart.gin")


def test_a_number_of_examples_gives_steps_for_now(plan_of):
  """Nine examples in batches of four rows take at most three steps; what they take is known from the stores."""
  plan = plan_of("sweep.budget = @EqualExamples()", "EqualExamples.examples = 9", "TRAIN_STEPS = %gin.REQUIRED")
  assert plan.sweep.budget == EqualExamples(9)
  assert {(run.training.train_steps, run.training.schedule.total_steps) for run in plan.runs if run.tuned} == {(3, 3)}


def test_a_hash_is_of_what_changes_results(plan_of):
  run = plan_of().runs[-1]
  elsewhere = dataclasses.replace(run.training, model_dir="/x", store_dir="/y", data_dir="/z", log_period=3)
  assert dataclasses.replace(run, training=elsewhere).config == run.config
  for field, value in {"seed": 9, "train_steps": 9, "initial_checkpoint_path": "gs://x"}.items():
    changed = dataclasses.replace(run.training, **{field: value})
    assert dataclasses.replace(run, training=changed).config != run.config
  assert len({each.config for each in plan_of().runs}) == len(plan_of().runs)


def test_commands_are_those_of_the_command_line(plan_of, tmp_path):
  plan = plan_of()
  train, evaluate = commands.of_run(plan.runs[-1], plan.sweep.evaluations)
  folder = plan.runs[-1].folder
  assert (train.stage, evaluate.stage) == ("train", "evaluate held_out")
  assert shlex.join(train.argv) == f"flan-jax train --gin_file={folder}/run.gin"
  assert shlex.join(evaluate.argv) == (
    f"flan-jax eval {folder} --mixture demo_held_out --formats zero_shot --examples 2 --output "
    f"{folder}/evaluations/held_out"
  )


def test_what_more_is_asked_of_a_mixture_is_said_to_the_command(plan_of):
  more = ["held_out/Evaluation.unseen_wordings = True", "held_out/Evaluation.swap = True"]
  plan = plan_of(*more, "held_out/Evaluation.rank = True")
  *_, evaluate = commands.of_run(plan.runs[-1], plan.sweep.evaluations)
  assert "--unseen_wordings --swap --rank sum --examples 2" in shlex.join(evaluate.argv)
  with pytest.raises(UsageError, match="swap says nothing of suites"):
    Evaluation(name="e", suites=["bbh"], swap=True)


def test_an_untuned_checkpoint_is_measured_as_the_tuned_ones_are(plan_of):
  """It says itself neither which vocabulary it has nor how long its prompts may be."""
  lines = ["sweep.evaluations = [@held_out/Evaluation(), @suites/Evaluation()]", "suites/Evaluation.name = 'suites'"]
  lines += ["suites/Evaluation.suites = ['mmlu', 'bbh']", "suites/Evaluation.modes = ['direct', 'cot']"]
  plan = plan_of(*lines, options={"initial_checkpoint": "gs://b/base", "data_dir": "/d", "missing": "skip"})
  held_out, suites = commands.of_run(plan.runs[0], plan.sweep.evaluations)
  folder = plan.runs[0].folder / "evaluations"
  shared = f"--data_dir /d --missing skip --vocabulary demo --output {folder}"
  assert shlex.join(held_out.argv) == (
    "flan-jax eval gs://b/base --mixture demo_held_out --formats zero_shot --max_input_tokens 128 --max_new_tokens 32 "
    f"--examples 2 {shared}/held_out"
  )
  assert shlex.join(suites.argv) == (
    f"flan-jax eval gs://b/base --suite mmlu,bbh --mode direct,cot --sharding data_parallel {shared}/suites"
  )


@pytest.mark.parametrize(
  ("sharding", "lines", "expected"),
  [("two_d", [], "two_d"), ("auto", [], "fsdp"), (None, [], "data_parallel"), (None, ["Partitioning.model = 3"], None)],
)
def test_suites_are_asked_with_parameters_lying_as_in_training(plan_of, sharding, lines, expected):
  suites = ["held_out/Evaluation.mixture = None", "held_out/Evaluation.suites = ['mmlu']"]
  suites += ["sweep.score = 'held_out/direct'", "seed/Axis.values = [0]"]
  plan = plan_of(*suites, *lines, sharding=sharding)
  _, evaluate = commands.of_run(plan.runs[-1], plan.sweep.evaluations)
  given = dict(itertools.pairwise(evaluate.argv)).get("--sharding")
  assert given == expected


def test_every_command_is_one_that_the_command_line_takes(plan_of):
  """Options are looked up, nothing is executed."""
  from flan_jax.cli import eval as eval_command
  from flan_jax.cli import prepare, train

  of_name = {"eval": eval_command.command, "train": train.command, "prepare": prepare.command}
  more = [f"held_out/Evaluation.{name} = True" for name in ("unseen_wordings", "swap", "rank")]
  plan = plan_of(*more)
  for command in [
    *commands.of_run(plan.runs[-1], plan.sweep.evaluations),
    commands.preparation(plan.runs[-1].training),
  ]:
    program, name, *arguments = command.argv
    assert program == "flan-jax"
    of_name[name].make_context(name, arguments)


def test_two_roots_of_one_config_are_built_together(plan_of, tmp_path):
  """Each alone would find that nothing reads the bindings of the other."""
  configuration.parse([f"include {toy_sweep(tmp_path)!r}", "MODEL_DIR = 'm'"])
  training, sweep = configuration.build_all(["train", "sweep"])
  assert (training.train_steps, sweep.name) == (6, "toy")
  for name in ("train", "sweep"):
    configuration.parse([f"include {toy_sweep(tmp_path)!r}", "MODEL_DIR = 'm'"])
    with pytest.raises(UsageError, match="nothing reads the gin binding") as error:
      configuration.build(name)
    assert ("This is a sweep: flan-jax sweep" in str(error.value)) == (name == "train")
