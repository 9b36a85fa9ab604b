"""Cached decoding: the argmax of the uncached forward pass, whatever shares the slots, the batch and the mesh."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from small_network import CONFIG, EOS, MODEL, parameters, prompts, uncached_logits

from flan_jax.decoding import decode
from flan_jax.decoding.decode import continuations, generate
from flan_jax.decoding.selection import Greedy, Sample
from flan_jax.models.model import Model

MAX_TOKENS = 7


def uncached(prompt: list[int]) -> tuple[list[int], float]:
  """A prompt's greedy output by running the whole network again for every token, and its log-probability."""
  output, score = [], 0.0
  while len(output) < MAX_TOKENS:
    logits = uncached_logits(prompt, output)[-1]
    token = int(np.argmax(logits))
    score += float(jax.nn.log_softmax(logits)[token])
    if token == EOS:
      break
    output.append(token)
  return output, score


def in_order(*args, **options):
  found = dict(continuations(MODEL, parameters(), *args, max_tokens=MAX_TOKENS, **options))
  assert sorted(found) == list(range(len(args[0])))
  return [found[index] for index in range(len(found))]


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 9))
def test_greedy_is_the_argmax_of_the_uncached_forward_pass(seed, n):
  """Nine prompts and two slots (of 32 + 7 tokens): each slot is refilled, at other times than the other."""
  asked = prompts(n, seed)
  for prompt, (found,) in zip(asked, in_order(asked, batch_slots=100), strict=True):
    output, score = uncached(prompt)
    assert found.tokens == output
    assert found.score == pytest.approx(score, abs=1e-4)


def test_outputs_are_those_of_any_batch_and_in_the_prompts_order():
  asked = prompts(23)
  asked[3] = []
  outputs = [uncached(prompt)[0] for prompt in asked]
  assert {len(output) for output in outputs} > {MAX_TOKENS}, "some should end early and some not at all"
  params = parameters()
  for size in (39, 400):
    assert generate(MODEL, params, asked, max_tokens=MAX_TOKENS, batch_slots=size) == outputs
  with_eos = [[*prompt, EOS] for prompt in asked]
  assert generate(MODEL, params, with_eos, max_tokens=MAX_TOKENS, batch_slots=400) == outputs
  assert generate(MODEL, params, [], max_tokens=MAX_TOKENS) == []


def test_a_zero_inside_a_prompt_is_a_token_like_others():
  asked = [[5, 0, 0, 9, 3, start] for start in range(2, 10)]
  outputs = generate(MODEL, parameters(), asked, max_tokens=MAX_TOKENS)
  assert outputs == [uncached(prompt)[0] for prompt in asked]
  assert outputs != [uncached([prompt[0], *prompt[3:]])[0] for prompt in asked]


@settings(max_examples=3, deadline=None)
@given(size=st.sampled_from([60, 400]), more=st.integers(0, 4), seed=st.integers(0, 3))
def test_a_sample_is_a_function_of_seed_id_and_index(size, more, seed):
  """Neither of the slots, nor of the other prompts and samples."""
  asked, names = prompts(5), ["a", "b", "c", "d", "e"]
  search = Sample(temperature=0.8)
  whole = in_order(asked, search=search, samples=4, seed=seed, ids=names)
  few = in_order(asked[more:], search=search, samples=2, seed=seed, ids=names[more:], batch_slots=size)
  assert [[each.tokens for each in several[:2]] for several in whole[more:]] == [
    [each.tokens for each in several] for several in few
  ]
  renamed = in_order(asked, search=search, samples=4, seed=seed, ids=[*"vwxyz"])
  reseeded = in_order(asked, search=search, samples=4, seed=seed + 1, ids=names)
  assert len({str(each) for each in (whole, renamed, reseeded)}) == 3


def test_a_samples_score_is_its_log_probability_whatever_it_was_drawn_from():
  asked = prompts(4, seed=2)
  several = in_order(asked, search=Sample(temperature=0.5, top_k=5), samples=3)
  assert len({tuple(each.tokens) for found in several for each in found}) > 4
  for prompt, found in zip(asked, several, strict=True):
    for output, score, _ in found:
      log_probabilities = jax.nn.log_softmax(uncached_logits(prompt, output))
      tokens = output if len(output) == MAX_TOKENS else [*output, EOS]
      expected = sum(float(log_probabilities[i, token]) for i, token in enumerate(tokens))
      assert score == pytest.approx(expected, abs=1e-4)


def test_equal_prompts_without_ids_draw_alike_and_others_do_not():
  first, again, other = in_order([[5, 6], [5, 6], [6, 5]], search=Sample(), samples=8)
  assert first == again != other


def test_an_output_that_is_enough_ends_within_a_chunk(monkeypatch):
  monkeypatch.setattr(decode, "CHUNK", 2)
  asked = prompts(9, seed=3)
  whole = in_order(asked)
  cut = in_order(asked, ended=lambda tokens: len(tokens) >= 3)
  for (expected,), (found,) in zip(whole, cut, strict=True):
    assert found.tokens == expected.tokens[: len(found.tokens)]
    assert len(found.tokens) == min(len(expected.tokens), 4)


def test_models_of_one_config_share_the_compiled_loops():
  generate(MODEL, parameters(), [[5]], max_tokens=3)
  before = decode._advance._cache_size(), decode._fill._cache_size()
  generate(Model(CONFIG), parameters(), [[6, 7]], max_tokens=3, search=Greedy())
  assert (decode._advance._cache_size(), decode._fill._cache_size()) == before


def test_slots_are_filled_by_one_compiled_function_and_refilled_by_the_same():
  params = jax.device_put(parameters(), jax.devices()[0])  # as those of a checkpoint, which lie somewhere
  before = decode._fill._cache_size()
  generate(MODEL, params, [[5], [6], [7]], max_tokens=3, batch_slots=40)
  assert decode._fill._cache_size() == before + 1


def test_the_loop_ends_with_its_last_slot():
  """A step that would be taken after the last slot's end would select, and be seen."""
  steps = []

  class Counting(Greedy):
    def select(self, logits, index, keys):
      jax.debug.callback(lambda i: steps.append(int(i)), index[0])
      return jnp.full(logits.shape[:2], jnp.where(index[0] == 2, EOS, 5), jnp.int32)

  assert generate(MODEL, parameters(), [[5], [7]], max_tokens=MAX_TOKENS, search=Counting()) == [[5, 5]] * 2
  jax.effects_barrier()
  assert sorted(steps) == [0, 1, 2]


@pytest.mark.parametrize("shape", [(8, 1), pytest.param((2, 2), marks=pytest.mark.slow)])
def test_outputs_are_those_of_any_mesh(shape):
  """Slots over 'data', heads and vocabulary over 'model'."""
  mesh = jax.make_mesh(
    shape, ("data", "model"), axis_types=(AxisType.Auto,) * 2, devices=jax.devices()[: np.prod(shape)]
  )
  split = {"decoder.logits_dense.kernel": (None, "model")}
  split |= {name: (None, "model") for name in parameters() if ".key." in name or ".query." in name or ".value." in name}
  params = {
    n: jax.device_put(x, NamedSharding(mesh, PartitionSpec(*split.get(n, ())))) for n, x in parameters().items()
  }
  asked = prompts(11)
  options = {"search": Sample(), "samples": 2, "max_tokens": MAX_TOKENS}
  found = dict(continuations(MODEL, params, asked, rows=NamedSharding(mesh, PartitionSpec(("data",))), **options))
  plain = in_order(asked, search=Sample(), samples=2)
  assert [[each.tokens for each in found[i]] for i in range(11)] == [[each.tokens for each in one] for one in plain]


@pytest.mark.parametrize(
  "settings_",
  [pytest.param({"dtype": "bfloat16"}, marks=pytest.mark.slow), {"logits_via_embedding": True, "scan_layers": True}],
)
def test_the_model_for_decoding_is_the_same_network(settings_):
  """Turned kernels, one by one, of the dtype of activations; and nothing more to do with these."""
  plain = Model(dataclasses.replace(CONFIG, **settings_))
  params = jax.jit(plain.init)(3)
  model, prepared = plain.for_decoding(params)
  assert {name: x.shape for name, x in prepared.items()} == {name: x.shape for name, x in model.shapes().items()}
  again, same = model.for_decoding(prepared)
  assert again == model
  assert all(same[name] is prepared[name] for name in prepared)
  inputs, targets = jnp.array([[5, 6, 1]]), jnp.array([[0, 7, 9]])
  batch = {"encoder_input_tokens": inputs, "decoder_input_tokens": targets}
  whole = jax.jit(lambda params: plain.logits(params, plain.hidden(params, batch)))(params)
  cache = model.init_cache(prepared, jax.jit(model.encode)(prepared, inputs), inputs, max_tokens=3)
  decode_step = jax.jit(model.decode_step)
  for index in range(3):
    logits, cache = decode_step(prepared, targets[:, index : index + 1], jnp.array([index]), cache)
    np.testing.assert_allclose(logits[0, 0], whole[0, index], atol=0.1 if "dtype" in settings_ else 1e-4)
