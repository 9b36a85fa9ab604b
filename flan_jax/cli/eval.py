"""`flan-jax eval`: a checkpoint on published suites, or (beside one before it, perhaps) on held-out examples."""

from pathlib import Path

import click

from flan_jax.cli import held_out_options
from flan_jax.cli.option_groups import Grouped
from flan_jax.errors import UsageError

_EXAMPLES = 100  # of a task of a mixture in a format, where nothing is said
_POSITIVE = click.IntRange(min=1)
_PATH = click.Path(path_type=Path)
_OF_MIXTURES = ("before", "formats", "max_input_tokens", "unseen_wordings", "swap")
_OF_SUITES = (
  *("mode", "paths", "split", "languages", "tasks", "prompts", "temperature", "top_k", "top_p"),
  *("beside", "scorer", "sharding"),
)
_GROUPS = {
  "What to measure (one of them)": ("suite", "task", "mixture"),
  "Which questions": ("examples", "seed", "shots", "data_dir", "missing"),
  "Of suites": _OF_SUITES,
  "Of tasks and mixtures": _OF_MIXTURES,
  "The model and its outputs": ("max_new_tokens", "rank", "vocabulary"),
  "Results": ("output", "as_json"),
}


@click.command("eval", cls=Grouped, groups=_GROUPS)
@click.argument("checkpoint")
@click.option("--suite", metavar="S,S", help="Published suites (flan-jax inspect --suites), or YAML files of your own.")
@click.option("--task", metavar="NAME", help="One task, on its held-out examples.")
@click.option("--mixture", metavar="NAME", help="All tasks of a mixture, on their held-out examples.")
@click.option("--before", metavar="CHECKPOINT", help="A checkpoint to compare with.")
@click.option(
  "--formats", default="zero_shot,few_shot,cot", show_default=True, metavar="F,F", help="Formats to ask in."
)
@click.option("--max_input_tokens", type=_POSITIVE, help="Longer prompts drop exemplars (default: as trained).")
@click.option("--unseen_wordings", is_flag=True, help="Ask zero-shot in the wordings that no run trains on.")
@click.option("--swap", is_flag=True, help="Also ask examples under another instruction, where they have one.")
@click.option(
  "--examples", type=_POSITIVE, help="The most of a task, drawn by hash (default: 100 a format; of a suite all)."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of drawn examples, renderings and samples.")
@click.option("--shots", metavar="A[,B]", help="Exemplars of a prompt (default: the suite's, or A to B as trained).")
@click.option("--data_dir", type=_PATH, envvar="FLAN_JAX_DATA_DIR", help="Folder of the collections' files.")
@click.option(
  "--missing", type=click.Choice(["error", "skip"]), default="error", show_default=True, help="Absent files."
)
@click.option(
  "--mode", metavar="M,M", help="direct, cot or both: the answer alone, or reasoning first (default: as its paper)."
)
@click.option(
  "--n",
  "paths",
  metavar="N,N",
  help="Outputs of a question: 1 is greedy (default); of more, sampled, the majority is the answer.",
)
@click.option(
  "--split", metavar="[S=]NAME", help="Of the data, perhaps of one suite alone: mmlu=test (default: as in its paper)."
)
@click.option("--languages", metavar="L,L", help="Only these.")
@click.option("--tasks", metavar="T,T", help="Only these tasks of the suite.")
@click.option(
  "--prompts", default="published", show_default=True, metavar="NAME", help="A name that the suite gives them."
)
@click.option("--temperature", type=float, default=0.7, show_default=True, help="Of samples.")
@click.option("--top_k", type=click.IntRange(min=0), default=0, show_default=True, help="Samples of the k likeliest.")
@click.option("--top_p", type=float, default=1.0, show_default=True, help="Samples of the likeliest that sum to p.")
@click.option(
  "--rank",
  type=click.Choice(["sum", "length", "prior"]),
  is_flag=False,
  flag_value="sum",
  help="How choices are ranked: by log-probability (sum, the default of a suite that ranks), by that a token, or less "
  "that without a prompt. Of tasks and mixtures: also ranks the choices of each prompt.",
)
@click.option("--beside", metavar="ROW,ROW", help="Published rows to print beside, such as flan_t5_xl.")
@click.option(
  "--scorer", metavar="MODULE:FUNCTION", help="Says how toxic a text is, for suites of toxicity: [texts] to [0 to 1]."
)
@click.option("--sharding", metavar="NAME", help="How parameters lie on devices: a file of gin_configs/sharding.")
@click.option("--max_new_tokens", type=_POSITIVE, help="Length of an output (default: the suite's, or as trained).")
@click.option("--vocabulary", metavar="V", help="demo, t5 or a SentencePiece file, for a checkpoint that carries none.")
@click.option(
  "--output",
  type=_PATH,
  help="Gets results.json, predictions.jsonl, a chart or a page (of suites default: in runs/eval). The same evaluation "
  "goes on there. Another one of suites is refused; one of tasks is written over, its journals kept as *.old.jsonl.",
)
@click.option("--json", "as_json", is_flag=True, help="Print results.json instead of the table.")
@click.pass_context
def command(context, suite, task, mixture, **options):
  """Measure CHECKPOINT on published suites, or on held-out examples of tasks.

  CHECKPOINT is a MODEL_DIR, MODEL_DIR/checkpoints/STEP, a T5X checkpoint (gs:// too) or a Hugging Face folder, or demo,
  the small base model that comes along.

  \b
  The four suites of Flan 2022 as in its paper, and self-consistency over 40 paths:
    flan-jax eval CHECKPOINT --suite mmlu,bbh,tydiqa,mgsm --data_dir D --beside flan_t5_xl
    flan-jax eval CHECKPOINT --suite mgsm --mode cot --n 1,40 --data_dir D
  Without exemplars, "let's think step by step":
    flan-jax eval CHECKPOINT --suite bbh --mode cot --shots 0 --data_dir D
  A first look, ten questions a task, of the files that are here:
    flan-jax eval CHECKPOINT --suite mmlu --examples 10 --missing skip --data_dir D
  Before and after tuning, on tasks seen and held out:
    flan-jax eval MODEL_DIR --before demo --mixture demo_all
  Choices ranked beside what is written, and each input under two instructions:
    flan-jax eval MODEL_DIR --mixture demo_held_out --rank --swap

  Of suites it prints averages with 95% intervals, chance-corrected ones, the share of outputs without an answer, and
  notes; --output gets every answer as JSON lines and as a page to search. Interrupted, the same command goes on; of
  tasks and mixtures too, where it has an --output. Finished, it prints again what it found, without asking.
  """
  if sum(given is not None for given in (task, mixture, suite)) != 1:
    raise UsageError("eval measures one thing: --task, --mixture or --suite")
  measured = ("--suite", _OF_MIXTURES) if suite is not None else ("--task and --mixture", _OF_SUITES)
  held_out_options.require_no(context, *measured)
  if options["output"] is not None:
    held_out_options.require_writable(options["output"])
  if suite is not None:
    _evaluate_suites(suite, options)
  else:
    _evaluate_mixture(task, mixture, options)


def _evaluate_suites(suite: str, options: dict) -> None:
  from flan_jax.cli import suite_runs

  output, as_json = options["output"], options["as_json"]
  request = {name: options[name] for name in suite_runs.OPTIONS} | {"rank": options["rank"] or "sum"}
  suite_runs.run(suite_runs.request_of(suite=suite, **request), output, as_json)


def _evaluate_mixture(task: str | None, mixture: str | None, options: dict) -> None:
  chosen = held_out_options.chosen(task, mixture, options["data_dir"])
  present, absent = held_out_options.installed(chosen, options["data_dir"], options["missing"])
  request = {
    "name": chosen.name,
    "tasks": present,
    "missing": absent,
    "formats": held_out_options.formats(options["formats"]),
    "shots": held_out_options.shots(options["shots"]) if options["shots"] else held_out_options.widest(chosen),
    "examples": options["examples"] or _EXAMPLES,
    **{name: options[name] for name in ("before", "seed", "unseen_wordings", "max_input_tokens", "max_new_tokens")},
    **{name: options[name] for name in ("checkpoint", "vocabulary", "data_dir", "rank", "swap")},
  }
  _evaluate(request, options["output"], options["as_json"])


def _evaluate(request: dict, output: Path | None, as_json: bool) -> None:
  from flan_jax.cli.environment import prepare_jax

  prepare_jax()
  from flan_jax.evaluation.held_out.chart import draw_chart
  from flan_jax.evaluation.held_out.evaluate import Request, evaluate
  from flan_jax.evaluation.held_out.table import print_results

  results, _ = evaluate(Request(**request), output, lambda text: click.echo(text, err=True))
  if output is not None:
    draw_chart(results, output / "chart.png")
  if as_json:
    return click.echo(results.json())
  print_results(results)
  click.echo(
    f"In {output}: results.json, predictions.jsonl, chart.png" if output else "Not kept: --output DIR keeps it"
  )
