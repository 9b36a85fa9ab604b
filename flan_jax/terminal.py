"""Where output goes: a terminal has a width and colours, a pipe has neither, and no line is broken there."""

import sys

from rich.console import Console

_NEVER_BREAK = 100_000  # columns


def console() -> Console:
  """Standard output."""
  return Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=_NEVER_BREAK)
