"""Settings take values of their annotations' types and name the field where one is of another, whoever makes them."""

import dataclasses
import json
import subprocess
import sys
from collections.abc import Sequence

import pytest

from flan_jax.data.objectives import Objective, PrefixLM, SpanCorruption
from flan_jax.errors import UsageError
from flan_jax.setting_types import check_types
from flan_jax.training.guard import Guard

# Every class that a run's settings are made of, and what gin says where it is bound to something else.
WRONG = [
  ("LEARNING_RATE=1e-3x", "train.learning_rate = '1e-3x': must be a number"),
  ("SEED=abc", "train.seed = 'abc': must be a whole number"),
  ("SEED=True", "train.seed = True: must be a whole number"),
  ("PROFILE=5", "train.profile = 5: must be a text or None"),
  ("TASK_FEATURE_LENGTHS={'inputs': 'x', 'targets': 2}", "must be {a text: a whole number}"),
  ("INITIAL_OPTIMIZER=1", "train.initial_optimizer = 1: must be True or False"),
  ("train.peak_flops='x'", "train.peak_flops = 'x': must be a number or None"),
  ("train.writers='jsonl'", "train.writers = 'jsonl': must be a list"),
  ("train.guard=None", "train.guard = None: must be @Guard()"),
  ("train.loss=None", "train.loss = None: must be @Loss()"),
  ("train.loss=@Loss", "must be @Loss()"),
  ("train.optimizer=3", "train.optimizer = 3: must be @Adafactor() or @AdamW()"),
  ("train.objective=@SpanCorruption", "must be an Objective"),
  ("Adafactor.decay_rate=x", "Adafactor.decay_rate = 'x': must be a number"),
  ("Partitioning.data='x'", "Partitioning.data = 'x': must be a whole number"),
  ("HeldOut.unseen=5", "HeldOut.unseen = 5: must be a text or None"),
  ("HeldOut.period=2.5", "HeldOut.period = 2.5: must be a whole number or None"),
  ("Guard.rewinds='x'", "Guard.rewinds = 'x': must be a whole number"),
  ("Saving.minutes='x'", "Saving.minutes = 'x': must be a number or None"),
  ("Loss.z_loss=abc", "Loss.z_loss = 'abc': must be a number"),
  ("T5Config.emb_dim=64.0", "T5Config.emb_dim = 64.0: must be a whole number"),
  ("T5Config.mlp_activations='gelu'", "T5Config.mlp_activations = 'gelu': must be a list, each of which a text"),
]


# pytest's import hook would check annotations of its own accord, before any __post_init__, so another process
# gives each binding to the command, and then an object() to the fields of each settings class.
PROGRAM = """
import contextlib, dataclasses, io, json, sys
import gin
from flan_jax.cli.main import run
from flan_jax.errors import UsageError

said = []
for binding in json.loads(sys.argv[1]):
  with contextlib.redirect_stderr(io.StringIO()) as err, contextlib.redirect_stdout(io.StringIO()):
    code = run(["train", "t5_demo", "--mixture=demo", "--steps=1", f"--model_dir={sys.argv[2]}", f"--gin.{binding}"])
  said.append([code, err.getvalue()])
classes = [each.wrapped for name, each in gin.config._REGISTRY.items() if name.startswith("flan_jax.")]
classes = [each for each in classes if dataclasses.is_dataclass(each) and dataclasses.fields(each)]
unchecked = []
for each in classes:
  with contextlib.suppress(UsageError):
    each(**{field.name: object() for field in dataclasses.fields(each)})
    unchecked.append(each.__name__)
print(json.dumps({"said": said, "unchecked": unchecked, "classes": len(classes)}))
"""


def test_a_value_of_another_type_is_refused_with_its_setting(tmp_path):
  bindings = json.dumps([binding for binding, _ in WRONG])
  program = [sys.executable, "-c", PROGRAM, bindings, str(tmp_path / "m")]
  result = json.loads(subprocess.run(program, capture_output=True, text=True, check=True).stdout)
  for (_, expected), (code, err) in zip(WRONG, result["said"], strict=True):
    assert code == 2
    assert expected in err
    assert err.count("\n") == 1, err
  assert not (tmp_path / "m").exists()
  assert not result["unchecked"]
  assert result["classes"] > 10


@dataclasses.dataclass(frozen=True)
class Settings:
  number: float = 1.0
  pair: tuple[int, int] | None = None
  parts: Sequence[int | float] = ()
  table: dict[str, int] = dataclasses.field(default_factory=dict)
  inner: Guard | None = None
  objective: Objective | None = None

  def __post_init__(self):
    check_types(self, "settings")


@pytest.mark.parametrize(
  "right",
  [
    {"number": 2},
    {"pair": [1, 2]},
    {"parts": (1, 0.5)},
    {"parts": []},
    {"table": {"a": 1}},
    {"inner": Guard()},
    {"objective": SpanCorruption()},
    {"objective": PrefixLM()},
  ],
)
def test_a_whole_number_is_a_number_and_a_list_may_stand_for_a_tuple(right):
  Settings(**right)


@pytest.mark.parametrize(
  "wrong",
  [
    {"number": True},
    {"number": None},
    {"pair": (1, 2, 3)},
    {"pair": (1, "2")},
    {"parts": ["1"]},
    {"parts": "1"},
    {"table": {1: 1}},
    {"table": [("a", 1)]},
    {"inner": Guard},
    {"inner": PrefixLM()},
    {"objective": PrefixLM},
  ],
)
def test_anything_else_is_refused(wrong):
  (name,) = wrong
  with pytest.raises(UsageError, match=f"settings.{name} = .*: must be "):
    Settings(**wrong)
