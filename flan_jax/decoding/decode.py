"""Cached decoding: each prompt is encoded once into a slot, in which its branches grow by a token a step.

All shapes are fixed. The device takes a few steps at a time (a chunk); between chunks the host takes finished prompts
out of their slots and lets new ones in, so that a long answer keeps nobody waiting.
"""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array, Bool, Int

from flan_jax.decoding.batching import Bucket, buckets
from flan_jax.decoding.placement import everywhere, placed, shares
from flan_jax.decoding.selection import Continuation, Ended, Greedy, Search
from flan_jax.draws import hash64
from flan_jax.models.model import Model, Params
from flan_jax.models.t5 import Cache

# 16,384 tokens are 128 prompts of 64 tokens with outputs of as many: enough to fill four cores, and 0.4 GB of keys and
# values for t5_1_1_small (8 layers x 2 x 16,384 x 384 float32).
BATCH_SLOTS = 16_384
# Steps a call. A branch that ends in between waits for the last of them, 3.5 on average.
CHUNK = 8


def continuations(
  model: Model,
  params: Params,
  prompts: Sequence[Sequence[int]],
  *,
  search: Search = Greedy(),  # noqa: B008 (frozen)
  samples: int = 1,
  seed: int = 0,
  ids: Sequence[str] | None = None,
  max_tokens: int,
  eos_id: int = 1,
  ended: Ended | None = None,
  batch_slots: int = BATCH_SLOTS,
  rows: NamedSharding | None = None,
) -> Iterator[tuple[int, list[Continuation]]]:
  """(The index of a prompt, its continuations), prompts in the order in which they finish.

  Give all prompts in one call: they are sorted by length and take turns in slots of few shapes (see batching.buckets).

  Args:
    model: models of one config share the compiled loops.
    params: its parameters.
    prompts: token ids; EOS is added to those that do not end with it.
    search: how tokens are selected.
    samples: continuations of a prompt, all of them decoded from one pass of the encoder.
    seed: of random draws. A sample is a function of it, its prompt's id and its index among the prompt's samples,
      whatever else is decoded, and together with what.
    ids: a name for each prompt; None takes a hash of its tokens, under which equal prompts draw alike.
    max_tokens: the most tokens of an output, EOS included.
    eos_id: the token that ends a prompt and an output.
    ended: asked every few tokens whether the output so far is enough: it may go on for some tokens more.
    batch_slots: token slots of prompts and outputs at a time; fewer take less memory.
    rows: how slots lie on the mesh that the parameters lie on, over axes of it such as ('data', 'fsdp'); None where
      that is one device. Of several processes all give all prompts, and get all continuations in the same order.
  """
  prompts = [[*prompt] if len(prompt) and prompt[-1] == eos_id else [*prompt, eos_id] for prompt in prompts]
  ids = [f"{hash64(*prompt):016x}" for prompt in prompts] if ids is None else ids
  branches = search.branches(samples)
  loop = _Loop(model, params, search, branches, max_tokens, eos_id, rows)
  for bucket in buckets([len(prompt) for prompt in prompts], batch_slots, branches * max_tokens, shares(rows)):
    for index, state, slot in _turns(loop, bucket, prompts, lambda index: _keys(seed, ids[index], branches), ended):
      found = search.continuations(state, slot, samples)
      yield index, [_without_eos(each, eos_id) for each in found]


def generate(
  model: Model,
  params: Params,
  prompts: Sequence[Sequence[int]],
  *,
  max_tokens: int,
  **options: Any,
) -> list[list[int]]:
  """The first continuation of each prompt (greedy, if no `search` is given), in the prompts' order, without EOS.

  Args:
    options: of `continuations`, as the others are.
  """
  found = dict(continuations(model, params, prompts, max_tokens=max_tokens, **options))
  return [found[index][0].tokens for index in range(len(prompts))]


def _without_eos(found: Continuation, eos_id: int) -> Continuation:
  ended = found.tokens[-1:] == [eos_id]
  return found._replace(tokens=found.tokens[:-1] if ended else found.tokens, ended=ended)


def _keys(seed: int, of_prompt: str, branches: int) -> list[tuple[int, int]]:
  """Two 32-bit words a branch."""
  return [divmod(hash64(seed, of_prompt, branch, "sample"), 2**32) for branch in range(branches)]


def _turns(loop: "_Loop", bucket: Bucket, prompts, keys_of, ended: Ended | None) -> Iterator[tuple[int, Any, int]]:
  """(Prompt, the search's state in numpy, slot) of each prompt of a bucket when it is over."""
  waiting = list(reversed(bucket.indices.tolist()))
  free, held = list(range(bucket.slots)), {}
  slots = loop.empty(bucket.slots, bucket.length)
  while waiting or held:
    while waiting and (len(free) >= bucket.fill or not held):
      coming = {free.pop(0): waiting.pop() for _ in range(min(bucket.fill, len(waiting)))}
      rows = [(slot, prompts[index], keys_of(index)) for slot, index in coming.items()]
      slots = loop.fill(slots, _filling(rows, bucket, loop.branches))
      held |= coming
    slots, over, state = loop.advance(slots, list(held), ended)
    for slot in [slot for slot in held if over[slot]]:
      yield held.pop(slot), state, slot
      free.append(slot)


class _Filling(NamedTuple):
  """Prompts that come in: R of them, of which those without tokens go nowhere.

  Attributes:
    slots: int32 [R], where they go; the number of slots for nowhere.
    tokens, segment_ids: int32 [R, S]; segment id 1 on tokens and 0 on padding.
    keys: uint32 [R, n, 2].
  """

  slots: Int[Array | np.ndarray, " fill"]
  tokens: Int[Array | np.ndarray, "fill source"]
  segment_ids: Int[Array | np.ndarray, "fill source"]
  keys: Array | np.ndarray


def _filling(rows: list[tuple[int, list[int], list[tuple[int, int]]]], bucket: Bucket, branches: int) -> _Filling:
  slots = np.full(bucket.fill, bucket.slots, np.int32)
  tokens, segment_ids = np.zeros((2, bucket.fill, bucket.length), np.int32)
  keys = np.zeros((bucket.fill, branches, 2), np.uint32)
  for row, (slot, prompt, of_branches) in enumerate(rows):
    slots[row] = slot
    tokens[row, : len(prompt)] = prompt
    segment_ids[row, : len(prompt)] = 1
    keys[row] = of_branches
  return _Filling(slots, tokens, segment_ids, keys)


class _Prompts(NamedTuple):
  """What stays while the branches of a slot grow; see Cache."""

  cross_keys: Sequence[Array]
  cross_values: Sequence[Array]
  cross_mask: Array
  biases: Sequence[Array]


class _Growing(NamedTuple):
  """What changes with each step.

  Attributes:
    self_keys, self_values, steps: see Cache.
    tokens: int32 [P, n], what each branch reads next.
    index: int32 [P], its position.
    over: [P], True where a slot is empty or its prompt needs no more steps.
    search: its state.
  """

  self_keys: Sequence[Array]
  self_values: Sequence[Array]
  steps: Int[Array, ""]
  tokens: Int[Array, "slots branches"]
  index: Int[Array, " slots"]
  over: Bool[Array, " slots"]
  search: Any


class _Loop:
  """The compiled parts of the loop, and where their arrays lie."""

  def __init__(self, model, params, search: Search, branches: int, max_tokens: int, eos_id: int, rows):
    self.model, self.params = model.for_decoding(params)
    self.search, self.branches, self.max_tokens, self.eos_id = search, branches, max_tokens, eos_id
    self.rows = rows
    self.layout = None if rows is None else _Layout(rows, _heads_axis(self.model, self.params, rows))

  def empty(self, slots: int, length: int) -> tuple[_Prompts, _Growing]:
    """Slots without prompts."""
    made = _empty(self.model, self.params, self.search, slots, self.branches, length, self.max_tokens, self.layout)
    if self.layout is not None:
      return made
    # Nothing is computed from the parameters: put where they lie, lest `_fill` be compiled once more for slots that lie
    # nowhere in particular.
    first = next(iter(self.params.values()))
    return jax.device_put(made, first.sharding) if getattr(first, "committed", False) else made

  def fill(self, slots: tuple[_Prompts, _Growing], filling: _Filling) -> tuple[_Prompts, _Growing]:
    """The slots with prompts in some of them."""
    filling = self._placed(filling)
    return _fill(self.model, self.params, self.search, *slots, filling, self.max_tokens, self.layout)

  def advance(
    self, slots: tuple[_Prompts, _Growing], held: Sequence[int], ended: Ended | None
  ) -> tuple[tuple[_Prompts, _Growing], np.ndarray, Any]:
    """(The slots a chunk later, which of them are over, the search's state if any of `held` is)."""
    prompts, growing = slots
    growing = _advance(self.model, self.params, self.search, prompts, growing, CHUNK, self.eos_id, self.layout)
    over = self._seen(growing.over)
    state = None
    if ended is not None or any(over[held]):
      state = jax.tree.map(self._seen, growing.search)
    if ended is not None:
      still = [slot for slot in held if not over[slot]]
      if (stopped := self.search.stopped(state, still, ended)) is not None:
        state, over = stopped, over | self.search.over(stopped)
        growing = growing._replace(search=self._placed(state), over=self._placed(over))
    return (prompts, growing), over, state

  def _placed(self, tree: Any) -> Any:
    """Arrays of the host, split over the mesh by their rows, which divide over it."""
    return jax.tree.map(functools.partial(placed, rows=self.rows), tree)

  def _seen(self, array: Array) -> np.ndarray:
    return everywhere(array, self.rows)


class _Layout(NamedTuple):
  """Where the arrays of slots lie: slots over `rows`, heads over a mesh axis (or whole)."""

  rows: NamedSharding
  heads: str | None

  def laid(self, tree: Any) -> Any:
    """The prompts or what grows, so."""
    slots = self.rows.spec[0]
    heads = {"self_keys": (slots, self.heads), "self_values": (slots, self.heads), "biases": (self.heads,)}
    heads |= {"cross_keys": (slots, self.heads), "cross_values": (slots, self.heads), "steps": ()}
    placed = {
      name: jax.tree.map(functools.partial(self._put, PartitionSpec(*heads.get(name, (slots,)))), part)
      for name, part in tree._asdict().items()
    }
    return type(tree)(**placed)

  def _put(self, spec: PartitionSpec, array: Array) -> Array:
    return jax.lax.with_sharding_constraint(array, NamedSharding(self.rows.mesh, spec))


def _heads_axis(model: Model, params: Params, rows: NamedSharding) -> str | None:
  """The mesh axis that the outputs of the key projections are split over, where it splits no head."""
  name = "decoder.layers_0.encoder_decoder_attention.key.kernel"
  sharding, side = params[name].sharding, model.axes()[name].index("joined_kv")
  spec = sharding.spec if isinstance(sharding, NamedSharding) else ()
  axis = spec[side] if len(spec) > side else None
  return axis if axis is not None and model.config.num_heads % rows.mesh.shape[axis] == 0 else None


def _new(model: Model, params: Params, search: Search, tokens, segment_ids, keys, max_tokens: int):
  """Slots with these prompts in them, before the first step."""
  encoded = model.encode(params, tokens, segment_ids)
  cache = model.init_cache(params, encoded, segment_ids, max_tokens, keys.shape[1])
  prompts = _Prompts(cache.cross_keys, cache.cross_values, cache.cross_mask, cache.biases)
  first = jnp.zeros(keys.shape[:2], jnp.int32)  # token 0 opens every target
  index, over = jnp.zeros(len(tokens), jnp.int32), ~jnp.any(segment_ids != 0, axis=1)
  state = search.start(keys, max_tokens)
  return prompts, _Growing(cache.self_keys, cache.self_values, cache.steps, first, index, over, state)


@functools.partial(jax.jit, static_argnames=("model", "search", "slots", "branches", "length", "max_tokens", "layout"))
def _empty(model, params, search, slots: int, branches: int, length: int, max_tokens: int, layout: _Layout | None):
  tokens = jax.ShapeDtypeStruct((slots, length), jnp.int32)
  keys = jax.ShapeDtypeStruct((slots, branches, 2), jnp.uint32)
  new = functools.partial(_new, model, max_tokens=max_tokens)
  shapes = jax.eval_shape(lambda params, *arrays: new(params, search, *arrays), params, tokens, tokens, keys)
  prompts, growing = jax.tree.map(lambda shape: jnp.zeros(shape.shape, shape.dtype), shapes)
  return _laid(prompts, growing._replace(over=jnp.ones(slots, bool)), layout)


@functools.partial(
  jax.jit, static_argnames=("model", "search", "max_tokens", "layout"), donate_argnames=("prompts", "growing")
)
def _fill(model, params, search, prompts: _Prompts, growing: _Growing, filling: _Filling, max_tokens: int, layout):
  new_prompts, new = _new(model, params, search, *filling[1:], max_tokens)

  def put(old: Array, come: Array) -> Array:
    return old.at[filling.slots].set(come, mode="drop")

  # Keys and values of outputs stay: nobody sees those of the prompt before (Cache). Biases are the same for all.
  biases = new_prompts.biases
  prompts = jax.tree.map(put, prompts._replace(biases=[]), new_prompts._replace(biases=[]))._replace(biases=biases)
  parts = {name: jax.tree.map(put, getattr(growing, name), getattr(new, name)) for name in _OF_SLOTS}
  return _laid(prompts, growing._replace(**parts), layout)


_OF_SLOTS = ("tokens", "index", "over", "search")


@functools.partial(
  jax.jit, static_argnames=("model", "search", "chunk", "eos_id", "layout"), donate_argnames=("growing",)
)
def _advance(model, params, search, prompts: _Prompts, growing: _Growing, chunk: int, eos_id: int, layout) -> _Growing:
  """So many steps, or fewer where all slots are over."""

  def going_on(state):
    steps, growing = state
    return (steps < chunk) & ~jnp.all(growing.over)

  def step(state):
    steps, growing = state
    cache = Cache(growing.self_keys, growing.self_values, *prompts[:3], biases=prompts.biases, steps=growing.steps)
    logits, cache = model.decode_step(params, growing.tokens, growing.index, cache)
    return steps + 1, _grown(search, growing, cache, logits, eos_id)

  growing = jax.lax.while_loop(going_on, step, (jnp.int32(0), growing))[1]
  return growing if layout is None else layout.laid(growing)


def _grown(search: Search, growing: _Growing, cache: Cache, logits: Array, eos_id: int) -> _Growing:
  found = search.step(growing.search, logits, growing.index, eos_id)
  keys, values = cache.self_keys, cache.self_values
  if found.parents is not None:
    keys, values = ([_inherited(each, found.parents) for each in side] for side in (keys, values))
  was_over = growing.over
  index = growing.index + 1
  full = index >= cache.self_keys[0].shape[2]

  def unless_over(new: Array, old: Array) -> Array:
    return jnp.where(was_over.reshape(-1, *(1,) * (new.ndim - 1)), old, new)

  return _Growing(
    self_keys=keys,
    self_values=values,
    steps=cache.steps,
    tokens=found.tokens,
    index=unless_over(index, growing.index),
    over=was_over | found.over | full,
    search=jax.tree.map(unless_over, found.state, growing.search),
  )


def _inherited(cached: Array, parents: Int[Array, "slots branches"]) -> Array:
  """[slots * branches, ...] of the branches' parents: by slots, so that each device finds them among its own.

  Self-attention over all branches' columns, under a table of who wrote which, takes as long as this copy.
  """
  of_slots = cached.reshape(*parents.shape, *cached.shape[1:])
  return jax.vmap(lambda of_slot, parents: of_slot[parents])(of_slots, parents).reshape(cached.shape)


def _laid(prompts: _Prompts, growing: _Growing, layout: _Layout | None) -> tuple[_Prompts, _Growing]:
  return (prompts, growing) if layout is None else (layout.laid(prompts), layout.laid(growing))
