"""Small stores made by hand: whatever tokens a test wants, without rendering."""

import pathlib
from collections.abc import Iterable, Sequence

import numpy as np

from flan_jax.data import store_writing
from flan_jax.data.records import Records
from flan_jax.data.store import Origin, TaskStore, open_store

FEATURES = ("inputs", "targets")
Pair = tuple[Sequence[int], Sequence[int]]


def shard_of(folder: pathlib.Path, number: int, pairs: Sequence[Pair], first: int = 0) -> store_writing.Shard:
  """A record file of (inputs, targets); example i is called 'x<i>' and has i shots."""
  with store_writing.ShardWriter(folder, number, FEATURES, "uint16") as writer:
    for i, (inputs, targets) in enumerate(pairs, start=first):
      writer.add({"inputs": inputs, "targets": targets}, Origin(f"x{i}", f"wording{i % 3}", "zero_shot", i))
  return writer.shard


def make_store(root: pathlib.Path, task: str, pairs: Sequence[Pair], shards: int = 1) -> TaskStore:
  """A committed store of one task in root/task/key."""
  final = root / task / "key"
  cuts = np.linspace(0, len(pairs), shards + 1).astype(int).tolist()
  with store_writing.building(final) as temporary:
    made = [shard_of(temporary, n, pairs[cuts[n] : cuts[n + 1]], cuts[n]) for n in range(shards)]
    facts = {"task": task, "features": list(FEATURES), "token_dtype": "uint16"}
    store_writing.commit(temporary, final, made, facts)
  return open_store(final)


def tokens_of(store: TaskStore, examples: Iterable[int] | None = None) -> dict[str, list[list[int]]]:
  """The clean tokens of some records, or of all, by feature."""
  wanted = np.array(list(range(len(store)) if examples is None else examples), np.int64)
  read = Records([store]).read(wanted)
  return {name: [ids.tolist() for ids in side.clean()] for name, side in zip(store.features, read, strict=True)}


def numbered(task: int, examples: int, longest: tuple[int, int] = (9, 4)) -> list[Pair]:
  """Examples of different lengths whose tokens say which they are: [task, example, ...], never EOS."""
  rng = np.random.default_rng(task)
  lengths = rng.integers((2, 2), (longest[0] + 1, longest[1] + 1), (examples, 2))
  return [
    ([100 + task, 200 + i] + [7] * (a - 2), [100 + task, 200 + i] + [9] * (b - 2))
    for i, (a, b) in enumerate(lengths.tolist())
  ]
