"""A checkpoint that answers: texts in, texts out."""

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from jax.sharding import NamedSharding

from flan_jax.data.vocabularies import EXTRA_IDS, Vocabulary, load_vocabulary
from flan_jax.decoding import decode
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import loading
from flan_jax.models.model import Model, Params

_LENGTHS = (512, 128)  # input and output tokens where a checkpoint does not say what it was trained with


@dataclasses.dataclass(frozen=True)
class Answerer:
  """A loaded checkpoint and its vocabulary; see `load`."""

  checkpoint: loading.LoadedCheckpoint
  vocabulary: Vocabulary

  @classmethod
  def load(cls, path: str | os.PathLike, vocabulary: str | None = None, data_dir: Path | None = None) -> "Answerer":
    """Reads a checkpoint and the vocabulary that it carries.

    Args:
      path: whatever `loading.open_source` takes.
      vocabulary: a name or file for a checkpoint that carries none; of one that does it must be the same.
      data_dir: where the vocabulary 't5' is looked for.

    Raises:
      UsageError: there is no checkpoint, it has no vocabulary, or the given one is another.
      FlanJaxError: the checkpoint is damaged.
    """
    checkpoint = loading.load(path)
    own = checkpoint.vocabulary_path and load_vocabulary(str(checkpoint.vocabulary_path), None, _extra_ids(checkpoint))
    given = vocabulary and load_vocabulary(vocabulary, data_dir)
    if not own and not given:
      raise UsageError(f"{path} carries no vocabulary: say which with --vocabulary (demo, t5 or a SentencePiece file)")
    if own and given and own.sha256 != given.sha256:
      raise UsageError(f"--vocabulary {vocabulary} is not the vocabulary that {path} was trained with")
    chosen = own or given
    rows = checkpoint.config.vocab_size
    if chosen.size > rows:
      raise FlanJaxError(f"{chosen.path} has {chosen.size:,} ids, but {path} has an embedding of {rows:,} rows")
    return cls(checkpoint, chosen)

  @property
  def trained_tasks(self) -> tuple[str, ...] | None:
    """Full names of the tasks that it was trained on; None where the checkpoint does not say."""
    tasks = self.checkpoint.extra.get("tasks")
    return None if tasks is None else tuple(tasks)

  def fits(self, max_input_tokens: int | None) -> Callable[[str], bool]:
    """A function that tells whether a prompt and its EOS are within a length (by default the one of training)."""
    longest = max_input_tokens or self._lengths()[0]
    return lambda prompt: len(self.vocabulary.encode([prompt])[0]) + 1 <= longest

  def answer(self, prompts: Sequence[str], max_new_tokens: int | None, advance: Callable[[int], object]) -> list[str]:
    """Greedy outputs in the order of the prompts.

    Args:
      prompts: texts.
      max_new_tokens: an output is cut there; None for the length of training's targets.
      advance: called with the number of prompts just done.
    """
    outputs = decode.generate(
      Model(self.checkpoint.config),
      self.checkpoint.params,
      self.vocabulary.encode(prompts),
      max_tokens=max_new_tokens or self._lengths()[1],
      progress=advance,
    )
    return [self.vocabulary.decode(output) for output in outputs]

  def _lengths(self) -> tuple[int, int]:
    lengths = self.checkpoint.extra.get("task_feature_lengths")
    return _LENGTHS if lengths is None else (lengths["inputs"], lengths["targets"])


def greedy(
  model: Model, params: Params, prompts: Sequence[Sequence[int]], max_tokens: int, rows: NamedSharding
) -> list[list[int]]:
  """The greedy output of each prompt, without EOS, by parameters as they lie on a mesh.

  Args:
    model: unrolled, as its parameters.
    rows: see `decode.generate`.
  """
  return decode.generate(model, params, prompts, max_tokens=max_tokens, rows=rows)


def _extra_ids(checkpoint: loading.LoadedCheckpoint) -> int:
  return (checkpoint.extra.get("vocabulary") or {}).get("extra_ids", EXTRA_IDS)
