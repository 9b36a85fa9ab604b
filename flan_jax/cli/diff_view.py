"""What `flan-jax diff` finds and prints: settings, tasks, shares, and examples as either side renders them."""

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.text import Text

from flan_jax import draws, errors, terminal
from flan_jax.cli import listings
from flan_jax.cli.diff_sides import Side, is_run, mixture_sides, normalised, run_side
from flan_jax.data import rendering, sources, specs
from flan_jax.progress import Progress, silently

_SHOWN = 20  # tasks of a list and shares that are printed; --json has all
_TASKS, _OF_A_TASK = 16, 12  # so many tasks, and examples of each, are rendered under both
_LETTERS = 700  # of a text that are printed


def content(a: str, b: str, data_dir: Path | None, examples: int, progress: Progress = silently) -> dict[str, Any]:
  """What is not the same, as plain JSON values.

  Args:
    a, b: two mixtures or tasks, or the MODEL_DIRs of two runs.
    examples: how many renderings that differ are given.

  Raises:
    UsageError: one of them is a run and the other is not; there is no such mixture.
  """
  for each in (a, b):
    if os.sep in each and not is_run(each) and Path(each).is_dir():
      raise errors.UsageError(f"{each}: there is no config.gin in this folder, so it is no MODEL_DIR of a run")
  if is_run(a) != is_run(b):
    run, other = (a, b) if is_run(a) else (b, a)
    raise errors.UsageError(
      f"diff compares two mixtures or two runs: {run} is a run, {other} is no MODEL_DIR of one. The mixture of a run "
      "stands in its config.gin"
    )
  if is_run(a):
    sides, basis = [run_side(Path(each), data_dir, progress) for each in (a, b)], "of the runs"
  else:
    sides, basis = mixture_sides([a, b], data_dir, progress)
  first, second = sides
  return {
    "a": first.name,
    "b": second.name,
    "steps": [first.step, second.step],
    "settings": _settings(first.settings, second.settings),
    "tasks": _tasks(first, second),
    "examples counted": basis,
    "parts": _changes("part", _part_shares(first), _part_shares(second)),
    "shares": _changes("task", first.shares(), second.shares()),
    "realised": _realised(first, second),
    "samples": _samples(first, second, examples),
  }


def show(content: Mapping[str, Any]) -> None:
  """Prints it, the largest changes first."""
  console = terminal.console()
  console.print(f"[bold]A[/] {escape(content['a'])}\n[bold]B[/] {escape(content['b'])}")
  _heading(console, "Settings", content["settings"])
  for line in content["settings"]:
    console.print(f"  {escape(line['setting'])}", highlight=False)
    console.print(Text.assemble("    A ", (_known(line["A"]), "red")))
    console.print(Text.assemble("    B ", (_known(line["B"]), "green")))
  _show_tasks(console, content["tasks"])
  _show_changes(console, "Shares of the parts", content["parts"])
  _show_changes(
    console, f"Shares of the tasks by their rates (examples {content['examples counted']})", content["shares"]
  )
  _show_realised(console, content["realised"])
  _show_samples(console, content["samples"])


def _settings(a: Mapping[str, str], b: Mapping[str, str]) -> list[dict[str, Any]]:
  return [{"setting": name, "A": a.get(name), "B": b.get(name)} for name in {**a, **b} if a.get(name) != b.get(name)]


def _tasks(a: Side, b: Side) -> dict[str, Any]:
  """Names that one side alone has, how many both have, and how many rates are of."""
  ours, theirs = dict.fromkeys(a.tasks), dict.fromkeys(b.tasks)
  return {
    "in both": sum(task in theirs for task in ours),
    "only in A": [task for task in ours if task not in theirs],
    "only in B": [task for task in theirs if task not in ours],
    "with a rate in A": sum(rate > 0 for rate in a.rates.values()),
    "with a rate in B": sum(rate > 0 for rate in b.rates.values()),
  }


def _part_shares(side: Side) -> dict[str, float]:
  if side.mixture is None:
    return {}
  shares = side.shares()
  return {part.name: sum(shares.get(task, 0.0) for task in part.tasks) for part in side.mixture.parts}


def _changes(what: str, a: Mapping[str, float], b: Mapping[str, float]) -> list[dict[str, Any]]:
  """A line a name whose share is not the same, the largest change first."""
  lines = [{what: name, "A": a.get(name, 0.0), "B": b.get(name, 0.0)} for name in {**a, **b}]
  lines = [{**line, "change": line["B"] - line["A"]} for line in lines if abs(line["B"] - line["A"]) > 1e-12]
  return sorted(lines, key=lambda line: -abs(line["change"]))


def _realised(a: Side, b: Side) -> dict[str, Any] | None:
  """What runs have seen; None for mixtures."""
  if a.step is None:
    return None
  counted = {letter: side.unseen_because or None for letter, side in (("A", a), ("B", b))}
  both = a.seen is not None and b.seen is not None
  return {
    "steps": {"A": a.step, "B": b.step},
    "examples": {letter: sum((side.seen or {}).values()) for letter, side in (("A", a), ("B", b))},
    "not counted": counted,
    "shares": _changes("task", normalised(a.seen), normalised(b.seen)) if both else [],
    "largest distance from the rates": {
      letter: _distance(side) for letter, side in (("A", a), ("B", b)) if side.seen is not None
    },
  }


def _distance(side: Side) -> float:
  """The largest difference between what a task's share is by the rates and what it has been."""
  seen, rates = normalised(side.seen), side.shares()
  return max((abs(seen.get(task, 0.0) - share) for task, share in rates.items()), default=0.0)


def _samples(a: Side, b: Side, wanted: int) -> dict[str, Any]:
  """The same examples under both sides: how many were rendered, how many differ, and the first that do."""
  found: dict[str, Any] = {"rendered": 0, "different": 0, "shown": []}
  if a.mixture is None or b.mixture is None:
    return found
  for task in _common(a, b):
    first, second = a.renderer(task), b.renderer(task)
    kept = []
    for index in _spread(len(first.source), task):
      ours, theirs = _rendered(first, index), _rendered(second, index)
      found["rendered"] += 1
      if ours != theirs:
        kept.append({"task": task, "example": first.source[index].id, "A": ours, "B": theirs})
    found["different"] += len(kept)
    # One of a task at first: a sample of several tasks shows more than several examples of one.
    found["shown"] += kept[:1]
  found["shown"] = found["shown"][:wanted]
  return found


def _common(a: Side, b: Side) -> list[str]:
  """Tasks that both sides have installed, in an order that no setting changes."""
  theirs = set(b.mixture.tasks)
  both = [task for task in a.mixture.tasks if task in theirs]
  order = sorted(both, key=lambda task: draws.hash64("diff", task))
  there = (task for task in order if all(_installed(task, side.data_dir) for side in (a, b)))
  return [task for task, _ in zip(there, range(_TASKS), strict=False)]


def _installed(task: str, data_dir: str | None) -> bool:
  return sources.missing_file(specs.get_task(task, data_dir), data_dir) is None


def _spread(size: int, task: str) -> list[int]:
  count = min(size, _OF_A_TASK)
  start = draws.draw(size, "diff", task) if size else 0
  return [(start + i * size // count) % size for i in range(count)]


def _rendered(renderer: rendering.Renderer, index: int) -> dict[str, Any]:
  example = renderer.source[index]
  if not renderer.renders(example):
    return {"format": "none: the example has no rationale", "wording": "", "shots": 0, "inputs": "", "targets": ""}
  made = renderer.render(example)
  return {name: getattr(made, name) for name in ("format", "wording", "shots", "inputs", "targets")}


# --- printing ---


def _heading(console: Any, what: str, lines: Sequence[Any]) -> None:
  console.print(f"\n[bold]{what}[/]" + ("" if lines else ": the same"))


def _known(value: str | None) -> str:
  return "(not there)" if value is None else value


def _show_tasks(console: Any, tasks: Mapping[str, Any]) -> None:
  only = [*tasks["only in A"], *tasks["only in B"]]
  _heading(console, "Tasks", only)
  console.print(
    f"  {tasks['in both']:,} in both; {tasks['with a rate in A']:,} of A and {tasks['with a rate in B']:,} of B have "
    "examples"
  )
  for side, colour in (("A", "red"), ("B", "green")):
    if names := tasks[f"only in {side}"]:
      more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
      console.print(Text.assemble(f"  {len(names):,} only in {side}: ", (", ".join(names[:_SHOWN]) + more, colour)))


def _show_changes(console: Any, what: str, lines: Sequence[Mapping[str, Any]]) -> None:
  _heading(console, what, lines)
  if lines:
    percentages = [
      {name: value if isinstance(value, str) else _percent(name, value) for name, value in line.items()}
      for line in lines[:_SHOWN]
    ]
    listings.show_table(percentages)
  if len(lines) > _SHOWN:
    console.print(f"  [dim]and {len(lines) - _SHOWN:,} smaller changes; --json has them[/]")


def _percent(name: str, value: float) -> str:
  return f"{value:+.3%}" if name == "change" else f"{value:.3%}"


def _show_realised(console: Any, realised: Mapping[str, Any] | None) -> None:
  if realised is None:
    return
  for letter, why in realised["not counted"].items():
    if why:
      console.print(f"\n[yellow]What {letter} has seen cannot be counted[/]: {escape(why)}")
  if any(realised["not counted"].values()):
    return
  _show_changes(console, "Realised shares", realised["shares"])
  for letter, examples in realised["examples"].items():
    console.print(
      f"  {letter}: {examples:,} examples in {realised['steps'][letter]:,} updates; no task is further than "
      f"{realised['largest distance from the rates'][letter]:.3%} of them from its rate"
    )


def _show_samples(console: Any, samples: Mapping[str, Any]) -> None:
  if not samples["rendered"]:
    console.print("\n[bold]Renderings[/]: no task of both is installed")
    return
  console.print(
    f"\n[bold]Renderings[/]: {samples['different']:,} of {samples['rendered']:,} examples are not rendered alike"
  )
  for sample in samples["shown"]:
    console.print(f"\n  [bold]{escape(sample['task'])}[/], example {escape(sample['example'])}")
    for side in ("A", "B"):
      made = sample[side]
      shots = f", {made['shots']} exemplars" if made["shots"] else ""
      console.print(f"  {side} [dim]{escape(made['format'])}, {escape(made['wording'])}{shots}[/]")
      other = sample["B" if side == "A" else "A"]
      for part in ("inputs", "targets"):
        terminal.field(console, f"  {part}", _marked(made[part], other[part], "red" if side == "A" else "green"))


def _marked(text: str, other: str, colour: str) -> Text:
  """The text, with the words in colour that the other one does not have there; long ones end early."""
  ours, theirs = (re.findall(r"\s+|\S+", each[:_LETTERS]) for each in (text, other))
  marked = Text()
  for kind, start, end, _, _ in difflib.SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
    marked.append("".join(ours[start:end]), "" if kind == "equal" else colour)
  if len(text) > _LETTERS:
    marked.append(f" ... ({len(text):,} letters)", "dim")
  return marked
