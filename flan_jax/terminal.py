"""Where output goes: a terminal has a width and colours, a pipe has neither, and no line is broken there."""

import sys

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

_NEVER_BREAK = 100_000  # columns


def console() -> Console:
  """Standard output."""
  return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_NEVER_BREAK)


def field(console: Console, name: str, text: Text) -> None:
  """A name and a text that is broken beside it, not below it; in a pipe only where the text itself has lines."""
  labels = [f"  {name:10}", *[""] * text.plain.count("\n")]
  grid = Table.grid(Column(width=12), Column(), padding=(0, 1, 0, 0))
  for label, line in zip(labels, text.split("\n", allow_blank=True), strict=True):
    if console.is_terminal:
      grid.add_row(Text(label, "cyan"), line)
    else:
      console.print(f"{label:12} {line.plain}", markup=False)
  if console.is_terminal:
    console.print(grid)
