"""`flan-jax convert`: what it prints, and what can be done with what it writes."""

import json

import numpy as np
import pytest

from flan_jax.cli.main import run
from flan_jax.interop.loading import load, open_source
from flan_jax.interop.t5x_export import write_t5x
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

TINY = T5Config(1536, 16, 2, 4, 24, 1, 1)


class Random:
  """Parameters of TINY."""

  def shapes(self):
    return {name: shape.shape for name, shape in Model(TINY).shapes().items()}

  def read(self, name):
    return np.random.default_rng(len(name)).normal(size=self.shapes()[name]).astype(np.float32)


@pytest.fixture(scope="module")
def source(tmp_path_factory):
  """A T5X checkpoint; read only."""
  folder = tmp_path_factory.mktemp("t5x")
  write_t5x(folder, TINY, Random(), layout="orbax")
  return folder


def test_a_t5x_checkpoint_is_asked_and_exported(source, tmp_path, capsys):
  """T5X to a MODEL_DIR, which infer takes, to Hugging Face's, which answers alike."""
  assert run(["convert", str(source), str(tmp_path / "m"), "--vocabulary", "demo"]) == 0
  shown = capsys.readouterr().out
  for words in (f"read     t5x {source} (step 0, layout orbax", "gelu x linear, head of its own", "wrote    flan_jax"):
    assert words in shown
  assert run(["convert", str(tmp_path / "m"), str(tmp_path / "h"), "--to", "hf", "--json"]) == 0
  report = json.loads(capsys.readouterr().out)
  assert report["parameters"] == sum(array.size for array in load(tmp_path / "h").params.values())
  assert {"config.json", "model.safetensors", "spiece.model"} < set(report["destination"]["files"])
  answers = []
  for folder in ("m", "h"):
    assert run(["infer", str(tmp_path / folder), "What is 1 + 1?", "--max_new_tokens", "8", "--json"]) == 0
    answers.append(capsys.readouterr().out)
  assert answers[0] == answers[1]
  asked = ["infer", f"file://{source}", "What is 1 + 1?", "--max_new_tokens", "8", "--json", "--vocabulary", "demo"]
  assert run(asked) == 0
  assert capsys.readouterr().out == answers[0]


def test_a_check_that_fails_is_exit_code_1(source, tmp_path, capsys):
  expected = np.zeros((1, 3, 1536), np.float32)
  ids = np.ones((1, 3), np.int32)
  np.savez(tmp_path / "golden.npz", input_ids=ids, decoder_input_ids=ids, logits=expected)
  assert run(["convert", str(source), str(tmp_path / "m"), "--check", str(tmp_path / "golden.npz")]) == 1
  assert "differs from what" in capsys.readouterr().err
  assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["nowhere", "out"], "nowhere is not there. Wanted: a MODEL_DIR"),
    ([".", "out"], ". holds no checkpoint. Wanted: a MODEL_DIR"),
    (["SOURCE", "."], "holds something already"),
    (["SOURCE", "../empty"], "is the folder that this command runs in"),
    (["SOURCE", "gs://bucket/x"], "gs://bucket/x: checkpoints are written to folders of this machine"),
    (["SOURCE", "out", "--to", "bert"], "'bert' is not one of"),
  ],
)
def test_mistakes(arguments, message, source, tmp_path, monkeypatch, capsys):
  (tmp_path / "empty").mkdir()
  monkeypatch.chdir(tmp_path / "empty" if "../empty" in arguments else tmp_path)
  assert run(["convert", *(str(source) if word == "SOURCE" else word for word in arguments)]) == 2
  assert message in capsys.readouterr().err
  assert open_source(source).step == 0
  assert {path.name for path in tmp_path.iterdir()} == {"empty"}
