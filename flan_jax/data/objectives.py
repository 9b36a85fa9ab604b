"""What is made of a text as its row is built: spans to restore, an end to go on to, or some of each.

The text of an example is its inputs followed by its targets; a text task has targets alone. Nothing of it is lost:
every token stands on one of the two sides. All that is drawn is a hash of the key that the stream gives an example, a
function of (seed, task, epoch, example): the same whatever else is in the window and whichever host builds the row.

A window is made at once: 16,384 texts of 568 tokens in 0.13 s by span corruption, in 0.20 s by UL2's seven denoisers.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import gin
import numpy as np
from jaxtyping import Int, Int64, Integer, UInt64

from flan_jax.data.mixing import mix
from flan_jax.data.segments import RowShape, Sequences, end_to_end
from flan_jax.data.vocabularies import Vocabulary
from flan_jax.errors import UsageError
from flan_jax.setting_types import check_types


@runtime_checkable
class Objective(Protocol):
  """What is read and what is to be said of an example; None, where an objective may stand, leaves it as it is."""

  def for_vocabulary(self, vocabulary: Vocabulary) -> "Objective":
    """The same with that vocabulary's ids wherever it names none; raises UsageError where it lacks them."""

  def at(self, window: int) -> "Objective":
    """What it is in a window of the stream: itself, unless it changes on the way."""

  def extremes(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "cases n 2"]:
    """The outcomes between which all others lie, for examples of these lengths; none counts an EOS."""

  def lengths(self, lengths: Int[np.ndarray, "n 2"], keys: UInt64[np.ndarray, " n"]) -> Int[np.ndarray, "n 2"]:
    """The outcome under these keys, so that packing can be planned."""

  def made(self, inputs: Sequences, targets: Sequences, keys: UInt64[np.ndarray, " n"]) -> tuple[Sequences, Sequences]:
    """What is read and what is to be said, of just those lengths."""


@gin.register
@dataclasses.dataclass(frozen=True)
class SpanCorruption:
  """T5's span corruption (Raffel et al. 2020, 3.1.4 and 3.3.4): sentinels stand for spans, which the targets restore.

  A text of n tokens has round(n * noise_density) of them in spans (1 to n - 1; T5's arithmetic), and round(that /
  mean_noise_span_length) spans, but at least 1. What is kept and what is not alternate, the kept first, each parted
  into its spans in any way with equal probability. Where there are more spans than sentinels, there are as many as
  sentinels and each is longer. A text of one token is one span.

  Attributes:
    noise_density: share of the tokens that are to be restored.
    mean_noise_span_length: in tokens.
    sentinels: (id of the first, how many), which count down; None for those of the run's vocabulary.
  """

  noise_density: float = 0.15
  mean_noise_span_length: float = 3.0
  sentinels: tuple[int, int] | None = None

  def __post_init__(self):
    check_types(self)
    if not 0 < self.noise_density < 1:
      raise UsageError(f"SpanCorruption.noise_density = {self.noise_density!r}: must be above 0 and below 1")
    if self.mean_noise_span_length < 1:
      raise UsageError(f"SpanCorruption.mean_noise_span_length = {self.mean_noise_span_length!r}: must be at least 1")

  def for_vocabulary(self, vocabulary: Vocabulary) -> "SpanCorruption":
    if self.sentinels is not None:
      return self
    if not vocabulary.sentinels:
      raise UsageError(f"SpanCorruption needs sentinels; the vocabulary {vocabulary.path} has none (extra_ids = 0)")
    return dataclasses.replace(self, sentinels=(vocabulary.size - 1, vocabulary.sentinels))

  def at(self, window: int) -> "SpanCorruption":
    return self

  def extremes(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "1 n 2"]:
    text = lengths.sum(axis=1, dtype=np.int64)
    noise, spans = self._counts(text)
    return np.stack([text - noise + spans, noise + spans], axis=1)[None]

  def lengths(self, lengths: Int[np.ndarray, "n 2"], keys: UInt64[np.ndarray, " n"]) -> Int[np.ndarray, "n 2"]:
    return self.extremes(lengths)[0]

  def made(self, inputs: Sequences, targets: Sequences, keys: UInt64[np.ndarray, " n"]) -> tuple[Sequences, Sequences]:
    text, _ = end_to_end(inputs, targets)
    length = text.lengths - 1
    noise, count = self._counts(length)
    owner = np.repeat(np.arange(len(length)), count)
    kept = _parts(length - noise, count, _drawn(keys, 0))
    hidden = _parts(noise, count, _drawn(keys, 1))
    kept_tokens, hidden_tokens = _sorted_out(text, owner, kept, hidden)
    span = np.arange(len(owner))
    marks = self._first_and_number()[0] - (span - (np.cumsum(count) - count)[owner])
    # So many tokens, sentinels and EOS stand before the sentinel: after what is kept, before what is not.
    after, before = np.cumsum(kept) + span + owner, np.cumsum(hidden) - hidden + span + owner
    return (
      _filled(length - noise + count + 1, after, marks, kept_tokens),
      _filled(noise + count + 1, before, marks, hidden_tokens),
    )

  def _counts(self, text: Int64[np.ndarray, " n"]) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " n"]]:
    """(tokens to restore, spans) of texts of these lengths."""
    noise = np.clip(np.round(text * self.noise_density).astype(np.int64), 1, np.maximum(text - 1, 1))
    noise = np.minimum(noise, text)
    spans = np.round(noise / self.mean_noise_span_length).astype(np.int64)
    most = np.minimum(np.minimum(noise, text - noise), self._first_and_number()[1])
    return noise, np.clip(spans, 1, np.maximum(most, 1))

  def _first_and_number(self) -> tuple[int, int]:
    if self.sentinels is None:
      raise ValueError("SpanCorruption has no sentinels yet: take for_vocabulary(...)")
    return self.sentinels


@gin.register
@dataclasses.dataclass(frozen=True)
class PrefixLM:
  """A text is read up to some place and said from there on (Raffel et al. 2020, section 3.3.1; T5's LM adaptation).

  The first 1 to n - 1 tokens of n are read, each number with the same probability; a text of one token is only said.
  """

  def for_vocabulary(self, vocabulary: Vocabulary) -> "PrefixLM":
    return self

  def at(self, window: int) -> "PrefixLM":
    return self

  def extremes(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "2 n 2"]:
    text = lengths.sum(axis=1, dtype=np.int64)
    most = np.maximum(text - 1, 0)
    return np.stack([np.stack([read, text - read], axis=1) for read in (np.minimum(most, 1), most)])

  def lengths(self, lengths: Int[np.ndarray, "n 2"], keys: UInt64[np.ndarray, " n"]) -> Int[np.ndarray, "n 2"]:
    text = lengths.sum(axis=1, dtype=np.int64)
    read = np.where(text > 1, 1 + _below(np.maximum(text - 1, 1), _drawn(keys, 0)), 0)
    return np.stack([read, text - read], axis=1)

  def made(self, inputs: Sequences, targets: Sequences, keys: UInt64[np.ndarray, " n"]) -> tuple[Sequences, Sequences]:
    text, _ = end_to_end(inputs, targets)
    read, said = self.lengths(np.stack([inputs.lengths, targets.lengths], axis=1) - 1, keys).T
    sides = zip((read, said), _sorted_out(text, np.arange(len(read)), read, said), strict=True)
    nowhere = np.zeros(0, np.int64)
    inputs, targets = (_filled(length + 1, nowhere, nowhere, tokens) for length, tokens in sides)
    return inputs, targets


@gin.register
@dataclasses.dataclass(frozen=True)
class Denoisers:
  """Each example under one of several objectives, drawn from its key; UL2 (Tay et al. 2022) mixes seven.

      train.objective = @Denoisers()
      Denoisers.objectives = (@r/SpanCorruption(), @s/PrefixLM(), @x/SpanCorruption())
      Denoisers.weights = (2, 1, 1)
      Denoisers.modes = ('[R]', '[S]', '[X]')
      x/SpanCorruption.noise_density = 0.5

  Attributes:
    objectives: what is drawn from.
    weights: how often each is drawn, in any unit; none for equally often.
    modes: what the inputs of each begin with, texts or ids; none for nothing.
  """

  objectives: Sequence[Objective]
  weights: Sequence[int | float] = ()
  modes: Sequence[str | Sequence[int]] = ()

  def __post_init__(self):
    check_types(self)
    for name in ("objectives", "weights", "modes"):  # gin's users write lists
      object.__setattr__(self, name, tuple(getattr(self, name)))
    if not self.objectives:
      raise UsageError("Denoisers.objectives is empty")
    for name in ("weights", "modes"):
      if len(getattr(self, name)) not in (0, len(self.objectives)):
        raise UsageError(f"Denoisers.{name} = {getattr(self, name)!r}: one for each of {len(self.objectives)}, or none")
    if any(weight < 0 for weight in self.weights) or (self.weights and not sum(self.weights)):
      raise UsageError(f"Denoisers.weights = {self.weights!r}: must not be negative, nor all 0")

  def for_vocabulary(self, vocabulary: Vocabulary) -> "Denoisers":
    return dataclasses.replace(
      self,
      objectives=tuple(objective.for_vocabulary(vocabulary) for objective in self.objectives),
      modes=tuple(tuple(vocabulary.encode([mode])[0]) if isinstance(mode, str) else mode for mode in self.modes),
    )

  def at(self, window: int) -> "Denoisers":
    return dataclasses.replace(self, objectives=tuple(objective.at(window) for objective in self.objectives))

  def extremes(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "cases n 2"]:
    return np.concatenate([
      objective.extremes(lengths) + np.array([len(mode), 0])
      for objective, mode in zip(self.objectives, self._modes(), strict=True)
    ])  # fmt: skip

  def lengths(self, lengths: Int[np.ndarray, "n 2"], keys: UInt64[np.ndarray, " n"]) -> Int[np.ndarray, "n 2"]:
    out = np.empty(lengths.shape, np.int64)
    for objective, mode, mine, their_keys in self._shares(keys):
      out[mine] = objective.lengths(lengths[mine], their_keys) + np.array([len(mode), 0])
    return out

  def made(self, inputs: Sequences, targets: Sequences, keys: UInt64[np.ndarray, " n"]) -> tuple[Sequences, Sequences]:
    read, said, place = [], [], []
    for objective, mode, mine, their_keys in self._shares(keys):
      one, other = objective.made(inputs.at(mine), targets.at(mine), their_keys)
      read.append(_begun_with(mode, one))
      said.append(other)
      place.append(mine)
    order = np.argsort(np.concatenate(place))
    return Sequences.joined(read).at(order), Sequences.joined(said).at(order)

  def _shares(self, keys: UInt64[np.ndarray, " n"]) -> list[tuple[Objective, Sequence[int], np.ndarray, np.ndarray]]:
    """Each objective with its mode, the examples that draw it, and their keys under it."""
    weights = np.array(self.weights or (1,) * len(self.objectives), np.float64)
    bounds = np.cumsum(weights)[:-1] / weights.sum()
    drawn = np.searchsorted(bounds, (_drawn(keys, 0) >> np.uint64(11)) * 2.0**-53, side="right")
    inner = _drawn(keys, 1)
    shares = [np.flatnonzero(drawn == i) for i in range(len(self.objectives))]
    return [
      (objective, mode, mine, inner[mine])
      for objective, mode, mine in zip(self.objectives, self._modes(), shares, strict=True)
    ]

  def _modes(self) -> Sequence[Sequence[int]]:
    if any(isinstance(mode, str) for mode in self.modes):
      raise ValueError("the modes of Denoisers are texts yet: take for_vocabulary(...)")
    return self.modes or ((),) * len(self.objectives)


@gin.register
@dataclasses.dataclass(frozen=True)
class Stages:
  """One objective after another in one run, as T5 was pre-trained on spans and then adapted to be a language model.

      train.objective = @Stages()
      Stages.objectives = (@SpanCorruption(), @PrefixLM())
      Stages.windows = (20,)

  A window of the stream (`train.window` examples) is of one stage, whole. So the switch is at the same example whatever
  the batch size, and a run that resumes needs to know nothing but its position. The step of the switch follows from the
  rows that the first windows fill; `flan-jax inspect --run M --step S --row I` shows any of them.

  Attributes:
    objectives: in their order.
    windows: how many each of them lasts but the last, which lasts for good.
  """

  objectives: Sequence[Objective]
  windows: Sequence[int]

  def __post_init__(self):
    check_types(self)
    for name in ("objectives", "windows"):  # gin's users write lists
      object.__setattr__(self, name, tuple(getattr(self, name)))
    if len(self.windows) != len(self.objectives) - 1:
      raise UsageError(
        f"Stages.windows = {self.windows!r}: one number for each of {len(self.objectives)} objectives but the last"
      )
    if any(windows < 1 for windows in self.windows):
      raise UsageError(f"Stages.windows = {self.windows!r}: each must be at least 1")

  def for_vocabulary(self, vocabulary: Vocabulary) -> "Stages":
    return dataclasses.replace(
      self, objectives=tuple(objective.for_vocabulary(vocabulary) for objective in self.objectives)
    )

  def at(self, window: int) -> Objective:
    return self.objectives[int(np.searchsorted(np.cumsum(self.windows), window, side="right"))].at(window)

  def extremes(self, lengths: Int[np.ndarray, "n 2"]) -> Int[np.ndarray, "cases n 2"]:
    return np.concatenate([objective.extremes(lengths) for objective in self.objectives])

  def lengths(self, lengths: Int[np.ndarray, "n 2"], keys: UInt64[np.ndarray, " n"]) -> Int[np.ndarray, "n 2"]:
    raise ValueError("which stage it is depends on the window: take at(window)")

  def made(self, inputs: Sequences, targets: Sequences, keys: UInt64[np.ndarray, " n"]) -> tuple[Sequences, Sequences]:
    raise ValueError("which stage it is depends on the window: take at(window)")


def most_taken(
  objective: Objective | None, lengths: Int[np.ndarray, "n 2"], shape: RowShape
) -> Int[np.ndarray, "n sides"]:
  """The most that examples of these lengths (no EOS counted) can take of each side of a row."""
  if objective is None:
    return shape.taken(lengths)
  return np.max([shape.taken(case) for case in objective.extremes(lengths)], axis=0)


def longest_text(objective: Objective, shape: RowShape) -> int:
  """The tokens of the longest text that fits a row, whatever is drawn; a text is cut to this when it is prepared.

  T5's figure for span corruption: inputs of 512 take texts of 568, which make targets of 114.

  Raises:
    UsageError: a row is too short for any text.
  """
  # Nothing of a text is lost, so it has no more tokens than a row has.
  lengths = np.arange(1, sum(shape.capacity) + 1)
  taken = most_taken(objective, np.stack([np.zeros_like(lengths), lengths], axis=1), shape)
  fits = (taken <= np.array(shape.capacity)).all(axis=1)
  if not fits[0]:
    raise UsageError(f"rows of {list(shape.capacity)} tokens are too short for {described(objective)}")
  return int(np.argmin(np.append(fits, False)))  # a longer text takes no less


def described(objective: Any) -> Any:
  """An objective, or None, as JSON that differs where it makes other rows."""
  if dataclasses.is_dataclass(objective):
    values = {field.name: described(getattr(objective, field.name)) for field in dataclasses.fields(objective)}
    return {"objective": type(objective).__name__, **values}
  return [described(value) for value in objective] if isinstance(objective, list | tuple) else objective


_STEP = 0x9E3779B97F4A7C15  # SplitMix64's: the n-th output of a key is mix(key + n * step)


def _drawn(keys: UInt64[np.ndarray, " n"], nth: int) -> UInt64[np.ndarray, " n"]:
  """The nth of many independent 64-bit numbers that a key stands for."""
  return mix(keys + np.uint64((nth + 1) * _STEP % 2**64))


def _below(bound: Int64[np.ndarray, " n"], drawn: UInt64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
  """Uniform in [0, bound); bounds are far below 2**64, so the bias is negligible."""
  return (drawn % bound.astype(np.uint64)).astype(np.int64)


def _parts(
  total: Int64[np.ndarray, " n"], count: Int64[np.ndarray, " n"], keys: UInt64[np.ndarray, " n"]
) -> Int64[np.ndarray, " parts"]:
  """Each total parted into its count of lengths of at least 1 (0 for a total of 0), all ways equally likely."""
  ends = np.empty(count.sum(), np.int64)
  last = np.cumsum(count) - 1
  is_cut = np.ones(len(ends), bool)
  is_cut[last] = False
  ends[last] = total
  ends[is_cut] = _subsets(np.maximum(total - 1, 0), count - 1, keys) + 1
  lengths = np.diff(ends, prepend=0)
  first = last - count + 1
  lengths[first] = ends[first]
  return lengths


def _subsets(
  size: Int64[np.ndarray, " n"], count: Int64[np.ndarray, " n"], keys: UInt64[np.ndarray, " n"]
) -> Int64[np.ndarray, " chosen"]:
  """So many different elements of each range(size), ascending; every subset is equally likely.

  Floyd's way: element i of k is drawn from the first size - k + i + 1, and is the last of these if it was drawn before.
  One numpy step does element i of all subsets; the number of sentinels bounds the steps.
  """
  order = np.argsort(-count, kind="stable")  # so that the subsets that still lack elements stand in front
  size, count, keys = size[order], count[order], keys[order]
  steps = int(count.max(initial=0))
  chosen = np.full((steps, len(size)), np.iinfo(np.int32).max, np.int32)
  for i, lacking in enumerate(np.searchsorted(-count, -np.arange(steps), side="left").tolist()):
    last = size[:lacking] - count[:lacking] + i
    drawn = _below(last + 1, _drawn(keys[:lacking], i)).astype(np.int32)
    taken = (chosen[:i, :lacking] == drawn).any(axis=0)
    chosen[i, :lacking] = np.where(taken, last, drawn)
  rows = np.empty((len(size), steps), np.int32)
  rows[order] = np.sort(chosen.T, axis=1)
  return rows[rows != np.iinfo(np.int32).max].astype(np.int64)


def _sorted_out(
  text: Sequences, owner: Int64[np.ndarray, " s"], kept: Int64[np.ndarray, " s"], hidden: Int64[np.ndarray, " s"]
) -> tuple[Integer[np.ndarray, " a"], Integer[np.ndarray, " b"]]:
  """The tokens of the kept and of the hidden spans, which alternate in each text, the kept first.

  Args:
    owner: the text of each pair of spans.
  """
  place = 2 * np.arange(len(owner)) + owner  # of a kept span among kept ones, hidden ones and the EOS of each text
  lengths, kind = (np.full(2 * len(owner) + len(text.lengths), value, np.int64) for value in (1, 2))
  lengths[place], lengths[place + 1] = kept, hidden
  kind[place], kind[place + 1] = 0, 1
  kind = np.repeat(kind.astype(np.int8), lengths)
  return text.tokens[kind == 0], text.tokens[kind == 1]


def _filled(
  lengths: Int64[np.ndarray, " n"],
  places: Int64[np.ndarray, " m"],
  marks: Int64[np.ndarray, " m"],
  tokens: Integer[np.ndarray, " t"],
) -> Sequences:
  """Sequences of these lengths, EOS counted: marks at their places among all slots, the tokens in order at the rest."""
  out = Sequences.empty(lengths, tokens.dtype)
  free = np.ones(len(out.tokens), bool)
  free[places] = False
  free[np.cumsum(lengths) - 1] = False
  out.tokens[places] = marks
  out.tokens[free] = tokens
  return out


def _begun_with(mode: Sequence[int], sequences: Sequences) -> Sequences:
  """Each sequence behind the ids of a mode."""
  if not mode:
    return sequences
  lengths = sequences.lengths + len(mode)
  starts = np.cumsum(lengths) - lengths
  places = (starts[:, None] + np.arange(len(mode))).ravel()
  is_eos = np.zeros(len(sequences.tokens), bool)
  is_eos[np.cumsum(sequences.lengths) - 1] = True
  return _filled(lengths, places, np.tile(np.array(mode, np.int64), len(lengths)), sequences.tokens[~is_eos])
