"""Figures of scores along an axis: a panel for each way of asking, a series for each combination of the other axes."""

from collections.abc import Sequence

from flan_jax.sweeps.report import fits, published_points
from flan_jax.sweeps.report.axes import BOTH, FEW_SHOT, UNTUNED, WITH, WITHOUT, ZERO_SHOT, Kind, placed, runs_of
from flan_jax.sweeps.report.axis_findings import findings
from flan_jax.sweeps.report.cells import Grid, Place, grid
from flan_jax.sweeps.report.figure import Figure, Panel, Point, Series
from flan_jax.sweeps.report.notes import notes
from flan_jax.sweeps.report.reading import Reading
from flan_jax.sweeps.report.words import listed, parameters, percent

_MOST_PANELS = 8
_ORDER = (UNTUNED, WITHOUT, WITH, ZERO_SHOT, BOTH, FEW_SHOT)  # of categories


def axis_figure(kind: Kind, reading: Reading) -> Figure | None:
  """The figure of one axis; None where no run of it has a score."""
  runs = runs_of(kind, reading.runs)
  places = placed(kind, runs)
  grids = [made for measure in reading.measures if (made := grid(reading, measure, places))]
  if not grids:
    return None
  fair = [made for made in grids if made.fair]
  shown = (fair or grids)[:_MOST_PANELS]
  panels = [_panel(kind, each) for each in shown]
  beside = _published_beside(kind, shown)
  more = [f"{len(fair) - len(shown)} more ways of asking are in the table."] if len(fair) > len(shown) else []
  if fair and (mixed := [made for made in grids if not made.fair]):
    names = listed([f"{made.measure.evaluation}/{made.measure.variant}" for made in mixed])
    more.append(f"Not drawn: {names}, of tasks that some of the runs were trained on and others not.")
  if beside and kind.figure in ("tasks", "size"):
    more.append("The papers' panels have other tasks and models than ours: compare their shape, not their height.")
  return Figure(
    name=kind.figure,
    title=kind.title,
    panels=[*panels, *beside],
    findings=findings(kind, shown),
    notes=[*notes(kind, runs, places, shown[0], reading), *more],
  )


def _panel(kind: Kind, made: Grid) -> Panel:
  categories = _categories(made) if kind.scale == "category" else ()
  series = [_series(kind, made, name, categories) for name in made.series]
  column = published_points.column(made.measure)
  if column and kind.figure in ("tasks", "size"):
    of_paper = published_points.by_tasks if kind.figure == "tasks" else published_points.by_size
    series += of_paper(column)
  return Panel(
    series,
    kind.x_label,
    made.measure.score,
    title=made.title,
    x_scale=kind.scale,
    categories=categories,
    chance=made.chance,
  )


def _series(kind: Kind, made: Grid, name: str, categories: Sequence[str]) -> Series:
  places = [place for place in made.runs if place[0] == name]
  places.sort(key=lambda place: categories.index(place[1]) if categories else place[1])
  fitted = fits.line(made, made.places(name)) if kind.figure in ("tasks", "size") else None
  return Series(
    name,
    [_point(kind, made, place) for place in places],
    joined=len(places) > 2,  # a line through two points would look like more than it is
    fit=fitted.points if fitted else (),
    fit_text=_fit_text(kind, fitted) if fitted else "",
  )


def _point(kind: Kind, made: Grid, place: Place) -> Point:
  mean, runs = made.mean(place), made.runs[place]
  where = place[1] if isinstance(place[1], str) else _at(kind, place[1])
  interval = "" if mean.low is None else f" ({percent(mean.low)} to {percent(mean.high)})"
  seeds = sorted({str(run.seed) for run in runs if run.seed is not None})
  lines = [
    f"{place[0]}, {where}: {percent(mean.value)}{interval}",
    f"{len(made.tasks)} tasks, seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)}",
    *(f"{run.name}" for run in runs[:5]),
  ]
  return Point(place[1], mean.value, mean.low, mean.high, "\n".join(lines))


def _at(kind: Kind, x: float) -> str:
  if x == 0:
    return UNTUNED
  return f"{parameters(x)} parameters" if kind.figure == "size" else f"{x:g} {kind.x_label}"


def _fit_text(kind: Kind, fitted: fits.Fit) -> str:
  slope = fitted.slope
  interval = "" if slope.low is None else f" (95% interval {100 * slope.low:+.1f} to {100 * slope.high:+.1f})"
  what = "parameters" if kind.figure == "size" else "tasks"
  text = f"{100 * slope.value:+.1f} points{interval} for ten times the {what}, from {fitted.cells} means"
  return f"{text}; they lie {100 * fitted.left:.1f} points off the line".replace("-", "−")


def _categories(made: Grid) -> tuple[str, ...]:
  """Known ones in their order, shares of few-shot prompts between none and all, others as they come."""
  found = list(dict.fromkeys(str(x) for _, x in made.runs))

  def rank(category: str) -> tuple[float, int]:
    if category in _ORDER:
      return _ORDER.index(category), 0
    share = category.partition("% few-shot")
    return (_ORDER.index(ZERO_SHOT) + float(share[0]) / 50, 0) if share[1] else (len(_ORDER), found.index(category))

  return tuple(sorted(found, key=rank))


def _published_beside(kind: Kind, grids: Sequence[Grid]) -> list[Panel]:
  """The paper's panel, where its points are not among ours."""
  among = any(published_points.column(made.measure) for made in grids)
  if kind.figure == "tasks" and not among:
    title = "Published: PaLM, normalised average"
    return [published_points.beside(published_points.by_tasks(), kind.x_label, title)]
  if kind.figure == "size" and not among:
    title = "Published: PaLM and T5, normalised average"
    return [published_points.beside(published_points.by_size(), kind.x_label, title)]
  if kind.figure == "cot":
    return [published_points.with_and_without_rationales()]
  if kind.figure == "formats":
    return [published_points.with_and_without_few_shot()]
  return []
