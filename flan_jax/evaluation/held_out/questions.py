"""The few held-out examples that a run asks again and again while it trains, so that its numbers can be compared."""

import dataclasses
import math
import os
from collections.abc import Callable, Collection, Mapping
from typing import Any

from flan_jax.data import related_clusters, sources, specs
from flan_jax.data.mixtures import MixtureSpec
from flan_jax.data.rendering import Rendered
from flan_jax.draws import hash64
from flan_jax.evaluation.held_out.examples import formats_of, held_out_prompts

_OF_A_TASK = 4  # examples, or as many as it takes where there are few tasks: opening a task may take seconds
_SPARE_TASKS = 16  # are opened beyond the tasks that it takes, for those of which nothing fits


def questions(
  mixture: MixtureSpec,
  data_dir: str | os.PathLike | None,
  n: int,
  *,
  fits_prompt: Callable[[str], bool],
  fits: Callable[[Rendered], bool],
  seed: int = 0,
) -> list[Rendered]:
  """Up to n held-out examples of a mixture: some of each task in turn, tasks and examples in an order drawn by hash.

  Each task is asked in the format that its part of the mixture draws most often.

  Args:
    data_dir: the user's data folder; a task whose file is not there is passed over.
    fits_prompt: exemplars of few-shot prompts are dropped until it holds.
    fits: what does not fit is left out, as is a prompt that an earlier example has asked.
    seed: of the order and of the rendering.

  Returns:
    first one example of each task, then the second ones, ...
  """
  tasks = sorted(mixture.tasks, key=lambda task: hash64(seed, task, "asked in training"))
  of_a_task = max(_OF_A_TASK, math.ceil(n / max(len(tasks), 1)))
  found: list[list[Rendered]] = []
  for task in tasks[: math.ceil(n / of_a_task) + _SPARE_TASKS]:
    if sum(map(len, found)) >= n:
      break
    part = mixture.part_of(task)
    by_weight = [name for name, _ in sorted(part.formats, key=lambda each: -each[1])]
    formats = formats_of(task, by_weight, data_dir)[:1]
    if formats and sources.missing_file(specs.get_task(task, data_dir), data_dir) is None:
      prompts = held_out_prompts(task, data_dir, formats, of_a_task, seed=seed, shots=part.shots, fits=fits_prompt)
      different: dict[str, Rendered] = {}
      for prompt in filter(fits, prompts):
        different.setdefault(prompt.inputs, prompt)  # several examples may ask the same and answer differently
      found.append(list(different.values()))
  turns = range(max(map(len, found), default=0))
  return [prompts[turn] for turn in turns for prompts in found if turn < len(prompts)][:n]


def unseen_mixture(
  mixture: MixtureSpec, trained: Collection[str], data_dir: str | os.PathLike | None
) -> MixtureSpec | None:
  """The tasks of a mixture's collections in clusters of which nothing was trained on; None where there are none.

  A cluster counts as trained on, too, if it would leave with one that was (see `related_clusters`). Tasks that are for
  evaluation only are left out (what a run looks at while it trains is no test of it), and texts, which ask nothing.

  Args:
    trained: full names of all tasks that the parameters have seen; those of a user's module are passed over.
  """
  ours = set(specs.task_names(None, data_dir))
  seen = [specs.get_task(task, data_dir) for task in trained if task in ours]
  seen_clusters = {(spec.collection, spec.cluster): spec for spec in seen}.values()
  collections = dict.fromkeys(task.partition(".")[0] for task in mixture.tasks)
  candidates = [specs.get_task(task, data_dir) for each in collections for task in specs.task_names(each, data_dir)]
  candidates = [spec for spec in candidates if specs.get_type(spec.type).asks]
  free = {
    cluster: not any(related_clusters.held_out(spec, [".".join(cluster)]) for spec in seen_clusters)
    for cluster in {(spec.collection, spec.cluster) for spec in candidates}
  }
  tasks = tuple(spec.name for spec in candidates if free[spec.collection, spec.cluster] and not spec.evaluation_only)
  if not tasks:
    return None
  largest = max(mixture.parts, key=lambda part: len(part.tasks))
  return MixtureSpec(f"unseen tasks beside {mixture.name}", (dataclasses.replace(largest, tasks=tasks),))


def to_json(question: Rendered) -> dict[str, Any]:
  """A question as plain JSON values."""
  return dataclasses.asdict(question)


def from_json(content: Mapping[str, Any]) -> Rendered:
  """The question that `to_json` gave."""
  return Rendered(**{name: tuple(value) if isinstance(value, list) else value for name, value in content.items()})
