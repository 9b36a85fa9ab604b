"""What `eval --suite` and `certify` have in common: from options to a request, and a request run with its page."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flan_jax.cli.placing import placement
from flan_jax.errors import UsageError

if TYPE_CHECKING:
  from flan_jax.evaluation.suite_runs.suite_request import SuiteRequest

_TAKEN = ("checkpoint", "prompts", "seed", "temperature", "top_k", "top_p", "rank", "max_new_tokens")
_TAKEN += ("vocabulary", "data_dir", "missing", "sharding", "scorer", "examples")
OPTIONS = (*_TAKEN, "mode", "paths", "split", "shots", "languages", "tasks", "beside")


def request_of(suite: str, mode, paths, split, shots, languages, tasks, beside, **taken) -> "SuiteRequest":
  """The request of a command line.

  Raises:
    UsageError: an option is no list of what it lists.
  """
  from flan_jax.evaluation.suites.question import MODES
  from flan_jax.evaluation.suites.suite import get_suite

  modes = listed(mode) or ()
  for each in modes:
    if each not in MODES:
      raise UsageError(f"--mode {mode}: {each!r} is no mode; write {', '.join(MODES)} or both, with a comma")
  suites = listed(suite)
  if not suites:
    raise UsageError("--suite: which? All of them: flan-jax inspect --suites")
  for each in suites:
    get_suite(each)  # a wrong name is told before anything is read
  from flan_jax.evaluation.suite_runs.suite_request import SuiteRequest, splits_by_suite

  return SuiteRequest(
    suites=suites,
    modes=modes,
    paths=() if paths is None else _whole_numbers("--n", paths, 1),
    splits=splits_by_suite(split),
    shots=None if shots is None else _whole_numbers("--shots", shots, 0, most=1)[0],
    languages=listed(languages),
    tasks=listed(tasks),
    beside=listed(beside) or (),
    **taken,
  )


def run(request: "SuiteRequest", output: Path | None, as_json: bool) -> None:
  """Evaluates, writes the page, prints table or JSON."""
  import json

  results, folder = evaluated(request, output)
  if as_json:
    return click.echo(json.dumps(results, indent=2, ensure_ascii=False))
  from flan_jax.evaluation.suite_runs.suite_table import print_results

  print_results(results)
  click.echo(f"In {folder}: {', '.join(sorted(path.name for path in folder.iterdir() if path.suffix != '.lock'))}")


def evaluated(request: "SuiteRequest", output: Path | None) -> tuple[dict[str, Any], Path]:
  """The results of a request and the folder that has them, with its page."""
  from flan_jax.cli.environment import prepare_jax

  prepare_jax()
  from flan_jax.evaluation.suite_runs import page, suite_evaluation

  results, folder = suite_evaluation.evaluate(
    request, output, _loader(request), lambda text: click.echo(text, err=True)
  )
  page.write_page(folder)
  return results, folder


def _loader(request: "SuiteRequest") -> Callable[[], Any]:
  from flan_jax.evaluation.answering import Answerer

  where = placement(request.sharding)
  return lambda: Answerer.load(request.checkpoint, request.vocabulary, request.data_dir, where)


def listed(text: str | None) -> tuple[str, ...] | None:
  """The parts of 'a,b'; None for None."""
  if text is None:
    return None
  return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _whole_numbers(option: str, text: str, least: int, most: int | None = None) -> tuple[int, ...]:
  parts = listed(text)
  if not parts or (most and len(parts) > most) or not all(part.isdecimal() and int(part) >= least for part in parts):
    what = "a whole number" if most == 1 else "whole numbers"
    raise UsageError(f"{option} {text}: write {what} of at least {least}")
  return tuple(dict.fromkeys(map(int, parts)))
