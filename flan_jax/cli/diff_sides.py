"""What `flan-jax diff` compares: a mixture, or a run with the mixture that it was trained on."""

import collections
import dataclasses
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from flan_jax import errors
from flan_jax.data import mixtures, rendering, specs, workers
from flan_jax.progress import Progress, silently


@dataclasses.dataclass(frozen=True)
class Side:
  """One of the two.

  Attributes:
    settings: name -> value, as texts: of a mixture its parts', of a run its resolved gin.
    mixture: None where a run was trained on tasks of a SeqIO module.
    tasks: full names, all of the mixture's or those that the run drew from.
    rates: task -> how often it is drawn, of the tasks that are installed (of a run: those it has).
    seen: of a run, task -> examples of it that the updates so far have seen; None for a mixture.
    unseen_because: why a run's examples cannot be counted; '' if they can.
    step: of a run, its updates.
  """

  name: str
  settings: Mapping[str, str]
  mixture: mixtures.MixtureSpec | None
  tasks: tuple[str, ...]
  rates: Mapping[str, float]
  data_dir: str | None = None
  render_seed: int = 0
  seen: Mapping[str, int] | None = None
  unseen_because: str = ""
  step: int | None = None

  def shares(self) -> dict[str, float]:
    """Task -> its share of the examples by the rates."""
    return normalised(self.rates)

  def renderer(self, task: str) -> rendering.Renderer:
    """The renderer of a task of the mixture, as its part asks it."""
    part = self.mixture.part_of(task)
    return rendering.Renderer(task, self.data_dir, self.render_seed, *part.manner)


def normalised(counts: Mapping[str, int | float]) -> dict[str, float]:
  """The counts over their sum."""
  total = sum(counts.values())
  return {name: count / total for name, count in counts.items()} if total else dict.fromkeys(counts, 0.0)


def is_run(text: str) -> bool:
  """Whether a MODEL_DIR (or a checkpoint in one) is meant, and not a mixture."""
  return (_model_dir(text) / "config.gin").is_file()


def mixture_sides(names: Sequence[str], data_dir: Path | None, progress: Progress = silently) -> tuple[list[Side], str]:
  """The sides of mixtures, and what their numbers of examples are: 'installed' or 'published'.

  Raises:
    UsageError: no such mixture.
  """
  found = [mixtures.get_mixture(name, data_dir) for name in names]
  present = [mixtures.looked_for(mixture, data_dir)[0] for mixture in found]
  tasks = list(dict.fromkeys(task for side in present for task in side))
  if tasks:
    basis, sizes = "installed", _training_examples(tasks, data_dir, progress)
  else:
    basis, sizes = "published", _published_examples([task for mixture in found for task in mixture.tasks], data_dir)
  folder = None if data_dir is None else os.fspath(data_dir)
  sides = [
    Side(mixture.name, _settings(mixture), mixture, mixture.tasks, _rates(mixture, sizes, folder), folder)
    for mixture in found
  ]
  return sides, basis


def run_side(model_dir: Path, data_dir: Path | None, progress: Progress = silently) -> Side:
  """The side of a run up to its newest checkpoint.

  Args:
    data_dir: instead of the run's own data folder.

  Raises:
    UsageError: the folder holds no checkpoint.
  """
  from flan_jax import configuration
  from flan_jax.interop import checkpoints as layout

  model_dir = _model_dir(str(model_dir))
  record = layout.read_record(layout.step_folder(model_dir))
  text = (model_dir / "config.gin").read_text(encoding="utf-8")
  configuration.parse(text.splitlines())
  training = configuration.build()
  folder = training.data_dir if data_dir is None else os.fspath(data_dir)
  mixture = None if training.module else _mixture_of(training.mixture_or_task_name, folder)
  rates = record["data"]["rates"]
  settings = _gin_settings(text)
  if mixture is not None:
    settings |= {f"mixture: {name}": value for name, value in _settings(mixture).items()}
  try:
    seen, because = _seen(model_dir, record["step"], progress), ""
  except errors.FlanJaxError as error:
    seen, because = None, str(error)
  return Side(
    str(model_dir), settings, mixture, tuple(rates), rates, folder, training.render_seed, seen, because, record["step"]
  )


def _model_dir(text: str) -> Path:
  path = Path(text)
  return path.parent.parent if path.parent.name == "checkpoints" else path


def _mixture_of(name: str, data_dir: str | None) -> mixtures.MixtureSpec | None:
  """The mixture as it is declared today; None where it is no more."""
  try:
    return mixtures.get_mixture(name, data_dir)
  except errors.FlanJaxError:
    return None


def _settings(mixture: mixtures.MixtureSpec) -> dict[str, str]:
  """What a mixture says, apart from its tasks."""
  found = {} if mixture.max_per_task is None else {"max_per_task": str(mixture.max_per_task)}
  for part in mixture.parts:
    for field in dataclasses.fields(part):
      value = getattr(part, field.name)
      if field.name not in ("name", "tasks", "lenders") and value is not None:
        found[f"{part.name}.{field.name}"] = _told(value)
  return found


def _told(value: Any) -> str:
  if isinstance(value, tuple):
    return ", ".join(f"{item[0]}×{item[1]}" if isinstance(item, tuple) else str(item) for item in value)
  return f"{value:g}" if isinstance(value, float) else str(value)


def _gin_settings(text: str) -> dict[str, str]:
  """Bindings of a config.gin but the run's own folder; a line each. Those that only name a macro are told by it."""
  pairs = (line.partition(" = ") for line in text.splitlines() if " = " in line)
  return {name: value for name, _, value in pairs if not value.startswith("%") and name != "MODEL_DIR"}


def _rates(mixture: mixtures.MixtureSpec, sizes: Mapping[str, int], data_dir: str | None) -> dict[str, float]:
  return mixtures.rates(mixture, {task: sizes[task] for task in mixture.tasks if task in sizes}, data_dir)


def _published_examples(tasks: Iterable[str], data_dir: Path | None) -> dict[str, int]:
  sizes = {task: specs.get_task(task, data_dir).examples for task in tasks}
  return {task: size for task, size in sizes.items() if size is not None}


def _training_examples(tasks: Sequence[str], data_dir: Path | None, progress: Progress) -> dict[str, int]:
  tickets = [(task, None if data_dir is None else os.fspath(data_dir)) for task in tasks]
  sizes = {}
  with progress("counting examples", len(tickets), "tasks") as advance:
    for (task, _), size in workers.results(_train_size, tickets, min(os.cpu_count() or 1, len(tickets))):
      sizes[task] = size
      advance(1, task)
  return sizes


def _train_size(ticket: tuple[str, str | None]) -> int:
  return len(rendering.Renderer(*ticket).splits.train)


def _seen(model_dir: Path, step: int, progress: Progress) -> dict[str, int]:
  """How many examples of each task the first `step` updates of a run had."""
  from flan_jax.training.feed import past_feed

  stream = past_feed(model_dir).stream
  counts: collections.Counter[str] = collections.Counter()
  rows, window = step * stream.batch_rows, 0
  with progress(f"counting what {model_dir} has seen", rows, "rows") as advance:
    while rows:
      plan = stream.plan(window)
      taken = min(rows, plan.rows)
      found = np.bincount(plan.task[: plan.starts[taken]], minlength=len(stream.stores))
      counts.update({store.task: int(count) for store, count in zip(stream.stores, found, strict=True)})
      rows, window = rows - taken, window + 1
      advance(taken)
  return dict(counts)
