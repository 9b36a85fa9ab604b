"""A checkpoint that answers: texts in, texts out."""

import dataclasses
import functools
import itertools
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jax.sharding import NamedSharding

from flan_jax.data.vocabularies import EXTRA_IDS, Vocabulary, load_vocabulary
from flan_jax.decoding import decode, scoring
from flan_jax.decoding.selection import Greedy, Search
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import loading
from flan_jax.models.model import Model, Params

_LENGTHS = (512, 128)  # input and output tokens where a checkpoint does not say what it was trained with


class Placement(NamedTuple):
  """Where a checkpoint's parameters and the rows of its batches lie on a mesh.

  Attributes:
    parameters: gives the sharding of each parameter of a network.
    rows: of batches, see `decode.continuations`.
  """

  parameters: Callable[[Model], Mapping[str, NamedSharding]]
  rows: NamedSharding


class Output(NamedTuple):
  """What a checkpoint wrote.

  Attributes:
    text: before any stop string.
    ended: whether the output came to an end (its EOS, or a stop string), or was cut at the most tokens.
  """

  text: str
  ended: bool = True


@dataclasses.dataclass(frozen=True)
class Described:
  """What a checkpoint says of itself while its parameters are still unread: what prompts are written by.

  Attributes:
    record: of our own checkpoint, see `loading.Source`; empty for others.
    vocabulary: that it reads and writes.
  """

  record: Mapping[str, Any]
  vocabulary: Vocabulary

  @classmethod
  def of(cls, source: loading.Source, vocabulary: str | None = None, data_dir: Path | None = None) -> "Described":
    """Of a checkpoint that was recognised; takes and raises what `Answerer.load` does."""
    return cls(source.record, _vocabulary(source, vocabulary, data_dir))

  @property
  def trained_tasks(self) -> tuple[str, ...] | None:
    """Full names of the tasks that it was trained on; None where the checkpoint does not say."""
    tasks = self.record.get("tasks")
    return None if tasks is None else tuple(tasks)

  def fits(self, max_input_tokens: int | None) -> Callable[[str], bool]:
    """A function that tells whether a prompt and its EOS are within a length (by default the one of training)."""
    longest = max_input_tokens or _lengths(self.record)[0]
    return lambda prompt: len(self.vocabulary.encode([prompt])[0]) + 1 <= longest


@dataclasses.dataclass(frozen=True)
class Answerer:
  """A loaded checkpoint and its vocabulary; see `load`."""

  checkpoint: loading.LoadedCheckpoint
  vocabulary: Vocabulary
  rows: NamedSharding | None = None

  @classmethod
  def load(
    cls,
    path: str | os.PathLike,
    vocabulary: str | None = None,
    data_dir: Path | None = None,
    placement: Placement | None = None,
  ) -> "Answerer":
    """Reads a checkpoint and the vocabulary that it carries.

    Args:
      path: whatever `loading.open_source` takes.
      vocabulary: a name or file for a checkpoint that carries none; of one that does it must be the same.
      data_dir: where the vocabulary 't5' is looked for.
      placement: on a mesh; None is one device.

    Raises:
      UsageError: there is no checkpoint, it has no vocabulary, or the given one is another.
      FlanJaxError: the checkpoint is damaged.
    """
    source = loading.open_source(path)
    chosen = _vocabulary(source, vocabulary, data_dir)  # what is wrong with it is told before parameters are read
    return cls(loading.loaded(source, placement and placement.parameters), chosen, placement and placement.rows)

  @property
  def model(self) -> Model:
    """The network."""
    return Model(self.checkpoint.config)

  def answers(self, prompts: Sequence[str], **options: Any) -> Iterator[tuple[int, list[str]]]:
    """The texts of `outputs`, whose options it takes."""
    for index, several in self.outputs(prompts, **options):
      yield index, [each.text for each in several]

  def outputs(
    self,
    prompts: Sequence[str],
    *,
    search: Search = Greedy(),  # noqa: B008 (frozen)
    samples: int = 1,
    seed: int = 0,
    ids: Sequence[str] | None = None,
    max_new_tokens: int | None = None,
    stop: Sequence[str] = (),
  ) -> Iterator[tuple[int, list[Output]]]:
    """(The index of a prompt, its outputs), prompts in the order in which they finish.

    Args:
      prompts: texts; give all in one call.
      search: how tokens are selected; several beams are the best first.
      samples: outputs of a prompt.
      seed: of random draws; an output is a function of it, its prompt's id and its index.
      ids: a name for each prompt; None takes a hash of its text.
      max_new_tokens: an output is cut there; None for the length of training's targets.
      stop: an output ends before the first of these strings.
    """
    found = decode.continuations(
      *self._decoder,
      self.vocabulary.encode(prompts),
      search=search,
      samples=samples,
      seed=seed,
      ids=ids,
      max_tokens=max_new_tokens or _lengths(self.checkpoint.extra)[1],
      ended=self._stopped_by(stop),
      rows=self.rows,
    )
    for index, several in found:
      yield index, [_output(self.vocabulary.decode(each.tokens), each.ended, stop) for each in several]

  def log_probabilities(
    self,
    prompts: Sequence[str],
    candidates: Sequence[Sequence[str]],
    *,
    prefixes: Sequence[str] | None = None,
    eos: bool = True,
  ) -> Iterator[tuple[int, list[float]]]:
    """(The index of a prompt, the log-probability in nats of each of its candidates), as batches are done.

    Args:
      prompts: texts; give all in one call.
      candidates: outputs of each prompt.
      prefixes: what each output begins with, which is not scored (see `cut_at_seam`); None for nothing.
      eos: whether the output must end after a candidate, which is scored too.
    """
    seams = [
      cut_at_seam(self.vocabulary.encode, "" if prefixes is None else prefixes[index], several)
      for index, several in enumerate(candidates)
    ]
    yield from scoring.log_probabilities(
      self.model,
      self.checkpoint.params,
      self.vocabulary.encode(prompts),
      [scored for _, scored in seams],
      prefixes=[before for before, _ in seams],
      eos=eos,
      rows=self.rows,
    )

  def token_counts(self, texts: Sequence[str]) -> list[int]:
    """How many tokens each output has, its end included."""
    return [len(tokens) + 1 for tokens in self.vocabulary.encode(texts)]

  @functools.cached_property
  def _decoder(self) -> tuple[Model, Params]:
    """What every call decodes with."""
    return self.model.for_decoding(self.checkpoint.params)

  def _stopped_by(self, stop: Sequence[str]) -> Callable[[Sequence[int]], bool] | None:
    if not stop:
      return None

    def stopped(tokens: Sequence[int]) -> bool:
      text = self.vocabulary.decode(tokens)
      return any(each in text for each in stop)

    return stopped


def greedy(
  model: Model, params: Params, prompts: Sequence[Sequence[int]], max_tokens: int, rows: NamedSharding
) -> list[list[int]]:
  """The greedy output of each prompt, without EOS, by parameters as they lie on a mesh.

  Args:
    model: unrolled, as its parameters.
    rows: see `decode.generate`.
  """
  return decode.generate(model, params, prompts, max_tokens=max_tokens, rows=rows)


def cut_at_seam(
  encode: Callable[[Sequence[str]], list[list[int]]], prefix: str, candidates: Sequence[str]
) -> tuple[list[int], list[list[int]]]:
  """(Tokens of the prefix, those of each candidate): together those of the whole text, as a model learns to write it.

  A token may reach over the seam ("1" and "8" are "18"). It counts to the candidates, and so do all tokens from there
  on of each of them: their probabilities are compared from one position, so what else of the prefix is scored is the
  same for those that cut it alike.
  """
  before, *wholes = encode([prefix, *(prefix + candidate for candidate in candidates)])
  shared = sum(1 for _ in itertools.takewhile(lambda at: len(set(at)) == 1, zip(before, *wholes, strict=False)))
  return before[:shared], [whole[shared:] for whole in wholes]


def _output(text: str, ended: bool, stop: Sequence[str]) -> Output:
  """The text before the first of the stop strings in it."""
  stopped = [text.index(each) for each in stop if each in text]
  return Output(text[: min(stopped)], True) if stopped else Output(text, ended)


def _vocabulary(source: loading.Source, vocabulary: str | None, data_dir: Path | None) -> Vocabulary:
  """The one that a checkpoint carries, or the given one."""
  extra_ids = (source.record.get("vocabulary") or {}).get("extra_ids", EXTRA_IDS)
  own = source.vocabulary_path and load_vocabulary(str(source.vocabulary_path), None, extra_ids)
  given = vocabulary and load_vocabulary(vocabulary, data_dir)
  if not own and not given:
    raise UsageError(
      f"{source.path} carries no vocabulary: say which with --vocabulary (demo, t5 or a SentencePiece file)"
    )
  if own and given and own.sha256 != given.sha256:
    raise UsageError(f"--vocabulary {vocabulary} is not the vocabulary that {source.path} was trained with")
  chosen = own or given
  rows = source.config.vocab_size
  if chosen.size > rows:
    raise FlanJaxError(f"{chosen.path} has {chosen.size:,} ids, but {source.path} has an embedding of {rows:,} rows")
  return chosen


def _lengths(record: Mapping[str, Any]) -> tuple[int, int]:
  """Input and output tokens that a checkpoint was trained with."""
  lengths = record.get("task_feature_lengths")
  return _LENGTHS if lengths is None else (lengths["inputs"], lengths["targets"])
