"""A batch that the guard of a run refused: its rows, and the text of one of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.text import Text

from flan_jax import terminal
from flan_jax.cli.example_view import colour
from flan_jax.cli.row_view import SIDES, tokens_of
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.training import skipped


def content(path: Path, row: int | None) -> dict[str, Any]:
  """What the step said, and each row's tokens and texts; of one row, if one is asked for.

  Raises:
    UsageError: no such file or row.
  """
  about, batch = skipped.read(path)
  model_dir = path.absolute().parent.parent
  rows = len(batch["decoder_target_tokens"])
  if row is not None and not 0 <= row < rows:
    raise UsageError(f"--row {row}: the batch has rows 0 to {rows - 1}")
  words = load_vocabulary(str(model_dir / layout.VOCABULARY_FILE))
  shown = range(rows) if row is None else [row]
  return {"batch": str(path), **about, "rows": [_row(batch, each, words) for each in shown]}


def show(content: Mapping[str, Any]) -> None:
  """Prints the beginning of each row, or all of a row that stands alone."""
  console = terminal.console()
  console.print(
    f"[bold]Step {content['step']} was skipped[/]  [dim]{escape(content['batch'])}: loss {_said(content['loss'])}, "
    f"gradient norm {_said(content['gradient_norm'])}, {content['in_a_row']} in a row[/]"
  )
  alone = len(content["rows"]) == 1
  for row in content["rows"]:
    console.print(f"\n[bold]Row {row['row']}[/]  [dim]{len(row['segments'])} segments, {row['tokens']} tokens[/]")
    for segment in row["segments"]:
      for side in SIDES:
        text = segment[side] if alone else segment[side].replace("\n", " ")[:100]
        label = (f"[{segment['segment']}] {side:8}", colour(segment["segment"]))
        console.print(Text.assemble(label, text), overflow="fold")


def _said(value: float | None) -> str:
  return "no number" if value is None else f"{value:.4g}"


def _row(batch: Mapping[str, np.ndarray], row: int, words: Any) -> dict[str, Any]:
  arrays = {name: values[row] for name, values in batch.items()}
  count = int(arrays["decoder_segment_ids"].max(initial=0))
  segments = [
    {"segment": segment, **{side: words.decode(tokens_of(arrays, side, segment)) for side in SIDES}}
    for segment in range(1, count + 1)
  ]
  tokens = sum(int(np.count_nonzero(arrays[ids])) for _, ids in SIDES.values())
  return {"row": row, "tokens": tokens, "segments": segments}
