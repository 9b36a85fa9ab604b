"""The demo's base model as it ships: small, whole, of the vocabulary and the model that its name stands for."""

import json
import pathlib
import random

import pytest

from flan_jax import configuration
from flan_jax.collections.demo.generators import lists, narration
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.evaluation.answering import Answerer
from flan_jax.interop.loading import open_source
from flan_jax.interop.shipped import DEMO_BASE, located
from flan_jax.training import resuming

RUN = "gin_configs/runs/demo_base.gin"


@pytest.fixture(scope="module")
def source():
  return open_source("demo")


def settings():
  configuration.parse(configuration.lines(None, gin_files=[RUN], options={}, bindings=()))
  return configuration.build()


def test_it_is_what_its_run_made_with_the_demos_vocabulary(source):
  run = settings()
  assert source.config == run.model
  assert source.step == run.train_steps
  assert source.vocabulary_sha256 == load_vocabulary("demo").sha256
  assert (source.record["mixture"], source.record["tasks"]) == ("demo_text", ["demo.narratives"])
  assert {dtype for dtype, _ in source.record["arrays"]["params"].values()} == {"bfloat16"}


def test_it_is_small_and_says_how_it_was_trained():
  assert sum(path.stat().st_size for path in DEMO_BASE.rglob("*")) < 20e6
  lines = [json.loads(line) for line in (DEMO_BASE / "metrics.jsonl").read_text().splitlines()]
  assert lines[-1]["step"] == settings().train_steps
  assert lines[-1]["loss"] < 0.5 * lines[1]["loss"]


def test_its_name_is_no_folder_of_the_users(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  pathlib.Path("demo").mkdir()
  assert located("demo") == DEMO_BASE
  assert located("./demo") == "./demo"


def test_a_run_begins_with_it_and_not_with_another_model(tmp_path):
  sha256 = load_vocabulary("demo").sha256
  assert resuming.initial_checkpoint("demo", configuration.model("t5_demo"), sha256, tmp_path).record["arrays"]
  with pytest.raises(UsageError, match="another model: emb_dim 192"):
    resuming.initial_checkpoint("demo", configuration.model("t5_demo_small"), sha256, tmp_path)


@pytest.mark.slow
def test_it_can_do_what_stories_tell_of_before_any_instruction():
  """Steps on lists that it never saw, each begun as a narration begins; a guess would be right once in many."""
  rng = random.Random(0)
  examples = [lists.generate(rng, step) for step in ("reverse", "first", "keep_two", "drop_last") for _ in range(10)]
  begun = [narration.told(rng, each["text"], each["ask"], "@").split("@")[0].rstrip() for each in examples]
  said = dict(Answerer.load("demo").answers(begun, max_new_tokens=12))
  right = [said[i][0].split(".")[0] == each["answer"] for i, each in enumerate(examples)]
  assert sum(right) > 0.7 * len(right)
