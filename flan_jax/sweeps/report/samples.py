"""A few prompts of each evaluation with what the base and a tuned run made of them, drawn by hash: for reading."""

import dataclasses
import json
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from flan_jax.draws import hash64
from flan_jax.evaluation.held_out.differences import BEFORE
from flan_jax.sweeps.plan import EVALUATIONS, RUNS
from flan_jax.sweeps.report.axes import CONTROL_AXIS, WAY_AXIS
from flan_jax.sweeps.report.control_figure import TUNED
from flan_jax.sweeps.report.reading import evaluation_in_words
from flan_jax.sweeps.report.way_figure import INSTRUCTED

OF_AN_EVALUATION = 4
_FILE = "predictions.jsonl"  # as `flan-jax eval --output` calls it
_LONGEST = 600  # letters of an output; what runs on does not get better
_USUAL = {CONTROL_AXIS: TUNED, WAY_AXIS: INSTRUCTED}  # the value that the others are controls of

Answers = Mapping[tuple[str, str, str], Mapping[str, Any]]  # by task, format and example


@dataclasses.dataclass(frozen=True)
class Output:
  """What somebody wrote.

  Attributes:
    who: 'base' or 'tuned'.
    prompt: where it was asked otherwise than the sample says.
  """

  who: str
  text: str
  correct: bool
  prompt: str | None = None


@dataclasses.dataclass(frozen=True)
class Sample:
  """One prompt."""

  task: str
  cluster: str
  prompt: str
  target: str
  outputs: tuple[Output, ...]


@dataclasses.dataclass(frozen=True)
class Group:
  """The samples of an evaluation.

  Attributes:
    name: of the evaluation, in words.
    about: which runs they are of.
  """

  name: str
  about: str
  samples: tuple[Sample, ...]


def samples(folder: Path, sweep: Mapping[str, Any]) -> list[Group]:
  """Of each evaluation of a mixture, rungs of the ladder first; [] where no answers are kept.

  Args:
    folder: of a sweep.
    sweep: what its sweep.json says.
  """
  rungs = [*sweep.get("ladder", ())]
  named = [each["name"] for each in sweep.get("evaluations", ()) if each.get("mixture")]
  variant = sweep["score"].partition("/")[2]
  ordered = [*(name for name in rungs if name in named), *(name for name in named if name not in rungs)]
  groups = [_group(folder, sweep.get("runs", ()), name, variant) for name in ordered]
  return [group for group in groups if group]


def _group(folder: Path, runs: Sequence[Mapping[str, Any]], evaluation: str, variant: str) -> Group | None:
  there = [run for run in runs if _path(folder, run, evaluation).exists()]
  tuned = _tuned([run for run in there if run["tuned"]])
  base = next((run for run in there if not run["tuned"]), None)
  if tuned is None:
    return None
  mine = _read(_path(folder, tuned, evaluation))
  theirs = _read(_path(folder, base, evaluation)) if base else {}
  variant = variant if any(key[1] == variant for key in mine) else BEFORE[0]
  best = _best(theirs)
  keys = _drawn([key for key in mine if key[1] == variant], evaluation)
  drawn = [_sample(mine, theirs, key, best) for key in keys]
  about = f"{tuned['name']} beside the base, {base['name']}" if base else tuned["name"]
  return Group(evaluation_in_words(evaluation), about, tuple(drawn)) if drawn else None


def _path(folder: Path, run: Mapping[str, Any], evaluation: str) -> Path:
  return folder / RUNS / run["name"] / EVALUATIONS / evaluation / _FILE


def _tuned(runs: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
  """Of the first seed the one that controls are held against, else the last: with the most of what is varied."""
  usual = [run for run in runs if any(run["axes"].get(axis) == value for axis, value in _USUAL.items())] or runs
  first = [run for run in usual if run["axes"].get("seed") == usual[0]["axes"].get("seed")]
  return first[-1] if first else None


def _read(path: Path) -> Answers:
  with path.open(encoding="utf-8") as file:
    answered = [json.loads(line) for line in file]
  return {(each["task"], each["variant"], each["id"]): each for each in answered}


def _best(answers: Answers) -> str:
  """The format that the most is answered rightly in, on average over tasks."""
  right: dict[str, dict[str, list[bool]]] = {name: defaultdict(list) for name in BEFORE}
  for (task, variant, _), answer in answers.items():
    if variant in right:
      right[variant][task].append(answer["correct"])
  means = {name: statistics.fmean(map(statistics.fmean, tasks.values())) for name, tasks in right.items() if tasks}
  return max(means, key=means.get, default=BEFORE[0])


def _drawn(keys: Iterable[tuple[str, str, str]], evaluation: str) -> list[tuple[str, str, str]]:
  """Of different tasks."""
  first_of_task: dict[str, tuple[str, str, str]] = {}
  for key in sorted(keys, key=lambda key: hash64("samples of a report", evaluation, *key)):
    first_of_task.setdefault(key[0], key)
  return list(first_of_task.values())[:OF_AN_EVALUATION]


def _sample(mine: Answers, theirs: Answers, key: tuple[str, str, str], best: str) -> Sample:
  """The base's output to the same prompt, the tuned run's, and the base's in its best format where that is another."""
  task, variant, id = key
  asked = [("base", theirs.get(key)), ("tuned", mine[key])]
  asked += [("base", theirs.get((task, best, id)))] if best != variant else []
  answer = mine[key]
  outputs = tuple(_output(who, each, answer["prompt"]) for who, each in asked if each)
  return Sample(task, answer["group"], answer["prompt"], answer["target"], outputs)


def _output(who: str, answer: Mapping[str, Any], shown: str) -> Output:
  text, prompt = answer["output"], answer["prompt"]
  cut = f"{text[:_LONGEST]}…" if len(text) > _LONGEST else text
  return Output(who, cut, answer["correct"], None if prompt == shown else prompt)
