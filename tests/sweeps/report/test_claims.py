"""A verdict follows from the interval alone, by rules that stand in one place."""

import pytest

from flan_jax.sweeps.report.claims import Claim, claim, claims
from flan_jax.sweeps.report.statistics import Estimate


def verdict(expects, low, high, margin=0.02):
  return Claim("f", "n", "It is so", "A et al. 2022", "s", True, expects, margin).verdict(
    Estimate((low + high) / 2, low, high)
  )


@pytest.mark.parametrize(
  ("expects", "low", "high", "expected"),
  [
    ("more", 0.001, 0.3, "supports"),
    ("more", -0.001, 0.3, "can't tell"),
    ("more", -0.3, 0.01, "can't tell"),
    ("more", -0.3, -0.001, "contradicts"),
    ("more", -0.01, 0.01, "contradicts"),  # measured well, and no change that counts
    ("no_less", -0.01, 0.3, "supports"),
    ("no_less", -0.03, 0.3, "can't tell"),
    ("no_less", -0.09, -0.03, "contradicts"),
    ("little", -0.01, 0.01, "supports"),
    ("little", -0.01, 0.03, "can't tell"),
    ("little", 0.03, 0.05, "contradicts"),
    ("little", -0.05, -0.03, "contradicts"),
    ("below", 0.01, 0.01, "supports"),
    ("below", 0.03, 0.03, "contradicts"),
  ],
)
def test_rules(expects, low, high, expected):
  assert verdict(expects, low, high) == expected


@pytest.mark.parametrize("expects", ["more", "no_less", "little"])
def test_without_an_interval_nothing_is_told(expects):
  assert Claim("f", "n", "It is so", "A", "s", True, expects, 0.01).verdict(Estimate(0.5)) == "can't tell"


def test_each_claim_has_finding_source_and_support():
  assert {each.figure for each in claims()} >= {"tasks", "size", "examples_per_task", "cot", "formats", "clusters"}
  for each in claims():
    assert each is claim(each.figure, each.name)
    assert "arXiv" in each.source
    assert each.finding
    assert each.support
    assert not ("unseen" in each.finding or "never seen" in each.finding) or each.unseen
