"""All runs of a sweep at a glance while they are executed: a table on a terminal, a line a change in a pipe."""

import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from flan_jax.sweeps.plan import Plan
from flan_jax.sweeps.running import states
from flan_jax.sweeps.running.states import Status

# Called as often as one likes, perhaps with what a launcher knows of runs besides, by their names.
Watch = Callable[..., None]

_SECONDS = 1.0  # between two looks at the files
_LINE_SECONDS = 60.0  # between two lines about the whole
_COLOURS = {"waiting": "bright_black", "running": "cyan", "stopped": "yellow", "failed": "red", "finished": "green"}
# Which runs are shown where there is no room for all.
_IMPORTANCE = ("running", "failed", "stopped", "waiting", "finished")
_OTHER_LINES = 6  # of the table: head, what is left out, what all runs do, and some air


@contextlib.contextmanager
def watching(plan: Plan) -> Iterator[Watch]:
  """Shows on stderr how far the runs are, whenever its value is called and a second has passed, and at the end."""
  console = Console(stderr=True, highlight=False)
  with _table(plan, console) if console.is_terminal else _lines(plan) as show:
    look = _Look(plan)
    looked = -_SECONDS
    known: Mapping[str, str] = {}

    def draw() -> None:
      found = look()
      at_an_end = {each.name for each in found if each.state in ("finished", "failed")}  # their files say all
      show(found, {name: note for name, note in known.items() if name not in at_an_end})

    def watch(notes: Mapping[str, str] | None = None) -> None:
      nonlocal looked, known
      known = notes or {}
      if time.monotonic() - looked >= _SECONDS:
        draw()
        looked = time.monotonic()

    try:
      yield watch
    finally:
      draw()


def summary(found: Sequence[Status]) -> str:
  """What all runs do.

  '3 of 12 runs finished, 4 running, 5 waiting; about 12 min left'
  """
  counts = Counter(each.state for each in found)
  others = [f"{counts[state]} {state}" for state in _IMPORTANCE if counts[state] and state != "finished"]
  left = _seconds_left(found)
  return ", ".join([f"{counts['finished']} of {len(found)} runs finished", *others]) + (
    f"; about {duration(left)} left" if left is not None else ""
  )


def failures(found: Sequence[Status]) -> list[str]:
  """Of each failed run where it failed, and its last lines, as a text of several lines."""
  return ["\n  ".join([f"{each.name}: failed ({each.stage})", *each.last_lines]) for each in _failed(found)]


def duration(seconds: float) -> str:
  """Seconds in words.

  >>> duration(41.3), duration(750), duration(4000), duration(200_000)
  ('41 s', '13 min', '1 h 7 min', '2 d 8 h')
  """
  minutes = round(seconds / 60)
  if seconds < 100:
    return f"{seconds:.0f} s"
  if minutes < 60:
    return f"{minutes} min"
  if minutes < 48 * 60:
    return f"{minutes // 60} h {minutes % 60} min"
  hours = round(seconds / 3600)
  return f"{hours // 24} d {hours % 24} h"


class _Look:
  """`states.statuses` again and again: what is finished is not read twice."""

  def __init__(self, plan: Plan):
    self._plan = plan
    self._typical: dict[str, float] = {}
    self._finished: dict[str, Status] = {}

  def __call__(self) -> list[Status]:
    found = [
      self._finished.get(run.name) or states.status(run, self._plan.sweep.score, self._typical)
      for run in self._plan.runs
    ]
    finished = {each.name: each for each in found if each.state == "finished"}
    if len(finished) > len(self._finished):
      self._finished = finished
      self._typical = states.typical_seconds(self._plan.runs)
    return found


Show = Callable[[Sequence[Status], Mapping[str, str]], None]


@contextlib.contextmanager
def _lines(plan: Plan) -> Iterator[Show]:
  """For a pipe or a file."""
  del plan
  said: dict[str, str] = {}
  said_all = -_LINE_SECONDS

  def show(found: Sequence[Status], notes: Mapping[str, str]) -> None:
    nonlocal said_all
    changed = []
    for each in found:
      line = _line(each, notes.get(each.name, ""))
      if line != said.get(each.name, line):  # how runs stood before is in the summary
        changed.append("\n  ".join([f"{each.name}: {line}", *(each.last_lines if each.state == "failed" else ())]))
      said[each.name] = line
    for text in changed:
      print(text, file=sys.stderr)
    if time.monotonic() - said_all > _LINE_SECONDS:
      said_all = time.monotonic()
      print(summary(found), file=sys.stderr)
    sys.stderr.flush()

  yield show


def _line(status: Status, note: str) -> str:
  """What changes rarely of a run."""
  score = f", score {status.score:.1%}" if status.score is not None and status.state == "finished" else ""
  took = f", {duration(status.seconds)}" if status.state == "finished" else ""
  stage = f" ({status.stage})" if status.stage and status.state != "finished" else ""
  return f"{status.state}{stage}{score}{took}{f': {note}' if note else ''}"


@contextlib.contextmanager
def _table(plan: Plan, console: Console) -> Iterator[Show]:
  title = plan.sweep.title or plan.sweep.name
  # It draws when it is told to: a thread of its own would keep drawing in a process that just waits.
  with Live(console=console, auto_refresh=False, vertical_overflow="crop") as live:

    def show(found: Sequence[Status], notes: Mapping[str, str]) -> None:
      live.update(drawn(title, found, notes, console.height - _OTHER_LINES), refresh=True)

    yield show


def drawn(title: str, found: Sequence[Status], notes: Mapping[str, str], rows: int) -> Group:
  """The table, with at most so many runs."""
  table = Table(title=title, title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
  table.add_column("run", overflow="fold")
  table.add_column("state")
  for name in ("step", "loss", "score", "left"):
    table.add_column(name, justify="right", no_wrap=True)
  shown = _most_important(found, max(rows, 1))
  for each in shown:
    table.add_row(*_cells(each, notes.get(each.name, "")))
  hidden = Counter(each.state for each in found) - Counter(each.state for each in shown)
  more = ", ".join(f"{count} {state}" for state, count in hidden.items())
  return Group(table, Text(f"not shown: {more}" if more else "", "bright_black"), Text(summary(found)))


def _cells(status: Status, note: str) -> Sequence[Text | str]:
  doing = status.stage if status.state in ("running", "failed", "stopped") else ""
  state = Text(status.state, _COLOURS[status.state])
  state.append(f" {' '.join(filter(None, (doing, note)))}".rstrip(), "default")
  return (
    status.name,
    state,
    f"{status.step:,} of {status.steps:,}" if status.step is not None else "",
    f"{status.loss:.4f}" if status.loss is not None else "",
    f"{status.score:.1%}" if status.score is not None else "",
    duration(status.seconds_left) if status.seconds_left is not None else "",
  )


def _most_important(found: Sequence[Status], rows: int) -> list[Status]:
  """So many runs, in the plan's order."""
  chosen = sorted(found, key=lambda each: _IMPORTANCE.index(each.state))[:rows]
  names = {each.name for each in chosen}
  return [each for each in found if each.name in names]


def _failed(found: Sequence[Status]) -> list[Status]:
  return [each for each in found if each.state == "failed"]


def _seconds_left(found: Sequence[Status]) -> float | None:
  """Of all that is not at its end, as many at once as now; those that wait take what a step took in the others."""
  running = [each for each in found if each.state == "running"]
  known = [each for each in running if each.seconds_left is not None]
  # Untuned runs are short, and tell nothing of those that train.
  told = [each for each in found if each.steps and (each.state == "finished" or each in known)]
  unknown = [each for each in found if each.state == "waiting" or (each in running and each not in known)]
  if not running or not (told or known):
    return None
  steps = sum(each.steps for each in told)
  pace = sum(each.seconds + (each.seconds_left or 0.0) for each in told) / steps if steps else 0.0
  if unknown and not steps:
    return None
  return (sum(each.seconds_left for each in known) + pace * sum(each.steps for each in unknown)) / len(running)
