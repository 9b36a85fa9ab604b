"""SeqIO, both ways: our tasks and mixtures by name in its registries, and the user's registered tasks for our store.

Importing this module (and so TensorFlow) is enough for `seqio.get_mixture_or_task('cot.gsm8k')` and `('cot')` to work.
Nothing is registered up front: the registries ask us for a name that they lack, and only that task is built. Data and
vocabulary are those of `configure`, or of the environment (FLAN_JAX_DATA_DIR).
"""

import collections.abc
import dataclasses
import functools
import importlib
import os
import pathlib
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import seqio
import tensorflow as tf

from flan_jax import errors
from flan_jax.data import limits, mixtures, rendering, sources, specs, splits, tokenising, vocabularies
from flan_jax.data.value_shapes import NAME


@dataclasses.dataclass(frozen=True)
class Settings:
  """What SeqIO's names have no room for.

  Attributes:
    data_dir: the user's data folder.
    vocabulary: as `vocabularies.load_vocabulary` takes it.
    seed: the render seed.
    missing: whether a mixture may be built without the tasks whose files are absent.
  """

  data_dir: str | None = None
  vocabulary: str = "t5"
  seed: int = 0
  missing: Literal["error", "skip"] = "error"


@dataclasses.dataclass(frozen=True)
class UserTask:
  """A leaf task of a mixture that the user registered, and its rate there (1.0 for a task alone)."""

  task: seqio.Task
  rate: float


def configure(**changes: str | int | pathlib.Path | None) -> Settings:
  """Sets some of the Settings for all that is built from now on, forgetting what was built; returns them all."""
  global _settings
  _settings = dataclasses.replace(_settings, **changes)
  for registry in (seqio.TaskRegistry, seqio.MixtureRegistry):
    if isinstance(registry._REGISTRY, _LazyRegistry):
      registry._REGISTRY.forget()
  return _settings


def user_tasks(module: str, name: str) -> list[UserTask]:
  """The leaf tasks of a task or mixture that the user's module registers when it is imported.

  Args:
    module: dotted name (--module), found on the path or in the working folder.
    name: what it registers.

  Raises:
    UsageError: there is no such module, it registers nothing of that name, or a name could not be that of a folder.
  """
  if os.getcwd() not in sys.path:
    sys.path.insert(0, os.getcwd())  # the flan-jax command does not put it there, `python -m` does
  try:
    importlib.import_module(module)
  except ModuleNotFoundError as error:
    raise errors.UsageError(f"--module {module}: {error}; it must lie on PYTHONPATH or in {os.getcwd()}") from None
  tasks, together = seqio.TaskRegistry.names(), seqio.MixtureRegistry.names()
  if name not in tasks and name not in together:
    raise errors.unknown_name("SeqIO task or mixture", name, (*tasks, *together), f"what {module} registers")
  provider = seqio.get_mixture_or_task(name)
  if isinstance(provider, seqio.Task):
    found = [UserTask(provider, 1.0)]
  else:
    found = [UserTask(task, float(provider.get_rate(task))) for task in provider.tasks]
  for called in (name, *(leaf.task.name for leaf in found)):
    if not NAME.fits(called):
      raise errors.UsageError(f"SeqIO task or mixture {called!r}: its stores' folder needs {NAME.name}; rename it")
  return found


def _build_task(name: str) -> seqio.Task:
  return _task(name, mixtures.get_mixture(name, _settings.data_dir))


def _build_mixture(name: str) -> seqio.Mixture:
  """A SeqIO mixture. A task whose formats differ from those it has alone is built anew, called 'mixture:task'."""
  data_dir = _settings.data_dir
  mixture = mixtures.get_mixture(name, data_dir)
  mixture = mixture.only(mixtures.installed(mixture, data_dir, _settings.missing)[0])

  @functools.cache  # SeqIO asks for every rate several times; each depends on the examples of all tasks
  def rates() -> dict[str, float]:
    opened = {task: sources.open_source(specs.get_task(task, data_dir), data_dir) for task in mixture.tasks}
    examples = {task: len(splits.split(source).train) for task, source in opened.items()}
    return mixtures.rates(mixture, examples, data_dir)

  rated = []
  for task in mixture.tasks:
    of_one = mixture.only([task])
    alike = _asked(of_one) == _asked(mixtures.get_mixture(task, data_dir))
    built = seqio.TaskRegistry.get(task) if alike else _task(f"{name}:{task}", of_one)
    rated.append((built, lambda _, task=task: rates()[task]))
  return seqio.Mixture(name, rated)


def _asked(mixture: mixtures.MixtureSpec) -> tuple[Any, ...]:
  """What decides how the examples of a mixture of one are asked, and which."""
  (part,) = mixture.parts
  return part.manner, mixture.max_per_task


def _task(seqio_name: str, mixture: mixtures.MixtureSpec) -> seqio.Task:
  """The SeqIO task of a mixture of one: splits 'train' and 'validation' (our held-out examples).

  What is for evaluation only has no split 'train'.
  """
  settings = _settings
  vocabulary = vocabularies.load_vocabulary(settings.vocabulary, settings.data_dir)
  feature = seqio.Feature(
    vocabulary=seqio.SentencePieceVocabulary(str(vocabulary.path), vocabulary.extra_ids), add_eos=True
  )

  @functools.cache  # opened when the first dataset is, not when the task is built
  def renderer() -> rendering.Renderer:
    (part,) = mixture.parts
    (task,) = part.tasks
    return rendering.Renderer(task, settings.data_dir, settings.seed, *part.manner)

  return seqio.Task(
    _NOT_OF_A_NAME.sub("_", seqio_name),
    source=seqio.FunctionDataSource(_indices(renderer, mixture.max_per_task), splits=_splits(mixture)),
    preprocessors=[_rendered(renderer, vocabulary), seqio.preprocessors.append_eos_after_trim],
    output_features={"inputs": feature, "targets": feature},
  )


def _splits(mixture: mixtures.MixtureSpec) -> tuple[str, ...]:
  return ("validation",) if mixture.evaluation_only else ("train", "validation")


def _indices(renderer: Callable[[], rendering.Renderer], max_per_task: int | None) -> Callable[..., tf.data.Dataset]:
  def dataset(split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
    chosen = renderer().splits.train if split == "train" else renderer().splits.held_out
    if split == "train" and max_per_task is not None:
      ids = [renderer().source[i].id for i in chosen.tolist()]
      chosen = chosen[limits.chosen(renderer().spec.name, ids, max_per_task)]
    if shuffle_files:  # all of them at once: SeqIO's own shuffling has a buffer of 1,000
      chosen = np.random.default_rng(seed).permutation(chosen)
    return tf.data.Dataset.from_tensor_slices({"index": chosen})

  return dataset


def _rendered(renderer: Callable[[], rendering.Renderer], vocabulary: vocabularies.Vocabulary) -> Callable[..., Any]:
  """A preprocessor: index -> tokens by the store's length rule; an example that does not fit is left out, as there."""

  def tokens(index: np.integer, lengths: Mapping[str, int] | None) -> tuple[np.ndarray, np.ndarray, bytes, bytes, bool]:
    example = renderer().source[int(index)]
    room = tokenising.room_of(lengths) if lengths else tokenising.UNLIMITED
    (made,) = tokenising.tokenise(renderer(), vocabulary, room, [example])
    if isinstance(made, str) or made.left_out:
      return np.zeros(0, np.int32), np.zeros(0, np.int32), b"", b"", False
    texts = (made.rendered.inputs.encode(), made.rendered.targets.encode())
    return np.array(made.inputs, np.int32), np.array(made.targets, np.int32), *texts, True

  def preprocess(dataset: tf.data.Dataset, sequence_length: Mapping[str, int] | None = None) -> tf.data.Dataset:
    def features(row: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
      types = [dtype for dtype, _ in _COLUMNS.values()]
      outputs = tf.numpy_function(lambda index: tokens(index, sequence_length), [row["index"]], types)
      columns = zip(_COLUMNS.items(), outputs, strict=True)
      return {name: tf.ensure_shape(value, shape) for (name, (_, shape)), value in columns}

    fitting = dataset.map(features).filter(lambda row: row["fits"])
    return fitting.map(lambda row: {name: value for name, value in row.items() if name != "fits"})

  return preprocess


_NOT_OF_A_NAME = re.compile(r"[^\w.:#]")  # SeqIO refuses the brackets of a mixture with arguments
# What the renderer gives TensorFlow: column -> (type, shape).
_COLUMNS = {
  "inputs": (tf.int32, [None]),
  "targets": (tf.int32, [None]),
  "inputs_pretokenized": (tf.string, []),
  "targets_pretokenized": (tf.string, []),
  "fits": (tf.bool, []),
}


class _LazyRegistry(dict):
  """A SeqIO registry that also has the names that `known` accepts, each built when it is first asked for."""

  def __init__(self, registered: Mapping[str, Any], known: Callable[[str], bool], build: Callable[[str], Any]):
    super().__init__(registered)
    self._known = known
    self._build = build
    self._built: set[str] = set()

  def __contains__(self, name: object) -> bool:
    return super().__contains__(name) or (isinstance(name, str) and self._known(name))

  def __missing__(self, name: str) -> Any:
    if not self._known(name):
      raise KeyError(name)
    self._built.add(name)
    return self.setdefault(name, self._build(name))

  def __delitem__(self, name: str) -> None:
    self.pop(name, None)

  def keys(self) -> collections.abc.KeysView:
    return collections.abc.KeysView(self)  # dict's own view would not ask __contains__

  def forget(self) -> None:
    """Drops what was built of ours, so that new settings take effect."""
    for name in self._built:
      self.pop(name, None)
    self._built.clear()


def _known_task(name: str) -> bool:
  collection = name.partition(".")[0]
  return collection in specs.collections() and name in specs.task_names(collection, _settings.data_dir)


def _known_mixture(name: str) -> bool:
  """Also one that is made of a mixture or a task by arguments; what they mean is found when it is built."""
  base, arguments, _ = name.partition("(")
  return base in mixtures.mixture_names() or (bool(arguments) and _known_task(base))


_settings = Settings(data_dir=os.environ.get("FLAN_JAX_DATA_DIR"))
seqio.TaskRegistry._REGISTRY = _LazyRegistry(seqio.TaskRegistry._REGISTRY, _known_task, _build_task)
seqio.MixtureRegistry._REGISTRY = _LazyRegistry(seqio.MixtureRegistry._REGISTRY, _known_mixture, _build_mixture)
