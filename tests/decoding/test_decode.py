"""Cached decoding: it is the argmax of the uncached forward pass, whatever the padding and the batch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.decoding.decode import decode, generate
from flan_jax.decoding.selection import Greedy
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

TINY = T5Config(
  vocab_size=24, emb_dim=16, num_heads=2, head_dim=6, mlp_dim=24, num_encoder_layers=1, num_decoder_layers=2
)
MAX_TOKENS = 7
MODEL = Model(TINY)


@pytest.fixture(scope="module")
def params():
  """Parameters under which position matters and rows end at different times (EOS is likelier than others)."""
  params = jax.jit(MODEL.init)(0)
  for side in ("encoder", "decoder"):
    name = f"{side}.relpos_bias.rel_embedding"
    params[name] = 2 * jax.random.normal(jax.random.key(1), params[name].shape)
  head = "decoder.logits_dense.kernel"
  params[head] = params[head].at[:, 1].multiply(1.7)
  return params


@pytest.fixture(scope="module")
def uncached(params):
  """A prompt's greedy output by running the whole network again for every token."""

  @jax.jit
  def next_tokens(inputs, targets):
    batch = {"encoder_input_tokens": inputs, "decoder_input_tokens": targets}
    return jnp.argmax(MODEL.logits(params, MODEL.hidden(params, batch)), axis=-1)

  def output(prompt):
    inputs = np.zeros((1, 12), np.int32)
    inputs[0, : len(prompt)] = prompt
    targets = np.zeros((1, MAX_TOKENS + 1), np.int32)
    for index in range(MAX_TOKENS):
      token = int(next_tokens(inputs, targets)[0, index])
      if token == 1:
        return targets[0, 1 : index + 1].tolist()
      targets[0, index + 1] = token
    return targets[0, 1:].tolist()

  return output


_PROMPT = st.lists(st.integers(2, 23), min_size=0, max_size=10).map(lambda tokens: [*tokens, 1])


@settings(max_examples=20, deadline=None)
@given(prompts=st.lists(_PROMPT, min_size=1, max_size=3))
def test_greedy_is_the_argmax_of_the_uncached_forward_pass(params, uncached, prompts):
  inputs = np.zeros((3, 12), np.int32)
  for row, prompt in enumerate(prompts):
    inputs[row, : len(prompt)] = prompt
  outputs = np.asarray(decode(MODEL, params, inputs, max_tokens=MAX_TOKENS))
  for row, prompt in enumerate(prompts):
    expected = uncached(prompt)
    ended = [*expected, 1] if len(expected) < MAX_TOKENS else expected
    assert outputs[row].tolist() == ended + [0] * (MAX_TOKENS - len(ended))
  assert not outputs[len(prompts) :].any()  # rows without inputs


def test_generate_keeps_the_order_and_strips_eos(params, uncached):
  random = np.random.default_rng(0)
  prompts = [random.integers(2, 24, random.integers(1, 11)).tolist() for _ in range(11)]
  prompts[3] = []
  seen = []
  outputs = generate(MODEL, params, prompts, max_tokens=MAX_TOKENS, batch_slots=128, progress=seen.append)
  assert outputs == [uncached([*prompt, 1]) for prompt in prompts]
  assert {len(output) for output in outputs} > {MAX_TOKENS}, "some rows should end early and some not at all"
  assert sum(seen) == len(prompts)
  with_eos = [[*prompt, 1] for prompt in prompts]
  assert generate(MODEL, params, with_eos, max_tokens=MAX_TOKENS, batch_slots=64) == outputs
  assert generate(MODEL, params, [], max_tokens=MAX_TOKENS) == []


def test_a_zero_inside_a_prompt_is_a_token_like_others(params):
  prompts = [[5, 0, 0, 9, 3, start] for start in range(2, 20)]
  outputs = generate(MODEL, params, prompts, max_tokens=MAX_TOKENS)
  inputs = np.array([[*prompt, 1] for prompt in prompts], np.int32)
  masked = decode(MODEL, params, inputs, max_tokens=MAX_TOKENS)
  unmasked = decode(MODEL, params, inputs, np.ones_like(inputs), max_tokens=MAX_TOKENS)
  assert [row[: len(output)].tolist() for row, output in zip(unmasked, outputs, strict=True)] == outputs
  assert not np.array_equal(masked, unmasked)


def test_models_of_one_config_share_a_compiled_loop(params):
  from flan_jax.decoding.decode import _loop

  inputs = np.array([[5, 1]], np.int32)
  decode(MODEL, params, inputs, max_tokens=3)
  before = _loop._cache_size()
  decode(Model(TINY), params, inputs, max_tokens=3, select=Greedy())
  assert _loop._cache_size() == before


def test_the_loop_ends_with_its_last_row(params):
  """A step that would be taken after the last row's end would select, and be seen."""
  steps = []

  class Counting(Greedy):
    def __call__(self, logits, index):
      jax.debug.callback(lambda i: steps.append(int(i)), index)
      return jnp.full(logits.shape[:1], jnp.where(index == 2, 1, 5), jnp.int32)

  outputs = decode(MODEL, params, np.array([[5, 1], [7, 1]], np.int32), max_tokens=MAX_TOKENS, select=Counting())
  jax.effects_barrier()
  assert outputs.tolist() == [[5, 5, 1, 0, 0, 0, 0]] * 2
  assert sorted(steps) == [0, 1, 2]
