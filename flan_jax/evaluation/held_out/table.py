"""Results on a terminal: the scores, the clusters, the headline, three prompts. In a pipe the same, plain."""

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from flan_jax import terminal
from flan_jax.evaluation.held_out.averages import Average, averages_by_cluster, averages_by_split
from flan_jax.evaluation.held_out.results import Results
from flan_jax.evaluation.held_out.rows import FORMATS, MEASURES, SPLITS
from flan_jax.evaluation.intervals import Interval

_PROMPT_LINES = 12


def print_results(results: Results, console: Console | None = None) -> None:
  """Prints the summary by split and format, the breakdown by cluster, the sampled prompts and the notes."""
  console = console or terminal.console()
  averages = averages_by_split(results.rows)
  console.print()
  console.print(_summary(averages))
  console.print(_other_scores(averages))
  console.print(_clusters(results))
  for line in (*_headlines(results), *_differences(results)):
    console.print(line)
  console.print()
  for number, sample in enumerate(results.samples, start=1):
    console.print(f"[bold]Prompt {number} of {len(results.samples)}[/], drawn by hash: {escape(_origin(sample))}")
    _print_sample(console, sample)
  for note in results.about.get("notes", []):
    console.print(f"[yellow]Note:[/] {escape(note)}")


def _summary(averages: Sequence[Average]) -> Table:
  compared = all(average.before is not None for average in averages)
  table = _empty("Exact match, mean over tasks, with 95% interval")
  for heading in ("tasks", "format"):
    table.add_column(heading)
  for heading in ("number", "examples", "chance"):
    table.add_column(heading, justify="right")
  if compared:
    table.add_column("before", justify="right")
    table.add_column("")
  table.add_column("after" if compared else "exact match", justify="right")
  for average, new_split in _with_breaks(averages):
    if new_split:
      table.add_section()
    before = [_with_interval(average.before, average.before_ci), "→"] if compared else []
    after = f"[bold]{_with_interval(average.after, average.after_ci)}[/]"
    figures = (f"{average.tasks}", f"{average.n:,}", _percent(average.chance or None))
    table.add_row(SPLITS[average.split], FORMATS[average.format], *figures, *before, after)
  return table


def _other_scores(averages: Sequence[Average]) -> Table:
  """What was measured beside accuracy, without intervals as the clusters are."""
  others = [measure for measure in MEASURES if measure != "accuracy"]
  measured = [measure for measure in others if any(average.score(measure) is not None for average in averages)]
  table = _empty("Beside it")
  for heading in ("tasks", "format"):
    table.add_column(heading)
  for heading in measured:
    table.add_column(heading, justify="right")
  for average, new_split in _with_breaks(averages):
    if new_split:
      table.add_section()
    cells = [_change(average, measure) for measure in measured]
    table.add_row(SPLITS[average.split], FORMATS[average.format], *cells)
  return table


def _headlines(results: Results) -> Iterator[str]:
  """A line a split: what the best way to prompt the checkpoint before gives, and what the one after does."""
  for each in results.headlines:
    if each.cluster is None:
      best = f"{_percent(each.before)} before ({FORMATS[each.before_format]}, the best of its formats)"
      after = f"[bold]{_percent(each.after)}[/] after ({FORMATS[each.after_format]})"
      gain = _points(each.gain, each.gain_ci)
      yield f"{SPLITS[each.split].capitalize()}, {each.tasks} tasks: {best} → {after}, {gain}"


def _differences(results: Results) -> Iterator[str]:
  """A line for each checkpoint, split and pair of formats."""
  for each in results.differences:
    if each.cluster is None:
      pair = f"{FORMATS[each.format]} minus {FORMATS[each.without]}"
      difference = _points(each.difference, each.difference_ci)
      yield f"{SPLITS[each.split].capitalize()}, {pair} ({each.which}, the same {each.n:,} examples): {difference}"


def _points(change: float, interval: Interval) -> str:
  low, high = (f"{100 * end:+.0f}" for end in interval)
  return f"[bold]{100 * change:+.1f}[/] points [dim]{escape(f'[{low}, {high}]')}[/dim]"


def _clusters(results: Results) -> Table:
  """A line a cluster, a column a format: no intervals here (they are in results.json and the chart)."""
  averages = averages_by_cluster(results.rows)
  formats = [name for name in FORMATS if any(average.format == name for average in averages)]
  lines: dict[tuple[str, str], dict[str, Average]] = {}
  for average in averages:
    lines.setdefault((average.split, average.cluster), {})[average.format] = average
  table = _empty("By cluster")
  table.add_column("tasks")
  table.add_column("cluster", overflow="fold")
  for heading in ("number", "chance", *(FORMATS[name] for name in formats)):
    table.add_column(heading, justify="right")
  for line, new_split in _with_breaks([next(iter(line.values())) for line in lines.values()]):
    if new_split:
      table.add_section()
    cells = [_change(lines[line.split, line.cluster].get(name)) for name in formats]
    table.add_row(SPLITS[line.split], escape(line.cluster), f"{line.tasks}", _percent(line.chance or None), *cells)
  return table


def _empty(title: str) -> Table:
  return Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)


def _with_breaks(averages: Sequence[Average]) -> Iterator[tuple[Average, bool]]:
  """Each average, and whether another split begins with it, which the table shows by a gap."""
  for previous, average in zip([None, *averages], averages, strict=False):
    yield average, previous is not None and previous.split != average.split


def _percent(share: float | None) -> str:
  return "–" if share is None else f"{100 * share:.1f}%"


def _with_interval(share: float, interval: Interval) -> str:
  return f"{_percent(share)} [dim]{escape(f'[{100 * interval[0]:.0f}, {100 * interval[1]:.0f}]')}[/dim]"


def _change(average: Average | None, measure: str = "accuracy") -> str:
  if average is None or average.score(measure) is None:
    return ""
  earlier = average.score(measure, "before")
  before = "" if earlier is None else f"{100 * earlier:.1f} → "
  return f"{before}[bold]{_percent(average.score(measure))}[/]"


def _origin(sample: dict) -> str:
  return f"{sample['task']} ({SPLITS[sample['split']]}, {FORMATS[sample['format']]})"


def _print_sample(console: Console, sample: dict) -> None:
  for line in _shortened(sample["prompt"]):
    console.print(f"  [cyan]│[/] {escape(line)}")
  console.print(f"  target  {escape(_quoted(sample['target']))}")
  for which in ("before", "after"):
    if sample[which] is not None:
      verdict = "[green]right[/]" if sample[f"{which}_correct"] else "[red]wrong[/]"
      console.print(f"  {which:7} {escape(_quoted(sample[which]))}  {verdict}")
  console.print()


def _shortened(prompt: str) -> list[str]:
  """The prompt's lines; of a long one the first and the last."""
  lines = prompt.splitlines()
  if len(lines) <= _PROMPT_LINES:
    return lines
  half = _PROMPT_LINES // 2
  return [*lines[:half], f"... {len(lines) - 2 * half} more lines ...", *lines[-half:]]


def _quoted(text: str, longest: int = 200) -> str:
  line = text.replace("\n", "\\n")
  return f"'{line[:longest]}…'" if len(line) > longest else f"'{line}'"
