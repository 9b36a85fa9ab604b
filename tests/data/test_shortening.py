"""A query too long for its row loses the end of its longest context field, and of nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.data import shortening, sources, tokenising, vocabularies
from flan_jax.data.rendering import Renderer

TYPES = """
- name: read
  fields: [passage, aside, question, answer]
  context: [passage, aside]
  target: "{{ answer }}"
  bare: "{{ passage }} {{ aside }} {{ question }}"
  wordings: ["Read this. {{ passage }} {{ aside }} Then say: {{ question }}"]
"""
TASKS = "- {name: t, reader: {jsonl: t.jsonl}, type: read, cluster: c, held_out_percent: 0}"


@pytest.fixture(scope="module")
def words():
  return vocabularies.load_vocabulary("demo")


@pytest.fixture
def renderer(tmp_path, monkeypatch):
  (tmp_path / "reading").mkdir()
  (tmp_path / "reading" / "types.yaml").write_text(TYPES)
  (tmp_path / "reading" / "tasks.yaml").write_text(TASKS)
  (tmp_path / "t.jsonl").write_text('{"passage": "p", "aside": "a", "question": "q", "answer": "x"}\n')
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(tmp_path))
  return Renderer("reading.t", tmp_path, formats=(("zero_shot", 1),))


def example(passage, aside="small", question="who?", answer="nobody", **more):
  return sources.Example("1", {"passage": passage, "aside": aside, "question": question, "answer": answer, **more})


@settings(max_examples=60, deadline=None)
@given(
  text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=200).filter(str.strip),
  excess=st.integers(1, 60),
)
def test_a_shortened_text_is_a_beginning_that_lost_enough(words, text, excess):
  (before,) = words.encode([text])
  cut = shortening.shortened(example(text, aside=""), ["passage"], excess, words)
  if cut is None:
    return
  shorter = cut.fields["passage"]
  (after,) = words.encode([shorter])
  assert text.startswith(shorter)
  assert shorter
  assert len(after) <= len(before) - excess
  assert {**cut.fields, "passage": text} == example(text, aside="").fields


def test_the_longest_context_field_is_cut_between_words_and_the_prompt_fits(renderer, words):
  long = "every word of this passage is put down many times over " * 40
  room = tokenising.Sides(120, 20)
  (one,) = tokenising.tokenise(renderer, words, room, [example(long)])
  assert (one.left_out, one.shortened) == ("", True)
  assert len(one.inputs) < 120
  assert len(one.inputs) > 90  # no more was lost than needed
  assert one.rendered.inputs.startswith("Read this. every word")
  assert one.rendered.inputs.endswith(" small Then say: who?")
  kept = one.rendered.inputs.removeprefix("Read this. ").removesuffix(" small Then say: who?")
  assert long.startswith(kept + " ")
  (other,) = tokenising.tokenise(renderer, words, room, [example("tiny", aside=long)])
  assert other.rendered.inputs.startswith("Read this. tiny every word")


def test_what_has_no_context_to_lose_is_left_out(renderer, words):
  room = tokenising.Sides(60, 20)
  (one,) = tokenising.tokenise(renderer, words, room, [example("short", question="why " * 100)])
  assert one.left_out == tokenising.INPUTS_TOO_LONG


def test_an_answer_that_was_cut_off_is_not_asked_for(renderer, words):
  room = tokenising.Sides(100, 20)
  far = "some other words come first " * 40 + "and last the murderer is named"
  (one,) = tokenising.tokenise(renderer, words, room, [example(far, answer="murderer")])
  assert one.left_out == tokenising.ANSWER_CUT
  (early,) = tokenising.tokenise(renderer, words, room, [example("the murderer. " + far, answer="murderer")])
  assert (early.left_out, early.shortened) == ("", True)
  options = example(far, answer="murderer", choices=["murderer", "no one"])
  assert not shortening.loses_answer(options, example("x", answer="murderer", choices=["a"]), "murderer")


def test_shortening_is_counted(renderer, words, tmp_path):
  from flan_jax.data import mixtures
  from flan_jax.data.prepare import prepare

  rows = ["many words are in this passage " * repeats for repeats in (1, 60, 60)]
  lines = [
    f'{{"passage": "{row}{i}", "aside": "a", "question": "who?", "answer": "x{i}"}}' for i, row in enumerate(rows)
  ]
  (tmp_path / "t.jsonl").write_text("\n".join(lines) + "\n")
  (store,) = prepare(
    mixtures.get_mixture("reading.t"), data_dir=tmp_path, vocabulary=words, store_dir=tmp_path / "store",
    lengths={"inputs": 100, "targets": 20}, processes=1,
  )  # fmt: skip
  assert store.manifest["counts"]["kept with a shortened context"] == 2
  assert store.manifest["counts"]["kept"] == 3
