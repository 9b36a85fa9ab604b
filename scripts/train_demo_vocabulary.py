"""Trains the demo's SentencePiece vocabulary on the text that the demo's base model is pre-trained on.

    python scripts/train_demo_vocabulary.py flan_jax/collections/demo/spiece.model

No prompt is in the text: a model meets the words of instructions that no narrative has in pieces, as it would with any
vocabulary that was trained before the task was thought of. The same code gives the same file, byte for byte.
"""

import argparse
import io
import pathlib
import string
from collections.abc import Iterator

import sentencepiece

from flan_jax import atomic
from flan_jax.data import sources, specs

# 1,436 pieces + 100 sentinels = 1,536 rows: the words of the narratives as whole pieces, and every ASCII character.
PIECES = 1436
DOCUMENTS = 40_000


def training_text(documents: int) -> Iterator[str]:
  """The first documents of demo.narratives."""
  source = sources.open_source(specs.get_task("demo.narratives"), None)
  return (source[index].fields["text"] for index in range(documents))


def train(text: Iterator[str], pieces: int) -> bytes:
  """A serialised byte-pair model with T5's ids: pad 0, EOS 1, unknown 2, no BOS."""
  model = io.BytesIO()
  sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=text,
    model_writer=model,
    vocab_size=pieces,
    model_type="bpe",
    character_coverage=1.0,
    required_chars=string.printable.strip(),
    pad_id=0,
    eos_id=1,
    unk_id=2,
    bos_id=-1,
    num_threads=1,  # more threads sum in another order, and the file would differ
    minloglevel=1,
  )
  return model.getvalue()


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("output", type=pathlib.Path, help="where the .model file goes")
  arguments = parser.parse_args()
  model = train(training_text(DOCUMENTS), PIECES)
  atomic.write_atomically(arguments.output, model)
  print(f"{arguments.output}: {PIECES} pieces, {len(model):,} bytes")


if __name__ == "__main__":
  main()
