"""Which prompts are asked: held-out examples of a task, drawn by hash, in each format that the task has."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from flan_jax.data import instructions, specs
from flan_jax.data.formats import DEFAULT_SHOTS, FORMATS
from flan_jax.data.rendering import Rendered, Renderer
from flan_jax.data.sources import Example
from flan_jax.draws import hash64
from flan_jax.evaluation.answers.extraction import read_answer
from flan_jax.evaluation.held_out import ways
from flan_jax.evaluation.held_out.training_answers import TrainingAnswers
from flan_jax.evaluation.suites.question import Question


def formats_of(
  task: str, asked: Sequence[str], data_dir: Path | None = None, unseen_wordings: bool = False
) -> tuple[str, ...]:
  """Those of the asked formats that the task's type has wordings for, of those trained on or of the unseen ones."""
  kind = specs.get_type(specs.get_task(task, data_dir).type)
  if unseen_wordings:
    return ("zero_shot",) if kind.evaluation_wordings and "zero_shot" in asked else ()
  return tuple(name for name in asked if name in kind.wordings)


def opened(
  task: str,
  data_dir: Path | None,
  formats: Sequence[str],
  *,
  seed: int = 0,
  shots: tuple[int, int] = DEFAULT_SHOTS,
  unseen_wordings: bool = False,
) -> Renderer:
  """The renderer of a task's held-out prompts.

  Args:
    task: full name.
    data_dir: the user's data folder; None for generated tasks.
    formats: names out of `formats_of(task, ...)`.
    seed: of the rendering.
    shots: (fewest, most) exemplars of few-shot prompts.
    unseen_wordings: asks in the wordings that are kept for evaluation.

  Raises:
    MissingDataError: the task's file is not there.
  """
  return Renderer(task, data_dir, seed, [(name, 1) for name in formats], shots, unseen_wordings=unseen_wordings)


def held_out_prompts(
  task: str,
  data_dir: Path | None,
  formats: Sequence[str],
  n: int,
  *,
  seed: int = 0,
  shots: tuple[int, int] = DEFAULT_SHOTS,
  fits: Callable[[str], bool] = lambda prompt: True,
  unseen_wordings: bool = False,
) -> list[Rendered]:
  """Up to n held-out examples of a task in each format: the same examples in all, so that formats can be compared.

  Args:
    task, data_dir, formats, shots, unseen_wordings: see `opened`.
    n: the most examples for each format; there are fewer where fewer are held out (or have a rationale).
    seed: of the order of the examples and of their rendering.
    fits: whether a prompt is short enough; exemplars are dropped one at a time, down to one, until it is. A query is
      never cut and never left out: relative positions have no end.

  Raises:
    MissingDataError: the task's file is not there.
  """
  renderer = opened(task, data_dir, formats, seed=seed, shots=shots, unseen_wordings=unseen_wordings)
  drawn = _drawn(renderer, seed)
  return [_fitted(renderer, each, name, fits) for name in formats for each in _asked_in(name, drawn)[:n]]


def held_out_questions(
  renderer: Renderer,
  formats: Sequence[str],
  n: int,
  suite: str,
  *,
  seed: int = 0,
  fits: Callable[[str], bool] = lambda prompt: True,
  rank: bool = False,
  swap: bool = False,
) -> list[Question]:
  """As `held_out_prompts`, as questions, each followed by the other ways in which its example is asked.

  Args:
    renderer: as `opened` gives it.
    suite: the name of what is measured: a task's or a mixture's.
    rank: also to rank the choices of prompts that have some, but for prompts that ask to reason first.
    swap: also under the other instruction of examples that have one, in the formats where it can matter; but for
      prompts that list other options than its own do, which tell who reads no instruction which of them is meant.
  """
  found = []
  drawn = _drawn(renderer, seed)
  for name in formats:
    for example in _asked_in(name, drawn)[:n]:
      own = _fitted(renderer, example, name, fits)
      question = as_question(own, suite, renderer.spec.cluster)
      found.append(question)
      if rank and question.choices and not FORMATS[name].rationale:
        found.append(dataclasses.replace(question, variant=ways.variant(name, ways.RANKED), ranked=True))
      if swap and name in _SWAPPABLE and renderer.can_swap(example):
        other = _fitted(renderer, example, name, fits, swapped=True)
        if not _lists_tell(example, own, other):
          other = as_question(other, suite, renderer.spec.cluster)
          found.append(dataclasses.replace(other, variant=ways.variant(name, ways.SWAPPED)))
  return found


def _lists_tell(example: Example, own: Rendered, other: Rendered) -> bool:
  """Whether the options that two prompts list differ, so that they are told apart without the instruction."""
  listed = own.options_shown or other.options_shown
  return listed and example.fields.get("choices") != instructions.swapped(example.fields).get("choices")


def training_answers(renderer: Renderer) -> TrainingAnswers:
  """What the answers of a task's training examples say; of one for evaluation only, those of all its examples."""
  splits = renderer.splits
  there = splits.train if len(splits.train) else splits.held_out
  chosen = there[np.unique(np.linspace(0, len(there) - 1, min(len(there), _READ)).astype(int))]
  return TrainingAnswers.of(renderer.answers(renderer.source[int(index)]) for index in chosen)


# Examples, evenly over a larger task: its commonest answer is among them, and so are its usual words.
_READ = 2000
# In which another instruction asks for another answer, and for nothing before it.
_SWAPPABLE = ("zero_shot", "few_shot", "continuation")


def _drawn(renderer: Renderer, seed: int) -> list[Example]:
  """The held-out examples in an order that is drawn."""
  examples = [renderer.source[int(index)] for index in renderer.splits.held_out]
  return sorted(examples, key=lambda example: hash64(seed, renderer.spec.name, example.id, "evaluated"))


def _asked_in(name: str, examples: Sequence[Example]) -> list[Example]:
  return [example for example in examples if not FORMATS[name].rationale or "rationale" in example.fields]


def _fitted(renderer: Renderer, example: Example, name: str, fits: Callable[[str], bool], **options: bool) -> Rendered:
  rendered = renderer.render(example, format=name, **options)
  while rendered.shots > 1 and not fits(rendered.inputs):
    rendered = renderer.render(example, format=name, shots=rendered.shots - 1, **options)
  return rendered


def as_question(prompt: Rendered, suite: str = "", cluster: str = "") -> Question:
  """A prompt as what is asked: its task's cluster is the group, its format the variant, its answer compared verbatim.

  Args:
    suite: the name of what is measured: a task's or a mixture's.
  """
  references = tuple(dict.fromkeys((prompt.answer, *prompt.references)))
  return Question(
    suite=suite,
    task=prompt.task,
    id=prompt.example_id,
    mode="cot" if FORMATS[prompt.format].rationale else "direct",
    prompt=prompt.inputs,
    references=references,
    kind=_kind(specs.get_type(prompt.wording.partition("/")[0]), references),
    choices=prompt.choices,
    shots=prompt.shots,
    exemplars="train" if prompt.shots else "",
    variant=prompt.format,
    split="held_out",
    group=cluster,
  )


def _kind(asked: specs.TaskType, references: Sequence[str]) -> str:
  """How the answer stands in an output, in whatever format.

  Where a prompt can be a story that a base model goes on with, the answer ends with its sentence, if answers of the
  task are not longer: a base would else be right only where it stops of itself, and before would look worse than it is.
  """
  told = "continuation" in asked.wordings and all(
    read_answer(reference, mode="direct", kind="told") == reference for reference in references
  )
  return "told" if told else "verbatim"
