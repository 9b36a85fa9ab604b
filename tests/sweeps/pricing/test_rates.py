"""What devices do: names of the table, utilisation, what was measured; and the paper's own hours."""

import csv

import pytest
import yaml

from flan_jax.errors import UsageError
from flan_jax.models.configs import T5Config
from flan_jax.sweeps.pricing import compute, rates
from tests.training.toy_run import MODEL

OTHER = T5Config(**{**vars(MODEL), "mlp_dim": 32})


@pytest.mark.parametrize(
  ("name", "tera"),
  [
    ("TPU v4", 275),
    ("tpu v5", 459),
    ("TPU v5 lite", 197),
    ("A100", 312),
    ("NVIDIA A100-SXM4-80GB", 312),
    ("L40S", 362),
  ],
)
def test_an_accelerator_is_found_by_its_name_or_a_part_that_says_which(name, tera):
  assert rates.found(name).peak_flops == tera * 1e12


@pytest.mark.parametrize(
  ("name", "said"),
  [("H100", "which of them.*NVL.*PCIe.*HBM3"), ("abacus", "no such.*cpu.*TPU v4.*NVIDIA L4"), ("Tesla T4", "bfloat16")],
)
def test_what_is_unknown_or_ambiguous_is_told_with_what_is_known(name, said):
  with pytest.raises(UsageError, match=said):
    rates.rate(name, 1, None, {})


@pytest.mark.parametrize(("devices", "utilisation"), [(0, None), (1, 0.0), (1, 1.5)])
def test_impossible_figures_are_refused(devices, utilisation):
  with pytest.raises(UsageError):
    rates.rate("TPU v4", devices, utilisation, {})


def test_flan_palm_540b_took_the_hours_that_the_usual_utilisation_gives():
  """37 hours on 512 TPU v4 for the printed 5.6e21 FLOPs, and the rule for its 540e9 parameters and 21,000 steps."""
  (row,) = [row for row in compute.published() if row.model == "flan_palm_540b"]
  rate = rates.rate("TPU v4", 512, None, {})
  for flops in (row.finetuning_flops, compute.rule(row.nominal_parameters, _slots(row), row.architecture)):
    assert rate.device_hours(flops, MODEL) / 512 == pytest.approx(37, rel=0.02)
  assert "0.3 (assumed" in rate.said


@pytest.mark.parametrize("row", compute.published(), ids=lambda row: row.model)
def test_the_rule_gives_the_printed_finetuning_flops(row):
  """Within a unit of their second digit."""
  flops = compute.rule(row.nominal_parameters, _slots(row), row.architecture)
  assert flops == pytest.approx(row.finetuning_flops, rel=0.022)


def test_figures_are_those_of_the_facts(facts):
  told = yaml.safe_load((facts / "chung2022_hparams.yaml").read_text())["models"]
  sizes = {line["model"]: line["params"] for line in csv.DictReader((facts / "t5_sizes.csv").open())}
  for row in compute.published():
    theirs = told[row.model]
    assert (row.batch, row.steps) == (theirs["batch"], theirs["steps"])
    printed = theirs["pretrain_flops"], theirs["finetune_flops"]
    assert (row.pretraining_flops, row.finetuning_flops) == tuple(map(float, printed))
    if row.config:
      assert row.parameters == int(sizes[row.config])


def test_sizes_of_the_paper_are_told_from_their_neighbours():
  assert compute.of_size(2_849_757_184).model == "flan_t5_xl"
  assert compute.of_size(2_849_757_184 + 47_104).model == "flan_t5_xl"  # a position bias for each layer
  assert compute.of_size(2_851_598_336) is None  # T5 1.0's 3B
  assert compute.of_size(1_050_368) is None


def _slots(row: compute.Published) -> float:
  return row.steps * row.batch * (2048 + 512.0)


def test_a_core_does_a_share_of_what_it_does_in_products_of_matrices():
  rate = rates.rate("cpu", 3, 0.25, {})
  assert rate.devices == 3
  assert 1e8 < rate.flops_per_s < 1e12  # a quarter of the slowest and of the fastest core there may be
  assert rate.device_hours(rate.flops_per_s * 3600, MODEL) == pytest.approx(1)
  assert "0.25 (given)" in rate.said


def test_what_was_measured_counts_and_most_of_all_for_the_same_model():
  rate = rates.rate("cpu", None, None, {MODEL: 1e9, OTHER: 3e9})
  assert rate.device_hours(3.6e12, MODEL) == 1
  assert rate.device_hours(3 * 3.6e12, OTHER) == 1
  assert rate.device_hours(2 * 3.6e12, T5Config(**{**vars(MODEL), "mlp_dim": 64})) == 1
  assert "measured" in rate.said


def test_a_utilisation_that_is_given_wins_over_what_was_measured():
  assert "(given)" in rates.rate("cpu", None, 0.5, {MODEL: 1e9}).said
