"""Questions to answered questions: batches of them are put to a checkpoint, answers are read out and compared.

A batch depends on what is asked alone, never on what has been answered before: an evaluation that was killed and
goes on computes the very same arrays as one that was not.
"""

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from flan_jax import progress
from flan_jax.decoding import batching
from flan_jax.decoding.selection import Greedy, Sample
from flan_jax.evaluation.answered import FROM_QUESTION, Answered, Key
from flan_jax.evaluation.answering import Output
from flan_jax.evaluation.answers import equality, extraction, self_consistency
from flan_jax.evaluation.answers.ranking import rankings
from flan_jax.evaluation.journal import Journal
from flan_jax.evaluation.suites.question import Question

# Outputs of a batch: what a kill can cost. A minute's work where 512 outputs of 64 tokens come at 530 tokens a second.
# Of 40 paths a question they are 12 questions: with fewer a batch would wait for its longest path half of the time.
BATCH_OUTPUTS = 512


class Answers(Protocol):
  """What is asked of a checkpoint: `answering.Answerer` does it."""

  def outputs(self, prompts: Sequence[str], **options: Any) -> Iterator[tuple[int, list[Output]]]:
    """As `Answerer.outputs`."""

  def log_probabilities(self, prompts: Sequence[str], candidates: Sequence[Sequence[str]], **options: Any):
    """As `Answerer.log_probabilities`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
  """A question and how it is put.

  Attributes:
    question: what is asked.
    n: paths that are sampled; 1 asks greedily.
    max_new_tokens: an output is cut there; None for the length of training's targets.
    stop: texts before which an output is cut.
    prompt_tokens: how long the prompt is, its EOS included; 0 where nobody has looked.
  """

  question: Question
  n: int
  max_new_tokens: int | None = None
  stop: tuple[str, ...] = ()
  prompt_tokens: int = 0

  @property
  def key(self) -> Key:
    """That of its answer."""
    question = self.question
    return Key(question.suite, question.task, question.variant, question.mode, self.n, question.id)


@dataclasses.dataclass(frozen=True)
class AnswerOptions:
  """How a checkpoint answers.

  Attributes:
    sample: how tokens are drawn of n > 1 paths.
    seed: of the samples.
    rank: how the choices of ranked questions are ranked, see `ranking`.
    targets: whether written answers get the log-probability of their targets, another pass through the network.
  """

  sample: Sample = Sample(temperature=0.7)  # noqa: RUF009 (frozen)
  seed: int = 0
  rank: str = "sum"
  targets: bool = True


def ask(
  asked: Sequence[Asked], kept: Journal, load: Callable[[], Any], options: AnswerOptions, what: str = "answering"
) -> list[Answered]:
  """All that is asked, answered, in its order: what the journal has, and the batches that it has not, which get in it.

  Args:
    asked: each with a key of its own.
    load: gives the `answering.Answerer`; not called where all has been answered.
    what: is done, for the progress bar.
  """
  if not {each.key for each in kept.answered}.issuperset(each.key for each in asked):
    _ask_missing(asked, kept, load(), options, what)
  by_key = {each.key: each for each in kept.answered}
  return [by_key[each.key] for each in asked]


def _ask_missing(asked: Sequence[Asked], kept: Journal, answerer: Any, options: AnswerOptions, what: str) -> None:
  """Asks the batches that the journal has not; all of a batch is in it or nothing."""
  done = {each.key for each in kept.answered}
  prompts = answerer.vocabulary.encode([each.question.prompt for each in asked])
  measured = [
    dataclasses.replace(each, prompt_tokens=len(tokens) + 1) for each, tokens in zip(asked, prompts, strict=True)
  ]
  with progress.shown(what, len(asked), "questions", len(done)) as advance:
    for batch in batches(measured):
      if any(each.key not in done for each in batch):  # all of them, but where somebody edited the journal
        kept.append(answer(batch, answerer, options, advance))


def batches(asked: Iterable[Asked], outputs: int = BATCH_OUTPUTS) -> list[list[Asked]]:
  """All that is asked, each once, in batches of about `outputs` outputs that are decoded alike, long prompts first.

  Prompts of a batch lie in slots of one length, and batches of such prompts are of one size or one less: few shapes are
  compiled.
  """
  groups: dict[tuple, list[Asked]] = {}
  for each in sorted(asked, key=lambda each: -each.prompt_tokens):  # stable: prompts of one length stay in order
    question, length = each.question, batching.slot_length(each.prompt_tokens)
    groups.setdefault((question.ranked, question.mode, each.n, each.max_new_tokens, each.stop, length), []).append(each)
  found = []
  for (_, _, n, *_), group in groups.items():
    count = math.ceil(len(group) / max(1, outputs // n))
    ends = [len(group) * i // count for i in range(count + 1)]
    found += [group[start:end] for start, end in itertools.pairwise(ends)]
  return found


def answer(
  batch: Sequence[Asked], answerer: Answers, options: AnswerOptions, advance: Callable[[int], object]
) -> list[Answered]:
  """The answered questions of a batch, in its order; `advance` is told how many more of them are done."""
  return (_ranked if batch[0].question.ranked else _written)(batch, answerer, options, advance)


def _written(
  batch: Sequence[Asked], answerer: Answers, options: AnswerOptions, advance: Callable[[int], object]
) -> list[Answered]:
  """Those whose answer is read out of what the model writes."""
  first = batch[0]  # the others are decoded as it is
  search = Greedy() if first.n == 1 else options.sample
  outputs: dict[int, list[Output]] = {}
  for index, several in answerer.outputs(
    [each.question.prompt for each in batch],
    search=search,
    samples=first.n,
    seed=options.seed,
    ids=[_sampling_id(each) for each in batch],
    max_new_tokens=first.max_new_tokens,
    stop=first.stop,
  ):
    outputs[index] = several
    advance(1)
  found = [_read(each, outputs[index]) for index, each in enumerate(batch)]
  return _with_targets(found, answerer) if options.targets else found


def _read(asked: Asked, outputs: Sequence[Output]) -> Answered:
  found = read(asked, [output.text for output in outputs])
  return dataclasses.replace(found, ended=outputs[0].ended) if asked.n == 1 else found


def _sampling_id(asked: Asked) -> str:
  """What samples are drawn by: not n, so that the first paths of 40 are those of 5."""
  return "/".join(str(part) for name, part in asked.key._asdict().items() if name != "n")


def read(asked: Asked, outputs: Sequence[str]) -> Answered:
  """What a model's outputs (one for each path) make of a question, but for the log-probability of its target."""
  question = asked.question
  if not question.references:
    return _unjudged(asked, outputs)
  found = [_extracted(question, output) for output in outputs]
  if asked.n == 1:
    return _answered(asked, outputs[0], found[0])
  vote = self_consistency.vote(found, question.kind)
  return _answered(
    asked,
    outputs[vote.path],
    vote.answer,
    paths=tuple({"output": output, "extracted": each} for output, each in zip(outputs, found, strict=True)),
    agreement=vote.agreement,
    tied=vote.tied,
    abstained=vote.abstained,
  )


def _extracted(question: Question, output: str) -> str | None:
  return extraction.read_answer(
    output,
    mode=question.mode,
    kind=question.kind,
    choices=question.choices,
    listed=question.listed,
    language=question.language,
  )


def _unjudged(asked: Asked, outputs: Sequence[str]) -> Answered:
  """Of a question without a right answer: outputs are kept, nothing is read out of them."""
  paths = tuple({"output": output, "extracted": None} for output in outputs) if asked.n > 1 else None
  return _answered(asked, outputs[0], None, paths=paths)


def _answered(asked: Asked, output: str, extracted: str | None, **others: Any) -> Answered:
  question = asked.question
  return Answered(
    **{name: getattr(question, name) for name in FROM_QUESTION},
    n=asked.n,
    prompt_tokens=asked.prompt_tokens,
    output=output,
    extracted=extracted,
    target=question.references[0] if question.references else "",
    correct=extracted is not None
    and any(equality.same_answer(extracted, reference, question.kind) for reference in question.references),
    scores=equality.scores(question, extracted) if question.references else {},
    **others,
  )


def _with_targets(read: Sequence[Answered], answerer: Answers) -> list[Answered]:
  """With the log-probability of each target where its answer stands; None where no answer stands anywhere."""
  prefixes = [_prefix(each) for each in read]
  asked = [index for index, prefix in enumerate(prefixes) if prefix is not None]
  found: list[float | None] = [None] * len(read)
  if not asked:
    return list(read)
  for place, (likely,) in answerer.log_probabilities(
    [read[index].prompt for index in asked],
    [[read[index].target] for index in asked],
    prefixes=[prefixes[index] for index in asked],
    eos=read[0].mode == "direct" or read[0].choice_scores is not None,  # after reasoning a full stop may follow
  ):
    found[asked[place]] = _finite(likely)
  return [dataclasses.replace(each, log_probability=likely) for each, likely in zip(read, found, strict=True)]


def _prefix(read: Answered) -> str | None:
  """What the model wrote before its answer, '' where it was asked for the answer alone; None where no answer stands."""
  if not read.references:
    return None
  if read.mode == "direct" or read.choice_scores is not None:
    return ""
  found = extraction.reading(
    read.output,
    mode=read.mode,
    kind=read.kind,
    choices=read.choices,
    listed=read.listed,
    language=read.language,
  )
  return None if found is None else read.output[: found.start]


def _ranked(
  batch: Sequence[Asked], answerer: Answers, options: AnswerOptions, advance: Callable[[int], object]
) -> list[Answered]:
  """Those whose answer is the likeliest of their choices."""
  found: dict[int, Answered] = {}
  prompts, choices = [each.question.prompt for each in batch], [each.question.choices for each in batch]
  for index, ranking in rankings(answerer, prompts, choices, options.rank):
    chosen = choices[index][ranking.best]
    scores = tuple(map(_finite, ranking.scores))
    answered = _answered(batch[index], chosen, chosen, choice_scores=scores, tied=ranking.tied)
    if answered.target in choices[index]:
      likely = _finite(ranking.sums[choices[index].index(answered.target)])
      answered = dataclasses.replace(answered, log_probability=likely)
    found[index] = answered
    advance(1)
  strange = [index for index, each in found.items() if each.target not in choices[index]]
  if strange:
    found |= zip(strange, _with_targets([found[index] for index in strange], answerer), strict=True)
  return [found[index] for index in range(len(batch))]


def _finite(number: float) -> float | None:
  """JSON has no word for what a network gives whose parameters are not finite."""
  return number if math.isfinite(number) else None
