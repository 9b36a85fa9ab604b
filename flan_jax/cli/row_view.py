"""A row of a run as the model saw it: what made each of its segments, and their text."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rich.markup import escape
from rich.text import Text

from flan_jax import terminal
from flan_jax.cli.example_view import colour
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.training.feed import past_feed
from flan_jax.training.windows import Jump, position_of

# Side of a segment -> (the batch array of its tokens, the one of its segment ids).
SIDES = {
  "inputs": ("encoder_input_tokens", "encoder_segment_ids"),
  "targets": ("decoder_target_tokens", "decoder_segment_ids"),
}


def content(model_dir: Path, step: int, row: int) -> dict[str, Any]:
  """A row of the batch of an update, as plain JSON values.

  Args:
    model_dir: of a run, or one of its checkpoints.
    step: the update, from 1.
    row: of the batch, from 0.

  Raises:
    UsageError: no such run, step or row.
    StoreError: a store of the run is damaged or no more.
  """
  if model_dir.parent.name == layout.CHECKPOINTS:
    model_dir = model_dir.parent.parent
  record = layout.read_record(layout.step_folder(model_dir))
  saved = record["step"]
  feed = past_feed(model_dir)
  if not 1 <= step <= saved or not 0 <= row < feed.stream.batch_rows:
    raise UsageError(
      f"--step {step} --row {row}: {model_dir} is saved up to step {saved:,} from 1, and a batch has rows 0 to "
      f"{feed.stream.batch_rows - 1}"
    )
  jumps = [Jump.from_json(each) for each in record["jumps"]]
  position = position_of(step, feed.stream, model_dir, feed.identity, jumps)
  arrays = {name: values[row] for name, values in feed.stream.batch(position)[0].items()}
  words = load_vocabulary(str(model_dir / layout.VOCABULARY_FILE), extra_ids=record["vocabulary"]["extra_ids"])
  segments = []
  for segment in feed.stream.rows(position):
    if segment.row == row:
      origin = segment.origin
      segments.append(
        {
          "segment": segment.segment,
          "task": segment.task,
          "example_id": origin.example_id,
          "template": origin.wording,
          "format": origin.format,
          "shots": origin.shots,
          "variant": origin.variant,
          "epoch": segment.epoch,
          **{side: words.decode(tokens_of(arrays, side, segment.segment)) for side in SIDES},
        }
      )
  return {
    "run": str(model_dir),
    "step": step,
    "row": row,
    "window": position.window,
    "segments": segments,
    "arrays": {name: values.tolist() for name, values in arrays.items()},
  }


def show(content: Mapping[str, Any]) -> None:
  """Prints each segment below what made it."""
  console = terminal.console()
  shape = ", ".join(
    f"{np.count_nonzero(content['arrays'][ids])} of {len(content['arrays'][ids])} {side}"
    for side, (_, ids) in SIDES.items()
  )
  console.print(
    f"[bold]Row {content['row']} of step {content['step']}[/]  [dim]{escape(content['run'])}, window "
    f"{content['window']}: {len(content['segments'])} segments, {shape} slots[/]"
  )
  for segment in content["segments"]:
    number = segment["segment"]
    made = f"{segment['format']}, template {segment['template'] or 'none'}"
    shots = f", {segment['shots']} exemplars" if segment["shots"] else ""
    origin = f"{segment['task']}, example {segment['example_id']}, {made}{shots}"
    console.print()
    console.print(
      Text.assemble(
        (f"[{number}] ", f"bold {colour(number)}"),
        origin,
        (f", variant {segment['variant']}, epoch {segment['epoch']}", "dim"),
      )
    )
    for side in SIDES:
      for line, text in enumerate(segment[side].split("\n")):
        console.print(Text.assemble((f"  {side if line == 0 else '':8}", "cyan"), text))


def tokens_of(arrays: Mapping[str, np.ndarray], side: str, segment: int) -> list[int]:
  """The tokens of one segment of a row, padding left out."""
  tokens, ids = SIDES[side]
  return arrays[tokens][arrays[ids] == segment].tolist()
