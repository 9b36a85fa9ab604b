"""How far a long step is: a bar with rate and time left on a terminal, a plain line now and then in a pipe."""

import contextlib
import re
import sys
import time
from collections.abc import Callable, Iterator

_LINE_SECONDS = 10.0  # between two plain lines

# Called with the number of units just done, and perhaps a note to show beside the bar.
Advance = Callable[..., None]
# (what, total, unit) -> a context whose value is the Advance: `shown`, `silently`, or a test's own.
Progress = Callable[[str, int, str], contextlib.AbstractContextManager[Advance]]


@contextlib.contextmanager
def shown(what: str, total: int, unit: str, done: int = 0) -> Iterator[Advance]:
  """Shows a step's progress on stderr while the context lasts.

  Args:
    what: the step, such as 'training'.
    total: units in all; `done` of them before this run.
    unit: what is counted, in the plural.
  """
  with (_bar if sys.stderr.isatty() else _lines)(what, total, unit, done) as advance:
    yield advance


@contextlib.contextmanager
def silently(what: str, total: int, unit: str) -> Iterator[Advance]:
  """The Progress that shows nothing."""
  del what, total, unit
  yield lambda done, note="": None


def told_seconds_left(line: str) -> float | None:
  """What a plain line of `shown` says is left, None where it says nothing of it.

  >>> told_seconds_left("answering: 32 of 2,240 questions, 1.5/s, 1,472 s left, loss 2.0")
  1472.0
  """
  found = re.search(r", ([\d,]+) s left", line)
  return float(found[1].replace(",", "")) if found else None


@contextlib.contextmanager
def _bar(what: str, total: int, unit: str, done: int) -> Iterator[Advance]:
  import rich.console
  import rich.progress as columns
  from rich.table import Column

  bar = columns.Progress(
    columns.TextColumn("{task.description}"),
    columns.BarColumn(bar_width=None, table_column=Column(ratio=1)),  # it and the note share what the others leave
    columns.MofNCompleteColumn(table_column=Column(no_wrap=True)),
    columns.TextColumn("{task.fields[unit]} {task.fields[rate]}"),
    columns.TimeRemainingColumn(table_column=Column(no_wrap=True)),
    columns.TextColumn("{task.fields[note]}", table_column=Column(ratio=2, no_wrap=True)),
    console=rich.console.Console(stderr=True),
    expand=True,
  )
  pace = _Pace(total, done)
  with bar:
    task = bar.add_task(what, total=total, completed=done, unit=unit, rate="", note="")

    def advance(units: int, note: str = "") -> None:
      pace.advance(units)
      bar.update(task, advance=units, rate=_per_second(pace), **({"note": note} if note else {}))

    yield advance


@contextlib.contextmanager
def _lines(what: str, total: int, unit: str, done: int) -> Iterator[Advance]:
  pace = _Pace(total, done)
  last = time.monotonic()
  said = -1  # the units of the newest line: the end may have had one already
  shown_note = ""

  def line() -> None:
    nonlocal said
    said = pace.done
    left = f", {pace.seconds_left():,.0f} s left" if pace.done < total and pace.rate() else ""
    note = f", {shown_note}" if shown_note else ""
    rate = f", {_per_second(pace)}" if pace.rate() else ""
    print(f"{what}: {pace.done:,} of {total:,} {unit}{rate}{left}{note}", file=sys.stderr, flush=True)

  def advance(units: int, note: str = "") -> None:
    nonlocal last, shown_note
    pace.advance(units)
    shown_note = note or shown_note
    if time.monotonic() - last > _LINE_SECONDS:
      last = time.monotonic()
      line()

  yield advance
  if pace.done != said:
    line()


def _per_second(pace: "_Pace") -> str:
  """Nothing while there is no second unit to count by."""
  return f"{pace.rate():,.1f}/s" if pace.rate() else ""


class _Pace:
  """Units done and how fast, counted from the first one on: what comes before it is start-up (a compilation)."""

  def __init__(self, total: int, done: int):
    self.total = total
    self.done = done
    self._first: tuple[float, int] | None = None

  def advance(self, units: int) -> None:
    self.done += units
    if self._first is None:
      self._first = (time.monotonic(), self.done)

  def rate(self) -> float:
    """Units a second; 0 until a second one is done."""
    if self._first is None or self.done == self._first[1]:
      return 0.0
    return (self.done - self._first[1]) / max(time.monotonic() - self._first[0], 1e-9)

  def seconds_left(self) -> float:
    return (self.total - self.done) / self.rate()
