"""Intervals hold what was planted as often as they say, pair what is paired, and do not shrink where less is known."""

import numpy as np
import pytest

from flan_jax.sweeps.report.statistics import Cell, Sample

QUESTIONS = 100


def share(logit):
  return 1 / (1 + np.exp(-logit))


def drawn_cells(rng, tasks, seeds, levels, *, task=0.7, effect=0.2, seed=0.2):
  """Cells of those logits over tasks of their own difficulty, with seeds that move a whole run."""
  hard = task * rng.standard_normal(tasks)
  cells = []
  for level in levels:
    logits = level + hard + effect * rng.standard_normal(tasks) * (level != levels[0])
    moved = logits + seed * rng.standard_normal((seeds, 1))
    cells.append(Cell(rng.binomial(QUESTIONS, share(moved)) / QUESTIONS, np.full(tasks, QUESTIONS)))
  return cells


def planted(level, *, task=0.7, effect=0.0, seed=0.2):
  spread = np.random.default_rng(1).standard_normal(100_000) * np.sqrt(task**2 + effect**2 + seed**2)
  return share(level + spread).mean()


@pytest.mark.parametrize(
  ("tasks", "seeds", "seed"), [(12, 3, 0.2), (12, 3, 0.5), (12, 2, 0.3), (30, 5, 0.1), (5, 3, 0.2), (12, 1, 0.0)]
)
def test_intervals_hold_what_was_planted(tasks, seeds, seed):
  """Of a difference and of a mean, with a cell at the floor, whose seeds hardly vary, among those that lend theirs."""
  rng, repeats = np.random.default_rng(0), 120
  mean = planted(-0.7, seed=seed)
  truth = (planted(0.3, effect=0.2, seed=seed) - mean, mean)
  held = np.zeros(2)
  for repeat in range(repeats):
    sample = Sample(drawn_cells(rng, tasks, seeds, (-0.7, 0.3, -6.0), seed=seed), seed=repeat)
    found = sample.estimates(np.array([[-1.0, 1.0, 0.0], [1.0, 0.0, 0.0]]))
    held += [each.low <= value <= each.high for each, value in zip(found, truth, strict=True)]
  assert (held / repeats >= 0.89).all()  # 95% less three standard deviations of 120 repeats


@pytest.mark.parametrize(("clusters", "between"), [(2, 0.3), (3, 0.8), (11, 0.5), (4, 0.0)])
def test_intervals_hold_what_was_planted_where_clusters_differ(clusters, between):
  """Of a difference and of a mean, over clusters of six tasks each, of which there may be two."""
  rng, repeats, tasks = np.random.default_rng(0), 100, 6
  hard, gain = rng.standard_normal((2, 100_000)), 0.8 + between * rng.standard_normal(100_000)
  all_hard = -0.5 + 0.5 * hard[0] + 0.7 * hard[1]
  mean = share(all_hard).mean()
  truth, held = (share(all_hard + gain).mean() - mean, mean), np.zeros(2)
  names = np.repeat(np.arange(clusters), tasks)
  for repeat in range(repeats):
    logits = -0.5 + 0.5 * rng.standard_normal(clusters)[names] + 0.7 * rng.standard_normal(len(names))
    better = logits + 0.8 + between * rng.standard_normal(clusters)[names]
    cells = [Cell(rng.binomial(50, share(each))[None] / 50, np.full(len(names), 50)) for each in (logits, better)]
    found = Sample(cells, clusters=[*map(str, names)], seed=repeat).estimates(np.array([[-1.0, 1.0], [1.0, 0.0]]))
    held += [each.low <= value <= each.high for each, value in zip(found, truth, strict=True)]
  assert (held / repeats >= 0.89).all()


def test_clusters_that_differ_make_intervals_wide():
  """Which tasks there are of each is known well; which clusters is not."""
  scores = np.array([[0.2, 0.21, 0.2, 0.19, 0.6, 0.61, 0.6, 0.59, 0.4, 0.41, 0.4, 0.39]])
  alone = Sample([Cell(scores, np.full(12, 50))]).estimate([1.0])
  together = Sample([Cell(scores, np.full(12, 50))], clusters=["a"] * 4 + ["b"] * 4 + ["c"] * 4).estimate([1.0])
  one = Sample([Cell(scores, np.full(12, 50))], clusters=["a"] * 12).estimate([1.0])
  assert together.high - together.low > 1.5 * (alone.high - alone.low)
  assert one == alone


def test_nothing_planted_is_seldom_found():
  rng = np.random.default_rng(2)
  found = [Sample(drawn_cells(rng, 12, 3, (0.0, 0.0)), seed=repeat).estimate([-1, 1]) for repeat in range(100)]
  assert np.mean([not each.low <= 0 <= each.high for each in found]) <= 0.1


def test_tasks_are_drawn_together():
  """What makes a task hard cancels in a difference, so it is known better than either mean."""
  rng = np.random.default_rng(3)
  sample = Sample(drawn_cells(rng, 12, 3, (0.0, 0.5), task=2.0, effect=0.0, seed=0.0))
  mean, difference = sample.estimate([1, 0]), sample.estimate([-1, 1])
  assert difference.high - difference.low < 0.4 * (mean.high - mean.low)


def test_fewer_seeds_know_less():
  scores = np.array([[0.4], [0.5], [0.6]]) + np.linspace(-0.1, 0.1, 8)

  def width(cells):
    return np.subtract(*reversed([Sample(cells).estimate([1, 0]).low, Sample(cells).estimate([1, 0]).high]))

  three, two = Cell(scores, np.full(8, 50)), Cell(scores[:2], np.full(8, 50))
  one_of_others = Cell(scores[:1], np.full(8, 50))
  assert width([three, three]) < width([two, three])
  assert width([three, three]) < width([one_of_others, three])


def test_a_lone_seed_has_the_scatter_of_the_other_cells():
  """A level between that of a normal distribution and Student's t of the two degrees of freedom that are lent."""
  rng = np.random.default_rng(5)
  others = [Cell(0.5 + 0.05 * rng.standard_normal((3, 1)) + np.zeros(8), np.full(8, 50)) for _ in range(40)]
  found = Sample([Cell(np.full((1, 8), 0.5), np.full(8, 50)), *others]).estimate([1.0, *[0.0] * 40])
  assert 0.05 * 1.96 < (found.high - found.low) / 2 < 0.05 * 4.3 * 1.15


def test_untuned_cells_borrow_nothing():
  scores = np.array([[0.1], [0.5], [0.9]]) + np.zeros(8)
  lone = np.linspace(0.1, 0.2, 8)[None]
  trained = Sample([Cell(lone, np.full(8, 50)), Cell(scores, np.full(8, 50))]).estimate([1, 0])
  untuned = Sample([Cell(lone, np.full(8, 50), trained=False), Cell(scores, np.full(8, 50))]).estimate([1, 0])
  assert untuned.high - untuned.low < 0.1 < trained.high - trained.low


@pytest.mark.parametrize("scores", [[[0.0]], [[0.3]], [[0.0, 0.0]], [[1.0, 1.0], [1.0, 1.0]]])
def test_one_task_or_all_alike_is_told_by_its_examples(scores):
  scores = np.array(scores)
  found = Sample([Cell(scores, np.full(scores.shape[1], 20.0))]).estimate([1.0])
  assert found.low < found.high
  assert found.high - found.low > 0.05


def test_nothing_known_has_no_interval():
  found = Sample([Cell(np.array([[0.3]]), np.zeros(1))]).estimate([1.0])
  assert (found.value, found.low, found.high) == (0.3, None, None)


def test_strata_add_up():
  scores = np.array([[0.1, 0.3, 0.5, 0.7]])
  sample = Sample([Cell(scores, np.zeros(4))], strata=[0, 0, 1, 1])
  found = sample.estimate([1.0])
  assert found.value == pytest.approx(0.2 + 0.6)
  assert found.low < found.value < found.high


def test_the_same_data_give_the_same_interval():
  cells = drawn_cells(np.random.default_rng(4), 6, 2, (0.0, 1.0))
  assert Sample(cells).estimate([-1, 1]) == Sample(cells).estimate([-1, 1])
