"""What `flan-jax compare` shows: prompts with both answers, totals, and a pair at a time to whoever judges blind."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from flan_jax import keys, terminal
from flan_jax.atomic import write_atomically
from flan_jax.evaluation import journal
from flan_jax.evaluation.comparison.pairs import Pair
from flan_jax.evaluation.comparison.preferences import FILE, Blind, Preference, blinded, judge
from flan_jax.evaluation.comparison.rates import Preferred, Rightness, Share, preferred, rightness
from flan_jax.evaluation.journal import Journal

RESULTS = "comparison.json"
_PLACES = {"1": 0, "2": 1, "t": None}
_STOPPING = ("q", "", "\x04")  # ^D, too


def require_same(folder: Path, identity: Mapping[str, Any], seed: int) -> None:
  """Raises UsageError if the folder has preferences of another comparison: before minutes go into answers."""
  if (folder / FILE).exists():
    with _preferences(folder, identity, seed):
      pass


def ask_person(pairs: Sequence[Pair], folder: Path, identity: Mapping[str, Any], seed: int) -> tuple[Preference, ...]:
  """What a person at the terminal says of the pairs that differ, with what was said before, by a journal in `folder`.

  Raises:
    UsageError: the folder has preferences of another comparison.
  """
  shown = blinded(pairs, seed)
  with _preferences(folder, identity, seed) as kept, keys.pressed() as key:
    console = Console(stderr=True, highlight=False)
    if kept.answered:
      console.print(f"[dim]{folder / FILE}: {len(kept.answered)} of {len(shown)} pairs have been judged[/]")
    whole = judge(shown, kept, lambda said, each: _choose(console, key, said, len(shown), each))
    console.print("[dim]That was the last pair.[/]" if whole else "[dim]Stopped: the same command goes on.[/]")
    return tuple(kept.answered)


def _preferences(folder: Path, identity: Mapping[str, Any], seed: int) -> AbstractContextManager[Journal[Preference]]:
  return journal.opened(folder / FILE, {**identity, "seed": seed}, of=Preference)


def _choose(console: Console, key: Callable[[], str], said: int, total: int, shown: Blind) -> Preference | None:
  console.rule(f"{said + 1} of {total}", align="left", style="dim")
  terminal.field(console, "prompt", Text(shown.pair.A.prompt))
  for place, output in zip("12", shown.outputs, strict=True):
    terminal.field(console, place, Text(output))
  console.print("Which is better? [bold]1[/], [bold]2[/], [bold]t[/] (tie), [bold]q[/] (stop)")
  while (pressed := key().lower()) not in _PLACES:
    if pressed in _STOPPING:
      return None
  return shown.preference(_PLACES[pressed])


def show(
  checkpoints: Mapping[str, str],
  pairs: Sequence[Pair],
  said: Sequence[Preference],
  output: Path | None,
  as_json: bool,
  blind: bool,
) -> None:
  """Prints the totals, before them the pairs where nobody judged them blind; writes comparison.json into a folder."""
  right, liked = rightness(pairs), preferred(pairs, said)
  content = json.dumps(_content(checkpoints, pairs, said, right, liked), indent=2, ensure_ascii=False)
  if output is not None:
    write_atomically(output / RESULTS, f"{content}\n".encode())
  if as_json:
    click.echo(content)
    return
  console = terminal.console()
  if not blind:
    for pair in pairs:
      _show_pair(console, pair)
  for line in _totals(checkpoints, pairs, right, liked):
    console.print(line)
  if output is not None:
    console.print(f"In {escape(str(output))}: {RESULTS}")


def _show_pair(console: Console, pair: Pair) -> None:
  terminal.field(console, "prompt", Text(pair.A.prompt))
  if pair.A.references:
    terminal.field(console, "target", Text(pair.A.target))
  for side in "AB":
    answered = getattr(pair, side)
    text = Text(answered.output)
    if answered.references:
      text.append("  right" if answered.correct else "  wrong", "green" if answered.correct else "red")
    terminal.field(console, side, text)
  console.print()


def _totals(
  checkpoints: Mapping[str, str], pairs: Sequence[Pair], right: Rightness | None, liked: Preferred | None
) -> list[str]:
  lines = [f"[bold]{side}[/] {escape(path)}" for side, path in checkpoints.items()]
  lines.append(f"{len(pairs)} prompts, {sum(pair.alike for pair in pairs)} of them answered alike")
  if right is not None:
    shares = ", ".join(f"{side} {getattr(right, side) / right.pairs:.1%}" for side in "AB")
    lines.append(f"Right of {right.pairs}: {shares}, both {right.both / right.pairs:.1%}")
    lines.append(f"A less B: {_told(right.difference, '+.1f')} points{_over_tasks(right.difference)}")
  if liked is not None:
    lines.append(f"Preferred of {liked.pairs}: A {liked.A} times, B {liked.B} times, ties {liked.ties}")
    if liked.decided is not None:
      lines.append(f"A is preferred in {_told(liked.decided)}% of those that are no ties")
    lines.append(f"A is preferred in {_told(liked.all)}% of all shown, where a tie counts half{_over_tasks(liked.all)}")
  return lines


def _over_tasks(share: Share) -> str:
  return f" (mean over {share.tasks} tasks)" if share.tasks > 1 else ""


def _told(share: Share, form: str = ".1f") -> str:
  """In percent, with its 95% interval."""
  value, low, high = (format(100 * each, form) for each in (share.share, *share.interval))
  return f"{value} {escape(f'[{low}, {high}]')}"


def _content(
  checkpoints: Mapping[str, str],
  pairs: Sequence[Pair],
  said: Sequence[Preference],
  right: Rightness | None,
  liked: Preferred | None,
) -> dict[str, Any]:
  by_pair = {each.pair: each.preferred for each in said}
  return {
    "checkpoints": dict(checkpoints),
    "prompts": len(pairs),
    "alike": sum(pair.alike for pair in pairs),
    "right": None if right is None else dataclasses.asdict(right),
    "preferred": None if liked is None else dataclasses.asdict(liked),
    "pairs": [_line(pair, by_pair.get(pair.id)) for pair in pairs],
  }


def _line(pair: Pair, liked: str | None) -> dict[str, Any]:
  known = {"target": pair.A.target, "A_right": pair.A.correct, "B_right": pair.B.correct} if pair.A.references else {}
  judged = {"preferred": liked} if liked is not None else {}
  about = {"task": pair.A.task, "format": pair.A.variant, "id": pair.A.id, "prompt": pair.A.prompt}
  return {**about, "A": pair.A.output, "B": pair.B.output, **known, **judged}
