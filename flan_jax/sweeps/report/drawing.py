"""Figures as pictures for papers: PNG at twice the resolution of a screen, and SVG whose text is text."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from matplotlib.figure import SubFigure
from matplotlib.legend_handler import HandlerTuple
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from flan_jax.atomic import write_atomically
from flan_jax.pages import palette
from flan_jax.sweeps.report.figure import Figure
from flan_jax.sweeps.report.layout import LaidPanel, Line, laid_out
from flan_jax.sweeps.report.scales import Axis

_DPI = 192  # twice the 96 of a screen
_STYLE = {
  "font.family": "sans-serif",
  "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial"],
  "font.size": 9,
  "svg.fonttype": "none",  # text stays text: to be searched, and edited in a drawing program
  "svg.hashsalt": "flan_jax",  # the same figure gives the same bytes
  "axes.linewidth": 0.8,
}
_MARKERS = {"circle": "o", "square": "s", "up": "^", "down": "v", "diamond": "D"}
_WIDTH, _HEIGHT = 4.7, 3.3  # of a panel, in inches
_ROW, _ROW_MARK = 0.16, 0.13  # height of a row and of each series in it
_LETTER = 0.072  # inches, about, of 9 points
_LEGEND_LINE = 0.2  # inches
_IN_A_ROW = 3  # panels
_DASHES = (0, (5, 2))  # of fits


def draw(figure: Figure, folder: Path) -> list[Path]:
  """Writes NAME.png and NAME.svg of a figure, atomically; the same figure gives the same bytes.

  Args:
    figure: with at least one panel.
    folder: made where it does not exist.

  Returns:
    their paths.
  """
  # A picture is drawn without pyplot: nothing is left open, and no display is looked for.
  with matplotlib.rc_context(_STYLE):
    picture = _picture(figure)
    paths = []
    for kind, options in (
      ("png", {"dpi": _DPI, "metadata": {"Software": None}}),
      ("svg", {"metadata": {"Date": None}}),
    ):
      content = io.BytesIO()
      picture.savefig(content, format=kind, facecolor="white", **options)
      picture.set_layout_engine("none")  # all has its place now; to find it took half of the time
      paths.append(folder / f"{figure.name}.{kind}")
      write_atomically(paths[-1], content.getvalue())
  return paths


def _picture(figure: Figure) -> Picture:
  """Panels above, what their signs mean below: a legend never lies on data."""
  panels = laid_out(figure)
  columns = _columns(len(panels))
  across = [panels[start : start + columns] for start in range(0, len(panels), columns)]
  heights = [max(_height(panel) for panel in row) for row in across]
  width = _WIDTH * columns + (1.3 if columns == 1 else 0)
  title = textwrap.wrap(figure.title, int(width / (_LETTER * 1.35)))
  signs, fits = _signs(panels), _fits(panels, int(width / _LETTER) - 8)
  sign_lines = -(-len(signs) // _legend_columns(signs, width))
  fit_lines = sum(label.count("\n") + 1 for _, label in fits)
  above, below = sum(heights) + 0.24 * len(title), 0.2 + _LEGEND_LINE * (sign_lines + fit_lines)
  picture = Picture(figsize=(width, above + below), layout="constrained")
  picture.get_layout_engine().set(w_pad=0.09, h_pad=0.07, wspace=0.03)
  upper, lower = picture.subfigures(2, 1, height_ratios=[above, below])
  _draw_panels(upper, across, heights)
  upper.suptitle("\n".join(title), x=0.012, ha="left", fontsize=11, fontweight="bold", color=_ink())
  _draw_legend(lower, signs, 1.0, _legend_columns(signs, width))
  if fits:
    _draw_legend(lower, fits, 1 - (_LEGEND_LINE * sign_lines + 0.04) / below, 1)
  return picture


def _columns(panels: int) -> int:
  """Of panels side by side, so that the last row is as full as can be.

  >>> [_columns(panels) for panels in range(1, 8)]
  [1, 2, 3, 2, 3, 3, 3]
  """
  return 2 if panels == 4 else min(panels, _IN_A_ROW)


def _draw_legend(lower: SubFigure, entries: Sequence[tuple[Any, str]], top: float, columns: int) -> None:
  handles, labels = zip(*entries, strict=True)
  lower.legend(
    handles,
    labels,
    handler_map={tuple: HandlerTuple(ndivide=1)},
    loc="upper left",
    bbox_to_anchor=(0.0, top),
    ncols=columns,
    frameon=False,
    labelcolor=_ink(),
    fontsize=9,
    borderaxespad=0.2,
  )


def _draw_panels(upper: SubFigure, across: Sequence[Sequence[LaidPanel]], heights: Sequence[float]) -> None:
  grid = upper.subplots(len(across), len(across[0]), squeeze=False, height_ratios=heights)
  for row, axes_row in zip(across, grid, strict=True):
    for axes in axes_row[len(row) :]:
      axes.set_visible(False)
    for panel, axes in zip(row, axes_row, strict=False):
      _draw_panel(axes, panel)


def _height(panel: LaidPanel) -> float:
  if panel.kind == "columns":
    return _HEIGHT
  return 0.9 + len(panel.x.categories) * (_ROW + _ROW_MARK * len(panel.lines))


def _draw_panel(axes: Axes, panel: LaidPanel) -> None:
  rows = panel.kind == "rows"
  _dress(axes, panel, rows)
  for order, line in enumerate(panel.lines):
    _draw_line(axes, panel, line, rows, 3 + 0.01 * order)


def _dress(axes: Axes, panel: LaidPanel, rows: bool) -> None:
  """Grid lines where values are read off; ticks, names and marked levels."""
  colours = palette.colours()
  measured, varied = (axes.xaxis, axes.yaxis) if rows else (axes.yaxis, axes.xaxis)
  (axes.set_ylim if rows else axes.set_xlim)(*((panel.x.high, panel.x.low) if rows else (panel.x.low, panel.x.high)))
  (axes.set_xlim if rows else axes.set_ylim)(panel.y.low, panel.y.high)
  for axis, side in ((panel.x, varied), (panel.y, measured)):
    places, labels = zip(*axis.ticks, strict=True) if axis.ticks else ((), ())
    # Panels stand side by side: a label takes the room of its tick, in several lines if it must.
    room = 26 if rows else max(7, int(50 / max(1, len(places))))
    wrapped = [textwrap.fill(label, room, break_long_words=False) for label in labels]
    side.set_ticks(places, wrapped, fontsize=8, color=_ink())
  if not rows:
    _thin_labels(axes, panel.x)
  axes.set_xlabel(panel.y.label if rows else panel.x.label, color=_ink())
  axes.set_ylabel("" if rows else panel.y.label, color=_ink())
  # The names of rows take their room from a panel's left; its title begins beside them.
  letters = 60 - int(0.75 * min(26, max(len(label) for _, label in panel.x.ticks))) if rows else 60
  title = textwrap.fill(panel.title, letters, break_on_hyphens=False)
  axes.set_title(title, loc="left", fontsize=9.5, color=_ink())
  axes.grid(axis="x" if rows else "y", color=colours["faint"], lw=0.7)
  axes.set_axisbelow(True)
  axes.tick_params(length=3, color=colours["quiet"], which="both")
  axes.spines[["top", "right"]].set_visible(False)
  axes.spines[["left", "bottom"]].set_color(colours["quiet"])
  across = axes.axvline if rows else axes.axhline
  if panel.y.baseline is not None:
    across(panel.y.baseline, color=colours["quiet"], lw=1.0, zorder=2)
  if panel.chance is not None:
    across(panel.chance, color=_ink(), lw=1.0, ls=(0, (1, 2)), zorder=2)
  if panel.x.gap is not None:  # the axis is broken between 0 and the rest
    axes.plot(
      [panel.x.gap],
      [0],
      marker=[(-1, -1.5), (1, 1.5)],
      transform=axes.get_xaxis_transform(),
      color=colours["quiet"],
      ms=7,
      mew=0.9,
      clip_on=False,
    )


def _thin_labels(axes: Axes, axis: Axis) -> None:
  """Leaves out labels that would run into their left neighbour; the last one stays."""
  if axis.categories or not axis.ticks:
    return
  inches = (_WIDTH - 0.8) / (axis.high - axis.low)
  kept: list[tuple[float, str]] = []
  for place, label in reversed(axis.ticks):
    if not kept or (kept[-1][0] - place) * inches > _LETTER * 0.9 * (len(label) + len(kept[-1][1])) / 2 + 0.05:
      kept.append((place, label))
  axes.set_xticks([place for place, _ in kept], [label for _, label in kept], fontsize=8, color=_ink())
  axes.set_xticks([place for place, _ in axis.ticks], minor=True)


def _draw_line(axes: Axes, panel: LaidPanel, line: Line, rows: bool, order: float) -> None:
  colour = palette.hues()[line.hue]
  xs, ys = [mark.x for mark in line.marks], [mark.y for mark in line.marks]
  barred = [mark for mark in line.marks if mark.low is not None and mark.high is not None]
  if line.dense:
    axes.fill_between(
      [m.x for m in barred],
      [m.low for m in barred],
      [m.high for m in barred],
      color=colour,
      alpha=0.15,
      lw=0,
      zorder=order - 1,
    )
  else:
    bars = axes.hlines if rows else axes.vlines
    bars([m.x for m in barred], [m.low for m in barred], [m.high for m in barred], color=colour, lw=1.1, zorder=order)
  if line.joined and not rows:
    _join(axes, panel.x, line, colour, order)
  if line.fit:
    axes.plot(*zip(*line.fit, strict=True), color=colour, lw=0.9, ls=_DASHES, zorder=order)
  if not line.dense:
    axes.plot(*((ys, xs) if rows else (xs, ys)), zorder=order + 0.005, clip_on=False, **_marker(line))


def _join(axes: Axes, x: Axis, line: Line, colour: str, order: float) -> None:
  """A line through the marks; to a mark at 0 of a log axis it is dotted, since that distance is nobody's."""
  style = {"color": colour, "zorder": order, "lw": 1.5, "alpha": 0.6 if line.published else 1}
  apart = [mark for mark in line.marks if x.gap is not None and mark.x < x.gap]
  rest = [mark for mark in line.marks if mark not in apart]
  axes.plot([mark.x for mark in rest], [mark.y for mark in rest], **style)
  for mark in apart:
    if rest:
      axes.plot([mark.x, rest[0].x], [mark.y, rest[0].y], **style | {"ls": (0, (1, 2)), "lw": 1.2})


def _marker(line: Line) -> dict:
  colour = palette.hues()[line.hue]
  face = palette.colours()["ground"] if line.published else colour
  return {"marker": _MARKERS[line.shape], "ls": "none", "color": colour, "mfc": face, "mew": 1.2, "ms": 5.5}


def _signs(panels: Sequence[LaidPanel]) -> list[tuple[Any, str]]:
  """[(sign, text)]: each series once, with who published it, then what all signs mean."""
  lines = {(line.name, line.source): line for panel in panels for line in panel.lines}.values()
  entries: list[tuple[Any, str]] = []
  for line in lines:
    stroke = Line2D([], [], color=palette.hues()[line.hue], lw=1.5, alpha=0.6 if line.published else 1)
    dots = Line2D([], [], **_marker(line))
    sign = stroke if line.dense else (stroke, dots) if line.joined else dots
    entries.append((sign, f"{line.name} ({line.source})" if line.published else line.name))
  return [*entries, *_common_signs(panels)]


def _fits(panels: Sequence[LaidPanel], letters: int) -> list[tuple[Any, str]]:
  """What the thin lines are, in words of at most so many letters a line; where several panels have some, just that."""
  fitted = [[line for line in panel.lines if line.fit] for panel in panels]
  fitted = [lines for lines in fitted if lines]
  if len(fitted) > 1:
    return [(_dashes(palette.colours()["quiet"]), "fit")]
  return [
    (_dashes(palette.hues()[line.hue]), textwrap.fill(f"fit, {line.name}: {line.fit_text}".removesuffix(": "), letters))
    for lines in fitted
    for line in lines
  ]


def _dashes(colour: str) -> Line2D:
  return Line2D([], [], color=colour, lw=0.9, ls=_DASHES)


def _common_signs(panels: Sequence[LaidPanel]) -> list[tuple[Any, str]]:
  quiet = palette.colours()["quiet"]
  barred = [line for panel in panels for line in panel.lines if any(mark.low is not None for mark in line.marks)]
  entries: list[tuple[Any, str]] = []
  if any(not line.dense for line in barred):
    upright = {
      "marker": "_" if all(panel.kind == "rows" for panel in panels) else "|",
      "markersize": 10,
      "markeredgewidth": 1.1,
      "ls": "none",
    }
    entries.append((Line2D([], [], color=quiet, **upright), "95% interval"))
  elif barred:
    entries.append((Patch(color=quiet, alpha=0.2, lw=0), "95% interval"))
  if any(panel.chance is not None for panel in panels):
    entries.append((Line2D([], [], color=_ink(), lw=1.0, ls=(0, (1, 2))), "chance"))
  return entries


def _legend_columns(entries: Sequence[tuple[Any, str]], width: float) -> int:
  longest = _LETTER * max(len(label) for _, label in entries) + 0.75
  return max(1, min(len(entries), int(width / longest)))


def _ink() -> str:
  return palette.colours()["ink"]
