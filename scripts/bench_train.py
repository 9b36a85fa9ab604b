"""The train step: seconds, memory, compilation, useful tokens a second, with transformers' T5 beside it.

taskset -c 0,1 python scripts/bench_train.py --json                               # t5_1_1_small, 8 x 256/64, float32
taskset -c 0,1 python scripts/bench_train.py --remat dots --transformers_python /tmp/venv/bin/python
python scripts/bench_train.py --size t5_demo --inputs 128 --targets 32 --cpu_devices -1

Each measurement is a process of its own and may use the cores that this one may (`taskset`); T5X's figures are for two
quiet ones. On a machine that others use too, take the least of several runs: `cpu_s` then says more than `step_s`.

  step_s, step_median_s     an update of the donated state, after compilation: the least and the middle of --steps
  cpu_s                     processor time of all threads in the cheapest of these steps
  compile_s                 tracing the step and compiling it
  temp_mb                   what the compiled step needs beside its arguments and results, in 1e6 bytes
  rss_mb                    the most resident memory of the process, compilation included
  loss                      of the first step, in nats a target
  useful_tokens_per_s       tokens that are no padding, both sides, of rows that flan_jax packs, over step_s
  next_fit_tokens_per_s     the same of rows packed by next-fit, which is what SeqIO does: a row is closed by the first
                            example that does not fit
  unpacked_tokens_per_s     the same of one example a row
  transformers_*            T5ForConditionalGeneration with dropout and Adafactor (torch, eager) on as many slots, one
                            example a row as that library has it, and its own initialisation, whose loss
                            is higher; null where it is not installed
  useful_times_transformers useful_tokens_per_s over what transformers' step would give on rows packed by next-fit (it
                            has no masks for these), which is how T5X with SeqIO trains
  load                      processes that wanted a core in the last minute: with more than this one's, ratios of wall
                            time to another library's mean nothing
  t5x_*, useful_times_t5x   T5X's figures where the shapes are those that it was measured at

Rows hold examples of the real mixture's lengths that fit a row, with tokens drawn at random: of the P3, Super-Natural-
Instructions and chain-of-thought files in --data_dir (scripts/real_mix_lengths.py), or else of the demo mixture. A step
takes the same time whatever is in its rows, so rates are of the mean of 16,384 examples' rows, not of a few batches.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
  import numpy as np

SCRIPTS = pathlib.Path(__file__).parent
WINDOW = 16_384  # examples that are packed together, as in training

# T5X is on no package index. Two cores of a quiet 4-core x86 machine, November 2026, unrolled, no remat. Scanned it
# took 1.34 GB, and 3.6 s to compile.
T5X_AT = {"size": "t5_1_1_small", "batch": 8, "inputs": 256, "targets": 64, "dtype": "float32"}
T5X = {"t5x_step_s": 3.23, "t5x_temp_mb": 1850.0, "t5x_compile_s": 7.5}


def main() -> None:
  parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
  parser.add_argument("--size", default="t5_1_1_small", help="a file of gin_configs/models")
  parser.add_argument("--batch", type=int, default=8, help="rows of a step")
  parser.add_argument("--inputs", type=int, default=256, help="slots of a row")
  parser.add_argument("--targets", type=int, default=64, help="slots of a row")
  parser.add_argument("--dtype", choices=["auto", "float32", "bfloat16"], default="float32", help="of activations")
  parser.add_argument("--dropout", type=float, default=0.1, help="in both libraries")
  parser.add_argument("--remat", default="none", help="T5Config.remat_policy")
  parser.add_argument("--scan", action="store_true", help="T5Config.scan_layers")
  parser.add_argument("--accumulation", type=int, default=1, help="microbatches of a step")
  parser.add_argument("--cpu_devices", type=int, default=1, help="as in flan-jax train")
  parser.add_argument("--steps", type=int, default=8, help="that are timed, after one that is not")
  parser.add_argument("--lengths", type=pathlib.Path, help="FILE.npy of scripts/real_mix_lengths.py")
  parser.add_argument("--data_dir", type=pathlib.Path, default=SCRIPTS.parents[1] / "shared/data")
  parser.add_argument("--transformers_python", default=sys.executable, help="that has transformers and torch")
  parser.add_argument("--json", action="store_true")
  parser.add_argument("--measure", choices=list(_MEASURES), help=argparse.SUPPRESS)
  parser.add_argument("--model", type=json.loads, help=argparse.SUPPRESS)
  args = parser.parse_args()
  if args.measure:
    print(json.dumps(_MEASURES[args.measure](args)))
    return
  results = measured(args)
  print(json.dumps(results) if args.json else table(results))


def measured(args: argparse.Namespace) -> dict[str, float | str | None]:
  """All figures of one configuration."""
  args.model = model_fields(args)
  with tempfile.TemporaryDirectory() as folder:
    if not args.lengths:
      args.lengths = pathlib.Path(folder) / "lengths.npy"
      _in_process("lengths", args, sys.executable)
    ours = _in_process("ours", args, sys.executable)
    theirs = _in_process("transformers", args, args.transformers_python)
  names = ("step_s", "step_median_s", "cpu_s", "rss_mb", "loss", "tokens_per_s", "versions")
  beside = {f"transformers_{name}": theirs.get(name) for name in names}
  beside["load"] = os.getloadavg()[0]
  next_fit = ours.pop("next_fit_tokens_a_step")
  if theirs:
    beside["transformers_tokens_per_s"] = ours["unpacked_tokens_per_s"] * ours["step_s"] / theirs["step_s"]
    beside["useful_times_transformers"] = ours["useful_tokens_per_s"] * theirs["step_s"] / next_fit
  if all(getattr(args, name) == value for name, value in T5X_AT.items()):
    beside |= T5X | {"useful_times_t5x": ours["useful_tokens_per_s"] * T5X["t5x_step_s"] / next_fit}
  return ours | beside


def model_fields(args: argparse.Namespace) -> dict[str, object]:
  """The fields of T5Config that the command line stands for."""
  import dataclasses

  import gin

  from flan_jax import configuration, errors

  try:
    configuration.parse([f"include 'gin_configs/models/{args.size}.gin'"])
    config = gin.get_configurable("T5Config")()
    chosen = {"dropout_rate": args.dropout, "remat_policy": args.remat, "scan_layers": args.scan, "dtype": args.dtype}
    return dataclasses.asdict(dataclasses.replace(config, **chosen))
  except errors.FlanJaxError as error:
    raise SystemExit(f"bench_train: {error}") from error


def _in_process(measure: str, args: argparse.Namespace, python: str) -> dict:
  """What a measurement prints; {} where transformers is not installed."""
  given = {name: value for name, value in vars(args).items() if name not in ("measure", "json", "scan")}
  given |= {"measure": measure, "model": json.dumps(args.model)}
  command = [python, __file__, *(text for name, value in given.items() for text in (f"--{name}", str(value)))]
  path = os.pathsep.join(filter(None, [str(SCRIPTS.parent), os.environ.get("PYTHONPATH")]))
  # An interpreter of its own keeps to its own packages.
  environment = {**os.environ, "PYTHONPATH": path if python == sys.executable else ""}
  done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True)
  if done.returncode:
    raise SystemExit(done.returncode)
  return json.loads(done.stdout.splitlines()[-1])


# --- the lengths of examples and the rows that they make ---


def write_lengths(args: argparse.Namespace) -> dict[str, str]:
  import numpy as np

  if (args.data_dir / "p3").is_dir():
    sys.path.insert(0, str(SCRIPTS))
    import real_mix_lengths

    lengths = real_mix_lengths.drawn_lengths(args.data_dir, 2 * WINDOW, seed=0)
  else:
    from flan_jax.data import length_sample, mixtures, vocabularies

    vocabulary = vocabularies.load_vocabulary("demo")
    lengths = length_sample.sampled_lengths(mixtures.get_mixture("demo"), data_dir=None, vocabulary=vocabulary)
  np.save(args.lengths, lengths)
  return {}


def rows_of(lengths, capacity: tuple[int, int]) -> dict[str, "np.ndarray"]:
  """The row of each example by way of packing; all see the same examples in the same order."""
  import numpy as np

  from flan_jax.data import packing

  return {
    "packed": packing.pack(lengths, capacity),
    "next_fit": next_fit(lengths, capacity),
    "unpacked": np.arange(len(lengths)),
  }


def next_fit(lengths, capacity: tuple[int, int]):
  """The row of each example where a row is closed by the first that does not fit."""
  import numpy as np

  rows, row, used = np.zeros(len(lengths), np.int32), 0, np.zeros(2, int)
  for i, need in enumerate(lengths):
    if (used + need > capacity).any():
      row, used = row + 1, np.zeros(2, int)
    rows[i], used = row, used + need
  return rows


def packed_batch(lengths, row, args: argparse.Namespace) -> dict[str, "np.ndarray"]:
  """A batch of rows drawn from all, of random tokens."""
  import numpy as np

  from flan_jax.data.segments import EncoderDecoderRows, Sequences

  random = np.random.default_rng(0)
  chosen = random.choice(row.max() + 1, args.batch)
  examples = np.concatenate([np.flatnonzero(row == each) for each in chosen])
  row = np.repeat(np.arange(args.batch), [(row == each).sum() for each in chosen])
  sides = []
  for side in lengths[examples].astype(np.int64).T:
    sides.append(Sequences.empty(side, np.dtype(np.int32)))
    sides[-1].tokens[:] = random.integers(3, args.model["vocab_size"], side.sum())
  return EncoderDecoderRows(args.inputs, args.targets).batch(args.batch, row, *sides)


# --- what is measured ---


def timed(step: Callable[[], float], steps: int) -> dict[str, float]:
  """Wall and processor seconds of calls that return a loss once they are done; the first call counts for its loss."""
  loss = step()
  wall, cpu = [], []
  for _ in range(steps):
    started, used = time.perf_counter(), time.process_time()
    step()
    wall.append(time.perf_counter() - started)
    cpu.append(time.process_time() - used)
  return {"step_s": min(wall), "step_median_s": sorted(wall)[len(wall) // 2], "cpu_s": min(cpu), "loss": loss}


def ours(args: argparse.Namespace) -> dict[str, float | str]:
  from flan_jax.cli.environment import prepare_jax

  prepare_jax(args.cpu_devices)
  import jax
  import numpy as np

  from flan_jax.models.configs import T5Config
  from flan_jax.models.model import Model
  from flan_jax.training import optimizers, partitioning, schedules, step, trainer

  lengths = np.load(args.lengths)[:WINDOW]
  lengths = lengths[(lengths <= (args.inputs, args.targets)).all(axis=1)]
  rows = rows_of(lengths, (args.inputs, args.targets))
  tokens = {name: lengths.sum() / (row.max() + 1) * args.batch for name, row in rows.items()}
  training = trainer.Trainer(
    Model(T5Config(**args.model)),
    partitioning.Partitioning().mesh(),
    optimizer=optimizers.Adafactor(),
    learning_rate=1e-3,
    schedule=schedules.Constant(),
    settings=step.StepSettings(accumulation=args.accumulation),
  )
  batch = packed_batch(lengths, rows["packed"], args)
  started = time.perf_counter()
  compiled = training.compiled(batch)
  compile_s = time.perf_counter() - started
  state, placed = [training.start()], training.place(batch)

  def update() -> float:
    state[0], said = jax.block_until_ready(compiled(state[0], placed))
    return float(said.sums.loss / said.sums.targets)

  times = timed(update, args.steps)
  temporaries = compiled.memory_analysis().temp_size_in_bytes
  return {
    **times,
    "compile_s": compile_s,
    "temp_mb": temporaries / 1e6,
    "rss_mb": _rss(),
    "useful_tokens_per_s": tokens["packed"] / times["step_s"],
    "next_fit_tokens_per_s": tokens["next_fit"] / times["step_s"],
    "unpacked_tokens_per_s": tokens["unpacked"] / times["step_s"],
    "next_fit_tokens_a_step": tokens["next_fit"],
    "useful_share_of_slots": tokens["packed"] / (args.batch * (args.inputs + args.targets)),
    "device": jax.devices()[0].device_kind,
    "versions": f"jax {jax.__version__}",
  }


def transformers(args: argparse.Namespace) -> dict[str, float | str]:
  if not (importlib.util.find_spec("torch") and importlib.util.find_spec("transformers")):
    return {}
  import torch
  import transformers
  from transformers.optimization import Adafactor

  torch.set_num_threads(len(os.sched_getaffinity(0)))
  torch.manual_seed(0)
  model = transformers.T5ForConditionalGeneration(_transformers_config(args.model))
  model.to(torch.bfloat16 if args.dtype == "bfloat16" else torch.float32).train()
  optimizer = Adafactor(model.parameters(), lr=1e-3, scale_parameter=True, relative_step=False, warmup_init=False)
  vocabulary = args.model["vocab_size"]
  inputs = torch.randint(3, vocabulary, (args.batch, args.inputs))
  labels = torch.randint(3, vocabulary, (args.batch, args.targets))

  def update() -> float:
    loss = model(input_ids=inputs, attention_mask=torch.ones_like(inputs), labels=labels).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    return loss.item()

  versions = f"transformers {transformers.__version__}, torch {torch.__version__}"
  return {**timed(update, args.steps), "rss_mb": _rss(), "versions": versions}


def _transformers_config(model: dict):
  from transformers import T5Config

  gated = list(model["mlp_activations"]) == ["gelu", "linear"]
  return T5Config(
    vocab_size=model["vocab_size"],
    d_model=model["emb_dim"],
    d_kv=model["head_dim"],
    d_ff=model["mlp_dim"],
    num_layers=model["num_encoder_layers"],
    num_decoder_layers=model["num_decoder_layers"],
    num_heads=model["num_heads"],
    feed_forward_proj="gated-gelu" if gated else "relu",
    tie_word_embeddings=model["logits_via_embedding"],
    dropout_rate=model["dropout_rate"],
    decoder_start_token_id=0,
    use_cache=False,
  )


_MEASURES = {"lengths": write_lengths, "ours": ours, "transformers": transformers}


def _rss() -> float:
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def table(results: dict[str, float | str | None]) -> str:
  def shown(value):
    if value is None or isinstance(value, str):
      return value or "-"
    return f"{value:,.3f}" if value < 100 else f"{value:,.0f}"

  return "\n".join(f"{name:>28}  {shown(value)}" for name, value in results.items())


if __name__ == "__main__":
  main()
