"""T5Config: plain data that refuses what makes no network, with the field in the message."""

import dataclasses
import json
import subprocess
import sys

import gin
import pytest

from flan_jax.errors import UsageError
from flan_jax.models.configs import ACTIVATION_NAMES, DTYPE_NAMES, REMAT_NAMES, T5Config
from flan_jax.models.layer_stack import REMAT_POLICIES
from flan_jax.models.layers import ACTIVATIONS, DTYPES

GOOD = {
  "vocab_size": 128,
  "emb_dim": 8,
  "num_heads": 2,
  "head_dim": 4,
  "mlp_dim": 16,
  "num_encoder_layers": 1,
  "num_decoder_layers": 1,
}


@pytest.mark.parametrize(
  ("field", "value"),
  [
    ("vocab_size", 0),
    ("emb_dim", -8),
    ("num_encoder_layers", True),
    ("dropout_rate", 1.0),
    ("dropout_rate", -0.1),
    ("mlp_activations", ()),
    ("mlp_activations", ("gelu", "liner")),
    ("dtype", "float16"),
    ("remat_policy", "some"),
    ("relative_bias", "none"),
  ],
)
def test_a_bad_value_names_its_field(field, value):
  with pytest.raises(UsageError, match=field):
    T5Config(**{**GOOD, field: value})


def test_a_value_of_another_type_names_its_field():
  # In another process: here the annotations are checked first.
  code = f"from flan_jax.models.configs import T5Config; T5Config(**{ {**GOOD, 'emb_dim': 8.0} })"
  run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
  assert "T5Config.emb_dim = 8.0: must be a whole number" in run.stderr


def test_it_survives_json_and_is_hashable():
  config = T5Config(**GOOD, mlp_activations=["relu"])
  again = T5Config(**json.loads(json.dumps(dataclasses.asdict(config))))
  assert again == config
  assert hash(again) == hash(config)


def test_every_allowed_name_has_a_meaning():
  assert set(ACTIVATION_NAMES) == set(ACTIVATIONS)
  assert set(DTYPE_NAMES) == {"auto", *DTYPES}
  assert set(REMAT_NAMES) == set(REMAT_POLICIES)


def test_gin_binds_references_only():
  try:
    gin.parse_config([f"T5Config.{name} = {value}" for name, value in GOOD.items()] + ["T5Config.dropout_rate = 0.5"])
    gin.parse_config("MODEL = @T5Config()")
    assert gin.query_parameter("%MODEL").scoped_configurable_fn() == T5Config(**GOOD, dropout_rate=0.5)
    assert T5Config(**GOOD).dropout_rate == 0.0
  finally:
    gin.clear_config()


def test_configs_import_no_jax():
  code = "import sys, flan_jax.models.configs; sys.exit('jax' in sys.modules)"
  assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
