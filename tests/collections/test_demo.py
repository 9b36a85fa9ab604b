"""The embedded collection: enough of it, the same everywhere, its answers right, its held-out clusters whole."""

import pytest

from flan_jax.data import mixtures, rendering, specs

TASKS = [task for task in specs.task_names("demo") if task != "demo.narratives"]  # which asks nothing


@pytest.mark.slow
def test_every_task_has_as_many_held_out_examples_as_runs_are_asked():
  """Four of the tasks tuned on (`scripts/quickstart.sh`), twelve of the others (gin_configs/runs/demo_ladder.gin)."""
  tuned_on = set(mixtures.get_mixture("demo").tasks)
  few = {task: len(rendering.Renderer(task).splits.held_out) for task in TASKS}
  assert not {task: n for task, n in few.items() if n < (4 if task in tuned_on else 12)}


@pytest.mark.parametrize("task", [*TASKS[:14:5], "demo.odd_one_out_of_4", "demo.sum_loss", "demo.to_words"])
def test_an_example_is_the_same_wherever_it_is_made(task):
  ours, again = rendering.Renderer(task), rendering.Renderer(task)
  order = list(range(0, 100, 7))
  forward = {i: ours.render(ours.source[i]) for i in order}
  backward = {i: again.render(again.source[i]) for i in reversed(order)}
  assert forward == backward
