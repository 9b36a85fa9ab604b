"""Draws the lengths of a real instruction mixture from the published samples: what packing is measured on.

python scripts/real_mix_lengths.py --data_dir ../shared/data --out /tmp/lengths.npy

All P3, Super-NaturalInstructions and chain-of-thought files of the data folder, zero-shot, drawn 74 / 24 / 2 with
replacement (the proportions at which Flan 2022 draws them, without its other parts); T5's vocabulary. FILE.npy then
holds int32 [examples, 2], tokens of inputs and of targets, EOS counted.
"""

import argparse
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Int32

from flan_jax import errors
from flan_jax.data import readers, vocabularies

SHARES = {"p3": 0.74, "natural_instructions": 0.24, "cot": 0.02}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--data_dir", type=pathlib.Path, required=True, help="holds p3, natural_instructions, cot")
  parser.add_argument("--out", type=pathlib.Path, required=True, help="FILE.npy to write")
  parser.add_argument("--examples", type=int, default=65_536, help="how many are drawn")
  parser.add_argument("--seed", type=int, default=0, help="of the draw")
  args = parser.parse_args()
  try:
    lengths = drawn_lengths(args.data_dir, args.examples, args.seed)
  except errors.FlanJaxError as error:
    parser.error(str(error))
  np.save(args.out, lengths)
  means = ", ".join(f"{mean:.1f}" for mean in lengths.mean(axis=0))
  print(f"{args.out}: {len(lengths):,} examples of {means} tokens (inputs, targets) on average")


def drawn_lengths(data_dir: pathlib.Path, examples: int, seed: int) -> Int32[np.ndarray, "examples 2"]:
  """Lengths with EOS of examples drawn from the three collections by SHARES."""
  vocabulary = vocabularies.load_vocabulary("t5", data_dir)
  random = np.random.default_rng(seed)
  collection = random.choice(len(SHARES), examples, p=list(SHARES.values()))
  out = np.empty((examples, 2), np.int32)
  for i, name in enumerate(SHARES):
    lengths = _lengths(vocabulary, list(READERS[name](data_dir / name)))
    if not len(lengths):
      raise errors.FlanJaxError(f"{data_dir / name} holds no examples in the published format")
    drawn = np.flatnonzero(collection == i)
    out[drawn] = lengths[random.integers(0, len(lengths), len(drawn))]
  return out


def read_p3(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
  """(inputs, targets) of rendered P3."""
  for file in sorted(folder.glob("*.jsonl")):
    if file.stat().st_size:  # a template that applies to no record leaves an empty file
      yield from ((row["input"], row["output"]) for row in _records({"p3": file.name}, folder))


def read_natural_instructions(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
  """(definition and input, first output) of the official task files."""
  for file in sorted((folder / "tasks").glob("*.json")):
    for row in _records({"natural_instructions": file.name}, file.parent):
      yield f"{row['definition']}\n\n{row['input']}", row["output"][0]


def read_cot(folder: pathlib.Path) -> Iterator[tuple[str, str]]:
  """(question, rationale and answer) of the tab-separated files, a line a record."""
  for file in sorted(folder.glob("*_train.tsv")):
    entry = {"tsv": file.name, "columns": ["question", "answer", "rationale"], "escaped_newlines": True}
    yield from ((row["question"], f"{row['rationale']} {row['answer']}") for row in _records(entry, folder))


def _records(entry: Mapping[str, Any], folder: pathlib.Path) -> Iterator[dict[str, Any]]:
  """The records of a reader's entry that give an example."""
  rows = readers.open_rows(entry, folder)
  for row in range(len(rows)):
    try:
      yield rows.read(row)
    except readers.NoExample:
      continue


READERS = {"p3": read_p3, "natural_instructions": read_natural_instructions, "cot": read_cot}


def _lengths(vocabulary: vocabularies.Vocabulary, examples: list[tuple[str, str]]) -> Int32[np.ndarray, "n 2"]:
  """Tokens and EOS of each example whose target is not empty."""
  inputs, targets = (vocabulary.encode([example[side] for example in examples]) for side in (0, 1))
  lengths = [(len(read) + 1, len(said) + 1) for read, said in zip(inputs, targets, strict=True) if said]
  return np.array(lengths, np.int32).reshape(-1, 2)


if __name__ == "__main__":
  main()
