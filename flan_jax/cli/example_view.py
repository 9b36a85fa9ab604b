"""One example on its way: raw fields → rendered text → token ids → row of a batch, with segments in colour."""

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from flan_jax import terminal
from flan_jax.cli.arguments import default_vocabulary
from flan_jax.data import packing, segments
from flan_jax.data.rendering import Rendered, Renderer
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary
from flan_jax.errors import FlanJaxError, UsageError

_NEIGHBOURS = 15  # examples after the asked one that are offered to the packer, so that its row fills as in training
_COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")
_FIRST = 24  # tokens that are printed before the dots


def content(
  task: str,
  index: int,
  form: str | None,
  variant: int,
  vocabulary: str | None,
  lengths: tuple[int, int],
  data_dir: Path | None,
) -> dict[str, Any]:
  """Everything that happens to one example, as plain JSON values.

  The row is the one in which the packer puts the example among the next few of its task; a training run packs examples
  of many tasks together.

  Args:
    task: full name.
    index: of the example in its source, from 0.
    form: name of a format; None draws one as training does.
    variant: which set of draws.
    vocabulary: name or file; None for `demo` or `t5`, whichever the collection is written for.
    lengths: slots of a row for inputs and for targets, EOS counted.
    data_dir: the user's data folder.

  Raises:
    UsageError: unknown names, an index that is out of range.
    FlanJaxError: files are missing; the example is too long for a row.
  """
  renderer = Renderer(task, data_dir)
  if not 0 <= index < len(renderer.source):
    raise UsageError(f"--example {index}: {task} has examples 0 to {len(renderer.source) - 1:,}")
  words = load_vocabulary(vocabulary or default_vocabulary([task], data_dir), data_dir)
  example = renderer.source[index]
  rendered = renderer.render(example, variant, format=form)
  held_out = index in set(renderer.splits.held_out.tolist())
  inputs, targets = words.encode([rendered.inputs, rendered.targets])
  return {
    "example": {"task": task, "index": index, "id": example.id, "split": "held out" if held_out else "train"},
    "fields": dict(example.fields),
    "rendered": dataclasses.asdict(rendered),
    "vocabulary": str(words.path),
    "tokens": {"inputs": _tokens(words, inputs), "targets": _tokens(words, targets)},
    "row": _row(renderer, rendered, index, form, variant, words, lengths),
  }


def _tokens(words: Vocabulary, ids: Sequence[int]) -> dict[str, Any]:
  return {"ids": list(ids), "pieces": words.pieces(ids)}


def _row(
  renderer: Renderer,
  rendered: Rendered,
  index: int,
  form: str | None,
  variant: int,
  words: Vocabulary,
  lengths: tuple[int, int],
) -> dict[str, Any]:
  """The row of the example: its arrays by feature, the pieces of its tokens, and what its segments are."""
  following = [(index + i) % len(renderer.source) for i in range(1, min(_NEIGHBOURS + 1, len(renderer.source)))]
  offered = [rendered, *(renderer.render(renderer.source[i], variant, format=form) for i in following)]
  pairs = [words.encode([each.inputs, each.targets]) for each in offered]
  taken = np.array([[len(inputs) + 1, len(targets) + 1] for inputs, targets in pairs])  # + 1: EOS
  if (taken[0] > lengths).any():
    raise FlanJaxError(
      f"{rendered.task}, example {index}: {taken[0][0]} input and {taken[0][1]} target tokens do not fit a row of "
      f"{lengths[0]} and {lengths[1]} (--lengths). In the store fewer exemplars would be tried, and else it is left out"
    )
  fitting = [i for i in range(len(offered)) if (taken[i] <= lengths).all()]
  row_of = packing.pack(taken[fitting], lengths)
  together = [fitting[i] for i in np.flatnonzero(row_of == row_of[0])]
  inputs, targets = (segments.Sequences.of(np.array(pairs[i][side], np.int32) for i in together) for side in (0, 1))
  batch = segments.EncoderDecoderRows(*lengths).batch(1, np.zeros(len(together), np.int64), inputs, targets)
  arrays = {name: values[0].tolist() for name, values in batch.items()}
  return {
    "lengths": list(lengths),
    "segments": [_origin(offered[i]) for i in together],
    "arrays": arrays,
    "pieces": {name: words.pieces(arrays[name]) for name in ("encoder_input_tokens", "decoder_target_tokens")},
  }


def _origin(rendered: Rendered) -> dict[str, Any]:
  names = ("task", "example_id", "format", "wording", "shots", "variant")
  return {name: getattr(rendered, name) for name in names}


def show(content: Mapping[str, Any], console: Console | None = None) -> None:
  """Prints the four stages one below the other."""
  console = console or terminal.console()
  example, rendered = content["example"], content["rendered"]
  origin = f"{example['task']}, example {example['index']} (id {example['id']}, {example['split']})"
  _heading(console, "Raw fields", origin)
  for name, value in content["fields"].items():
    terminal.field(console, name, Text(value if isinstance(value, str) else " | ".join(value)))
  shots = f", {rendered['shots']} exemplars" if rendered["shots"] else ""
  _heading(console, "Rendered text", f"{rendered['format']}, wording {rendered['wording']}{shots}")
  for name in ("inputs", "targets"):
    terminal.field(console, name, Text(rendered[name]))
  _heading(console, "Token ids", f"vocabulary {content['vocabulary']}")
  for name, tokens in content["tokens"].items():
    terminal.field(console, name, _numbered_pieces(tokens))
  _show_row(console, content["row"])


def _heading(console: Console, stage: str, detail: str) -> None:
  console.print(f"\n[bold]{stage}[/]  [dim]{escape(detail)}[/]")


def _numbered_pieces(tokens: Mapping[str, Any]) -> Text:
  pieces = zip(tokens["pieces"][:_FIRST], tokens["ids"], strict=False)
  more = len(tokens["ids"]) - _FIRST
  said = Text(" ").join(Text.assemble(piece, (f"·{token}", "dim")) for piece, token in pieces)
  return Text.assemble(f"{len(tokens['ids'])}: ", said, f" ... {more} more" if more > 0 else "")


def _show_row(console: Console, row: Mapping[str, Any]) -> None:
  arrays, (inputs, targets) = row["arrays"], row["lengths"]
  _heading(console, "Row of a batch", f"{len(row['segments'])} segments in {inputs} input and {targets} target slots")
  for number, segment in enumerate(row["segments"], start=1):
    origin = f"{segment['task']}, example {segment['example_id']}, {segment['format']}"
    console.print(Text.assemble((f"  [{number}] ", colour(number)), origin))
  terminal.field(console, "inputs", _segments(row["pieces"]["encoder_input_tokens"], arrays["encoder_segment_ids"]))
  terminal.field(console, "targets", _segments(row["pieces"]["decoder_target_tokens"], arrays["decoder_segment_ids"]))
  console.print()
  for name, values in arrays.items():
    console.print(Text.assemble((f"  {name:22} ", "cyan"), _runs(values)))


def _segments(pieces: Sequence[str], ids: Sequence[int]) -> Text:
  """The text of each segment behind its number, in its colour; padding as a count."""
  text = Text()
  for number, group in groupby(zip(pieces, ids, strict=True), key=lambda pair: pair[1]):
    run = [piece for piece, _ in group]
    if number == 0:
      text.append(f"  {len(run)} slots of padding", "dim")
    else:
      text.append(f"[{number}]", f"bold {colour(number)}")
      text.append("".join(run).replace("▁", " ") + " ", colour(number))
  return text


def colour(number: int) -> str:
  """Of a segment, by its number."""
  return _COLOURS[(number - 1) % len(_COLOURS)]


def _runs(values: Sequence[int]) -> str:
  """The first values, with how many of each follow each other."""
  runs = [(value, len(list(group))) for value, group in groupby(values)]
  shown = " ".join(f"{value}×{count}" if count > 1 else f"{value}" for value, count in runs[:_FIRST])
  return f"{shown} ... ({len(values)})" if len(runs) > _FIRST else shown
