"""How large the stores of tasks are: measured where they stand, by a sample of their data, else by published counts."""

import hashlib
import pathlib
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from flan_jax.data import catalogue, mixtures, specs, store_writing
from flan_jax.data.length_sample import Pool
from flan_jax.data.mixture_functions import Asked, parse
from flan_jax.data.mixtures import Part
from flan_jax.errors import FlanJaxError
from flan_jax.training.train import Training

# Of a store beside its tokens, as those of demo have it: an example's 12 bytes of index (two lengths, a checksum) and
# some 13 of origins; a task's manifest.
_BYTES_OF_EXAMPLE, _BYTES_OF_MANIFEST = 25, 15_000
TOKENS = 210  # of an example, on average, in samples of 163 tasks of Flan 2022 (see gin_configs/runs/flan_t5.gin)


def standing(store: pathlib.Path) -> int:
  """Bytes of a store's folder."""
  return sum(file.stat().st_size for file in store.iterdir())


def like(pool: Pool, variants: int, vocabulary_size: int) -> int:
  """Bytes of the store of a task all of whose examples are like those sampled."""
  tokens = (pool.lengths - 1).sum(axis=1).mean() if len(pool.lengths) else 0.0
  return _bytes(pool.examples * variants, tokens, vocabulary_size)


def published(training: Training) -> Mapping[pathlib.Path, int]:
  """Bytes of the stores of tasks whose files are not here, by what stands in the place of their folders.

  An example counts 210 tokens. A task has the examples that are published of it, else as many as its rate can count.
  Where a part of a mixture finds its tasks in files it has as many as the paper says; other parts are left out.
  """
  asked = parse(training.mixture_or_task_name)
  shaping = [training.task_feature_lengths, training.vocabulary, training.render_seed, training.variants]
  found = {}
  for part, tasks in _first(asked, _parts(asked, training.data_dir)):
    recipe = hashlib.sha256(repr([*shaping, part.manner]).encode()).hexdigest()[:16]
    for task in tasks:
      examples = _examples(part, task, training.data_dir) * training.variants
      found[pathlib.Path(task, recipe)] = _bytes(examples, TOKENS, training.model.vocab_size)
  return found


def _bytes(examples: int, tokens: float, vocabulary_size: int) -> int:
  itemsize = np.dtype(store_writing.token_dtype(vocabulary_size)).itemsize
  return int(examples * (tokens * itemsize + _BYTES_OF_EXAMPLE)) + _BYTES_OF_MANIFEST


def _parts(asked: Asked, data_dir: str | None) -> Sequence[Part]:
  """Those of a mixture; of one that cannot be made without files those of its base."""
  try:
    return mixtures.get_mixture(str(asked), data_dir).parts
  except FlanJaxError:
    declared = {mixture.name: mixture for mixture in mixtures.declared_mixtures(data_dir)}
    parts = {part.name: part for part in declared[asked.base].parts}
    return [parts[name] for name in asked.parts or parts]


def _first(asked: Asked, parts: Sequence[Part]) -> Iterator[tuple[Part, Sequence[str]]]:
  """Each part with its tasks, as many in all as are asked for; of tasks that nobody has seen a number is the name."""
  paper = {each.submixture: each.tasks for each in catalogue.published()}
  left = asked.tasks
  for part in parts:
    tasks = part.tasks or tuple(f"{part.name}/{i}" for i in range(paper.get(part.name, 0)))
    yield part, tasks[:left]
    left = None if left is None else max(left - len(tasks), 0)


def _examples(part: Part, task: str, data_dir: str | None) -> int:
  if task not in part.tasks:
    return part.cap or specs.DEFAULT_CAP
  spec = specs.get_task(task, data_dir)
  return spec.examples or (spec.cap if part.cap is None else part.cap)
