"""Pictures: of the size of print, with a margin, in text that is text, and the same each time."""

import xml.etree.ElementTree as ET

import pytest
from matplotlib import image

from flan_jax.sweeps.report.drawing import draw
from flan_jax.sweeps.report.figure import Figure, Panel, Point, Series
from tests.sweeps.report import made_up_figures as made_up

DRAWN = (made_up.tasks, made_up.clusters, made_up.crowded)  # half a second each; a page's tests lay out the others
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
  folder = tmp_path_factory.mktemp("pictures")
  for figure in DRAWN:
    draw(figure(), folder)
  return folder


def texts(path) -> list[str]:
  return ["".join(node.itertext()).strip() for node in ET.parse(path).iter(f"{SVG}text")]


@pytest.mark.parametrize("figure", DRAWN)
def test_a_png_at_twice_a_screen_with_nothing_over_its_rim(folder, figure):
  pixels = image.imread(folder / f"{figure().name}.png")[..., :3]
  assert pixels.shape[1] >= 2 * 2 * 96 * 2  # two panels or one wide one
  assert (pixels != 1).any()
  rim = [pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]]
  assert all((edge == 1).all() for edge in rim)


def test_long_titles_of_rows_stay_within_the_picture(tmp_path):
  title = "New compositions, and new wordings, " * 4
  rows = ("base", "wrong instructions", "tuned")
  series = [Series("mean", [Point(row, 0.5, 0.4, 0.6) for row in rows], joined=False)]
  panels = [Panel(series, "control", "accuracy", title, "category", categories=rows)] * 3
  draw(Figure("rows", "Controls", panels), tmp_path)
  pixels = image.imread(tmp_path / "rows.png")[..., :3]
  assert all((edge == 1).all() for edge in (pixels[:4], pixels[-4:], pixels[:, :4], pixels[:, -4:]))


def test_the_text_of_an_svg_is_text(folder):
  shown = texts(folder / "tasks.svg")
  for expected in ("Held-out score by the number of tasks trained on", "number of tasks", "1,836", "small", "chance"):
    assert expected in shown
  assert f"Flan-PaLM 8B ({made_up.PAPER})" in shown
  assert any(text.startswith("fit, small: +5.0 points") for text in shown)
  assert "nli <b>&amp;</b>" in texts(folder / "clusters.svg")  # as it was written, not as markup


def test_a_legend_lies_below_the_data(folder):
  root = ET.parse(folder / "crowded.svg").getroot()
  legend = next(node for node in root.iter(f"{SVG}g") if node.get("id", "").startswith("legend"))
  top = min(float(node.get("y")) for node in legend.iter(f"{SVG}text") if node.get("y"))
  axes = [node for node in root.iter(f"{SVG}g") if node.get("id", "").startswith("axes")]
  lowest = max(float(node.get("y")) for each in axes for node in each.iter(f"{SVG}text") if node.get("y"))
  assert top > lowest


def test_the_same_figure_gives_the_same_bytes(folder, tmp_path):
  for path in draw(made_up.clusters(), tmp_path):
    assert path.read_bytes() == (folder / path.name).read_bytes()
