"""A user's SeqIO tasks as clean tokens, in a process that imports their module."""

import dataclasses
import functools
import hashlib
import random
import traceback
from collections.abc import Iterator, Mapping

import numpy as np
import seqio
import tensorflow as tf

from flan_jax import draws, errors
from flan_jax.data import prepare, seqio_bridge, tokenising
from flan_jax.data.seqio_record import Request
from flan_jax.data.vocabularies import Vocabulary

_LARGEST_SEED = 1 << 30  # SeqIO counts on from the seed that it gets, and TensorFlow's are int32


@dataclasses.dataclass(frozen=True)
class Example:
  """One example of a pass over a dataset.

  Attributes:
    fate: 'kept', or 'left out: ...' and why.
    tokens: by feature, without EOS.
  """

  fate: str
  tokens: Mapping[str, np.ndarray]


@functools.cache
def tasks(module: str, name: str) -> dict[str, seqio_bridge.UserTask]:
  """The leaf tasks of a task or mixture by name, in its order; the module is imported once a process."""
  return {leaf.task.name: leaf for leaf in seqio_bridge.user_tasks(module, name)}


def examples(request: Request, task_name: str, variant: int) -> Iterator[Example]:
  """One pass over a task's train split, in SeqIO's order; a task without the feature 'inputs' has empty ones.

  Every seed is a function of (render seed, task, variant): SeqIO's, which `map_over_dataset(num_seeds=...)` draws from,
  and those of TensorFlow, NumPy and Python for preprocessors that draw without it. Those that draw in parallel threads
  are beyond that.

  Raises:
    UsageError: no split 'train', no feature 'targets', or another vocabulary than the run's.
    FlanJaxError: the user's code failed, or gives what are no token ids; says where.
  """
  try:
    yield from _examples(request, task_name, variant)
  except errors.FlanJaxError:
    raise
  except Exception:  # as text: a process without TensorFlow cannot unpickle TensorFlow's errors
    tail = "".join(traceback.format_exc().splitlines(keepends=True)[-15:])
    raise errors.FlanJaxError(f"the SeqIO module {request.module} failed while {task_name} was read:\n{tail}") from None


def vocabulary_files(task: seqio.Task) -> set[str]:
  """The SentencePiece files that a task's features name."""
  used = (task.output_features[name].vocabulary for name in task.output_features)
  return {used.sentencepiece_model_file for used in used if isinstance(used, seqio.SentencePieceVocabulary)}


def _examples(request: Request, task_name: str, variant: int) -> Iterator[Example]:
  task, vocabulary = tasks(request.module, request.name)[task_name].task, request.vocabulary()
  _require_fit(task, vocabulary)
  seed = draws.draw(_LARGEST_SEED, request.render_seed, task_name, variant, "SeqIO seed")
  for set_seed in (tf.random.set_seed, np.random.seed, random.seed):
    set_seed(seed)
  room = tokenising.room_of(request.lengths)
  lengths = request.lengths if isinstance(room, tokenising.Sides) else None
  dataset = task.get_dataset(
    sequence_length=lengths, split="train", shuffle=False, seed=seed, num_epochs=1, trim_output_features=False
  )
  absent = {feature: np.zeros(0, np.int32) for feature in prepare.FEATURES if feature not in task.output_features}
  for number, example in enumerate(dataset.as_numpy_iterator()):
    # A column that is no output feature may be there too, as text.
    columns = {**example, **absent}
    for feature in prepare.FEATURES:
      _require_ids(f"SeqIO task {task_name}, example {number}: {feature}", columns[feature], vocabulary)
    tokens = {feature: _clean(columns[feature]) for feature in prepare.FEATURES}
    yield Example(room.refusal(len(tokens["inputs"]), len(tokens["targets"])) or "kept", tokens)


def _require_fit(task: seqio.Task, vocabulary: Vocabulary) -> None:
  if "train" not in task.splits:
    raise errors.UsageError(f"SeqIO task {task.name} has no split 'train', only {', '.join(task.splits)}")
  if "targets" not in task.output_features:
    raise errors.UsageError(f"SeqIO task {task.name} has no feature 'targets', only {', '.join(task.output_features)}")
  for name in set(prepare.FEATURES) & set(task.output_features):
    theirs = task.output_features[name].vocabulary
    if not _same_ids(theirs, vocabulary):
      raise errors.UsageError(
        f"SeqIO task {task.name} tokenises {name} with {theirs}, the run with {vocabulary.path} "
        f"({vocabulary.extra_ids} extra ids); give both the same file (--gin.VOCABULARY)"
      )


def _same_ids(theirs: seqio.Vocabulary, vocabulary: Vocabulary) -> bool:
  if isinstance(theirs, seqio.PassThroughVocabulary):
    return theirs.vocab_size <= vocabulary.size
  if not isinstance(theirs, seqio.SentencePieceVocabulary):
    return False
  # Without sentinels the pieces still have the same ids.
  same_file = _digest(theirs.sentencepiece_model_file) == vocabulary.sha256
  return same_file and theirs.extra_ids in (0, vocabulary.extra_ids)


@functools.cache  # 2,000 tasks name one file
def _digest(path: str) -> str:
  with tf.io.gfile.GFile(path, "rb") as file:
    return hashlib.sha256(file.read()).hexdigest()


def _require_ids(where: str, tokens: np.ndarray, vocabulary: Vocabulary) -> None:
  """Any other number would be another one in the store, whose ids are as narrow as the vocabulary allows."""
  if tokens.ndim != 1 or not np.issubdtype(tokens.dtype, np.integer):
    raise errors.FlanJaxError(
      f"{where} is of type {tokens.dtype} and shape {list(tokens.shape)}, not a list of token ids; "
      "the task's last preprocessor has to give int32 of rank 1"
    )
  outside = tokens[(tokens < 0) | (tokens >= vocabulary.size)]
  if len(outside):
    raise errors.FlanJaxError(
      f"{where} holds {outside[0]}, which is no id of {vocabulary.path} (0 to {vocabulary.size - 1}); "
      "the task's preprocessors have to leave out padding and ids of other vocabularies"
    )


def _clean(tokens: np.ndarray) -> np.ndarray:
  """Without the EOS at the end, if there is one: the stream appends it."""
  return tokens[:-1] if len(tokens) and tokens[-1] == Vocabulary.eos_id else tokens
