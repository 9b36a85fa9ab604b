"""What the fields of a step's record must be; whoever reads one may rely on that.

Fields that are not named here are whatever they are: another version's, or nobody's.
"""

import typing
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypedDict

import jax.numpy as jnp

from flan_jax.setting_types import described, fits


class _Vocabulary(TypedDict, total=False):
  sha256: str
  extra_ids: int


class _Position(TypedDict):
  window: int
  row: int


class _Jump(_Position):
  step: int


class _Guard(TypedDict):
  mean: float
  deviation: float
  accepted: int
  skipped_in_row: int
  skipped: int


class _Scores(TypedDict):
  loss: float
  z_loss: float
  correct: float
  targets: float
  submixture_losses: Sequence[float]
  submixture_targets: Sequence[float]


class _SinceLine(TypedDict, total=False):
  scores: _Scores | None
  skipped: int
  tokens: float
  slots: float


class _Data(TypedDict):
  rates: dict[str, float]
  stores: dict[str, str]


class _Record(TypedDict):
  """Of any checkpoint."""

  step: int
  model: dict[str, object]
  arrays: dict[str, dict[str, tuple[str, Sequence[int]]]]
  fingerprints: dict[str, dict[str, str]]
  small_arrays: dict[str, Sequence[str]]


class _MayBeThere(TypedDict, total=False):
  """Fields of any checkpoint too, which one that was converted, or is older than they, may lack."""

  vocabulary: _Vocabulary | None
  tasks: Sequence[str]
  metrics: dict[str, float]
  since_line: _SinceLine


class _OfRun(TypedDict):
  """Besides, of a checkpoint that a run can go on from: one that has `data`."""

  data: _Data
  vocabulary: _Vocabulary
  tasks: Sequence[str]
  position: _Position
  jumps: Sequence[_Jump]
  guard: _Guard
  store_dir: str


def check_fields(record: Any) -> None:
  """Raises ValueError where a field is missing, or is not what it must be; names it."""
  if not isinstance(record, Mapping):
    raise ValueError("it must be fields by their names")
  for kind in (_Record, _MayBeThere, *([_OfRun] if "data" in record else [])):
    for name, wanted in typing.get_type_hints(kind).items():
      if name in kind.__required_keys__ and name not in record:
        raise ValueError(f"its field {name} is missing")
      if name in record and not fits(record[name], wanted):
        raise ValueError(f"its field {name} must be {described(wanted)}")
  for name, value in _counts(record):
    if value < 0:
      raise ValueError(f"its field {name} has {value}, and must have nothing below 0")
  _check_arrays(record)


def _counts(record: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
  """Every number that counts something, with its field."""
  yield "step", record["step"]
  yield from (("arrays", size) for kinds in record["arrays"].values() for _, shape in kinds.values() for size in shape)
  if "data" in record:
    yield from (("position", value) for value in record["position"].values())
    yield from (("jumps", value) for jump in record["jumps"] for value in jump.values())


def _check_arrays(record: Mapping[str, Any]) -> None:
  for item, kinds in record["arrays"].items():
    fingerprints, small = record["fingerprints"].get(item), record["small_arrays"].get(item)
    if fingerprints is None or small is None or set(fingerprints) != set(kinds) or not set(small) <= set(kinds):
      raise ValueError(f"its arrays of {item} are not those of its fingerprints and small_arrays")
    for name, (dtype, _) in kinds.items():
      try:
        jnp.dtype(dtype)
      except TypeError:
        raise ValueError(f"its array {item}/{name} is of dtype {dtype!r}, which is none") from None
