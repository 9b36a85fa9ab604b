"""The chart of results.json: a panel a format, a pair of bars a cluster, held out above seen."""

import dataclasses
import io
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from flan_jax.atomic import write_atomically
from flan_jax.evaluation.held_out.averages import Average, averages_by_cluster, averages_by_split
from flan_jax.evaluation.held_out.results import Results
from flan_jax.evaluation.held_out.rows import FORMATS
from flan_jax.evaluation.intervals import Interval

# Okabe and Ito's palette, which colour-blind readers can tell apart; grey for what there was before.
_AFTER = {"held_out": "#D55E00", "seen": "#0072B2"}
_BEFORE = "#B4B9C2"
_INK, _FAINT = "#30343B", "#E4E6EA"
_BAR = 0.38  # height of a bar, where rows are 1 apart
_MEAN_OF = {"held_out": "Held out", "seen": "Seen"}


@dataclasses.dataclass(frozen=True)
class _Line:
  """One row of the chart: a cluster, or all clusters of a split."""

  y: float
  label: str
  split: str
  strong: bool
  averages: dict[str, Average]  # by format


def draw_chart(results: Results, path: Path) -> None:
  """Writes a PNG, atomically: exact match before and after with 95% intervals, and chance as a tick.

  Args:
    results: with at least one row.
    path: of the PNG.
  """
  lines = _lines(results)
  formats = [name for name in FORMATS if any(row.format == name for row in results.rows)]
  depth = lines[-1].y + 1.0
  figure = Figure(figsize=(2.4 + 3.2 * len(formats), 1.5 + 0.4 * depth), dpi=150, layout="constrained")
  panels = figure.subplots(1, len(formats), sharey=True, squeeze=False)[0]
  for name, axes in zip(formats, panels, strict=True):
    for line in lines:
      if name in line.averages:
        _draw_pair(axes, line, line.averages[name])
    _dress(axes, FORMATS[name], depth)
  _label(panels[0], lines)
  figure.suptitle("Exact match on unseen examples", x=0.012, ha="left", fontsize=12, fontweight="bold", color=_INK)
  handles = _legend(results)
  figure.legend(handles=handles, loc="outside lower left", ncols=len(handles), frameon=False, fontsize=9)
  image = io.BytesIO()
  figure.savefig(image, format="png")
  write_atomically(path, image.getvalue())


def _lines(results: Results) -> list[_Line]:
  """Held out first, in each split the mean of all tasks and then its clusters, the best first."""
  lines: list[_Line] = []
  y = 0.0
  overall = _by_format(averages_by_split(results.rows))
  clusters = _by_format(averages_by_cluster(results.rows))
  for split in ("held_out", "seen"):
    if (split, None) not in overall:
      continue
    within = sorted((key for key in clusters if key[0] == split), key=lambda key: _height(clusters[key]), reverse=True)
    lines.append(_Line(y, _MEAN_OF[split], split, True, overall[split, None]))
    lines += [_Line(y + 1.1 + i, key[1].replace("_", " "), split, False, clusters[key]) for i, key in enumerate(within)]
    y = lines[-1].y + 1.6  # a gap between the splits
  return lines


def _by_format(averages: Sequence[Average]) -> dict[tuple[str, str | None], dict[str, Average]]:
  grouped: dict[tuple[str, str | None], dict[str, Average]] = defaultdict(dict)
  for average in averages:
    grouped[average.split, average.cluster][average.format] = average
  return grouped


def _height(averages: dict[str, Average]) -> float:
  return sum(average.after for average in averages.values()) / len(averages)


def _draw_pair(axes: Axes, line: _Line, average: Average) -> None:
  """Before above after, so that a pair reads downwards in time; one bar in the middle if there is no before."""
  compared = average.before is not None
  after_y = line.y + (_BAR / 2 if compared else 0)
  if compared:
    _draw_bar(axes, line.y - _BAR / 2, average.before, average.before_ci, _BEFORE)
  _draw_bar(axes, after_y, average.after, average.after_ci, _AFTER[line.split])
  axes.text(
    _clear_of_chance(100 * average.after_ci[1] + 1.5, 100 * average.chance),
    after_y,
    f"{100 * average.before:.0f} → {100 * average.after:.0f}%" if compared else f"{100 * average.after:.0f}%",
    va="center",
    fontsize=8,
    fontweight="bold" if line.strong else "normal",
    color=_INK,
  )
  if average.chance:
    axes.plot([100 * average.chance] * 2, [line.y - _BAR * 1.15, line.y + _BAR * 1.15], color="black", lw=1.6, zorder=4)


def _clear_of_chance(x: float, chance: float, width: float = 24) -> float:
  """Where figures that would begin at x (and are `width` percentage points wide) do not lie across the chance tick."""
  return chance + 1.5 if x - 1 < chance < x + width else x


def _draw_bar(axes: Axes, y: float, share: float, interval: Interval, colour: str) -> None:
  axes.barh(y, 100 * share, height=_BAR, color=colour, zorder=2)
  axes.plot([100 * end for end in interval], [y, y], color=_INK, lw=1.1, alpha=0.75, zorder=3, solid_capstyle="butt")


def _dress(axes: Axes, heading: str, depth: float) -> None:
  axes.set_title(heading, loc="left", fontsize=10, color=_INK)
  axes.set_xlim(0, 128)  # room for the figures at a full bar's end
  axes.set_ylim(depth - 0.3, -0.8)  # downwards
  axes.set_xticks(range(0, 101, 25), [f"{tick}%" for tick in range(0, 101, 25)], fontsize=8, color=_INK)
  axes.grid(axis="x", color=_FAINT, lw=0.8, zorder=0)
  axes.tick_params(length=0)
  axes.spines[["top", "right", "bottom"]].set_visible(False)
  axes.spines["left"].set_color(_INK)


def _label(axes: Axes, lines: Sequence[_Line]) -> None:
  axes.set_yticks([line.y for line in lines], [_row_label(line) for line in lines], fontsize=9)
  for text, line in zip(axes.get_yticklabels(), lines, strict=True):
    text.set_color(_AFTER[line.split] if line.strong else _INK)
    text.set_fontweight("bold" if line.strong else "normal")


def _row_label(line: _Line) -> str:
  tasks = max(average.tasks for average in line.averages.values())
  return f"{line.label} · {tasks} task{'s' if tasks > 1 else ''}"


def _legend(results: Results) -> list:
  splits = {row.split for row in results.rows}
  compared = any(row.before is not None for row in results.rows)
  before = [Patch(color=_BEFORE, label="before")] if compared else []
  after = [
    Patch(color=colour, label=f"{'after, ' if compared else ''}{split.replace('_', '-')} tasks")
    for split, colour in _AFTER.items()
    if split in splits
  ]
  interval = Line2D([], [], color=_INK, lw=1.1, alpha=0.75, label="95% interval")
  chance = Line2D([], [], color="black", marker="|", markersize=10, markeredgewidth=1.6, ls="none", label="chance")
  return [*before, *after, interval, *([chance] if any(row.chance for row in results.rows) else [])]
