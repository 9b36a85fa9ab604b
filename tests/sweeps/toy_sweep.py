"""A sweep whose runs take a second each: tiny models, few steps, on a handful of the demo collection's tasks."""

import pathlib

GIN = """
include 'gin_configs/runs/finetune.gin'
include 'gin_configs/models/t5_demo.gin'
import flan_jax.data.mixture_functions
import flan_jax.sweeps.sweep

MIXTURE_OR_TASK_NAME = @mixture()
mixture.name = 'demo'
TASK_FEATURE_LENGTHS = {'inputs': 128, 'targets': 32}
BATCH_SIZE = 4
TRAIN_STEPS = 6
train.schedule = @WarmupLinear()
WarmupLinear.warmup_steps = 2
WarmupLinear.total_steps = %TRAIN_STEPS
T5Config.emb_dim = 16
T5Config.num_heads = 2
T5Config.head_dim = 8
T5Config.mlp_dim = 16
T5Config.num_encoder_layers = 1
T5Config.num_decoder_layers = 1

sweep.name = 'toy'
sweep.title = 'Something small'
sweep.axes = [@tasks/Axis(), @cot/Axis(), @seed/Axis()]
sweep.evaluations = [@held_out/Evaluation()]
sweep.score = 'held_out/zero_shot'
sweep.quick = ['TRAIN_STEPS = 2', 'seed/Axis.values = [0]']
tasks/Axis.name = 'tasks'
tasks/Axis.values = [0, 2]
tasks/Axis.lines = ['mixture.tasks = {value}', 'mixture.seed = %SEED']
tasks/Axis.untuned = 0
cot/Axis.name = 'cot'
cot/Axis.values = [True, False]
cot/Axis.lines = ['mixture.cot = {value}']
seed/Axis.name = 'seed'
seed/Axis.values = [0, 1]
seed/Axis.lines = ['SEED = {value}']
held_out/Evaluation.name = 'held_out'
held_out/Evaluation.mixture = 'demo_held_out'
held_out/Evaluation.formats = ['zero_shot']
held_out/Evaluation.examples = 2
"""


def toy_sweep(folder: pathlib.Path, *lines: str) -> str:
  """The path of the sweep's gin file, written into a folder; `lines` of gin come after its own."""
  path = folder / "toy.gin"
  path.write_text("\n".join([GIN, *lines, ""]))
  return str(path)
