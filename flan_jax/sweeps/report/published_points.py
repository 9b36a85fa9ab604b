"""What papers printed, as series: ../published/scaling.csv (Flan 2022, Table 3) and ablations.csv, Table 5's rows.

In percent as printed, empty where it is not known; x of a size is the number that its name says (8B: 8e9).
"""

import csv
import functools
from collections.abc import Iterable
from pathlib import Path

from flan_jax.evaluation.suite_runs import published as table_5
from flan_jax.sweeps.report.figure import Panel, Point, Series
from flan_jax.sweeps.report.reading import NORMALISED_AVERAGE, Measure

_FOLDER = Path(__file__).parent.parent / "published"
_FLAN_2022 = "Chung et al. 2022"
_PAPERS = {"2301.13688": "Longpre et al. 2023", "2109.01652": "Wei et al. 2021", "2204.07705": "Wang et al. 2022"}
_UNITS = {"M": 1e6, "B": 1e9}
_T5 = ("small", "base", "large", "xl", "xxl")


def column(measure: Measure) -> str | None:
  """Of the paper's tables: what the measure is called there; None for one that it does not have."""
  if measure.metric == NORMALISED_AVERAGE:
    return NORMALISED_AVERAGE
  name = f"{measure.suite}_{measure.variant}"
  return name if not measure.mixture and name in rows("scaling")[0] else None


def by_tasks(column: str = NORMALISED_AVERAGE) -> list[Series]:
  """PaLM's scores by number of tasks, a series a size."""
  lines = rows("scaling")
  return [
    _series(f"PaLM {size}", [(float(line["tasks"]), line) for line in lines if line["params"] == size], column)
    for size in dict.fromkeys(line["params"] for line in lines)
  ]


def by_size(column: str = NORMALISED_AVERAGE) -> list[Series]:
  """Scores by parameters: PaLM a series a number of tasks, T5 untuned and tuned on all."""
  lines = rows("scaling")
  named = {tasks: f"PaLM, {tasks} tasks" if tasks != "0" else "PaLM, untuned" for tasks in ("0", "89", "1836")}
  series = [
    _series(name, [(number(line["params"]), line) for line in lines if line["tasks"] == tasks], column)
    for tasks, name in named.items()
  ]
  return [*series, _t5("T5, untuned", "t5", column), _t5("Flan-T5", "flan_t5", column)]


def _t5(name: str, prefix: str, column: str) -> Series:
  points = []
  for size in _T5:
    row = table_5.row(f"{prefix}_{size}")
    known = {f"{suite}_{mode}": share for (suite, mode), share in row.scores.items()}
    known[NORMALISED_AVERAGE] = row.normalised_average
    if known.get(column) is not None:
      points.append(_point(number(row.model.split()[0]), known[column], row.model, f"{_FLAN_2022}, Table 5"))
  return Series(name, points, source=f"{_FLAN_2022}, Table 5")


def with_and_without_rationales() -> Panel:
  """T5-XL tuned on Flan 2022 with and without its chain-of-thought data."""
  names = {"without rationales": "Flan 2022 - CoT", "with rationales": "Flan 2022"}
  metrics = ("cot", "bbh_cot", "mmlu", "bbh", "held_in")
  series = [_of_ablation(metric, names, "zero-shot", metric) for metric in metrics]
  return _panel(series, "data", tuple(names), "Published: T5-XL, zero-shot")


def with_and_without_few_shot() -> Panel:
  """T5-XL tuned on Flan 2022 with and without few-shot prompts, asked zero-shot and few-shot."""
  names = {"zero-shot only": "Flan 2022 - Few Shot Templates", "both": "Flan 2022"}
  series = [
    _of_ablation(f"{metric}, {shots} prompts", names, shots, metric)
    for metric in ("mmlu", "bbh", "held_in")
    for shots in ("zero-shot", "few-shot")
  ]
  return _panel(series, "prompts trained on", tuple(names), "Published: T5-XL")


def _of_ablation(name: str, settings: dict[str, str], shots: str, metric: str) -> Series:
  found = {line["setting"]: line for line in _ablation("method_ablation") if line["metric"] == metric}
  lines = {category: found[f"{setting} / {shots}"] for category, setting in settings.items()}
  return _series_of(_name(name), lines)


def without_sources() -> Panel:
  """T5-XL tuned on all sources in equal parts, and on all but one."""
  lines = _ablation("source_balancing")
  settings = [line["setting"] for line in lines if line["setting"] != "All (weighted)"]
  names = {setting: "nothing" if setting == "All (equal)" else setting.partition(" - ")[2] for setting in settings}
  series = [
    _series_of(
      _name(metric),
      {names[line["setting"]]: line for line in lines if line["metric"] == metric and line["setting"] in names},
    )
    for metric in ("held_in", "cot", "mmlu")
  ]
  return _panel(series, "source left out", tuple(dict.fromkeys(names.values())), "Published: T5-XL, a source left out")


def by_clusters() -> Panel:
  """FLAN 137B on three held-out clusters by the number of clusters that it was tuned on."""
  lines = {int(line["setting"].split()[0]): line for line in _ablation("number_of_clusters")}
  series = _series_of("FLAN 137B, held-out clusters", lines, joined=True)
  return Panel([series], "clusters tuned on", "accuracy", "Published: FLAN 137B, clusters tuned on")


def enough_examples() -> int:
  """Of a task; Super-NaturalInstructions gained little from more."""
  (line,) = _ablation("instances_per_task")
  return int(line["value"])


def beside(series: list[Series], x_label: str, title: str) -> Panel:
  """A panel of its own for points of another measure than ours, on a log axis."""
  return Panel(series, x_label, "normalised average", title, x_scale="log")


def _panel(series: list[Series], x_label: str, categories: tuple[str, ...], title: str) -> Panel:
  return Panel(series, x_label, "score", title, x_scale="category", categories=categories)


def number(name: str) -> float:
  """
  >>> number("80M")
  80000000.0
  """
  return float(name[:-1]) * _UNITS[name[-1]]


def _series(name: str, lines: Iterable[tuple[float, dict[str, str]]], column: str) -> Series:
  source = f"{_FLAN_2022}, Table 3"
  points = [_point(x, float(line[column]) / 100, name, source) for x, line in lines if line[column]]
  return Series(name, points, source=source)


def _series_of(name: str, lines: dict[float | str, dict[str, str]], joined: bool = False) -> Series:
  line = next(iter(lines.values()))
  source = f"{_PAPERS[line['arxiv']]}, {line['source']}"
  points = [_point(x, float(each["value"]) / 100, each["setting"], source) for x, each in lines.items()]
  return Series(name, points, joined=joined, source=source)


def _point(x: float | str, share: float, name: str, source: str) -> Point:
  return Point(x, round(share, 6), text=f"{name}: {100 * share:.1f}%\n{source}")


def _name(metric: str) -> str:
  """As people know it: 'MMLU', 'BBH, reasoning first'."""
  words = {
    "mmlu": "MMLU",
    "bbh_cot": "BBH, reasoning first",
    "bbh": "BBH",
    "cot": "CoT sets",
    "held_in": "held-in sets",
  }
  first, comma, rest = metric.partition(",")
  return f"{words[first]}{comma}{rest}"


def _ablation(experiment: str) -> list[dict[str, str]]:
  return [line for line in rows("ablations") if line["experiment"] == experiment]


@functools.cache
def rows(name: str) -> list[dict[str, str]]:
  """The lines of a table in the folder of published ones."""
  with (_FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
    return list(csv.DictReader(file))
