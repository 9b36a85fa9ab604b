"""The embedded collection: enough of it, the same everywhere, its answers right, its held-out clusters whole."""

import pytest

from flan_jax.data import rendering, specs

TASKS = [task for task in specs.task_names("demo") if task != "demo.narratives"]  # which asks nothing


@pytest.mark.slow
def test_every_task_has_examples_to_ask():
  for task in TASKS:
    assert len(rendering.Renderer(task).splits.held_out) >= 10, task


@pytest.mark.parametrize("task", [*TASKS[:14:5], "demo.odd_one_out_of_4", "demo.sum_loss", "demo.to_words"])
def test_an_example_is_the_same_wherever_it_is_made(task):
  ours, again = rendering.Renderer(task), rendering.Renderer(task)
  order = list(range(0, 100, 7))
  forward = {i: ours.render(ours.source[i]) for i in order}
  backward = {i: again.render(again.source[i]) for i in reversed(order)}
  assert forward == backward
