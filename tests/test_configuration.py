"""gin as the user meets it: what a command line stands for, what is refused and how, what is written back."""

import dataclasses
import re

import gin
import pytest

from flan_jax import configuration
from flan_jax.data.objectives import Denoisers, PrefixLM, SpanCorruption
from flan_jax.errors import UsageError
from flan_jax.models.configs import T5Config
from flan_jax.training.losses import Loss
from flan_jax.training.optimizers import AdamW
from flan_jax.training.schedules import WarmupLinear
from flan_jax.training.train import Training

RUN = {"mixture": "cot", "steps": 20, "model_dir": "/tmp/m"}


@pytest.fixture(autouse=True)
def _forget_gin():
  yield
  gin.clear_config()


def build(*bindings, model="t5_1_1_small", **arguments):
  configuration.parse(configuration.lines(model, options=RUN, bindings=bindings, **arguments))
  return configuration.build()


def test_short_forms_expand_to_gin_that_is_the_same_run():
  lines = configuration.lines("t5_1_1_small", options=RUN, bindings=["LEARNING_RATE=0.5"])
  assert lines[2:] == [
    "MIXTURE_OR_TASK_NAME = 'cot'",
    "TRAIN_STEPS = 20",
    "MODEL_DIR = '/tmp/m'",
    "LEARNING_RATE = 0.5",
  ]
  configuration.parse(lines)
  run = configuration.build()
  assert (run.mixture_or_task_name, run.train_steps, run.learning_rate, run.vocabulary) == ("cot", 20, 0.5, "t5")
  assert run.model.num_encoder_layers == 8


def test_every_short_form_and_macro_is_bound_by_the_general_run():
  bound = set(re.findall(r"^\w+\.\w+ = %(\w+)$", _finetune().read_text(), re.MULTILINE)) | {"DROPOUT_RATE"}
  assert bound == set(configuration.MACROS)
  assert set(configuration.SHORT_FORMS.values()) <= set(configuration.MACROS)


def test_a_later_binding_wins():
  assert build("TRAIN_STEPS = 1", "TRAIN_STEPS = 2").train_steps == 2


def test_lines_after_others_are_as_if_all_were_read_together():
  """And what was read before can be gone back to as often as one likes."""
  head = configuration.lines("t5_1_1_small", options=RUN)
  configuration.parse(head)
  before = configuration.parsed()
  for lines in (["TRAIN_STEPS = 7"], ["include 'gin_configs/models/t5_demo.gin'", "Loss.z_loss = 0.5"], []):
    configuration.parse(lines, after=before)
    after = configuration.build()
    configuration.parse([*head, *lines])
    assert configuration.build() == after


def test_a_bare_path_is_a_string_and_literals_are_not():
  lines = configuration.lines(bindings=["A=/tmp/m", "B=12", "C='x'", "D={'inputs': 1}", "E=@Loss()", "F=None"])[1:]
  assert lines == ["A = '/tmp/m'", "B = 12", "C = 'x'", "D = {'inputs': 1}", "E = @Loss()", "F = None"]


@pytest.mark.parametrize("kind", ["models", "sharding"])
def test_every_file_of_the_project_builds_a_run(kind):
  for name in configuration.config_names(kind):
    run = build(model=name) if kind == "models" else build(sharding=name)
    assert isinstance(run, Training)


@pytest.mark.parametrize(
  ("binding", "message"),
  [
    ("TRAIN_STEPZ=3", "nothing reads the gin binding of TRAIN_STEPZ. Nearest that are read: TRAIN_STEPS"),
    ("AdamW.b1=0.5", "nothing reads the gin binding of AdamW.b1"),
    ("train.stepz=3", "no train parameter 'stepz'"),
    ("T5Config.emb_dimm=3", "no T5Config parameter 'emb_dimm'. Nearest: emb_dim"),
    ("T5Confik.emb_dim=3", "no configurable 'T5Confik'. Nearest: T5Config"),
    ("train.loss=@Los()", "no configurable 'Los'. Nearest: Loss"),
    ("TRAIN_STEPS", "a binding has the form --gin.NAME=value"),
    ("TRAIN_STEPS=[1,", "unclosed bracket or quote"),
    ("TRAIN_STEPS=-3", "train.train_steps = -3: must not be negative"),
    ("T5Config.dropout_rate=2.5", "T5Config.dropout_rate = 2.5: must be in [0, 1)"),
    ("TASK_FEATURE_LENGTHS={'input': 3}", "must name both"),
    ("train.schedule=@WarmupLinear()", "warmup_steps"),
    ("train.objective=@SpanCorruptoin()", "no configurable 'SpanCorruptoin'. Nearest: SpanCorruption"),
    ("train.objective=@Denoisers()", "objectives"),
    ("SpanCorruption.noise_density=0.5", "nothing reads the gin binding of SpanCorruption.noise_density"),
  ],
)
def test_what_can_be_mistyped_is_said_in_one_line(binding, message):
  with pytest.raises(UsageError) as error:
    build(binding)
  assert message in str(error.value)
  assert "\n" not in str(error.value)


def test_missing_macros_are_named_with_their_flags():
  configuration.parse(configuration.lines(gin_files=["gin_configs/runs/finetune.gin"]))
  with pytest.raises(UsageError, match=r"MIXTURE_OR_TASK_NAME has no value: give --mixture .* MODEL has no value"):
    configuration.build()


def test_unknown_model_names_the_nearest():
  with pytest.raises(UsageError, match=r"no model 't5_1_1_smal'\. Nearest: t5_1_1_small"):
    configuration.lines("t5_1_1_smal")


@pytest.mark.parametrize(
  ("content", "message"),
  [
    ("A = 1\nB = abc\n", "broken.gin:2: abc is no gin value"),
    ("import no_such_module\n", "broken.gin:1: No module named 'no_such_module'"),
    ("\n\nT5Confik.x = 1\n", "broken.gin:3: no configurable 'T5Confik'"),
    ("include 'nowhere.gin'\n", "no gin file 'nowhere.gin'"),
  ],
)
def test_errors_in_a_file_name_file_and_line(tmp_path, content, message):
  (tmp_path / "broken.gin").write_text(content)
  lines = configuration.lines(gin_files=["broken.gin"])
  with pytest.raises(UsageError) as error:
    configuration.parse(lines, search_paths=[str(tmp_path)])
  assert message in str(error.value)


def test_a_missing_file_says_where_it_was_looked_for(tmp_path):
  with pytest.raises(UsageError, match=f"no gin file 'mine.gin'. Looked in '.', '{tmp_path}'"):
    configuration.parse(configuration.lines(gin_files=["mine.gin"]), search_paths=[str(tmp_path)])


def test_the_resolved_text_builds_the_same_run():
  run = build("T5Config.emb_dim=96", "train.optimizer=@AdamW()", "AdamW.b1=0.7", "Loss.z_loss=1e-4", sharding="fsdp")
  text = configuration.gin_text(run)
  configuration.parse(text.splitlines())
  assert configuration.build() == run


def test_a_run_made_in_python_has_the_same_text_form():
  run = Training(
    model=T5Config(8, 4, 1, 4, 4, 1, 1),
    mixture_or_task_name="cot",
    task_feature_lengths={"inputs": 8, "targets": 4},
    train_steps=9,
    batch_size=1,
    model_dir="/tmp/m",
    optimizer=AdamW(clip_norm=None),
    schedule=WarmupLinear(2, 9),
    loss=Loss(label_smoothing=0.1),
  )
  configuration.parse(configuration.gin_text(run).splitlines())
  assert configuration.build() == run


@pytest.mark.parametrize("name", configuration.config_names("objectives"))
def test_every_objective_of_the_project_builds_and_its_text_builds_it_again(name):
  files = ["gin_configs/runs/finetune.gin", f"gin_configs/objectives/{name}.gin"]
  run = build(gin_files=files)
  text = configuration.gin_text(run)
  configuration.parse(text.splitlines())
  assert configuration.build() == run
  assert run.objective is not None


def test_objectives_of_one_class_keep_their_own_settings():
  """However deep they stand, and whether gin or Python made them."""
  parts = (SpanCorruption(), PrefixLM(), Denoisers((SpanCorruption(0.3), SpanCorruption(0.5)), (1, 2)))
  run = dataclasses.replace(build(), objective=Denoisers(parts, modes=("[R]", (3, 4), "")))
  text = configuration.gin_text(run)
  configuration.parse(text.splitlines())
  assert configuration.build() == run
  configuration.parse([*text.splitlines(), "objectives_2/objectives_0/SpanCorruption.noise_density = 0.4"])
  assert configuration.build().objective.objectives[2].objectives[0].noise_density == 0.4


def test_the_resolved_text_keeps_the_macros():
  text = configuration.gin_text(build())
  configuration.parse([*text.splitlines(), "TRAIN_STEPS = 77", "DROPOUT_RATE = 0.25"])
  run = configuration.build()
  assert (run.train_steps, run.model.dropout_rate) == (77, 0.25)


def _finetune():
  return configuration._OUR_ROOT / "gin_configs" / "runs" / "finetune.gin"
