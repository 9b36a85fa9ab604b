"""A published recipe really starts: its mixture on the samples here, its files, a checkpoint to begin with."""

import json
import pathlib

import numpy as np
import pytest

from flan_jax.cli.main import run
from flan_jax.interop import checkpoints as layout
from flan_jax.interop.loading import load

# Two layers of each side and rows of a quarter; everything else is the recipe's.
TINY = """
T5Config.emb_dim = 32
T5Config.num_heads = 2
T5Config.head_dim = 16
T5Config.mlp_dim = 64
T5Config.num_encoder_layers = 2
T5Config.num_decoder_layers = 2
TASK_FEATURE_LENGTHS = {'inputs': 512, 'targets': 128}
BATCH_SIZE = 8
"""


@pytest.mark.slow
def test_flan_t5_starts_from_a_checkpoint_on_what_there_is_of_its_mixture(shared_data, tmp_path, capsys):
  (tmp_path / "tiny.gin").write_text(TINY)
  common = [f"--gin_file={tmp_path}/tiny.gin", "--data_dir", str(shared_data), "--store_dir", str(tmp_path / "store")]
  files = ["gin_configs/runs/finetune.gin", "gin_configs/models/t5_1_1_small.gin"]
  first = [*(f"--gin_file={file}" for file in files), *common, "--mixture", "demo.number_smallest", "--steps", "1"]
  assert run(["train", *first, "--gin.T5Config.scan_layers=True", "--model_dir", str(tmp_path / "lm")]) == 0

  recipe = ["--gin_file=gin_configs/runs/flan_t5_small.gin", *common, "--missing", "skip", "--sharding", "auto"]
  model_dir = tmp_path / "flan"
  given = ["--steps", "2", "--model_dir", str(model_dir), "--initial_checkpoint", str(tmp_path / "lm")]
  assert run(["train", *recipe, *given]) == 0
  assert "# --sharding auto for" in capsys.readouterr().out
  lines = [json.loads(line) for line in (model_dir / "metrics.jsonl").read_text().splitlines()]
  assert lines[-1]["step"] == 2
  assert lines[-1]["learning_rate"] == pytest.approx(5e-4)
  record = layout.read_record(layout.step_folder(model_dir))
  assert record["mixture"] == "flan2022_b"
  assert {task.split(".")[0] for task in record["tasks"]} > {"cot", "p3", "super_ni"}
  begun, given = (load(path).params for path in (model_dir / "checkpoints" / "0", tmp_path / "lm"))
  assert all(np.array_equal(begun[name], given[name]) for name in given)
  assert "T5Config.scan_layers = True" in pathlib.Path(model_dir / "config.gin").read_text()
