"""The published sizes, from shapes alone: our files of gin_configs/models against T5X's."""

import csv
import dataclasses
import math
import pathlib

import pytest

from flan_jax import configuration
from flan_jax.models.model import Model

ROOT = pathlib.Path(__file__).parents[2]

# As computed from T5X's gin files (all but the demo, which is ours): parameters, and those outside embedding and head.
COUNTS = {
  "t5_1_0_small": (60_506_624, 44_057_088),
  "t5_1_0_base": (222_903_552, 198_229_248),
  "t5_1_0_large": (737_668_096, 704_769_024),
  "t5_1_0_3B": (2_851_598_336, 2_818_699_264),
  "t5_1_0_11B": (11_307_321_344, 11_274_422_272),
  "t5_1_1_tiny": (518_240, 4_192),
  "t5_1_1_small": (76_961_152, 44_062_080),
  "t5_1_1_base": (247_577_856, 198_229_248),
  "t5_1_1_large": (783_150_080, 717_351_936),
  "t5_1_1_xl": (2_849_757_184, 2_718_160_896),
  "t5_1_1_xxl": (11_135_332_352, 10_872_139_776),
  "mt5_small": (300_176_768, 44_062_080),
  "mt5_base": (582_401_280, 198_229_248),
  "mt5_large": (1_229_581_312, 717_351_936),
  "mt5_xl": (3_742_619_648, 2_718_160_896),
  "mt5_xxl": (12_921_057_280, 10_872_139_776),
  "t5_demo_small": (830_976, 536_064),
  "t5_demo": (2_731_008, 2_141_184),
  "t5_demo_large": (8_273_408, 7_192_064),
}


def test_every_model_is_counted():
  assert set(configuration.config_names("models")) == set(COUNTS)


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("scan", [False, True])
def test_sizes_have_the_published_parameter_counts(name, scan):
  assert _counts(name, scan) == COUNTS[name]
  assert f"{COUNTS[name][0]:,} parameters" in (ROOT / f"gin_configs/models/{name}.gin").read_text().splitlines()[0]


def test_every_published_size_is_here(facts):
  with (facts / "t5_sizes.csv").open(encoding="utf-8") as file:
    rows = [row for row in csv.DictReader(file) if row["family"] in ("t5_1_0", "t5_1_1", "mt5")]
  assert {row["model"]: (int(row["params"]), int(row["params_without_vocab"])) for row in rows} == {
    name: counts for name, counts in COUNTS.items() if not name.startswith("t5_demo")
  }
  for row in rows:
    config = configuration.model(row["model"])
    assert (config.num_encoder_layers, config.num_decoder_layers, config.emb_dim, config.num_heads) == tuple(
      int(row[column]) for column in ("encoder_layers", "decoder_layers", "d_model", "heads")
    )
    assert (config.head_dim, config.mlp_dim, config.vocab_size) == tuple(
      int(row[column]) for column in ("d_kv", "d_ff", "vocab")
    )
    assert config.mlp_activations == {"gelu gated": ("gelu", "linear"), "relu": ("relu",)}[row["mlp"]]
    assert config.logits_via_embedding == (row["tied_embeddings"] == "true")


def _counts(name: str, scan: bool) -> tuple[int, int]:
  model = Model(dataclasses.replace(configuration.model(name), scan_layers=scan))
  sizes = {name: math.prod(shape.shape) for name, shape in model.shapes().items()}
  of_vocabulary = {"token_embedder.embedding", "decoder.logits_dense.kernel"}
  return sum(sizes.values()), sum(size for name, size in sizes.items() if name not in of_vocabulary)
