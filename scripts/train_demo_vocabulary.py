"""Trains the demo's SentencePiece vocabulary on the training prompts of the mixture `demo`.

    python scripts/train_demo_vocabulary.py flan_jax/collections/demo/spiece.model

The held-out clusters' wordings are not in the text: a model meets their new words in pieces, as it would with any
vocabulary that was trained before the task was thought of. The same code gives the same file, byte for byte.
"""

import argparse
import io
import pathlib
import string
from collections.abc import Iterator

import sentencepiece

from flan_jax import atomic
from flan_jax.data import mixtures, rendering

# 924 pieces + 100 sentinels = 1,024 rows: nearly all words of the demo as whole pieces, and every ASCII character.
PIECES = 924
EXAMPLES_A_TASK = 300


def training_text(mixture: str, examples_a_task: int) -> Iterator[str]:
  """Prompts and targets of the first training examples of each task, each under two draws of format and wording."""
  spec = mixtures.get_mixture(mixture)
  for task in spec.tasks:
    part = spec.part_of(task)
    renderer = rendering.Renderer(task, None, 0, *part.manner)
    for index in renderer.splits.train[:examples_a_task]:
      example = renderer.source[index]
      for variant in range(2):
        rendered = renderer.render(example, variant)
        yield rendered.inputs
        yield rendered.targets


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
  model = train(training_text("demo", EXAMPLES_A_TASK), PIECES)
  atomic.write_atomically(arguments.output, model)
  print(f"{arguments.output}: {PIECES} pieces, {len(model):,} bytes")


if __name__ == "__main__":
  main()
