"""How often each task comes: shares, caps, inversions; laws over any number of examples."""

import math

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flan_jax.data import mixtures, specs
from flan_jax.data.mixtures import MixtureSpec, Part

TASKS = ("bakery.rye", "bakery.oat", "bakery.bun", "bakery.pie", "farm.milk", "farm.corn")
COUNTS = st.dictionaries(st.sampled_from(TASKS), st.integers(0, 200_000))
# The collections are only read.
quietly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@st.composite
def mixtures_of_parts(draw, shares=True):
  """Any mixture of the toy tasks, each in one part or none."""
  count = draw(st.integers(1, 3))
  where = draw(st.lists(st.integers(0, count), min_size=len(TASKS), max_size=len(TASKS)))
  share = st.floats(0.1, 100) if shares else st.none()
  cap = st.none() | st.integers(1, 50_000)
  parts = (
    Part(f"part{i}", tuple(t for t, at in zip(TASKS, where, strict=True) if at == i), draw(share), draw(cap))
    for i in range(count)
  )
  return MixtureSpec("any", tuple(parts), draw(st.none() | st.integers(1, 1_000)))


@quietly
@given(mixture=mixtures_of_parts(), examples=COUNTS)
def test_the_shares_of_what_is_there_are_those_declared(shop, mixture, examples):
  rates = mixtures.rates(mixture, examples)
  sums = {part.name: sum(rates.get(task, 0) for task in part.tasks) for part in mixture.parts}
  declared = {part.name: part.share for part in mixture.parts if sums[part.name]}
  assert declared.keys() == {p.name for p in mixture.parts if any(examples.get(task) for task in p.tasks)}
  for name, share in declared.items():
    assert math.isclose(sums[name] / sum(sums.values()), share / sum(declared.values()), rel_tol=1e-9)


@quietly
@given(mixture=mixtures_of_parts() | mixtures_of_parts(shares=False), examples=COUNTS)
def test_rates_are_positive_and_bounded_by_caps(shop, mixture, examples):
  rates = mixtures.rates(mixture, examples)
  assert set(rates) == set(mixture.tasks) & set(examples)
  for task, rate in rates.items():
    cap = mixture.part_of(task).cap or specs.get_task(task).cap
    assert (rate > 0) == (examples[task] > 0)
    assert rate <= min(examples[task], cap, mixture.max_per_task or cap) * (1 + 1e-9)


@quietly
@given(mixture=mixtures_of_parts(shares=False), examples=COUNTS)
def test_without_shares_a_rate_is_the_examples_that_count(shop, mixture, examples):
  for task, rate in mixtures.rates(mixture, examples).items():
    cap = mixture.part_of(task).cap or specs.get_task(task).cap
    assert rate == min(examples[task], cap, mixture.max_per_task or cap)


def test_a_cap_does_something(shop):
  part = Part("p", ("bakery.rye", "bakery.oat"))
  examples = {"bakery.rye": 1_000, "bakery.oat": 1_000}
  assert mixtures.rates(MixtureSpec("m", (part,)), examples) == {"bakery.rye": 40.0, "bakery.oat": 1_000.0}
  capped = Part("p", part.tasks, cap=10)  # instead of the task's own, also where that is lower
  assert mixtures.rates(MixtureSpec("m", (capped,)), examples) == {"bakery.rye": 10.0, "bakery.oat": 10.0}
  above = Part("p", part.tasks, cap=500)
  assert mixtures.rates(MixtureSpec("m", (above,)), examples) == {"bakery.rye": 500.0, "bakery.oat": 500.0}


@quietly
@given(examples=st.integers(1, 200_000), cap=st.none() | st.integers(1, 1_000), inverted=st.floats(0.01, 0.99))
def test_a_dataset_weighs_the_same_with_and_without_its_inversion(shop, examples, cap, inverted):
  both = ("bakery.oat", "bakery.oat_inverted")
  counts = dict.fromkeys(both, examples)
  with_it = mixtures.rates(MixtureSpec("m", (Part("p", both, cap=cap, inverted=inverted),)), counts)
  without = mixtures.rates(MixtureSpec("m", (Part("p", both[:1], cap=cap),)), counts)
  assert math.isclose(sum(with_it.values()), without["bakery.oat"])
  assert math.isclose(with_it["bakery.oat_inverted"], inverted * without["bakery.oat"])
  for task in both:  # a direction whose other one is not there has it all
    alone = mixtures.rates(MixtureSpec("m", (Part("p", both, cap=cap, inverted=inverted),)), {task: examples})
    assert alone == {task: without["bakery.oat"]}


def test_a_toy_mixture_in_numbers(shop):
  mixture = mixtures.get_mixture("breakfast")
  rates = mixtures.rates(mixture, dict.fromkeys(mixture.tasks, 100))
  # bread: rye counts 40 and oat 100, sweets 9 and 9, cot 100 and 100; sweets have the fewest for their 30%.
  assert {task: round(rate, 6) for task, rate in rates.items()} == {
    "bakery.rye": 0.7 * 40 * 30 / 140,
    "bakery.rye_inverted": round(0.3 * 40 * 30 / 140, 6),
    "bakery.oat": 0.7 * 100 * 30 / 140,
    "bakery.oat_inverted": round(0.3 * 100 * 30 / 140, 6),
    "bakery.bun": 9.0,
    "bakery.pie": 9.0,
    "farm.milk": 6.0,
    "farm.corn": 6.0,
  }
