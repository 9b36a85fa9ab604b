"""What both the picture and the page draw: nothing hidden, nothing beyond what was measured, the paper's marked."""

import itertools

from flan_jax.sweeps.report.figure import Figure, Panel, Point, Series
from flan_jax.sweeps.report.layout import OPEN, laid_out
from tests.sweeps.report import made_up_figures as made_up


def laid(*series, **options):
  options = {"x_label": "x", "y_label": "y", **options}
  return laid_out(Figure("f", "t", [Panel(series, **options)]))[0]


def test_a_fit_ends_where_the_measured_points_end():
  drawn = laid_out(made_up.tasks())[0]
  for line in drawn.lines:
    inner = [mark.x for mark in line.marks if mark.x > drawn.x.gap]
    assert min(inner) - 1e-9 <= min(x for x, _ in line.fit)
    assert max(x for x, _ in line.fit) <= max(inner) + 1e-9


def test_a_fit_of_sizes_says_nothing_of_smaller_or_larger_ones():
  fit = [Point(x, 0.1) for x in (1, 2, 3, 4, 5)]
  line = laid(Series("a", [Point(2, 0.1), Point(3, 0.1), Point(4, 0.1)], fit=fit)).lines[0]
  assert [x for x, _ in line.fit] == [2, 3, 4]


def test_only_published_series_are_open_diamonds():
  lines = [line for figure in made_up.ALL for panel in laid_out(figure()) for line in panel.lines]
  assert {line.published for line in lines} == {True, False}
  for line in lines:
    assert (line.shape == OPEN) == line.published


def test_a_name_has_one_hue_in_all_panels_and_names_differ():
  both = [Series("a", [Point(1, 0.1)]), Series("b", [Point(1, 0.2)])]
  panels = laid_out(Figure("f", "t", [Panel(both, "x", "y"), Panel(both[::-1], "x", "y")]))
  hues = [{line.name: (line.hue, line.shape) for line in panel.lines} for panel in panels]
  assert hues[0] == hues[1]
  crowded = laid_out(made_up.crowded())[0].lines
  assert len({line.hue for line in crowded}) == 8


def test_panels_of_the_same_measure_share_its_axis():
  def panel(y, label="exact match", source="ours"):
    return Panel([Series("a", [Point(1, y), Point(2, y + 0.1)], source=source)], "x", label)

  panels = laid_out(Figure("f", "t", [panel(0.1), panel(0.8), panel(0.5, "F1"), panel(0.3, source=made_up.PAPER)]))
  assert panels[0].y == panels[1].y
  assert panels[0].y.low <= 0.1 < 0.9 <= panels[0].y.high
  assert len({panel.y for panel in panels}) == 3


def test_bars_of_the_same_x_stand_beside_each_other_within_the_axis():
  panel = laid_out(made_up.crowded())[0]
  columns = list(zip(*[[mark.x for mark in line.marks] for line in panel.lines], strict=True))
  for left, right in itertools.pairwise(columns):
    assert len(set(left)) == len(left)
    assert max(left) < min(right)
  assert panel.x.low < min(columns[0])
  assert max(columns[-1]) < panel.x.high


def test_a_ninth_series_is_told_from_the_first():
  points = [Point(1, 0.1)]
  lines = laid(*[Series(f"s{n}", points) for n in range(24)]).lines
  assert len({(line.hue, line.shape) for line in lines}) == 24


def test_nothing_is_drawn_above_a_whole():
  point = Point(1, 0.9, 0.8, 1.2)
  line = laid(Series("a", [point, Point(3, 0.95)], fit=[Point(1, 0.9), Point(2, 1.1), Point(3, 0.95)])).lines[0]
  assert line.marks[0].high == 1.0
  assert [x for x, _ in line.fit] == [1, 3]


def test_curves_are_not_shifted():
  curves = [Series(name, [Point(x, 0.5, 0.4, 0.6) for x in range(7)]) for name in "ab"]
  assert {mark.x for line in laid(*curves).lines for mark in line.marks} == set(range(7))


def test_points_without_bars_stand_at_their_own_x():
  theirs = Series("theirs", [Point(x, 0.5) for x in (1, 2)], source=made_up.PAPER)
  lines = laid(*made_up.crowded().panels[0].series[:2], theirs).lines
  assert [mark.x for mark in lines[2].marks] == [1, 2]
  assert lines[0].marks[1].x < 25 < lines[1].marks[1].x


def test_a_shift_moves_a_line_with_its_fit():
  figure = made_up.tasks()
  for line, series in zip(laid_out(figure)[0].lines, figure.panels[0].series, strict=True):
    at_16 = next(mark for mark in line.marks if mark.text == series.points[2].text)
    nearest = min(line.fit, key=lambda place: abs(place[0] - at_16.x))
    assert abs(nearest[0] - at_16.x) < 1e-9


def test_categories_are_rows_unless_a_line_joins_them():
  points = [Point("a", 0.1), Point("b", 0.2)]
  options = {"x_scale": "category", "categories": ["a", "b"]}
  assert laid(Series("s", points, joined=False), **options).kind == "rows"
  assert laid(Series("s", points), **options).kind == "columns"
  assert laid(Series("s", points[:1]), **options).kind == "rows"  # one point is joined to nothing


def test_what_has_no_place_on_an_axis_is_left_out():
  marks = (
    laid(Series("s", [Point("a", 0.0), Point("b", 1e18)], joined=False), y_unit="flops", x_scale="category")
    .lines[0]
    .marks
  )
  assert [mark.x for mark in marks] == [1.0]
  marks = laid(Series("s", [Point(-1, 0.5), Point(10, 0.5)]), x_scale="log").lines[0].marks
  assert len(marks) == 1
