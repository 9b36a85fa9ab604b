"""Checkpoints of networks that have learned nothing, and an answerer that needs no network at all."""

import dataclasses
import hashlib
import pathlib
import shutil
import time
from collections.abc import Iterator, Sequence

from flan_jax.data.vocabularies import EXTRA_IDS, Vocabulary, load_vocabulary
from flan_jax.decoding.selection import Greedy
from flan_jax.evaluation.answering import Output
from flan_jax.interop import checkpoints as layout
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

TINY = T5Config(
  vocab_size=1536, emb_dim=16, num_heads=2, head_dim=8, mlp_dim=16, num_encoder_layers=1, num_decoder_layers=1
)


def write_checkpoint(model_dir: pathlib.Path, config=TINY, vocabulary="demo", data_dir=None, seed=0, **record):
  """A MODEL_DIR with one checkpoint, as a run leaves it; `record` is what it says of itself beside its network, None
  what it does not say."""
  found = load_vocabulary(vocabulary, data_dir)
  params = Model(config).init(seed)
  said = {"name": vocabulary, "sha256": found.sha256, "extra_ids": EXTRA_IDS}
  content = {"step": 0, "model": dataclasses.asdict(config), "vocabulary": said, "tasks": [], **record}
  content.setdefault("task_feature_lengths", {"inputs": 64, "targets": 16})
  content = {name: value for name, value in content.items() if value is not None}
  layout.write_step(model_dir / layout.CHECKPOINTS / "0", {layout.PARAMS: params}, content)
  shutil.copyfile(found.path, model_dir / layout.VOCABULARY_FILE)
  return model_dir


class StandIn:
  """Answers are a function of seed, prompt, id and index: every third question has no answer, others a small number.

  Args:
    pause: seconds before each answer.
  """

  def __init__(self, pause: float = 0.0):
    self.vocabulary: Vocabulary = load_vocabulary("demo")
    self.asked: list[str] = []
    self._pause = pause

  def outputs(
    self, prompts: Sequence[str], *, search=None, samples=1, seed=0, ids=None, max_new_tokens=None, stop=()
  ) -> Iterator[tuple[int, list[Output]]]:
    """The last prompt finishes first."""
    assert (samples == 1) == isinstance(search, Greedy)
    for index in reversed(range(len(prompts))):
      time.sleep(self._pause)
      self.asked.append(prompts[index])
      drawn = [_number(prompts[index], *([seed, ids[index], i] if samples > 1 else [])) for i in range(samples)]
      texts = [f"I count. So the answer is {each % 7}." if each % 3 else "I do not know" for each in drawn]
      yield index, [Output(text) for text in texts]

  def log_probabilities(
    self, prompts: Sequence[str], candidates: Sequence[Sequence[str]], *, prefixes=None, eos=True
  ) -> Iterator[tuple[int, list[float]]]:
    """Negative numbers that differ for all that is given."""
    for index, (prompt, several) in enumerate(zip(prompts, candidates, strict=True)):
      before = prefixes[index] if prefixes else ""
      yield index, [-_number(prompt, before, each, eos) / 1e6 for each in several]

  def token_counts(self, texts: Sequence[str]) -> list[int]:
    """As many as characters, and the end."""
    return [len(text) + 1 for text in texts]


def _number(*parts) -> int:
  return int(hashlib.sha256(repr(parts).encode()).hexdigest()[:6], 16)
