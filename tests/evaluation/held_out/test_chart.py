"""The chart is a PNG with a panel a format, a labelled row a cluster and nothing cut off."""

import pytest
from matplotlib import image

from flan_jax.evaluation.held_out.chart import draw_chart
from flan_jax.evaluation.held_out.results import Results
from flan_jax.evaluation.held_out.rows import rows_of


@pytest.fixture
def made(compared):
  long = "a_cluster_with_a_rather_long_name"
  return [
    *compared("c.seen", "zero_shot", 1, 9, 10, choices=4),
    *compared("c.new", "zero_shot", 0, 6, 12, cluster=long),
    *compared("c.new", "cot", 3, 12, 12, cluster=long),
  ]


@pytest.mark.parametrize(("before", "formats"), [(True, 2), (False, 2), (False, 1)])
def test_draws_a_png_with_a_margin(made, before, formats, tmp_path):
  chosen = made if before else [each._replace(before=None) for each in made]
  chosen = [each for each in chosen if formats == 2 or each.after.variant == "cot"]
  draw_chart(Results({}, rows_of(chosen, {"c.seen"}, {}), []), tmp_path / "chart.png")
  pixels = image.imread(tmp_path / "chart.png")[..., :3]
  assert pixels.shape[0] > 200
  assert pixels.shape[1] > 600
  assert (pixels != 1).any()
  edges = [pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]
  assert all((edge == 1).all() for edge in edges)  # nothing runs over the rim
