"""The group of commands, found by name and imported when used, and errors as one line with an exit code.

Exit codes: 0 done, 1 failed, 2 the request itself was wrong, 130 stopped by Ctrl-C and 143 by SIGTERM.
"""

import importlib
import re
import signal
import sys
from collections.abc import Sequence

import click

from flan_jax import __version__
from flan_jax.cli import signals
from flan_jax.errors import FlanJaxError, UsageError, unknown_name

# Command -> (module that defines `command`, what `flan-jax --help` says without importing it).
COMMANDS = {
  "prepare": (
    "flan_jax.cli.prepare",
    "Turn the tasks of a mixture into tokens, once; check them; suggest row lengths.",
  ),
  "train": ("flan_jax.cli.train", "Finetune a model on a task or a mixture."),
  "sweep": ("flan_jax.cli.sweep", "Train and evaluate a grid of runs: tasks, model sizes, formats, seeds."),
  "report": ("flan_jax.cli.report", "Draw what sweeps have found, and say what it says of the papers' claims."),
  "eval": ("flan_jax.cli.eval", "Measure a checkpoint on examples that nobody trained on."),
  "score": ("flan_jax.cli.score", "Score given outputs on a published suite, without a model."),
  "contamination": ("flan_jax.cli.contamination", "Look for a suite's questions in what a model was trained on."),
  "certify": ("flan_jax.cli.certify", "Compare a released checkpoint's scores with those that its paper publishes."),
  "infer": ("flan_jax.cli.infer", "Answer prompts."),
  "compare": ("flan_jax.cli.compare", "Two checkpoints side by side; blind, to say which is better."),
  "convert": ("flan_jax.cli.convert", "Turn a checkpoint of T5X, Hugging Face or flan_jax into one of another kind."),
  "export": ("flan_jax.cli.export", "Write the texts of a mixture for use elsewhere: Parquet or JSONL."),
  "inspect": ("flan_jax.cli.inspect", "Look at collections, mixtures, data folders and examples, up to batch rows."),
  "diff": ("flan_jax.cli.diff", "Compare two mixtures or two runs: settings, tasks, shares, renderings."),
}
_GIN = "--gin."
# They work in JAX, and leave nothing unsound wherever they are stopped.
_END_AT_ONCE = ("eval", "certify", "infer", "compare")


def main(arguments: Sequence[str] | None = None) -> None:
  """Runs the command line (of this process by default) and exits."""
  arguments = sys.argv[1:] if arguments is None else arguments
  if arguments and arguments[0] in _END_AT_ONCE:
    with signals.ending_at_once():
      code = run(arguments)
  else:
    code = run(arguments)
  sys.exit(code)


def run(arguments: Sequence[str]) -> int:
  """Runs a command line; prints an error as one line on standard error; returns the exit code."""
  try:
    rest, bindings = split_bindings(arguments)
    if bindings and rest[:1] not in (["train"], ["sweep"]):
      raise UsageError(f"--gin.{bindings[0]}: only 'flan-jax train' and 'flan-jax sweep' read gin bindings")
    group.main(args=rest, prog_name="flan-jax", obj=bindings, standalone_mode=False)
  except FlanJaxError as error:
    return _say(str(error), error.exit_code)
  except click.exceptions.NoArgsIsHelpError as error:
    click.echo(error.format_message(), err=True)
    return UsageError.exit_code
  except click.UsageError as error:
    usage = f" (flan-jax {error.ctx.info_name} --help)" if error.ctx and error.ctx.parent else " (flan-jax --help)"
    return _say(error.format_message().rstrip() + usage, UsageError.exit_code)
  except click.ClickException as error:
    return _say(error.format_message(), error.exit_code)
  except click.Abort as abort:
    return _say(signals.WORDS, signals.code_of(_stopped_by(abort)))
  except OSError as error:
    return _say(f"{error.filename}: {error.strerror}" if error.filename else str(error), 1)
  return 0


def split_bindings(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
  """Takes `--gin.NAME=value` out of a command line, which click has no word for.

  Returns:
    (the other arguments, 'NAME=value' for each binding).

  Raises:
    UsageError: for `--gin.NAME` without a value.
  """
  end = arguments.index("--") if "--" in arguments else len(arguments)  # what follows "--" is nobody's option
  bindings = [argument.removeprefix(_GIN) for argument in arguments[:end] if argument.startswith(_GIN)]
  rest = [argument for i, argument in enumerate(arguments) if i >= end or not argument.startswith(_GIN)]
  for binding in bindings:
    if not re.fullmatch(r"[^=]+=.*", binding, re.DOTALL):
      raise UsageError(f"--gin.{binding} has no value; write --gin.{binding}=VALUE")
  return rest, bindings


class _LazyGroup(click.Group):
  """Finds commands in COMMANDS and imports one only when it is used."""

  def list_commands(self, ctx: click.Context) -> list[str]:
    return list(COMMANDS)

  def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
    if cmd_name not in COMMANDS:
      raise unknown_name("command", cmd_name, COMMANDS, "flan-jax --help")
    return importlib.import_module(COMMANDS[cmd_name][0]).command

  def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    with formatter.section("Commands"):
      formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])


@click.group(
  cls=_LazyGroup,
  # --data-dir is --data_dir: T5X's flags have underscores, most other commands' have dashes.
  context_settings={"help_option_names": ["-h", "--help"], "token_normalize_func": lambda name: name.replace("-", "_")},
)
@click.version_option(__version__, prog_name="flan-jax")
def group() -> None:
  """Instruction finetuning in JAX: from raw datasets to scores.

  'flan-jax COMMAND --help' says what a command takes.
  """


def _stopped_by(abort: click.Abort) -> int:
  """The number of the signal that a KeyboardInterrupt carries where it is not Ctrl-C's."""
  cause = abort.__cause__
  return cause.args[0] if isinstance(cause, KeyboardInterrupt) and cause.args else signal.SIGINT


def _say(message: str, exit_code: int) -> int:
  click.echo(f"flan-jax: {message}", err=True)
  return exit_code
