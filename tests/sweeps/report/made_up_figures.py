"""Figures with everything that a figure can have: what drawing and page are tried on."""

import math

from flan_jax.sweeps.report.figure import Figure, Finding, Panel, Point, Series

PAPER = "Chung et al. 2022, Table 3"


def point(x, y, half=None, text=None) -> Point:
  low, high = (None, None) if half is None else (y - half, y + half)
  return Point(x, y, low, high, text if text is not None else f"at {x}\n{y:.3f}")


def tasks() -> Figure:
  """Curves over a log axis with a 0, fits, chance, and the paper's beside."""
  ours = [
    Series(
      size,
      [point(x, base + 0.05 * math.log10(x + 1), 0.02, f"{size}, {x} tasks\n3 seeds") for x in (0, 4, 16, 64, 160)],
      fit=[Point(x, base + 0.05 * math.log10(x)) for x in (1, 2, 4, 8, 16, 32, 64, 128, 160, 400)],
      fit_text="+5.0 points a tenfold number of tasks (3.1 to 6.9)",
    )
    for size, base in (("small", 0.31), ("base", 0.38))
  ]
  paper = Series("Flan-PaLM 8B", [point(x, y) for x, y in ((9, 0.081), (89, 0.141), (1836, 0.158))], source=PAPER)
  panels = [
    Panel(ours, "number of tasks", "exact match on held-out tasks", "Here", "log", chance=0.25),
    Panel([paper], "number of tasks", "normalised average", "The paper's", "log"),
  ]
  finding = Finding(
    "From 4 to 160 tasks the score rises by 7.9 points (5.5 to 10.2).",
    "More tasks help.",
    "supports",
    0.079,
    0.055,
    0.102,
  )
  return Figure("tasks", "Held-out score by the number of tasks trained on", panels, [finding], ["Base has one seed."])


def clusters(many: int = 12) -> Figure:
  """Differences of many categories with long names, in rows."""
  names = [f"cluster {index} with a rather long name" for index in range(many - 1)] + ["nli <b>&amp;</b>"]
  left = [point(name, 0.04 * math.sin(index), 0.03) for index, name in enumerate(names)]
  series = [
    Series("left out", left, joined=False),
    Series("trained on", [point(each.x, each.y + 0.05) for each in left[:-1]], joined=False),
  ]
  panel = Panel(series, "cluster", "against untuned, points", x_scale="category", y_unit="points", categories=names)
  finding = Finding("Left-out clusters gain 0.4 points (−2.1 to 2.9).", "", "can't tell", 0.004, -0.021, 0.029)
  return Figure("clusters", "What a cluster gains when it is left out", [panel], [finding])


def training() -> Figure:
  """Many points: bands."""
  curve = [point(step, 4 * math.exp(-step / 900) + 1, 0.1) for step in range(0, 3500, 50)]
  panel = Panel([Series("base", curve)], "step", "loss", y_unit="nats")
  return Figure("training", "Training curves", [panel], [Finding("The loss falls to 1.08 nats.")])


def compute() -> Figure:
  """FLOPs of categories, joined."""
  sizes = ["80M", "250M", "780M", "3B", "11B"]
  flops = [1.8e20, 6.6e20, 2.3e21, 9.0e21, 3.3e22]
  series = [
    Series("pretraining", [point(size, each) for size, each in zip(sizes, flops, strict=True)]),
    Series("tuning", [point(size, each / 50) for size, each in zip(sizes, flops, strict=True)]),
  ]
  panel = Panel(series, "parameters", "FLOPs", x_scale="category", y_unit="flops", categories=sizes)
  finding = Finding("Tuning costs 2.0% of pretraining.", "Tuning is cheap.", "contradicts", 0.02)
  return Figure("compute", "Compute of tuning beside that of pretraining", [panel], [finding])


def crowded() -> Figure:
  """Eight series over a linear axis, each with bars."""
  series = [
    Series(f"series {n} of eight", [point(x, 0.1 * n + 0.001 * x, 0.04) for x in (0, 25, 50, 75, 100)])
    for n in range(8)
  ]
  return Figure("crowded", "Eight of them " * 12, [Panel(series, "share of few-shot prompts, %", "exact match")] * 2)


def single() -> Figure:
  """One point of one series, nothing else."""
  return Figure("single", "One run", [Panel([Series("ours", [point(9, 0.5)])], "tasks", "score", x_scale="log")])


ALL = (tasks, clusters, training, compute, crowded, single)
