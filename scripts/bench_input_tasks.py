"""The SeqIO tasks that bench_input.py measures: BENCH_INPUT_TASKS of them, of random tokens, cheap to make.

Lengths are log-normal, as those of instruction data are: some 180 input and 18 target tokens on average.
"""

import functools
import os

import numpy as np
import seqio
import tensorflow as tf

EXAMPLES = 100  # of a task
LONGEST = {"inputs": 510, "targets": 126}
MIXTURE = "bench_input"

_VOCABULARY = seqio.PassThroughVocabulary(1000, eos_id=1)
_FEATURES = {name: seqio.Feature(_VOCABULARY) for name in LONGEST}
# Feature -> mean and deviation of the logarithm of its length.
_LOG_LENGTH = {"inputs": (4.8, 0.9), "targets": (2.3, 1.1)}


def _examples(task: int, split: str, shuffle_files: bool, seed: int | None = None) -> tf.data.Dataset:
  del split, shuffle_files, seed
  rng = np.random.default_rng(task)
  columns = {}
  for name, (mean, deviation) in _LOG_LENGTH.items():
    lengths = np.clip(rng.lognormal(mean, deviation, EXAMPLES), 2, LONGEST[name]).astype(np.int64)
    tokens = rng.integers(2, 1000, lengths.sum(), np.int32)
    columns[name] = tf.RaggedTensor.from_row_lengths(tokens, lengths)
  return tf.data.Dataset.from_tensor_slices(columns).map(
    lambda row: {name: tf.convert_to_tensor(tokens) for name, tokens in row.items()}
  )


_TASKS = [f"bench_input_{task}" for task in range(int(os.environ["BENCH_INPUT_TASKS"]))]
for _number, _name in enumerate(_TASKS):
  seqio.TaskRegistry.add(
    _name,
    source=seqio.FunctionDataSource(functools.partial(_examples, _number), splits=["train"]),
    preprocessors=[seqio.preprocessors.append_eos_after_trim],
    output_features=_FEATURES,
  )
seqio.MixtureRegistry.add(MIXTURE, [(name, 1) for name in _TASKS])
