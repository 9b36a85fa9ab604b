"""Which examples no training run sees: decided by content, so that copies of an example all stand on one side.

What decides is the question, where the type says what that is (`bare`, the fields that a prompt shows): a question with
several answers stands on one side with all of them. Of another type all fields decide. What several tasks make of one
record (PromptSource's templates of a dataset, a task and the one that asks the other way round) stands on one side,
too. What the publisher solves in prompts is for training, whatever a draw says: it stands in the prompts of others. Not
known is what rendered prompts were made of (P3's files): two files of a dataset decide by their own texts.
"""

import dataclasses
import weakref
from collections.abc import Callable

import numpy as np
from jaxtyping import UInt64

from flan_jax import draws
from flan_jax.data import sources, specs, templates


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
  """Indices into a source, ascending, and what tells its examples apart.

  Attributes:
    train: int32, what a store holds and exemplars are taken from.
    held_out: int32, what evaluation asks.
    deciding: uint64 [len(source)], equal for examples that stand on one side together.
  """

  train: np.ndarray
  held_out: np.ndarray
  deciding: np.ndarray


def split(source: sources.Source) -> Splits:
  """The splits of a source, computed once for each open source: one pass over its examples."""
  if source not in _SPLITS:
    _SPLITS[source] = _split(source)
  return _SPLITS[source]


def content(fields: sources.Fields) -> int:
  """A 64-bit hash of fields: equal for duplicates, whatever their ids."""
  parts = []
  for name in sorted(fields):
    value = fields[name]
    parts += (name, value) if isinstance(value, str) else (name, len(value), *value)
  return draws.hash64(*parts)


_SPLITS: weakref.WeakKeyDictionary[sources.Source, Splits] = weakref.WeakKeyDictionary()


def _split(source: sources.Source) -> Splits:
  deciding = _deciding(source)
  # In hundredths of a percent: 5% of the 10,000 equally likely draws.
  threshold = 10_000 if source.spec.evaluation_only else round(source.spec.held_out_percent * 100)
  draw_of = (draws.draw(10_000, "held_out", int(key)) for key in deciding)
  held_out = np.fromiter((drawn < threshold for drawn in draw_of), bool, len(deciding))
  if not source.spec.evaluation_only:
    held_out &= ~np.isin(deciding, _published(source if source.original is None else source.original))
  return Splits(
    train=np.flatnonzero(~held_out).astype(np.int32),
    held_out=np.flatnonzero(held_out).astype(np.int32),
    deciding=deciding,
  )


def _deciding(source: sources.Source) -> UInt64[np.ndarray, " n"]:
  own = np.fromiter(map(_own(source), range(len(source))), np.uint64, len(source))
  if source.original is None or not len(source.original):
    return own
  # A task that asks the other way round goes by the original; a record that is no example there goes by its own.
  theirs = source.original.rows
  at = np.searchsorted(theirs, source.rows).clip(max=len(theirs) - 1)
  return np.where(theirs[at] == source.rows, split(source.original).deciding[at], own)


def _published(source: sources.Source) -> UInt64[np.ndarray, " m"]:
  """What decides for the publisher's solved examples and the wrongly solved ones, whose explanations solve them."""
  shown = (*source.exemplars, *source.negatives)
  return np.fromiter(map(_asked(source), shown), np.uint64, len(shown))


def _own(source: sources.Source) -> Callable[[int], int]:
  """What decides for an example, by its index."""
  if source.made_of is not None:
    return lambda i: draws.hash64(source.made_of(i))
  asked = _asked(source)
  return lambda i: asked(source[i])


def _asked(source: sources.Source) -> Callable[[sources.Example], int]:
  """A hash of what an example asks."""
  kind = specs.get_type(source.spec.type)
  asking = templates.variables(kind.bare) - templates.variables(kind.target) - {"choices", "rationale"}
  if not asking:
    return lambda example: content(example.fields)
  return lambda example: content({name: value for name, value in example.fields.items() if name in asking})
