"""Draws the demo's held-out clusters by a rule, from the base's table, before anything is tuned.

    flan-jax eval demo --mixture demo_all --formats continuation --examples 20 --output runs/base_table
    python scripts/draw_held_out.py runs/base_table/results.json

The rule: clusters that share primitives are a unit (flan_jax/collections/demo/clusters.yaml) and leave together. A unit
is eligible if the base, prompted in the style of the text that it was trained on (`continuation`), beats chance on it:
the 95% interval of its mean chance-corrected accuracy over tasks lies wholly above 0. Else there is nothing to elicit.
Eligible units are ranked by a hash of a fixed text with their name; the first two are *dev*, by which choices may be
made, the next two *final*, by which none is. The unit demo_lists takes no part: held out of it are compositions. Fewer
than four eligible units are an error: the base has to get better.

Writes flan_jax/collections/demo/held_out.yaml: what the draw depends on, a row a task, and what it gave. The clusters
in mixtures.yaml are the ones that it prints; tests/collections/test_demo_held_out.py compares them.
"""

import argparse
import collections
import dataclasses
import hashlib
import pathlib
import statistics
import sys
from collections.abc import Iterable, Sequence
from typing import Any

import yaml

from flan_jax import atomic, errors
from flan_jax.data import mixtures, spec_files, specs
from flan_jax.draws import hash64
from flan_jax.evaluation.held_out.results import Results
from flan_jax.evaluation.held_out.rows import corrected
from flan_jax.evaluation.intervals import Tally, mean_over_clusters

FOLDER = specs.collection_folder("demo")
FILE = FOLDER / "held_out.yaml"
BASE = FOLDER / "base"
FORMAT = "continuation"
NO_PART = ("demo_lists",)
ROLES = ("dev", "dev", "final", "final")
TEXT = "a unit of clusters that no run on the demo collection is tuned on"  # fixed before there was a base
ONE_TASK = "a task to be finetuned on, prompted for and instructed for"


@dataclasses.dataclass(frozen=True)
class TaskRow:
  """What the base scores on one task.

  Attributes:
    chance: what guessing scores, in [0, 1]: `results.Row.chance`.
  """

  task: str
  cluster: str
  n: int
  right: int
  chance: float


@dataclasses.dataclass(frozen=True)
class Unit:
  """Clusters that leave together, with the base's mean chance-corrected accuracy over their tasks, and its interval."""

  unit: str
  clusters: tuple[str, ...]
  tasks: int
  corrected: float
  interval: tuple[float, float]

  @property
  def eligible(self) -> bool:
    """Whether there is something to elicit, and the unit takes part."""
    return self.interval[0] > 0 and self.unit not in NO_PART


def units() -> dict[str, tuple[str, ...]]:
  """The demo's clusters by unit: those of a group of clusters.yaml are one, any other cluster is one of its own."""
  clusters = dict.fromkeys(spec.cluster for spec in _tasks())
  names = {name: entry["group"] for entry in _groups() for name in entry["clusters"].get("demo", ())}
  found = collections.defaultdict(list)
  for cluster in clusters:
    found[names.get(cluster, cluster)].append(cluster)
  return {unit: tuple(members) for unit, members in found.items()}


def task_rows(results: Results) -> list[TaskRow]:
  """The rows of an evaluation that the rule is about, of all the demo's tasks.

  Raises:
    UsageError: a task was not asked in `continuation`, or one was trained on.
  """
  rows = {row.task: row for row in results.rows if row.format == FORMAT}
  tasks = [spec.name for spec in _tasks()]
  if lacking := [task for task in tasks if task not in rows]:
    raise errors.UsageError(
      f"{len(lacking)} of {len(tasks)} tasks have no row in the format {FORMAT}: {errors.first_of(lacking)}. "
      f"flan-jax eval demo --mixture demo_all --formats {FORMAT} --output DIR asks all of them"
    )
  if seen := [task for task in tasks if rows[task].split != "held_out"]:
    raise errors.UsageError(f"trained on before the draw: {errors.first_of(seen)}. The table is of the base alone")
  return [
    TaskRow(task, row.cluster, row.n, round(row.after * row.n), round(row.chance, 4))
    for task, row in ((task, rows[task]) for task in tasks)
  ]


def table(rows: Sequence[TaskRow]) -> list[Unit]:
  """The base's scores by unit, in catalogue order."""
  found = []
  for unit, clusters in units().items():
    mine = [row for row in rows if row.cluster in clusters]
    tallies = tuple(_tally(unit, row) for row in mine)
    low, high = mean_over_clusters(tallies)
    mean = statistics.fmean(tally.mean for tally in tallies)
    found.append(Unit(unit, clusters, len(mine), round(mean, 4), (round(low, 4), round(high, 4))))
  return found


def draw(found: Iterable[Unit]) -> dict[str, tuple[str, ...]]:
  """The units drawn for each role.

  Raises:
    FlanJaxError: fewer than four are eligible.
  """
  eligible = [unit.unit for unit in found if unit.eligible]
  if len(eligible) < len(ROLES):
    raise errors.FlanJaxError(
      f"{len(eligible)} units beat chance in {FORMAT} ({', '.join(eligible) or 'none'}), the draw takes {len(ROLES)}: "
      "the base has to get better (gin_configs/runs/demo_base.gin), not the rule weaker"
    )
  ranked = sorted(eligible, key=lambda unit: hash64(TEXT, unit))
  drawn = collections.defaultdict(list)
  for role, unit in zip(ROLES, ranked, strict=False):
    drawn[role].append(unit)
  return {role: tuple(sorted(names)) for role, names in drawn.items()}


def clusters_of(names: Iterable[str]) -> tuple[str, ...]:
  """The clusters of units, in catalogue order."""
  wanted = frozenset(names)
  return tuple(cluster for unit, clusters in units().items() if unit in wanted for cluster in clusters)


def one_task(final: Iterable[str]) -> str:
  """The task of the sweep demo_three_ways: drawn from those of the final clusters."""
  clusters = clusters_of(final)
  tasks = [spec.name for spec in _tasks() if spec.cluster in clusters]
  return min(tasks, key=lambda task: hash64(ONE_TASK, task))


def fingerprint(folder: pathlib.Path) -> str:
  """A hash of a checkpoint's files, by which the table and the base that ships are known to belong together.

  Raises:
    FlanJaxError: there is no file in the folder.
  """
  files = sorted(path for path in folder.rglob("*") if path.is_file())
  if not files:
    raise errors.FlanJaxError(f"{folder}: no base ships yet, of which this could be the table")
  digest = hashlib.sha256()
  for path in files:
    digest.update(f"{path.relative_to(folder)}\n{path.stat().st_size}\n".encode() + path.read_bytes())
  return digest.hexdigest()[:16]


def record(rows: Sequence[TaskRow], found: Sequence[Unit], base: str) -> dict[str, Any]:
  """What held_out.yaml holds: the draw, the units and the tasks that it depends on, and the base's fingerprint.

  Raises:
    FlanJaxError: as `draw`.
  """
  drawn = draw(found)
  return {
    "base": base,
    "format": FORMAT,
    "drawn": {role: list(names) for role, names in drawn.items()},
    "clusters": {role: list(clusters_of(names)) for role, names in drawn.items()},
    "one_task": one_task(drawn["final"]),
    "units": [
      {**_plain(unit), "interval": list(unit.interval), "clusters": list(unit.clusters), "eligible": unit.eligible}
      for unit in found
    ],
    "tasks": [_plain(row) for row in rows],
  }


def text_of(content: dict[str, Any]) -> str:
  """held_out.yaml: a line for each unit and task."""
  head = (
    "# The base's table and the draw that follows from it, by the rule of scripts/draw_held_out.py, which writes it.\n"
  )
  lines = []
  for key, value in content.items():
    rows = [f"- {_flow(each)}" for each in value] if isinstance(value, list) else []
    lines += [f"{key}:", *rows] if rows else [f"{key}: {_flow(value)}"]
  return head + "\n".join(lines) + "\n"


def _flow(value: Any) -> str:
  written = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10_000)
  return written.removesuffix("\n").removesuffix("\n...")


def _plain(row: TaskRow | Unit) -> dict[str, Any]:
  return dataclasses.asdict(row)


def _tally(unit: str, row: TaskRow) -> Tally:
  """A task's examples as the interval draws them again: tasks of one unit, then each one's examples."""
  return Tally(unit, (corrected(0, row.chance), corrected(1, row.chance)), (row.n - row.right, row.right))


def _tasks() -> list[specs.TaskSpec]:
  """The demo's tasks in catalogue order, but for those that ask the other way round."""
  known = map(specs.get_task, mixtures.get_mixture("demo_all").tasks)
  return [spec for spec in known if not spec.inverted_of]


def _groups() -> list[dict[str, Any]]:
  return [entry for entry in spec_files.read(FOLDER / "clusters.yaml") if "group" in entry]


def _print_table(found: Iterable[Unit]) -> None:
  print(f"{'unit':<14} {'tasks':>5} {'corrected':>9}  95% interval")
  for each in found:
    low, high = each.interval
    mark = "eligible" if each.eligible else "takes no part" if each.unit in NO_PART else ""
    print(f"{each.unit:<14} {each.tasks:>5} {each.corrected:>9.1%}  {low:>6.1%} to {high:>6.1%}  {mark}")


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("results", type=pathlib.Path, help="results.json of the base on demo_all")
  parser.add_argument("--output", type=pathlib.Path, default=FILE, help="where the table and the draw go")
  arguments = parser.parse_args()
  try:
    rows = task_rows(Results.read(arguments.results))
    found = table(rows)
    _print_table(found)
    content = record(rows, found, fingerprint(BASE))
  except errors.FlanJaxError as error:
    print(f"draw_held_out: {error}", file=sys.stderr)
    sys.exit(error.exit_code)
  atomic.write_atomically(arguments.output, text_of(content).encode())
  print(f"{arguments.output} written. mixtures.yaml has to say:")
  for role, clusters in content["clusters"].items():
    print(f"  clusters of demo_{role}: [{', '.join(clusters)}]")
  print(f"  task of demo_one_task: {content['one_task']}")


if __name__ == "__main__":
  main()
