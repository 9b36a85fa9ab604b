"""`flan-jax train`: gin as T5X's users know it, and short forms that print the gin they stand for."""

import contextlib
import dataclasses
import os

import click

from flan_jax.errors import UsageError


@click.command("train")
@click.argument("model", required=False)
@click.option("--gin_file", "gin_files", multiple=True, metavar="FILE", help="A gin file; several are read in order.")
@click.option("--gin_search_paths", metavar="D,D", help="More folders in which gin files are looked for.")
@click.option(
  "--sharding", metavar="NAME", help="How parameters lie on devices: a file of gin_configs/sharding; auto chooses."
)
@click.option("--mixture", metavar="NAME", help="What to train on: a mixture or a task, of ours or of --module.")
@click.option("--steps", type=int, help="Steps in all, those before a resumption counted.")
@click.option("--batch_size", type=int, help="Packed rows of a step.")
@click.option("--learning_rate", type=float, help="The peak of the schedule.")
@click.option("--dropout_rate", type=float, help="In [0, 1).")
@click.option("--model_dir", metavar="DIR", help="Gets config, metrics and checkpoints; training resumes from them.")
@click.option(
  "--initial_checkpoint", metavar="PATH", help="Parameters to begin with: demo, ours, T5X's or Hugging Face's."
)
@click.option("--data_dir", metavar="DIR", help="Folder of the collections' files.")
@click.option("--store_dir", metavar="DIR", help="Where prepared tasks are kept.")
@click.option("--missing", type=click.Choice(["error", "skip"]), help="What to do where a task's file is absent.")
@click.option("--module", metavar="NAME", help="A Python module that registers SeqIO tasks of your own.")
@click.option("--vocabulary", metavar="V", help="demo, t5 or a SentencePiece file.")
@click.option("--seed", type=int, help="Of parameters, dropout and the order of examples.")
@click.option("--render_seed", type=int, help="Of wordings, formats and exemplars.")
@click.option("--variants", type=click.IntRange(min=1), help="Renderings of each example, one an epoch, in turn.")
@click.option(
  "--profile",
  is_flag=False,
  flag_value="3:5",
  metavar="[FIRST:LAST]",
  help="Trace steps into MODEL_DIR/profile; 1 is this start's first. Without numbers 3:5.",
)
@click.option(
  "--cpu_devices",
  type=click.IntRange(min=-1),
  default=1,
  show_default=True,
  help="On a CPU: devices that share a batch's rows; -1 is one a core. Small models train faster so.",
)
@click.option(
  "--cluster",
  type=click.Choice(["auto", "none", "env", "ompi", "slurm", "tpu", "k8s"]),
  default="auto",
  show_default=True,
  help="What started the processes of a run and knows how many they are; auto asks all, none keeps this one alone.",
)
@click.option("--coordinator", metavar="HOST:PORT", help="Of several processes: where process 0 listens.")
@click.option("--processes", "count", type=click.IntRange(min=1), help="Of several processes: how many.")
@click.option("--process", "index", type=click.IntRange(min=0), help="Of several processes: which this is, from 0.")
@click.pass_context
def command(
  context, model, gin_files, gin_search_paths, sharding, cpu_devices, cluster, coordinator, count, index, **options
):
  """Finetune MODEL (t5_demo, t5_1_1_small, ...), or what the gin files describe.

  \b
  flan-jax train t5_1_1_small --mixture cot --steps 200 --data_dir D --model_dir M
  flan-jax train --gin_file=gin_configs/runs/finetune.gin --gin.TRAIN_STEPS=200 ...

  --gin.NAME=value sets a macro or a binding and wins over files and short forms. Ctrl-C and SIGTERM save; the same
  command goes on from there.

  On several machines (or several times on one) start it with the same settings under srun, mpirun, on the hosts of a
  TPU slice or in the pods of a Kubernetes job, or with --coordinator, --processes and --process; the folders must be
  the same for all.
  """
  if not model and (profile := options["profile"]) and not profile[0].isdigit():
    raise UsageError(f"--profile before MODEL needs its steps: --profile 3:5 {profile}")
  if not model and not gin_files:
    raise UsageError("train needs a model, such as 'flan-jax train t5_demo --mixture demo', or a --gin_file")
  from flan_jax import clusters, configuration, processes
  from flan_jax.cli.environment import prepare_jax

  lines = configuration.lines(
    model, gin_files=gin_files, sharding=sharding, options=options, bindings=context.obj or ()
  )
  prepare_jax(cpu_devices)
  place = clusters.find(cluster, coordinator, count, index)
  say = click.echo if place is None or place.index == 0 else _say_nothing
  for line in lines:
    say(line)
  configuration.parse(lines, search_paths=gin_search_paths.split(",") if gin_search_paths else ())
  if line := configuration.default("DATA_DIR", os.environ.get("FLAN_JAX_DATA_DIR")):
    say(line)
  training = configuration.build()
  with processes.joined(*dataclasses.astuple(place)) if place else contextlib.nullcontext():
    training.run()


def _say_nothing(_: str) -> None:
  """Of several processes only the first says how the run is configured."""
