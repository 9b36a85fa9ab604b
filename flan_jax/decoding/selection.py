"""How the next tokens are selected from their logits: the likeliest, or drawn at random.

What the loop in decode.py asks of a search (`Search`), and the two that have branches which know nothing of each other.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt

from flan_jax.errors import UsageError

# Whether tokens, without EOS, are all that is wanted of a continuation: whether they hold a stop string.
Ended = Callable[[Sequence[int]], bool]


class Continuation(NamedTuple):
  """What follows a prompt.

  Attributes:
    tokens: without EOS.
    score: the sum of the tokens' log-probabilities in nats, EOS included, under the model's own distribution, whatever
      they were drawn from; of a beam its length-penalised score.
    ended: whether EOS came, or the output was cut at the most tokens.
  """

  tokens: list[int]
  score: float
  ended: bool = True


class Step(NamedTuple):
  """What a search makes of a step's logits.

  Attributes:
    state: the search's, of the same structure as before.
    tokens: int32 [P, n], the next input of each branch.
    over: [P], True where a slot needs no more steps.
    parents: int32 [P, n], the branch that each branch goes on from (its keys and values are those); None for itself.
  """

  state: Any
  tokens: Int[Array, "slots branches"]
  over: Bool[Array, " slots"]
  parents: Int[Array, "slots branches"] | None = None


@runtime_checkable
class Search(Protocol):
  """A frozen dataclass, which jitted loops take as static. Its state is a tree of arrays whose axis 0 is the slot."""

  def branches(self, samples: int) -> int:
    """How many branches a prompt has of which so many continuations are wanted."""
    ...

  def start(self, keys: UInt[Array, "slots branches 2"], max_tokens: int) -> Any:
    """The state of slots before their first step; the key of each branch is for its draws."""
    ...

  def step(
    self, state: Any, logits: Float[Array, "slots branches vocab"], index: Int[Array, " slots"], eos_id: int
  ) -> Step:
    """What follows from float32 logits at each slot's position `index`; of slots that were over it is not used."""
    ...

  def stopped(self, state: Any, slots: Sequence[int], ended: Ended) -> Any | None:
    """The state (numpy) with the branches of these slots over for which `ended` holds; None where none is."""
    ...

  def over(self, state: Any) -> Bool[np.ndarray, " slots"]:
    """Which slots need no more steps, of a state that `stopped` gave."""
    ...

  def continuations(self, state: Any, slot: int, samples: int) -> list[Continuation]:
    """Those of a slot that is over (state in numpy)."""
    ...


class Branches(NamedTuple):
  """Branches that know nothing of each other: T positions at most.

  Attributes:
    keys: uint32 [P, n, 2], for random draws.
    tokens: int32 [P, n, T], EOS included.
    lengths: int32 [P, n], how many of them there are.
    scores: float32 [P, n], the sum of their log-probabilities.
    over: [P, n], True where a branch has ended.
  """

  keys: UInt[Array, "slots branches 2"]
  tokens: Int[Array, "slots branches length"]
  lengths: Int[Array, "slots branches"]
  scores: Float[Array, "slots branches"]
  over: Bool[Array, "slots branches"]


class _Independent:
  """What is common to searches whose branches know nothing of each other."""

  def branches(self, samples: int) -> int:
    return samples

  def start(self, keys: UInt[Array, "slots branches 2"], max_tokens: int) -> Branches:
    slots = keys.shape[:2]
    tokens = jnp.zeros((*slots, max_tokens), jnp.int32)
    return Branches(keys, tokens, jnp.zeros(slots, jnp.int32), jnp.zeros(slots, jnp.float32), jnp.zeros(slots, bool))

  def step(
    self, state: Branches, logits: Float[Array, "slots branches vocab"], index: Int[Array, " slots"], eos_id: int
  ) -> Step:
    token = self.select(logits, index, state.keys)
    picked = jnp.take_along_axis(logits, token[..., None], axis=-1)[..., 0]
    log_probability = picked - jax.nn.logsumexp(logits, axis=-1)
    here = (jnp.arange(state.tokens.shape[-1]) == index[:, None])[:, None] & ~state.over[..., None]
    over = state.over | (token == eos_id)
    state = Branches(
      keys=state.keys,
      tokens=jnp.where(here, token[..., None], state.tokens),
      lengths=state.lengths + ~state.over,
      scores=state.scores + jnp.where(state.over, 0, log_probability),
      over=over,
    )
    return Step(state, token, jnp.all(over, axis=1))

  def stopped(self, state: Branches, slots: Sequence[int], ended: Ended) -> Branches | None:
    over = np.array(state.over)
    for slot in slots:
      for branch in np.flatnonzero(~state.over[slot]):
        over[slot, branch] = ended(state.tokens[slot, branch, : state.lengths[slot, branch]].tolist())
    return None if np.array_equal(over, state.over) else state._replace(over=over)

  def over(self, state: Branches) -> Bool[np.ndarray, " slots"]:
    return np.all(state.over, axis=1)

  def continuations(self, state: Branches, slot: int, samples: int) -> list[Continuation]:
    found = zip(state.tokens[slot], state.lengths[slot], state.scores[slot], strict=True)
    return [Continuation(tokens[:length].tolist(), float(score)) for tokens, length, score in found]


@dataclasses.dataclass(frozen=True)
class Greedy(_Independent):
  """The likeliest token; the lowest id among equals."""

  def select(
    self, logits: Float[Array, "slots branches vocab"], index: Int[Array, " slots"], keys: UInt[Array, "..."]
  ) -> Int[Array, "slots branches"]:
    """The tokens at position `index` (0 first)."""
    return jnp.argmax(logits, axis=-1).astype(jnp.int32)


@dataclasses.dataclass(frozen=True)
class Sample(_Independent):
  """A token drawn from softmax(logits / temperature), perhaps of the likeliest alone.

  Attributes:
    temperature: above 0; below 1 sharpens.
    top_k: only the k likeliest may be drawn (and those as likely as the k-th); 0 for all.
    top_p: only the fewest likeliest whose probabilities sum to p or more may be drawn (and those as likely as the least
      of them), after top_k; 1 for all.

  Raises:
    UsageError: a value out of range.
  """

  temperature: float = 1.0
  top_k: int = 0
  top_p: float = 1.0

  def __post_init__(self):
    if not 0 < self.temperature < float("inf"):
      raise UsageError(f"temperature {self.temperature}: must be above 0 (greedy decoding draws nothing)")
    if self.top_k < 0:
      raise UsageError(f"top_k {self.top_k}: must be 0 (all tokens) or more")
    if not 0 < self.top_p <= 1:
      raise UsageError(f"top_p {self.top_p}: must be above 0 and at most 1 (all tokens)")

  def select(
    self,
    logits: Float[Array, "slots branches vocab"],
    index: Int[Array, " slots"],
    keys: UInt[Array, "slots branches 2"],
  ) -> Int[Array, "slots branches"]:
    """The tokens at position `index`: a function of key, position and logits."""
    shape = logits.shape[:2]
    positions = jnp.broadcast_to(index[:, None], shape)
    uniform = jax.vmap(jax.vmap(_uniform))(keys, positions)
    weights = self.weights(logits.reshape(-1, logits.shape[-1]))
    return drawn(weights, uniform.reshape(-1)).reshape(shape)

  def weights(self, logits: Float[Array, "rows vocab"]) -> Float[Array, "rows vocab"]:
    """What the tokens are drawn in proportion to: 1 for the likeliest, 0 for those that may not be drawn."""
    weights = jnp.exp((logits - jnp.max(logits, axis=-1, keepdims=True)) / max(self.temperature, _LEAST))
    if self.top_k:
      weights = _likeliest(weights, lambda kept: jnp.sum(kept > 0, axis=-1) >= min(self.top_k, logits.shape[-1]))
    if self.top_p < 1:
      enough = max(self.top_p, _LEAST) * jnp.sum(weights, axis=-1)
      weights = _likeliest(weights, lambda kept: jnp.sum(kept, axis=-1) >= enough)
    return weights


_LEAST = 1e-30  # of temperature and top_p: what float32 has no normal number for is taken for 0


def drawn(weights: Float[Array, "rows vocab"], uniform: Float[Array, " rows"]) -> Int[Array, " rows"]:
  """Where each row's running sum of weights passes `uniform` (in [0, 1)) times their sum.

  One number a row, and one pass over the vocabulary for the sums of its blocks; then a block, then a token in it.
  Gumbel noise would need a number for each of 32,128 tokens.
  """
  rows, vocab = weights.shape
  blocks = jnp.pad(weights, ((0, 0), (0, -vocab % _BLOCK))).reshape(rows, -1, _BLOCK)
  block, rest = _passed(jnp.sum(blocks, axis=-1), uniform)
  inside = jnp.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0]
  token, _ = _passed(inside, rest)
  return jnp.minimum(block * _BLOCK + token, vocab - 1)  # where no weight is a number


_BLOCK = 128


def _passed(weights: Float[Array, "rows n"], uniform: Float[Array, " rows"]) -> tuple[Array, Array]:
  """(The element of the row at which the running sum passes uniform times the whole; how far into it, in [0, 1))."""
  sums = jnp.cumsum(weights, axis=-1)
  goal = uniform * sums[:, -1]
  # Rounded sums may fall where the weight is 0, and the goal may be rounded up to the last of them.
  here = (weights > 0) & (sums > goal[:, None])
  last = weights.shape[-1] - 1 - jnp.argmax(weights[:, ::-1] > 0, axis=-1)
  found = jnp.where(jnp.any(here, axis=-1), jnp.argmax(here, axis=-1), last)
  weight, after = (jnp.take_along_axis(each, found[:, None], axis=-1)[:, 0] for each in (weights, sums))
  return found.astype(jnp.int32), jnp.clip((goal - (after - weight)) / weight, 0, _BELOW_ONE)


_BELOW_ONE = np.nextafter(np.float32(1), np.float32(0))


def _likeliest(
  weights: Float[Array, "rows vocab"], enough: Callable[[Float[Array, "rows vocab"]], Bool[Array, " rows"]]
) -> Float[Array, "rows vocab"]:
  """The weights with the small ones 0: those that may go while `enough` of the others remains.

  The least that stays is found by halving, exactly: floats that are not negative are in the order of their bits, 30 of
  which tell apart all in [0, 2). A sort of 32,128 takes 10 times as long on a CPU.
  """
  bits = jax.lax.bitcast_convert_type(weights, jnp.int32)

  def halve(i, least):
    higher = least | (1 << (29 - i))
    return jnp.where(enough(jnp.where(bits >= higher[:, None], weights, 0)), higher, least)

  least = jax.lax.fori_loop(0, 30, halve, jnp.zeros(len(weights), jnp.int32))
  return jnp.where(bits >= least[:, None], weights, 0)


def _uniform(key: UInt[Array, "2"], position: Int[Array, ""]) -> Float[Array, ""]:
  return jax.random.uniform(jax.random.fold_in(jax.random.wrap_key_data(key, impl="threefry2x32"), position))
