"""Published compute: FLOPs of pretraining and finetuning of the paper's models, beside published/compute.csv."""

import csv
import dataclasses
import functools
import pathlib

_FILE = pathlib.Path(__file__).parent.parent / "published" / "compute.csv"
_ALIKE = 1e-4  # of the parameters: a position bias for each layer adds less, the next size differs by 6e-4 and more


@dataclasses.dataclass(frozen=True)
class Published:
  """A model of the paper.

  Attributes:
    model: as 'flan_t5_xl'.
    config: the file of gin_configs/models; '' for a decoder-only model, which we do not train.
    parameters: counted from its shape (of PaLM: as printed).
    architecture: 'encoder-decoder' or 'decoder-only'.
    init: what finetuning began with.
    nominal_parameters: with which the paper's rule gives its finetuning FLOPs.
    batch, steps: of finetuning; a row has 2,048 + 512 tokens.
    pretraining_flops, finetuning_flops: as printed.
    source: tables.
  """

  model: str
  config: str
  parameters: int
  architecture: str
  init: str
  nominal_parameters: int
  batch: int
  steps: int
  pretraining_flops: float
  finetuning_flops: float
  source: str


@functools.cache
def published() -> tuple[Published, ...]:
  """All rows, in the paper's order."""
  with _FILE.open(encoding="utf-8", newline="") as file:
    types = {field.name: field.type for field in dataclasses.fields(Published)}
    return tuple(Published(**{name: types[name](value) for name, value in row.items()}) for row in csv.DictReader(file))


def of_size(parameters: int) -> Published | None:
  """The encoder-decoder model of the paper with so many parameters; None for a size that it has not."""
  rows = (row for row in published() if row.architecture == "encoder-decoder")
  return next((row for row in rows if abs(row.parameters - parameters) <= _ALIKE * row.parameters), None)


def rule(parameters: int, tokens: float, architecture: str = "encoder-decoder") -> float:
  """The paper's training FLOPs (Table 2): 6 a parameter and token, half of it where a token passes one of two stacks.

  With the nominal parameters and all 2,560 slots of a row it gives the printed finetuning FLOPs to two digits.
  """
  return (3.0 if architecture == "encoder-decoder" else 6.0) * parameters * tokens
