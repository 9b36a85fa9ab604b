"""How long a mixture's examples are before a row length is chosen: a sample, rendered and tokenised without limit."""

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int32, Int64

from flan_jax import draws
from flan_jax.data import mixtures, rendering, tokenising, vocabularies, workers
from flan_jax.data.formats import Manner
from flan_jax.data.mixtures import MixtureSpec
from flan_jax.progress import Progress, silently

EXAMPLES = 16_384
OF_A_TASK = 256  # examples that are rendered of one task, at most


def sampled_lengths(
  mixture: MixtureSpec,
  *,
  data_dir: str | os.PathLike | None,
  vocabulary: vocabularies.Vocabulary,
  examples: int = EXAMPLES,
  render_seed: int = 0,
  processes: int | None = None,
  progress: Progress = silently,
) -> Int32[np.ndarray, "examples 2"]:
  """(inputs, targets) tokens of training examples drawn at the mixture's rates, EOS counted.

  Of each task at most 256 examples are rendered; a task that is drawn more often gives these again.
  """
  pools = sampled(
    mixture,
    data_dir=data_dir,
    vocabulary=vocabulary,
    render_seed=render_seed,
    processes=processes,
    progress=progress,
  )
  return drawn(list(pools.values()), render_seed, examples)


@dataclasses.dataclass(frozen=True)
class Pool:
  """Some training examples of a task, as its part of the mixture has them rendered.

  Attributes:
    rate: how often the task is drawn, in any unit.
    lengths: int32 [n, 2], (inputs, targets) tokens, EOS counted.
    examples: how many training examples the task has.
    formats: the format of each of the n.
    options: of each of the n, one of LISTED, UNLISTED, NO_OPTIONS.
  """

  rate: float
  lengths: np.ndarray
  examples: int = 0
  formats: tuple[str, ...] = ()
  options: tuple[str, ...] = ()


LISTED, UNLISTED, NO_OPTIONS = "listed", "not listed", "none"


def sampled(
  mixture: MixtureSpec,
  *,
  data_dir: str | os.PathLike | None,
  vocabulary: vocabularies.Vocabulary,
  render_seed: int = 0,
  room: tokenising.Room = tokenising.UNLIMITED,
  of_task: int = OF_A_TASK,
  known: "Known | None" = None,
  processes: int | None = None,
  progress: Progress = silently,
) -> dict[str, Pool]:
  """Of each task of the mixture at most `of_task` training examples, evenly apart; the rates are the mixture's.

  Args:
    room: what an example has to fit into; those that the length rule leaves out are not in the sample.
    known: what earlier calls sampled, for mixtures that share tasks; is added to.
  """
  known = {} if known is None else known
  words = (str(vocabulary.path), vocabulary.extra_ids)
  folder = None if data_dir is None else os.fspath(data_dir)
  tickets = [
    _Ticket(task, _Asked(folder, *words, room, of_task, part.manner, render_seed))
    for part in mixture.parts
    for task in part.tasks
  ]
  if new := [ticket for ticket in tickets if ticket not in known]:
    with progress(f"sampling {mixture.name}", len(new), "tasks") as advance:
      for ticket, pool in workers.results(_pool, new, min(processes or os.cpu_count() or 1, len(new))):
        known[ticket] = pool
        advance(1, ticket.task)
  pools = {ticket.task: known[ticket] for ticket in tickets}
  rates = mixtures.rates(mixture, {task: pool.examples for task, pool in pools.items()}, data_dir)
  return {task: dataclasses.replace(pools[task], rate=rate) for task, rate in rates.items()}


@dataclasses.dataclass(frozen=True)
class _Asked:
  """What all tasks of a part share."""

  data_dir: str | None
  vocabulary_path: str
  extra_ids: int
  room: tokenising.Room
  of_task: int
  manner: Manner
  render_seed: int


@dataclasses.dataclass(frozen=True)
class _Ticket:
  task: str
  asked: _Asked


Known = dict[_Ticket, Pool]


def _pool(ticket: _Ticket) -> Pool:
  """The sample of one task; its rate is not known yet."""
  asked = ticket.asked
  renderer = rendering.Renderer(ticket.task, asked.data_dir, asked.render_seed, *asked.manner)
  train = renderer.splits.train
  chosen = train[_spread(len(train), asked.of_task, ticket.task, asked.render_seed)]
  vocabulary = vocabularies.load_vocabulary(asked.vocabulary_path, extra_ids=asked.extra_ids)
  examples = [renderer.source[i] for i in chosen.tolist()]
  made = tokenising.tokenise(renderer, vocabulary, asked.room, examples)
  used = [one for one in made if not isinstance(one, str) and not one.left_out]
  lengths = [(len(one.inputs) + 1, len(one.targets) + 1) for one in used]
  return Pool(
    rate=0.0,
    lengths=np.array(lengths, np.int32).reshape(-1, 2),
    examples=len(train),
    formats=tuple(one.rendered.format for one in used),
    options=tuple(_options(one.rendered) for one in used),
  )


def _options(rendered: rendering.Rendered) -> str:
  if not rendered.choices:
    return NO_OPTIONS
  return LISTED if rendered.options_shown else UNLISTED


def _spread(size: int, most: int, task: str, seed: int) -> Int64[np.ndarray, " chosen"]:
  """Different indices below the size, at most so many, evenly apart from a drawn one on."""
  count = min(size, most)
  start = draws.draw(size, seed, task, "lengths") if size else 0
  return (start + np.arange(count, dtype=np.int64) * size // max(count, 1)) % max(size, 1)


def drawn(pools: Sequence[Pool], seed: int, examples: int = EXAMPLES) -> Int32[np.ndarray, "examples 2"]:
  """Lengths drawn from the pools at their rates, with replacement; none where no pool has any."""
  pools = [pool for pool in pools if len(pool.lengths) and pool.rate]
  if not pools:
    return np.zeros((0, 2), np.int32)
  rng = np.random.default_rng(seed)
  rates = np.array([pool.rate for pool in pools], float)
  counts = rng.multinomial(examples, rates / rates.sum())
  return np.concatenate(
    [pool.lengths[rng.integers(len(pool.lengths), size=n)] for pool, n in zip(pools, counts, strict=True)]
  )
