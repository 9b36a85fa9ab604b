"""`flan-jax infer`: prompts in, answers out."""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flan_jax.errors import FlanJaxError, UsageError

if TYPE_CHECKING:
  from flan_jax.decoding.selection import Search


@click.command("infer")
@click.argument("checkpoint")
@click.argument("prompts", nargs=-1, metavar="[PROMPT]...")
@click.option("--file", "file", type=click.Path(path_type=Path), help="Prompts, one a line, or JSONL with 'prompt'.")
@click.option("--max_new_tokens", type=click.IntRange(min=1), help="Length of an output (default: as trained).")
@click.option("--vocabulary", metavar="V", help="demo, t5 or a SentencePiece file, for a checkpoint that carries none.")
@click.option(
  "--data_dir",
  type=click.Path(path_type=Path),
  envvar="FLAN_JAX_DATA_DIR",
  help="Where the vocabulary t5 is looked for.",
)
@click.option("--temperature", type=float, help="Draw tokens at random: below 1 the likely ones more often than not.")
@click.option("--top_k", type=click.IntRange(min=0), help="Draw from the k likeliest tokens.")
@click.option("--top_p", type=float, help="Draw from the likeliest tokens whose probabilities sum to p.")
@click.option("--beams", type=click.IntRange(min=1), metavar="N", help="Search with N beams; the best is the answer.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="Answers to each prompt.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of random draws.")
@click.option("--stop", multiple=True, metavar="TEXT", help="Answers end before it; may be given several times.")
@click.option("--sharding", metavar="NAME", help="How parameters lie on devices: a file of gin_configs/sharding.")
@click.option("--json", "as_json", is_flag=True, help="A JSON object a line: prompt, output; of several also outputs.")
def command(checkpoint, prompts, file, max_new_tokens, vocabulary, data_dir, samples, seed, stop, sharding, **options):
  """Answer prompts with CHECKPOINT: the arguments, the lines of --file, or those of standard input.

  CHECKPOINT is a MODEL_DIR, MODEL_DIR/checkpoints/STEP, a T5X checkpoint (gs:// too) or a Hugging Face folder, or demo,
  the small base model that comes along.
  In a file or on standard input a line is a prompt (\\n in it is a line break), or a JSON object with 'prompt'.

  \b
  Greedily, unless there is an option for drawing or beams:
    flan-jax infer CHECKPOINT "Q: What is 3 + 4?"
    flan-jax infer CHECKPOINT --temperature 0.7 --samples 5 "Q: What is 3 + 4? Let's think step by step."
    flan-jax infer CHECKPOINT --beams 4 --file prompts.txt --json

  A sample is a function of --seed, its prompt and its number, whatever else is asked.
  """
  prompts = prompts_of(prompts, file)
  search = _search(options["beams"], samples, **{name: options[name] for name in ("temperature", "top_k", "top_p")})
  from flan_jax.cli.environment import prepare_jax

  prepare_jax()
  from flan_jax import progress
  from flan_jax.cli.placing import placement
  from flan_jax.evaluation.answering import Answerer

  answerer = Answerer.load(checkpoint, vocabulary, data_dir, placement(sharding))
  decoding = {"search": search(), "samples": samples, "seed": seed, "stop": stop, "max_new_tokens": max_new_tokens}
  with progress.shown("answering", len(prompts), "prompts") as advance:
    outputs = {}
    for index, found in answerer.answers(prompts, **decoding):
      outputs[index] = found
      advance(1)
  for index, prompt in enumerate(prompts):
    if options["as_json"]:
      click.echo(_line(prompt, outputs[index]))
    else:
      for output in outputs[index]:
        click.echo(output)


def _line(prompt: str, outputs: Sequence[str]) -> str:
  several = {"outputs": outputs} if len(outputs) > 1 else {}
  return json.dumps({"prompt": prompt, "output": outputs[0], **several}, ensure_ascii=False)


def _search(beams: int | None, samples: int, **drawing: float | None) -> "Callable[[], Search]":
  """What makes the search; what is wrong with the options is told before JAX is imported."""
  drawing = {name: value for name, value in drawing.items() if value is not None}
  if beams is not None:
    if drawing:
      raise UsageError(f"--beams searches and --{next(iter(drawing))} draws at random: choose one")
    if samples > beams:
      raise UsageError(f"--samples {samples}: {beams} beams give no more than {beams} answers")
  elif samples > 1 and not drawing:
    raise UsageError(f"--samples {samples}: greedy answers are all alike; add --temperature 0.7, say, or --beams")

  def make() -> "Search":
    from flan_jax.decoding.beam import Beam
    from flan_jax.decoding.selection import Greedy, Sample

    if beams is not None:
      return Beam(width=beams)
    return Sample(**drawing) if drawing else Greedy()

  return make


def prompts_of(arguments: Sequence[str], file: Path | None) -> list[str]:
  """The prompts of a command line: its arguments, or else the lines of --file or of standard input.

  Raises:
    UsageError: there are both.
    FlanJaxError: a file without prompts, or with lines that are none.
  """
  if arguments and file is not None:
    raise UsageError("give prompts or --file, not both")
  if arguments:
    return list(arguments)
  if file is None:
    return read_prompts(sys.stdin.read(), "standard input")
  try:
    return read_prompts(file.read_text(encoding="utf-8"), str(file))
  except UnicodeDecodeError as error:
    raise FlanJaxError(f"{file}: not UTF-8 text ({error.reason} at byte {error.start})") from None


def read_prompts(text: str, name: str) -> list[str]:
  """The prompts of a file's text: blank lines are no prompts.

  Raises:
    FlanJaxError: there is none, or a line that begins like JSON has no 'prompt' (file and line are named).
  """
  # Not splitlines, which takes U+2028 and others for line ends, too.
  lines = [(number, line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
  if not lines:
    raise FlanJaxError(f"{name}: no prompt in it")
  return [_prompt(line, f"{name}:{number}") for number, line in lines]


def _prompt(line: str, where: str) -> str:
  if not line.startswith('{"'):
    return line.replace("\\n", "\n")
  try:
    prompt = json.loads(line)["prompt"]
  except (ValueError, KeyError) as error:
    raise FlanJaxError(f"{where}: not a JSON object with 'prompt' ({error!r})") from None
  if not isinstance(prompt, str):
    raise FlanJaxError(f"{where}: 'prompt' is no text")
  return prompt
