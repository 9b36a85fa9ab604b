"""Which examples no training run sees: decided by content, so that copies of an example all stand on one side."""

import dataclasses
import weakref

import numpy as np
from jaxtyping import UInt64

from flan_jax import draws
from flan_jax.data import sources


@dataclasses.dataclass(frozen=True, eq=False)
class Splits:
  """Indices into a source, ascending, and what tells its examples apart.

  Attributes:
    train: int32, what a store holds and exemplars are taken from.
    held_out: int32, what evaluation asks.
    contents: uint64 [len(source)], `content` of every example.
  """

  train: np.ndarray
  held_out: np.ndarray
  contents: np.ndarray


def split(source: sources.Source) -> Splits:
  """The splits of a source, computed once for each open source: one pass over its examples."""
  if source not in _SPLITS:
    _SPLITS[source] = _split(source)
  return _SPLITS[source]


def content(fields: sources.Fields) -> int:
  """A 64-bit hash of all fields of an example: equal for duplicates, whatever their ids."""
  parts = []
  for name in sorted(fields):
    value = fields[name]
    parts += (name, value) if isinstance(value, str) else (name, len(value), *value)
  return draws.hash64(*parts)


_SPLITS: weakref.WeakKeyDictionary[sources.Source, Splits] = weakref.WeakKeyDictionary()


def _split(source: sources.Source) -> Splits:
  contents = np.fromiter((content(source[i].fields) for i in range(len(source))), np.uint64, len(source))
  # In hundredths of a percent: 5% of the 10,000 equally likely draws.
  threshold = 10_000 if source.spec.evaluation_only else round(source.spec.held_out_percent * 100)
  draw_of = (draws.draw(10_000, "held_out", int(c)) for c in _deciding(source, contents))
  held_out = np.fromiter((drawn < threshold for drawn in draw_of), bool, len(contents))
  return Splits(
    train=np.flatnonzero(~held_out).astype(np.int32),
    held_out=np.flatnonzero(held_out).astype(np.int32),
    contents=contents,
  )


def _deciding(source: sources.Source, contents: UInt64[np.ndarray, "n"]) -> UInt64[np.ndarray, "n"]:
  """What decides on which side each example stands.

  A task that asks the other way round goes by the content of the original: what is held out there, is here. A record
  that is no example there goes by its own.
  """
  if source.original is None or not len(source.original):
    return contents
  theirs = source.original.rows
  at = np.searchsorted(theirs, source.rows).clip(max=len(theirs) - 1)
  return np.where(theirs[at] == source.rows, split(source.original).contents[at], contents)
