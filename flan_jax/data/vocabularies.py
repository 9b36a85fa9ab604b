"""SentencePiece vocabularies as T5 uses them (sentinel ids at the end), without TensorFlow."""

import functools
import hashlib
import pathlib
from collections.abc import Iterable, Sequence

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

import flan_jax.collections
from flan_jax import errors

EXTRA_IDS = 100  # T5's sentinels; 32,000 pieces + 100 = 32,100 ids in a model of 32,128 rows
# Name -> (file under the data folder, where it comes from).
PUBLIC = {
  "t5": (
    "t5_vocab/spiece.model",
    "the public T5 vocabulary, gs://t5-data/vocabs/cc_all.32000/sentencepiece.model",
  ),
  "mt5": (
    "mt5_vocab/spiece.model",
    "the public mT5 vocabulary, gs://t5-data/vocabs/mc4.250000.100extra/sentencepiece.model",
  ),
}
DEMO_PATH = pathlib.Path(flan_jax.collections.__file__).parent / "demo" / "spiece.model"


class Vocabulary:
  """Texts to token ids and back; the ids of `seqio.SentencePieceVocabulary(path, extra_ids)`.

  Attributes:
    path: the SentencePiece model file.
    extra_ids: how many sentinels were added to its pieces; none where the file holds its own, as mT5's does.
    sentinels: how many there are: `<extra_id_0>` has the highest id.
    size: number of ids, sentinels included.
    sha256: hexadecimal, of the file's bytes.
    pad_id, eos_id: 0 and 1.
  """

  pad_id = 0
  eos_id = 1

  def __init__(self, path: str | pathlib.Path, extra_ids: int = EXTRA_IDS):
    """Loads the model. Raises FlanJaxError if the file is absent or no SentencePiece model that numbers as T5 does."""
    self.path = pathlib.Path(path)
    content = _content(self.path)
    self.sha256 = hashlib.sha256(content).hexdigest()
    self._processor, self.extra_ids = _processor(self.path, content, extra_ids)
    self.size = self._processor.get_piece_size()
    self.sentinels = _count_sentinels(self._processor)

  def __reduce__(self):
    """Pickled as its path, for worker processes."""
    return Vocabulary, (self.path, self.extra_ids)

  def encode(self, texts: Sequence[str]) -> list[list[int]]:
    """The ids of each text, without EOS; an empty text has none."""
    # One by one: for a list SentencePiece starts threads anew at each call, and our processes share the cores already.
    return [self._processor.encode(text, out_type=int) for text in texts]

  def decode(self, ids: Iterable[int]) -> str:
    """The text of ids up to the first EOS; padding is passed over, ids beyond the vocabulary read as unknown."""
    kept = []
    for token in map(int, ids):
      if token == self.eos_id:
        break
      if token != self.pad_id:
        kept.append(token if 0 <= token < self.size else self._processor.unk_id())
    return self._processor.decode(kept)

  def pieces(self, ids: Iterable[int]) -> list[str]:
    """The piece of each id, for showing how a text was cut."""
    return [self._processor.id_to_piece(int(token)) for token in ids]


@functools.lru_cache(maxsize=4)
def load_vocabulary(name: str, data_dir: str | pathlib.Path | None = None, extra_ids: int = EXTRA_IDS) -> Vocabulary:
  """A vocabulary by name, or by the path of its file.

  Args:
    name: 'demo' (ships with the embedded collection), 't5' or 'mt5' (under the data folder) or a path.
    data_dir: the user's data folder.
    extra_ids: number of sentinels to add, if the file has none.

  Raises:
    FlanJaxError: the file is not there; says which, and where it comes from and belongs.
  """
  if name == "demo":
    return Vocabulary(DEMO_PATH, extra_ids)
  if name not in PUBLIC:
    return Vocabulary(name, extra_ids)
  file, origin = PUBLIC[name]
  path = pathlib.Path(data_dir or "DATA_DIR") / file
  if not path.is_file():
    raise errors.FlanJaxError(f"the vocabulary {name!r} needs {path} (--data_dir). It comes from {origin}")
  return Vocabulary(path, extra_ids)


def is_unigram(path: pathlib.Path) -> bool:
  """Whether a SentencePiece file is a unigram model, as T5's is; that of the demo collection is byte-pair encoding.

  Raises:
    FlanJaxError: it is no SentencePiece file.
  """
  spec = _model(path, _content(path)).trainer_spec
  return spec.model_type == spec.UNIGRAM


def _content(path: pathlib.Path) -> bytes:
  try:
    return path.read_bytes()
  except OSError as error:
    reason = error.strerror or error
    raise errors.FlanJaxError(
      f"vocabulary {path}: {reason}. A vocabulary is 'demo', 't5', 'mt5' or the path of a SentencePiece model"
    ) from None


def _model(path: pathlib.Path, content: bytes) -> sentencepiece_model_pb2.ModelProto:
  try:
    return sentencepiece_model_pb2.ModelProto.FromString(content)
  except Exception:  # protobuf's DecodeError has another home in each of its versions
    raise errors.FlanJaxError(f"vocabulary {path}: not a SentencePiece model") from None


def _processor(path: pathlib.Path, content: bytes, extra_ids: int) -> tuple[sentencepiece.SentencePieceProcessor, int]:
  """The model with sentinels, and how many had to be added for that."""
  model = _model(path, content)
  if any(piece.piece == _sentinel(0) for piece in model.pieces):
    extra_ids = 0
  # T5 numbers its sentinels from the end, so that span corruption's first one is the last id.
  for i in reversed(range(extra_ids)):
    model.pieces.add(piece=_sentinel(i), score=0.0, type=model.SentencePiece.USER_DEFINED)
  processor = sentencepiece.SentencePieceProcessor()
  try:
    processor.load_from_serialized_proto(model.SerializeToString())
  except RuntimeError as error:  # an empty file is a model without pieces
    raise errors.FlanJaxError(f"vocabulary {path}: not a SentencePiece model ({error})") from None
  if processor.eos_id() != Vocabulary.eos_id or processor.piece_to_id("<pad>") != Vocabulary.pad_id:
    raise errors.FlanJaxError(f"vocabulary {path}: pad must be id 0 and EOS id 1, as in T5's")
  return processor, extra_ids


def _count_sentinels(processor: sentencepiece.SentencePieceProcessor) -> int:
  last, count = processor.get_piece_size() - 1, 0
  while count <= last and processor.id_to_piece(last - count) == _sentinel(count):
    count += 1
  return count


def _sentinel(number: int) -> str:
  return f"▁<extra_id_{number}>"
