"""What an evaluation of suites is asked for, and what tells it from every other one."""

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flan_jax.draws import hash64
from flan_jax.evaluation.identity import of_checkpoint, of_questions
from flan_jax.evaluation.suites.question import Question
from flan_jax.interop.loading import Source


@dataclasses.dataclass(frozen=True)
class SuiteRequest:
  """What to measure.

  Attributes:
    checkpoint: whatever `loading.open_source` takes.
    suites: names of suites, or paths of a user's own.
    modes: 'direct' and 'cot'; empty for those that a suite's paper reports.
    paths: how often each question is asked: 1 greedily, n > 1 by samples whose majority is the answer; empty for the
      suite's own number.
    splits: of the suites' data, by suite; '' is that of those that are not there; without it each suite's own.
    shots: exemplars of a prompt; None for each suite's own.
    examples: the most of a task; None for all.
    languages, tasks: only these; None for all.
    prompts: by what name a suite has them.
    seed: of samples, ties and the choice of examples.
    temperature, top_k, top_p: of samples.
    rank: how the choices of ranked questions are ranked.
    max_new_tokens: an output is cut there; None for what the suite says, or else the length of training's targets.
    vocabulary: for checkpoints that carry none.
    missing: 'skip' passes over tasks whose files are not there.
    sharding: a file of gin_configs/sharding; None for one device.
    beside: published rows to print beside.
    scorer: MODULE:FUNCTION, or a file, that scores the outputs of suites of toxicity.
  """

  checkpoint: str | os.PathLike
  suites: tuple[str, ...]
  modes: tuple[str, ...] = ()
  paths: tuple[int, ...] = ()
  splits: Mapping[str, str] = dataclasses.field(default_factory=dict)
  shots: int | None = None
  examples: int | None = None
  languages: tuple[str, ...] | None = None
  tasks: tuple[str, ...] | None = None
  prompts: str = "published"
  seed: int = 0
  temperature: float = 0.7
  top_k: int = 0
  top_p: float = 1.0
  rank: str = "sum"
  max_new_tokens: int | None = None
  vocabulary: str | None = None
  data_dir: Path | None = None
  missing: str = "error"
  sharding: str | None = None
  beside: tuple[str, ...] = ()
  scorer: str | None = None


def splits_by_suite(text: str | None) -> dict[str, str]:
  """`SuiteRequest.splits` of 'test' or 'mmlu=test,tydiqa=validation'.

  >>> splits_by_suite("mmlu=test")
  {'mmlu': 'test'}
  """
  parts = (each.strip().rpartition("=") for each in (text or "").split(",") if each.strip())
  return {suite.strip(): name.strip() for suite, _, name in parts}


def identity(request: SuiteRequest, source: Source, questions: Sequence[Question]) -> dict[str, Any]:
  """JSON values that are equal for two evaluations if and only if they give the same predictions."""
  suites: dict[str, list[Question]] = {}
  for question in questions:
    suites.setdefault(question.suite, []).append(question)
  return {
    "checkpoint": of_checkpoint(source),
    "suites": {name: of_questions(some) for name, some in suites.items()},
    "modes": list(dict.fromkeys(question.mode for question in questions)),
    "n": list(request.paths) or "the suites' own",
    "seed": request.seed,
    "decoding": {name: getattr(request, name) for name in _DECODING},
    "vocabulary": request.vocabulary,
  }


_DECODING = ("temperature", "top_k", "top_p", "rank", "max_new_tokens", "sharding")


def folder_of(request: SuiteRequest, content: Mapping[str, Any]) -> Path:
  """Where the results go if nothing is said: the same request finds what it left there."""
  name = Path(str(request.checkpoint).rstrip("/")).name or "checkpoint"
  digest = f"{hash64(json.dumps(content, sort_keys=True)):016x}"
  return Path("runs") / "eval" / f"{name}-{digest[:8]}"
