"""What a run does, as command lines: `flan-jax train`, then a `flan-jax eval` for each evaluation."""

import dataclasses
from collections.abc import Iterator, Sequence

from flan_jax import configuration
from flan_jax.sweeps.plan import EVALUATIONS, RUN_CONFIG, PlannedRun
from flan_jax.sweeps.sweep import Evaluation
from flan_jax.training.automatic import Auto
from flan_jax.training.train import Training

TRAIN = "train"


@dataclasses.dataclass(frozen=True)
class Command:
  """One process of a run.

  Attributes:
    stage: 'train' or 'evaluate NAME'.
    argv: the command line, which begins with 'flan-jax'.
  """

  stage: str
  argv: tuple[str, ...]


def of_run(run: PlannedRun, evaluations: Sequence[Evaluation]) -> list[Command]:
  """In the order in which they are executed; each can be repeated, and goes on where it was stopped."""
  evaluate = [Command(f"evaluate {each.name}", _evaluate(run, each)) for each in evaluations]
  return [Command(TRAIN, _train(run)), *evaluate] if run.trains else evaluate


def preparation(training: Training) -> Command:
  """`flan-jax prepare` of what a run trains on."""
  lengths, objective = training.task_feature_lengths, training.objective
  if objective is None:
    room = ["--lengths", f"{lengths['inputs']},{lengths['targets']}"]
  else:
    from flan_jax.data.vocabularies import load_vocabulary
    from flan_jax.training.feed import preparation as prepared

    found = prepared(training, load_vocabulary(training.vocabulary, training.data_dir))
    room = ["--text_length", str(found.lengths["text"])]
  options = {
    "vocabulary": training.vocabulary,
    **_folders(training),
    "store_dir": training.store_dir,
    "module": training.module,
    "render_seed": training.render_seed or None,
    "variants": training.variants if training.variants > 1 else None,
  }
  strict = ["--strict"] if training.strict else []
  argv = ["flan-jax", "prepare", training.mixture_or_task_name, *room, *_options(options), *strict]
  return Command("prepare", tuple(argv))


def _train(run: PlannedRun) -> tuple[str, ...]:
  return ("flan-jax", "train", f"--gin_file={run.folder / RUN_CONFIG}")


def _evaluate(run: PlannedRun, evaluation: Evaluation) -> tuple[str, ...]:
  of_mixture = evaluation.mixture is not None
  options = {
    **(_of_mixture(run, evaluation) if of_mixture else _of_suites(run, evaluation)),
    "examples": evaluation.examples,
    **_folders(run.training),
    # Ours carries its vocabulary; of another kind of checkpoint the run knows it.
    "vocabulary": None if run.trains else run.training.vocabulary,
    "output": str(run.folder / EVALUATIONS / evaluation.name),
  }
  return ("flan-jax", "eval", run.checkpoint, *_options(options))


def _of_mixture(run: PlannedRun, evaluation: Evaluation) -> dict[str, object]:
  # A checkpoint that no run of ours has trained does not say how long its prompts may be: as long as the others'.
  lengths = {} if run.trains else run.training.task_feature_lengths
  return {
    "mixture": evaluation.mixture,
    "formats": ",".join(evaluation.formats),
    "unseen_wordings": evaluation.unseen_wordings,
    "swap": evaluation.swap,
    "rank": "sum" if evaluation.rank else None,
    "max_input_tokens": lengths.get("inputs"),
    "max_new_tokens": lengths.get("targets"),
  }


def _of_suites(run: PlannedRun, evaluation: Evaluation) -> dict[str, object]:
  return {
    "suite": ",".join(evaluation.suites),
    "mode": ",".join(evaluation.modes) or None,
    "n": ",".join(map(str, evaluation.paths)) or None,
    "split": evaluation.split,
    "sharding": _sharding(run.training),
  }


def _sharding(training: Training) -> str | None:
  """The file of gin_configs/sharding by which a run's parameters lie; None where it has a partitioning of its own."""
  if training.partitioning == Auto():  # chooses by the memory that training takes; this takes the least of it
    return "fsdp"
  names = (name for name in configuration.config_names("sharding") if name != "auto")
  return next((name for name in names if configuration.partitioning(name) == training.partitioning), None)


def _folders(training: Training) -> dict[str, object]:
  return {"data_dir": training.data_dir, "missing": None if training.missing == "error" else training.missing}


def _options(values: dict[str, object]) -> Iterator[str]:
  """A flag is there or not; None is left out."""
  for name, value in values.items():
    if value is True:
      yield f"--{name}"
    elif value is not None and value is not False:
      yield from (f"--{name}", str(value))
