"""Compute: what tuning took beside what pretraining took, by size, ours and the paper's."""

import statistics
from collections import defaultdict
from collections.abc import Sequence

from flan_jax.sweeps.pricing import compute
from flan_jax.sweeps.report.claims import claim
from flan_jax.sweeps.report.figure import Figure, Finding, Panel, Point, Series
from flan_jax.sweeps.report.reading import Reading, Run
from flan_jax.sweeps.report.scales import scientific
from flan_jax.sweeps.report.statistics import Estimate
from flan_jax.sweeps.report.words import finding, listed, parameters

_TABLE_2 = "Chung et al. 2022, Table 2"


def compute_figure(reading: Reading) -> Figure | None:
  """FLOPs by parameters; None where no run that was trained to its end has any."""
  sizes: dict[int, list[Run]] = defaultdict(list)
  for run in reading.runs:
    if run.facts["flops"] and run.facts["parameters"] and _is_whole(run):
      sizes[run.facts["parameters"]].append(run)
  if not sizes:
    return None
  ordered = {size: sizes[size] for size in sorted(sizes)}
  before = {size: _pretraining(runs) for size, runs in ordered.items()}
  ours = [_series("tuning, ours", {size: _tuning(runs) for size, runs in ordered.items()}, ordered)]
  if known := {size: flops for size, flops in before.items() if flops}:
    ours.append(_series("pretraining of what ours began with", known, ordered))
  return Figure(
    name="compute",
    title="Compute of tuning beside that of pretraining",
    panels=[Panel([*ours, *_published()], "parameters", "FLOPs", x_scale="log", y_unit="flops")],
    findings=_findings(ordered, before),
    notes=[
      "FLOPs of ours are counted by our formula from what each step did, the mean over runs of a size that were "
      "trained to their end; the paper's are its own, and its pretraining that of the base model."
    ],
  )


def _is_whole(run: Run) -> bool:
  """Whether it was trained to its end; a part of it would look cheaper than tuning is."""
  done, asked = run.facts["steps"], run.facts["train_steps"]
  return run.tuned and (done is None or asked is None or done >= asked)


def _tuning(runs: Sequence[Run]) -> float:
  return statistics.fmean(run.facts["flops"] for run in runs)


def _pretraining(runs: Sequence[Run]) -> float | None:
  return next((run.facts["pretraining_flops"] for run in runs if run.facts["pretraining_flops"]), None)


def _series(name: str, flops: dict[int, float], runs: dict[int, list[Run]]) -> Series:
  points = [
    Point(
      float(size), value, text=f"{runs[size][0].facts['model'] or parameters(size)}, {name}: {scientific(value)} FLOPs"
    )
    for size, value in flops.items()
  ]
  return Series(name, points)


def _published() -> list[Series]:
  """T5 and PaLM, which have one row a size (continued ones stand at a size that another has)."""
  rows = [row for row in compute.published() if row.init in ("T5 1.1 LM-adapted", "PaLM")]
  series = []
  for family, architecture in (("T5", "encoder-decoder"), ("PaLM", "decoder-only")):
    of = [row for row in rows if row.architecture == architecture]
    for name, flops in (
      (f"Flan-{family}, tuning", "finetuning_flops"),
      (f"{family}, pretraining", "pretraining_flops"),
    ):
      points = [
        Point(
          float(row.parameters),
          getattr(row, flops),
          text=f"{row.model}: {scientific(getattr(row, flops))} FLOPs\n{_TABLE_2}",
        )
        for row in of
      ]
      series.append(Series(name, points, source=_TABLE_2))
  return series


def _findings(sizes: dict[int, list[Run]], before: dict[int, float | None]) -> list[Finding]:
  of = claim("compute", "tuning_is_cheap")
  shares = {size: _tuning(runs) / before[size] for size, runs in sizes.items() if before[size]}
  if not shares:
    taken = listed(
      [f"{scientific(_tuning(runs))} FLOPs with {parameters(size)} parameters" for size, runs in sizes.items()]
    )
    pretrained = any(run.pretrained for runs in sizes.values() for run in runs)
    why = "How long what it began with was pretrained is not known" if pretrained else "It began with random parameters"
    text = f"Tuning took {taken}. {why}."
    return [finding(text, None, of)]
  each = listed([f"{100 * share:.2g}% of them at {parameters(size)} parameters" for size, share in shares.items()])
  return [finding(f"Against the FLOPs of pretraining, tuning took {each}.", Estimate(max(shares.values())), of)]
