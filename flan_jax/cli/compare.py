"""`flan-jax compare`: two checkpoints side by side, on prompts or held-out examples; blind, to say which is better."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from flan_jax import atomic, keys
from flan_jax.cli import held_out_options as held_out
from flan_jax.cli.infer import prompts_of
from flan_jax.cli.option_groups import Grouped
from flan_jax.errors import UsageError

if TYPE_CHECKING:
  from flan_jax.evaluation.comparison.pairs import Prompts, Tasks

_PATH = click.Path(path_type=Path)
_POSITIVE = click.IntRange(min=1)
_OF_TASKS = ("formats", "examples", "shots", "unseen_wordings", "missing")
_GROUPS = {
  "What is asked (one of them, or prompts)": ("file", "task", "mixture"),
  "Of tasks and mixtures": _OF_TASKS,
  "Blind": ("blind",),
  "The models and their outputs": ("max_new_tokens", "vocabulary", "data_dir"),
  "Results": ("seed", "output", "as_json"),
}
_BLIND_OUTPUT = Path("runs/compare")


@click.command("compare", cls=Grouped, groups=_GROUPS)
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.argument("prompts", nargs=-1, metavar="[PROMPT]...")
@click.option("--file", "file", type=_PATH, help="Prompts, one a line, or JSONL with 'prompt'.")
@click.option("--task", metavar="NAME", help="One task, on its held-out examples.")
@click.option("--mixture", metavar="NAME", help="All tasks of a mixture, on their held-out examples.")
@click.option("--formats", default="zero_shot", show_default=True, metavar="F,F", help="Formats to ask in.")
@click.option("--examples", type=_POSITIVE, help="The most of a task in a format (default: 20; of a mixture 2).")
@click.option("--shots", metavar="A[,B]", help="Exemplars of a few-shot prompt (default: as the mixture has them).")
@click.option("--unseen_wordings", is_flag=True, help="Ask zero-shot in the wordings that no run trains on.")
@click.option(
  "--missing", type=click.Choice(["error", "skip"]), default="error", show_default=True, help="Absent files."
)
@click.option("--blind", is_flag=True, help="Show pairs without saying whose they are, and take 1, 2, t (tie) or q.")
@click.option("--max_new_tokens", type=_POSITIVE, help="Length of an output (default: as trained).")
@click.option("--vocabulary", metavar="V", help="demo, t5 or a SentencePiece file, for checkpoints that carry none.")
@click.option("--data_dir", type=_PATH, envvar="FLAN_JAX_DATA_DIR", help="Folder of the collections' files.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of drawn examples, the order of pairs and sides.")
@click.option(
  "--output",
  type=_PATH,
  help="Gets comparison.json and journals: the same comparison goes on there (default: nothing; blind runs/compare).",
)
@click.option("--json", "as_json", is_flag=True, help="Print comparison.json instead.")
@click.pass_context
def command(context, a, b, prompts, file, task, mixture, blind, output, as_json, **options):
  """Put the same prompts to checkpoints A and B and print what each answers.

  A and B are each a MODEL_DIR, MODEL_DIR/checkpoints/STEP, a T5X checkpoint (gs:// too), a Hugging Face folder, or
  demo, the small base model that comes along.
  Prompts are the arguments, the lines of --file or those of standard input; or examples of a task that are held out,
  of which it is known who is right.

  \b
  Before and after tuning:
    flan-jax compare demo MODEL_DIR "Please put the words in backward order: [owl rope egg]"
    flan-jax compare demo MODEL_DIR --task demo.step_reverse
  Which is better, without knowing which is which:
    flan-jax compare A B --mixture demo_held_out --blind --output runs/a_or_b

  Blind, the pairs that differ come in an order, and each with its sides, drawn by --seed. A key says which is better: 1
  or 2, t for a tie; q stops, and the same command goes on. In the end it says how often each was preferred, with 95%
  intervals.
  """
  if blind and not keys.there():
    raise UsageError("--blind asks a person, by the keys of a terminal: there is none here")
  asked = _asked(context, prompts, file, task, mixture, options)
  output = output or (_BLIND_OUTPUT if blind else None)
  if output is not None:
    held_out.require_writable(output)
  from flan_jax.cli.environment import prepare_jax

  prepare_jax()
  from flan_jax.cli import compare_view
  from flan_jax.evaluation.comparison.pairs import compare

  with atomic.kept_or_temporary(output) as folder:
    how = {name: options[name] for name in ("max_new_tokens", "vocabulary", "data_dir")}
    if blind:
      how["check"] = lambda identity: compare_view.require_same(folder, identity, options["seed"])
    pairs, identity = compare({"A": a, "B": b}, asked, folder, **how)
    said = compare_view.ask_person(pairs, folder, identity, options["seed"]) if blind else ()
    compare_view.show({"A": a, "B": b}, pairs, said, output, as_json, blind)


def _asked(context, prompts, file, task, mixture, options: dict) -> "Prompts | Tasks":
  """What is to be asked; what is wrong with it is told before JAX is imported."""
  if task is not None or mixture is not None:
    if prompts or file is not None or (task is not None and mixture is not None):
      raise UsageError("compare asks one thing: prompts, --file, --task or --mixture")
    return _of_tasks(task, mixture, options)
  held_out.require_no(context, "prompts, but of --task and --mixture", _OF_TASKS)
  from flan_jax.evaluation.comparison.pairs import Prompts

  return Prompts(tuple(prompts_of(prompts, file)))


def _of_tasks(task: str | None, mixture: str | None, options: dict) -> "Tasks":
  chosen = held_out.chosen(task, mixture, options["data_dir"])
  present, _ = held_out.installed(chosen, options["data_dir"], options["missing"])
  formats = held_out.formats(options["formats"])
  from flan_jax.evaluation.comparison.pairs import Tasks

  return Tasks(
    chosen.name,
    present,
    formats,
    options["examples"] or (2 if mixture else 20),
    held_out.shots(options["shots"]) if options["shots"] else held_out.widest(chosen),
    options["seed"],
    options["unseen_wordings"],
    options["data_dir"],
  )
