"""`flan-jax eval`: a checkpoint, and perhaps one before it, on held-out examples."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flan_jax.errors import FlanJaxError, UsageError

if TYPE_CHECKING:
  from flan_jax.data.mixtures import MixtureSpec


@click.command("eval")
@click.argument("checkpoint")
@click.option("--task", metavar="NAME", help="One task.")
@click.option("--mixture", metavar="NAME", help="All tasks of a mixture.")
@click.option("--suite", metavar="NAME", help="A published suite of benchmarks.")
@click.option("--before", metavar="CHECKPOINT", help="A checkpoint to compare with.")
@click.option(
  "--formats", default="zero_shot,few_shot,cot", show_default=True, metavar="F,F", help="Formats to ask in."
)
@click.option(
  "--examples", type=click.IntRange(min=1), default=100, show_default=True, help="The most, a task and format."
)
@click.option("--shots", metavar="A,B", help="Exemplars of few-shot prompts, from A to B (default: the mixture's).")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the choice of examples and their rendering.")
@click.option(
  "--max_input_tokens", type=click.IntRange(min=1), help="Longer prompts drop exemplars (default: as trained)."
)
@click.option("--max_new_tokens", type=click.IntRange(min=1), help="Length of an output (default: as trained).")
@click.option("--unseen_wordings", is_flag=True, help="Ask zero-shot in the wordings that no run trains on.")
@click.option("--vocabulary", metavar="V", help="demo, t5 or a SentencePiece file, for a checkpoint that carries none.")
@click.option(
  "--data_dir", type=click.Path(path_type=Path), envvar="FLAN_JAX_DATA_DIR", help="Folder of the collections' files."
)
@click.option(
  "--missing", type=click.Choice(["error", "skip"]), default="error", show_default=True, help="Absent files."
)
@click.option("--output", type=click.Path(path_type=Path), help="Gets results.json, predictions.jsonl and chart.png.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
def command(checkpoint, task, mixture, suite, before, missing, output, as_json, formats, shots, **options):
  """Measure CHECKPOINT on held-out examples.

  CHECKPOINT is a MODEL_DIR, MODEL_DIR/checkpoints/STEP, a T5X checkpoint (gs:// too) or a Hugging Face folder.

  Prints exact match by tasks seen in training and held out, zero-shot, few-shot and rationale first, with the number of
  examples, chance and 95% intervals; with --before, what it was before; and three prompts with their answers.
  """
  chosen = _chosen(task, mixture, suite, options["data_dir"])
  if output is not None:
    _require_writable(output)
  present, absent = _installed(chosen, options["data_dir"], missing)
  request = {
    "checkpoint": checkpoint,
    "before": before,
    "name": chosen.name,
    "tasks": present,
    "missing": absent,
    "formats": _formats(formats),
    "shots": _shots(shots) if shots else _widest(chosen),
  }
  _evaluate(request | options, output, as_json)


def _evaluate(request: dict, output: Path | None, as_json: bool) -> None:
  from flan_jax.cli.environment import prepare_jax

  prepare_jax()
  from flan_jax.evaluation.chart import draw_chart
  from flan_jax.evaluation.evaluate import Request, evaluate
  from flan_jax.evaluation.predictions import write_predictions
  from flan_jax.evaluation.table import print_results
  from flan_jax.interop.loading import open_source

  if request["before"] is not None:
    open_source(request["before"])  # asked last: what is wrong with it is told before the other has answered
  results, predictions = evaluate(Request(**request))
  if output is not None:
    write_predictions(output / "predictions.jsonl", predictions)
    results.write(output / "results.json")
    draw_chart(results, output / "chart.png")
  if as_json:
    return click.echo(results.json())
  print_results(results)
  click.echo(
    f"In {output}: results.json, predictions.jsonl, chart.png" if output else "Not kept: --output DIR keeps it"
  )


def _chosen(task: str | None, mixture: str | None, suite: str | None, data_dir: Path | None) -> "MixtureSpec":
  """The mixture to measure on; a task is a mixture of one."""
  from flan_jax.data import mixtures, specs

  if sum(given is not None for given in (task, mixture, suite)) != 1:
    raise UsageError("eval measures one thing: --task, --mixture or --suite")
  if suite is not None:
    raise UsageError(
      f"no suite {suite!r}: this version has none. What there is: flan-jax inspect --mixtures (or --tasks)"
    )
  return mixtures.get_mixture(mixture if task is None else specs.get_task(task, data_dir).name, data_dir)


def _widest(mixture: "MixtureSpec") -> tuple[int, int]:
  """The fewest and the most exemplars of any of its parts."""
  fewest, most = zip(*(part.shots for part in mixture.parts), strict=True)
  return min(fewest), max(most)


def _installed(mixture: "MixtureSpec", data_dir: Path | None, missing: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
  """(the tasks whose files are there, those that are skipped, which is said)."""
  from flan_jax.data import mixtures

  present, absent = mixtures.installed(mixture, data_dir, missing)
  for file in absent:
    click.echo(f"Skipped: {file}", err=True)
  return present, tuple(file.task for file in absent)


def _require_writable(folder: Path) -> None:
  folder.mkdir(parents=True, exist_ok=True)
  if not os.access(folder, os.W_OK):
    raise FlanJaxError(f"{folder}: cannot write here (--output)")


def _formats(text: str) -> tuple[str, ...]:
  from flan_jax.data.formats import get_format

  return tuple(dict.fromkeys(get_format(name.strip()).name for name in text.split(",") if name.strip()))


def _shots(text: str) -> tuple[int, int]:
  fewest, _, most = text.partition(",")
  try:
    shots = int(fewest), int(most or fewest)
  except ValueError:
    shots = (0, 0)
  if not 1 <= shots[0] <= shots[1]:
    raise UsageError(f"--shots {text}: write a number such as 3, or the fewest and the most such as 2,5")
  return shots
