"""Sizes of stores of tasks whose files are not here."""

import pytest

from flan_jax.sweeps.pricing import store_sizes
from tests.training.toy_run import toy_run

PARTS = {"cot": 9, "cot, muffin": 60, "cot, muffin, t0_sf": 253, "cot, muffin, t0_sf, niv2": 1807}


def sizes_of(mixture: str, **settings):
  return store_sizes.published(toy_run("none", "none", 1, mixture_or_task_name=mixture, **settings))


@pytest.mark.parametrize(("parts", "tasks"), PARTS.items())
def test_part_after_part_has_the_tasks_that_are_declared_or_published(parts, tasks):
  """Of Muffin 51 of 80 are declared; NIv2's 1,554 are found in files, and here are none."""
  sizes = sizes_of(f"flan2022_a(parts={parts.split(', ')})")
  assert len(sizes) == tasks
  whole = sizes_of("flan2022_a")
  assert sizes.items() <= whole.items()


def test_a_number_of_tasks_is_taken_from_the_first_parts_on():
  sizes = sizes_of("flan2022_a(parts=['cot', 'muffin', 't0_sf', 'niv2'], tasks=682, seed=3)")
  assert len(sizes) == 682
  assert sum(path.parts[0] == "niv2" for path in sizes) == 682 - 253


def test_a_task_has_its_published_examples_of_210_tokens_each():
  """GSM8K's 7,473 of two bytes a token; of a large vocabulary four. Another rendering is another store."""
  (size,) = sizes_of("cot.gsm8k").values()
  assert size == 7473 * (210 * 2 + 25) + 15_000
  model = toy_run("none", "none", 1).model
  large = type(model)(**{**vars(model), "vocab_size": 250_112})
  assert list(sizes_of("cot.gsm8k", model=large, variants=2).values()) == [2 * 7473 * (210 * 4 + 25) + 15_000]
  assert not sizes_of("cot.gsm8k").keys() & sizes_of("cot.gsm8k", render_seed=1).keys()
