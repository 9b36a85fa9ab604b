"""What the commands' tests need: a vocabulary of a few hundred pieces, the toy collection, and what a command says."""

import pytest
import sentencepiece

from flan_jax.cli.main import run
from tests.data.conftest import toy, toy_files  # noqa: F401 (fixtures)


@pytest.fixture
def said(capsys):
  """A function from a command line to what it printed; it must succeed."""

  def run_it(*arguments):
    code = run([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    return printed.out

  return run_it


@pytest.fixture(scope="session")
def small_vocabulary(tmp_path_factory) -> str:
  """The path of a SentencePiece model numbered as T5's, any text its words or bytes."""
  folder = tmp_path_factory.mktemp("vocabulary")
  text = [f"How many apples are {i} apples? I count them. There are {i}. Answer: {i}" for i in range(100)]
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(text),
    model_prefix=str(folder / "spiece"),
    vocab_size=400,
    byte_fallback=True,
    hard_vocab_limit=False,
    pad_id=0,
    eos_id=1,
    unk_id=2,
    bos_id=-1,
    minloglevel=2,
  )
  return str(folder / "spiece.model")
