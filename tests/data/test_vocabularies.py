"""Vocabularies number as T5's do; their equality with SeqIO's is in test_seqio_bridge.py."""

import hashlib
import pickle

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from flan_jax import errors
from flan_jax.data import vocabularies
from flan_jax.data.objectives import SpanCorruption


@pytest.fixture(scope="session")
def small_model(tmp_path_factory):
  """A SentencePiece model of 60 pieces with T5's special ids."""
  path = tmp_path_factory.mktemp("vocabulary") / "small.model"
  with path.open("wb") as file:
    sentencepiece.SentencePieceTrainer.train(
      sentence_iterator=iter([f"take the {word} list and add {i}" for i in range(90) for word in ("first", "last")]),
      model_writer=file,
      vocab_size=60,
      pad_id=0,
      eos_id=1,
      unk_id=2,
      bos_id=-1,
      hard_vocab_limit=False,
      minloglevel=2,
    )
  return path


def test_sentinels_count_down_from_the_end(small_model):
  vocabulary = vocabularies.Vocabulary(small_model, extra_ids=10)
  pieces = vocabulary.size - 10
  assert vocabulary.encode(["<extra_id_0>", "<extra_id_9>"]) == [[vocabulary.size - 1], [pieces]]
  assert vocabulary.pieces([pieces]) == ["▁<extra_id_9>"]


def test_a_file_with_its_own_sentinels_gets_no_others(small_model, tmp_path):
  """As mT5's has them: 250,100 pieces, the last 100 of which are sentinels."""
  model = sentencepiece_model_pb2.ModelProto.FromString(small_model.read_bytes())
  for i in reversed(range(10)):
    model.pieces.add(piece=f"▁<extra_id_{i}>", score=0.0, type=model.SentencePiece.USER_DEFINED)
  path = tmp_path / "mt5_vocab" / "spiece.model"
  path.parent.mkdir()
  path.write_bytes(model.SerializeToString())
  theirs, ours = vocabularies.load_vocabulary("mt5", tmp_path), vocabularies.Vocabulary(small_model, extra_ids=10)
  assert (theirs.size, theirs.extra_ids, theirs.sentinels) == (ours.size, 0, 10)
  assert (ours.extra_ids, ours.sentinels) == (10, 10)
  texts = ["add <extra_id_0> list <extra_id_9>", "take"]
  assert theirs.encode(texts) == ours.encode(texts)
  assert SpanCorruption().for_vocabulary(theirs) == SpanCorruption().for_vocabulary(ours)


def test_decode_stops_at_eos_and_passes_over_padding(small_model):
  vocabulary = vocabularies.Vocabulary(small_model)
  ids = vocabulary.encode(["add the last list"])[0]
  assert vocabulary.decode([0, *ids, 0, 1, *ids]) == "add the last list"
  assert vocabulary.decode([]) == ""
  assert "⁇" in vocabulary.decode([*ids, 10_000])


def test_it_is_pickled_as_its_path(small_model):
  vocabulary = vocabularies.Vocabulary(small_model, extra_ids=7)
  copy = pickle.loads(pickle.dumps(vocabulary))
  assert (copy.size, copy.sha256, copy.extra_ids) == (vocabulary.size, vocabulary.sha256, 7)
  assert vocabulary.sha256 == hashlib.sha256(small_model.read_bytes()).hexdigest()


def test_names_and_paths(small_model, shared_data):
  assert vocabularies.load_vocabulary(str(small_model)).path == small_model
  t5 = vocabularies.load_vocabulary("t5", shared_data)
  assert t5.size == 32_100
  assert t5.encode(["hello world <extra_id_0>", ""]) == [[21820, 296, 32099], []]


def test_a_wrong_file_is_told(tmp_path):
  (tmp_path / "f").write_text("no model", encoding="utf-8")
  with pytest.raises(errors.FlanJaxError, match="f: not a SentencePiece model"):
    vocabularies.load_vocabulary(str(tmp_path / "f"))
  (tmp_path / "empty").touch()
  with pytest.raises(errors.FlanJaxError, match="empty: not a SentencePiece model"):
    vocabularies.load_vocabulary(str(tmp_path / "empty"))
  with pytest.raises(errors.FlanJaxError, match="g: No such file"):
    vocabularies.load_vocabulary(str(tmp_path / "g"))
  with pytest.raises(errors.FlanJaxError, match=rf"needs {tmp_path}/t5_vocab/spiece\.model \(--data_dir\)"):
    vocabularies.load_vocabulary("t5", tmp_path)
  with pytest.raises(errors.FlanJaxError, match=r"mt5_vocab/spiece\.model .* gs://t5-data/vocabs/mc4"):
    vocabularies.load_vocabulary("mt5", tmp_path)
