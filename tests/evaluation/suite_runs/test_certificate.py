"""A certificate says that figures agree only where they can be told to, and differ only where they do."""

import io
import re

import pytest
from rich.console import Console

from flan_jax import configuration
from flan_jax.errors import UsageError
from flan_jax.evaluation.suite_runs import published
from flan_jax.evaluation.suite_runs.certificate import (
  AGREES,
  DIFFERS,
  UNDECIDED,
  certificate,
  print_certificate,
  row_of,
)
from flan_jax.evaluation.suite_runs.normalised import TERMS
from flan_jax.models.configs import T5Config

ROW = "flan_t5_xl"


def results(shift: float = 0.0, *, width: float = 0.02, tasks: int = 8, examples: int | None = None, terms=TERMS):
  """The published figures, each moved by so much."""
  suites: dict = {}
  for suite, mode in terms:
    average = published.row(ROW).scores[suite, mode] + shift
    cell = {"average": average, "interval": [average - width, average + width], "n": 80, "task_count": tasks}
    suites.setdefault(suite, {"of_counted": 8, "modes": {}})["modes"][mode] = {"n": {"1": cell}}
  return {"about": {"request": {"examples": examples}}, "suites": suites, "normalised_average": None}


@pytest.mark.parametrize(
  ("made", "verdict"),
  [
    (results(), AGREES),
    (results(0.0099), AGREES),
    (results(-0.011), DIFFERS),
    (results(width=0.3), AGREES),  # of all questions: the same ones as the paper's
    (results(examples=10), UNDECIDED),
    (results(examples=10, width=0.005), AGREES),
    (results(0.05, examples=10), DIFFERS),
    (results(0.05, examples=10, width=0.2), UNDECIDED),
    (results(tasks=3), UNDECIDED),
    (results(0.3, tasks=3), UNDECIDED),  # of other tasks
    (results(terms=TERMS[:3]), UNDECIDED),
  ],
)
def test_verdicts(made, verdict):
  found = certificate(made, ROW, 0.01)
  assert found["verdict"] == verdict
  assert len(found["figures"]) == sum(len(suite["modes"]) for suite in made["suites"].values())
  for each in found["figures"]:
    assert each["delta"] == pytest.approx(each["average"] - each["published"])
    low, high = each["delta_interval"]
    assert low <= each["delta"] <= high


def test_one_figure_that_differs_is_enough():
  made = results()
  made["suites"]["mgsm"]["modes"]["cot"]["n"]["1"]["average"] += 0.1
  found = certificate(made, ROW, 0.01)
  assert [each["name"] for each in found["figures"] if each["verdict"] == DIFFERS] == ["mgsm cot"]
  assert found["verdict"] == DIFFERS


def test_what_is_printed():
  console = Console(file=io.StringIO(), width=120)
  print_certificate(certificate(results(-0.02), ROW, 0.01), console)
  said = console.file.getvalue()
  assert re.search(r"mmlu direct +8 of 8 +80 +50\.4% \[48, 52\] +52\.4% +-2\.0 \[-4, \+0\] +differs", said)
  assert said.count("differs") == 7


@pytest.mark.parametrize("size", ["small", "base", "large", "xl", "xxl"])
def test_each_released_size_has_its_row(size):
  config = configuration.model(f"t5_1_1_{size}")
  assert row_of(config) == f"flan_t5_{size}"
  assert published.row(row_of(config)).scores


def test_a_network_of_another_size_has_none():
  config = T5Config(
    vocab_size=1536, emb_dim=16, num_heads=2, head_dim=8, mlp_dim=16, num_encoder_layers=1, num_decoder_layers=1
  )
  with pytest.raises(UsageError, match=r"width 16, 1 layers of the encoder.*--beside"):
    row_of(config)
