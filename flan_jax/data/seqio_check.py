"""Whether a user's SeqIO module, after a change around it, still makes the examples that stand in the stores."""

import bisect
import dataclasses
import difflib
import itertools
import pathlib
import shlex
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from flan_jax import draws, errors
from flan_jax.data import seqio_reading
from flan_jax.data.prepare import FEATURES
from flan_jax.data.records import Records
from flan_jax.data.seqio_reading import Example
from flan_jax.data.seqio_record import Record, Request
from flan_jax.data.store import TaskStore, open_store
from flan_jax.data.vocabularies import Vocabulary

_EXAMPLES = 100  # of a mixture, spread evenly over its tasks
_TASKS = 200  # at most; one more costs 0.25 s
_READ = 20_000  # examples to read on the way to them, over all tasks; TensorFlow makes some thousands a second
_SHOWN = 2  # changed examples in the error
_SHOWN_LINES = 20  # of each
_WIDTH = 100


@dataclasses.dataclass(frozen=True)
class Sample:
  """Some positions, ascending, in one pass over a task's dataset."""

  request: Request
  task: str
  variant: int
  positions: tuple[int, ...]


def samples(request: Request, record: Record) -> list[Sample]:
  """The examples to compare, of the stores that stand; see `spread`."""
  return spread(
    request, {made.task: _store(request, made.folder).manifest["read"] for made in record.standing(request)}
  )


def spread(request: Request, read: Mapping[str, Sequence[int]]) -> list[Sample]:
  """100 examples spread evenly over the tasks, or one in each of up to 200 tasks.

  Tasks, variants and positions are chosen by hash. A dataset has to be read up to the last position, so these lie among
  the first 20,000 / (number of sampled tasks) examples of each: a change that only shows further back is not seen here.

  Args:
    request: says the render seed and the number of variants.
    read: how many examples each variant of a task had, by task.
  """
  seed = request.render_seed
  chosen = sorted(read, key=lambda task: draws.hash64(seed, task, "checked task"))[:_TASKS]
  each, more = divmod(_EXAMPLES, max(1, len(chosen)))
  sampled = []
  for number, task in enumerate(chosen):
    variant = draws.draw(request.variants, seed, task, "checked variant")
    within = min(read[task][variant], _READ // len(chosen))
    positions = _positions(min(within, max(1, each + (number < more))), within, seed, task)
    if positions:
      sampled.append(Sample(request, task, variant, positions))
  return sampled


def _positions(count: int, within: int, seed: int, task: str) -> tuple[int, ...]:
  """One position in each of `count` equal stretches of range(within)."""
  edges = [i * within // count for i in range(count + 1)] if count else []
  stretches = enumerate(itertools.pairwise(edges))
  return tuple(a + draws.draw(b - a, seed, task, i, "checked example") for i, (a, b) in stretches)


def read(sample: Sample) -> list[Example | None]:
  """What the module makes at a sample's positions now; None beyond the dataset's end."""
  found = dict.fromkeys(sample.positions)
  made = seqio_reading.examples(sample.request, sample.task, sample.variant)
  for position, example in enumerate(itertools.islice(made, sample.positions[-1] + 1)):
    if position in found:
      found[position] = example
  return list(found.values())


def require_same_tasks(request: Request, record: Record, tasks: Sequence[str]) -> None:
  """Raises FlanJaxError if the mixture has other tasks than its stores."""
  stored = [made.task for made in record.tasks]
  difference = [*(f"{task} is new" for task in tasks if task not in stored)]
  difference += [f"{task} is gone" for task in stored if task not in tasks]
  if difference:
    shown = "; ".join(difference[:5]) + (f"; and {len(difference) - 5} more" if len(difference) > 5 else "")
    raise errors.FlanJaxError(f"{_since(request, record)} Its tasks are others now: {shown}.\n{_advice(request)}")


def require_same_examples(
  request: Request, record: Record, found: Sequence[tuple[Sample, Sequence[Example | None]]]
) -> None:
  """Raises FlanJaxError, with the first differences, if an example is not as the store has it.

  Args:
    request: says the vocabulary to show them in.
    record: which stores.
    found: each sample, with what `read` gives for it.
  """
  folders = {made.task: made.folder for made in record.tasks}
  differences, suspects = [], []
  for sample, examples in sorted(found, key=lambda pair: pair[0].task):
    stored = _stored(_store(request, folders[sample.task]), sample)
    for position, then, now in zip(sample.positions, stored, examples, strict=True):
      if not _same(then, now):
        suspects.append((sample, examples))
        differences.append(f"{sample.task}, example {position}:\n{_difference(then, now, request.vocabulary())}")
  if not differences:
    return
  count = sum(len(sample.positions) for sample, _ in found)
  raise errors.FlanJaxError(
    "\n".join(
      [
        f"{_since(request, record)} {len(differences)} of {count} sampled examples differ, prepared (-) and now (+):",
        *differences[:_SHOWN],
        *_unrepeatable(*suspects[0]),
        _advice(request),
      ]
    )
  )


def _since(request: Request, record: Record) -> str:
  return f"{request.name} was prepared before the module {request.module} changed ({'; '.join(record.changes()[:5])})."


def _advice(request: Request) -> str:
  options = {
    "module": request.module,
    "vocabulary": request.vocabulary_path,
    **_lengths_option(request.lengths),
    "store_dir": request.store_dir,
    "render_seed": request.render_seed,
    "variants": request.variants,
  }
  words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
  return (
    f"To train on the examples as they are now: {shlex.join(['flan-jax', 'prepare', request.name, *words])} (the old "
    "stores stay). To train on those that were prepared, undo the change"
  )


def _lengths_option(lengths: Mapping[str, int]) -> dict[str, object]:
  if "text" in lengths:
    return {"text_length": lengths["text"]}
  return {"lengths": ",".join(str(lengths[feature]) for feature in FEATURES)}


def _unrepeatable(sample: Sample, found: Sequence[Example | None]) -> list[str]:
  """A hint where the same code, read twice, makes two examples of one: then the change may be none."""
  if all(map(_same, found, read(sample))):
    return []
  return [
    f"{sample.task} is different each time that it is read: a preprocessor of it draws without the seed that SeqIO "
    "gives (seqio.map_over_dataset(num_seeds=1)), so no two preparations are the same."
  ]


def _store(request: Request, folder: str) -> TaskStore:
  return open_store(pathlib.Path(request.store_dir) / folder)


def _stored(store: TaskStore, sample: Sample) -> list[Example]:
  """What a store has at a sample's positions: a record's example id is its position in the pass, and '#0', '#1', ...

  The pieces of a text that was cut are one example again.
  """
  starts = np.cumsum([0, *store.variants]).tolist()
  within = range(starts[sample.variant], starts[sample.variant + 1])

  def position(record: int) -> int:
    return int(store.origins([record])[0].example_id.partition("#")[0])

  places = {wanted: bisect.bisect_left(within, wanted, key=position) for wanted in sample.positions}
  records, stored = Records([store]), {}
  for wanted, at in places.items():
    pieces = within[at : bisect.bisect_right(within, wanted, lo=at, key=position)]
    if pieces:
      sides = records.read(np.array(pieces, np.int64))
      stored[wanted] = {name: np.concatenate(side.clean()) for name, side in zip(store.features, sides, strict=True)}
  return [Example("kept", stored[i]) if i in stored else Example("left out", {}) for i in sample.positions]


def _same(then: Example | None, now: Example | None) -> bool:
  if then is None or now is None:
    return then is now
  if then.fate != "kept" or now.fate != "kept":
    return then.fate.partition(":")[0] == now.fate.partition(":")[0]
  return all(np.array_equal(then.tokens[feature], now.tokens[feature]) for feature in then.tokens)


def _difference(then: Example | None, now: Example | None, vocabulary: Vocabulary) -> str:
  """A unified diff of two examples' texts; of their token ids where the texts are the same."""
  for lines in (_text_lines, _id_lines):
    before, after = lines(then, vocabulary), lines(now, vocabulary)
    if before != after:
      break
  found = list(difflib.unified_diff(before, after, n=1, lineterm=""))[2:]
  return "\n".join([*found[:_SHOWN_LINES], *(["..."] if len(found) > _SHOWN_LINES else [])])


def _text_lines(example: Example | None, vocabulary: Vocabulary) -> list[str]:
  return _lines(
    example, {name: vocabulary.decode(ids.tolist()) for name, ids in example.tokens.items()} if example else {}
  )


def _id_lines(example: Example | None, vocabulary: Vocabulary) -> list[str]:
  del vocabulary
  return _lines(example, {name: str(ids.tolist()) for name, ids in example.tokens.items()} if example else {})


def _lines(example: Example | None, content: Mapping[str, str]) -> list[str]:
  if example is None:
    return ["(there is no such example)"]
  if example.fate != "kept":
    return [f"({example.fate})"]
  return [
    wrapped
    for name, text in content.items()
    for line in f"{name}: {text}".splitlines()
    for wrapped in textwrap.wrap(line, _WIDTH) or [""]
  ]
