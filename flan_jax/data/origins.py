"""What made each example, as columns: the id and 4 bytes an example while a store is written; objects take 300."""

import array
import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt

from flan_jax.data.store import Origin


@dataclasses.dataclass(frozen=True, eq=False)
class Origins:
  """The origins of some examples, in their order; texts that recur are numbers into a list of them.

  Numbers are of the narrowest unsigned type that holds them, which is a byte for nearly every task.

  Attributes:
    example_id: bytes, as wide as the longest.
    wordings, formats: the different ones.
    wording, format: of each example, an index into them.
  """

  example_id: np.ndarray
  wordings: np.ndarray
  wording: UInt[np.ndarray, " n"]
  formats: np.ndarray
  format: UInt[np.ndarray, " n"]
  shots: UInt[np.ndarray, " n"]
  variant: UInt[np.ndarray, " n"]

  def __len__(self) -> int:
    return len(self.shots)


class OriginWriter:
  """Takes origins one by one; `origins` gives those taken so far."""

  def __init__(self) -> None:
    self._ids, self._ends = bytearray(), array.array("q")
    self._wordings: dict[str, int] = {}
    self._formats: dict[str, int] = {}
    self._numbers = array.array("i")  # of each example in turn: wording, format, shots, variant

  def add(self, origin: Origin) -> None:
    """The next example's."""
    self._ids += origin.example_id.encode()
    self._ends.append(len(self._ids))
    wording = self._wordings.setdefault(origin.wording, len(self._wordings))
    form = self._formats.setdefault(origin.format, len(self._formats))
    self._numbers.extend((wording, form, origin.shots, origin.variant))

  def origins(self) -> Origins:
    """All of them, in arrays."""
    wording, form, shots, variant = map(_narrow, np.array(self._numbers, np.int32).reshape(-1, 4).T)
    return Origins(
      example_id=self._example_ids(),
      wordings=np.array(list(self._wordings), np.str_),
      wording=wording,
      formats=np.array(list(self._formats), np.str_),
      format=form,
      shots=shots,
      variant=variant,
    )

  def _example_ids(self) -> np.ndarray:
    ends = np.array(self._ends, np.int64)
    starts = np.concatenate([[0], ends[:-1]])[: len(ends)]
    ids = np.zeros(len(ends), f"S{max(1, (ends - starts).max(initial=0))}")
    for first in range(0, len(ends), 1 << 14):  # so that only so many are objects at a time
      part = slice(first, first + (1 << 14))
      ids[part] = [bytes(self._ids[a:b]) for a, b in zip(starts[part].tolist(), ends[part].tolist(), strict=True)]
    return ids


def joined(parts: Sequence[Origins]) -> Origins:
  """The origins of several shards, one after another; the lists of texts are sorted."""
  wordings = np.unique(np.concatenate([part.wordings for part in parts]))
  formats = np.unique(np.concatenate([part.formats for part in parts]))
  return Origins(
    example_id=np.concatenate([part.example_id for part in parts]),
    wordings=wordings,
    wording=_renumbered([(part.wordings, part.wording) for part in parts], wordings),
    formats=formats,
    format=_renumbered([(part.formats, part.format) for part in parts], formats),
    shots=np.concatenate([part.shots for part in parts]),
    variant=np.concatenate([part.variant for part in parts]),
  )


def _renumbered(parts: Sequence[tuple[np.ndarray, np.ndarray]], texts: np.ndarray) -> UInt[np.ndarray, " n"]:
  return np.concatenate([_narrow(np.searchsorted(texts, own))[numbers] for own, numbers in parts])


def _narrow(numbers: np.ndarray) -> UInt[np.ndarray, " n"]:
  return numbers.astype(np.min_scalar_type(int(numbers.max(initial=0))))
