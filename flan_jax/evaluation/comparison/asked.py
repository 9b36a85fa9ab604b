"""What is put to two checkpoints: a person's prompts, or examples of tasks that are held out. Needs no JAX."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from flan_jax import draws
from flan_jax.data import specs
from flan_jax.errors import UsageError
from flan_jax.evaluation.held_out.examples import as_question, formats_of, held_out_prompts
from flan_jax.evaluation.suites.question import Question

PROMPTS = "prompts"  # the task of what is nobody's task


@dataclasses.dataclass(frozen=True)
class Tasks:
  """Held-out examples of tasks as questions.

  Attributes:
    name: of the task or mixture.
    tasks: full names of its tasks that are installed.
    formats: a task is asked in those that its type has.
    examples: the most of a task in a format.
  """

  name: str
  tasks: tuple[str, ...]
  formats: tuple[str, ...]
  examples: int
  shots: tuple[int, int]
  seed: int
  unseen_wordings: bool
  data_dir: Path | None

  def questions(self, fits: Callable[[str], bool]) -> list[Question]:
    """Them, task after task; few-shot prompts drop exemplars until they fit.

    Raises:
      UsageError: no task has any of the formats, or an example that is held out.
    """
    found = []
    for task in self.tasks:
      if formats := formats_of(task, self.formats, self.data_dir, self.unseen_wordings):
        how = {"seed": self.seed, "shots": self.shots, "fits": fits, "unseen_wordings": self.unseen_wordings}
        found += held_out_prompts(task, self.data_dir, formats, self.examples, **how)
    if not found:
      raise UsageError(f"no task of {self.name} has a held-out example in the format {' or '.join(self.formats)}")
    return [as_question(prompt, self.name, specs.get_task(prompt.task, self.data_dir).cluster) for prompt in found]


@dataclasses.dataclass(frozen=True)
class Prompts:
  """A person's own prompts as questions to which no answer is known."""

  prompts: tuple[str, ...]

  def questions(self, fits: Callable[[str], bool]) -> list[Question]:
    """Them, each once."""
    del fits
    texts = dict.fromkeys(self.prompts)
    return [Question(PROMPTS, PROMPTS, f"{draws.hash64(text):016x}", "direct", text, (), "verbatim") for text in texts]
