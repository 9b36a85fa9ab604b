"""Text tasks of a toy collection under an objective: cut to what a row takes, nothing lost on the way to a batch."""

import json

import numpy as np
import pytest
from handmade import tokens_of

from flan_jax.data import mixtures, sources, specs, tokenising
from flan_jax.data.objectives import PrefixLM, SpanCorruption, longest_text
from flan_jax.data.prepare import prepare
from flan_jax.data.rendering import Renderer
from flan_jax.data.segments import DecoderRows, EncoderDecoderRows, Sequences
from flan_jax.data.store import damages
from flan_jax.data.stream import Position, Stream
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import FlanJaxError

TYPES = """
- {name: toy_text, fields: [text], target: "{{ text }}", wordings: [""]}
- {name: toy_asked, fields: [text, reply], target: "{{ reply }}", wordings: ["{{ text }}"], few_shot: ["{{ text }} ="]}
"""
TASKS = """
- {name: books, reader: {jsonl: books.jsonl}, type: toy_text, cluster: text, held_out_percent: 20}
- {name: asked, reader: {jsonl: books.jsonl}, type: toy_asked, cluster: text, constants: {reply: "a word, and more"}}
"""
LENGTHS = [1, 5, 40, 41, 80, 81, 200, 333, 12, 64]  # of the documents, in words of 1 or 2 tokens
WORDS = ["three", "red", "boxes", "and", "the", "small", "green", "lamp", "went", "to", "town", "with", "apples"]
SHAPE = EncoderDecoderRows(40, 24)


@pytest.fixture
def books(tmp_path, monkeypatch):
  """The data folder; the collection is there for the length of a test."""
  collection = tmp_path / "collections" / "toytext"
  collection.mkdir(parents=True)
  (collection / "types.yaml").write_text(TYPES, encoding="utf-8")
  (collection / "tasks.yaml").write_text(TASKS, encoding="utf-8")
  monkeypatch.setenv("FLAN_JAX_COLLECTIONS", str(collection.parent))
  rng = np.random.default_rng(0)
  texts = [" ".join(rng.choice(WORDS, n).tolist()) for n in LENGTHS * 3]
  (tmp_path / "books.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in texts), encoding="utf-8")
  return tmp_path


def prepared(books, lengths, task="toytext.books", **changes):
  usual = {"store_dir": books / "store", "processes": 1, "data_dir": books, "vocabulary": load_vocabulary("demo")}
  return prepare(mixtures.get_mixture(task), lengths=lengths, **{**usual, **changes})[0]


def whole_texts(books):
  """The training texts by example id, as tokens."""
  source = sources.open_source(specs.get_task("toytext.books"), books)
  renderer = Renderer("toytext.books", books)
  examples = [source[int(i)] for i in renderer.splits.train]
  texts = load_vocabulary("demo").encode([example.fields["text"] for example in examples])
  return {example.id: tokens for example, tokens in zip(examples, texts, strict=True)}


def test_a_wording_may_be_empty_and_the_text_is_the_target(books):
  renderer = Renderer("toytext.books", books)
  rendered = renderer.render(renderer.source[2])
  assert (rendered.inputs, rendered.targets) == ("", renderer.source[2].fields["text"])
  assert (rendered.wording, rendered.format) == ("toy_text/zero_shot/0", "zero_shot")


@pytest.mark.parametrize("room", [1, 17, 64, 10_000])
def test_pieces_give_the_texts_back(books, room):
  store = prepared(books, {"text": room})
  expected = whole_texts(books)
  found: dict[str, list[int]] = {}
  for origin, inputs, targets in zip(
    store.origins(range(len(store))), *map(tokens_of(store).get, ("inputs", "targets")), strict=True
  ):
    name, _, piece = origin.example_id.partition("#")
    assert inputs == []
    assert 1 <= len(targets) <= room
    assert piece == (str(len(found.get(name, [])) // room) if len(expected[name]) > room else "")
    found[name] = found.get(name, []) + targets
  assert found == expected
  assert damages(store) == []


def test_what_was_cut_is_counted(books):
  store, expected = prepared(books, {"text": 64}), whole_texts(books)
  cut = [len(tokens) for tokens in expected.values() if len(tokens) > 64]
  counts = store.manifest["counts"]
  assert counts["kept"] == len(expected)
  assert counts["kept in pieces"] == len(cut) > 5
  assert counts["pieces"] == sum(-(-n // 64) for n in cut)
  assert len(store) == counts["kept"] - counts["kept in pieces"] + counts["pieces"] == store.rate
  assert store.manifest["key"]["lengths"] == {"text": 64}


def test_without_an_objective_long_texts_are_left_out(books):
  store = prepared(books, {"inputs": 8, "targets": 64})
  counts = store.manifest["counts"]
  assert counts[tokenising.TARGETS_TOO_LONG] == sum(len(tokens) >= 64 for tokens in whole_texts(books).values()) > 0
  assert "pieces" not in counts


def test_an_example_with_inputs_is_not_cut_but_has_to_fit_as_a_whole(books):
  """It loses exemplars first, and only then is left out."""
  store = prepared(books, {"text": 100}, "toytext.asked")
  counts = store.manifest["counts"]
  assert counts[tokenising.INPUTS_TOO_LONG] > 0
  assert counts["kept with fewer exemplars"] > 0
  assert "pieces" not in counts
  assert store.lengths.sum(axis=1).max() <= 100
  assert store.lengths[:, 0].min() > 0
  short = prepared(books, {"text": 3}, "toytext.asked").manifest["counts"]
  assert short[tokenising.TARGETS_TOO_LONG] > 0
  assert short["kept"] == 0


@pytest.mark.parametrize(
  ("objective", "shape"),
  [(SpanCorruption(), SHAPE), (PrefixLM(), SHAPE), (PrefixLM(), DecoderRows(48)), (SpanCorruption(), DecoderRows(48))],
)
def test_the_longest_text_that_preparation_leaves_fits_the_stream(books, objective, shape):
  """And one token more would not: the length rule and the stream's check are the same."""
  bound = objective.for_vocabulary(load_vocabulary("demo"))
  room = longest_text(bound, shape)
  store = prepared(books, {"text": room})
  assert store.lengths.max() == room
  stream = Stream([store], [1], shape, 4, 0, window=60, objective=bound)
  position = Position()
  for _ in range(8):
    batch, position = stream.batch(position)
  assert batch["decoder_loss_weights"].any(axis=1).all()
  longer = prepared(books, {"text": room + 1})
  with pytest.raises(FlanJaxError, match="longer than a row"):
    Stream([longer], [1], shape, 4, 0, objective=bound)


def test_a_text_can_be_read_off_the_batch(books):
  bound = PrefixLM()
  store = prepared(books, {"text": longest_text(bound, DecoderRows(48))})
  stream = Stream([store], [1], DecoderRows(48), 4, 0, window=60, objective=bound)
  texts = tokens_of(store)["targets"]
  batch, _ = stream.batch(Position())
  for segment in stream.rows(Position()):
    here = batch["decoder_segment_ids"][segment.row] == segment.segment
    assert batch["decoder_target_tokens"][segment.row][here].tolist() == [*texts[segment.example], 1]
    said = batch["decoder_loss_weights"][segment.row][here]
    assert np.array_equal(said, np.sort(said)), "first what is read, then what is said"
    assert 0 < said.sum() <= max(len(said) - 1, 2)


def test_variants_and_processes_cut_alike(books):
  once = prepared(books, {"text": 64})
  twice = prepared(books, {"text": 64}, variants=2, processes=2, store_dir=books / "two")
  assert twice.variants == (len(once), len(once))
  both = Sequences.of(np.array(tokens, np.int32) for tokens in tokens_of(twice)["targets"])
  assert [each.tolist() for each in both.clean()] == tokens_of(once)["targets"] * 2
