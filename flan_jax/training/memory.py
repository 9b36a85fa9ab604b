"""How many bytes a device needs for a step, by arithmetic: before anything is compiled, and for devices elsewhere.

Over a mesh data x fsdp x model, of a batch of B rows in A microbatches, a device computes

    r = B / (data x fsdp x A)   rows at a time, of S inputs and T targets.

It holds, all of it split as the table in partitioning.py says (parameters over fsdp x model, rows over data x fsdp):

    parameters   4 bytes each
    optimizer    what its state has: Adafactor's rows and columns, 8 bytes a parameter for AdamW
    gradients    4 bytes a parameter; twice that with microbatches (their sum, and that of the present one)
    updates      4 bytes a parameter, until they are added
    gathered     where fsdp > 1: embedding and head whole (4 bytes) with their gradients, and two layers (one in use,
                 one on its way) in the dtype of activations with one's gradient
    activations  what each layer keeps for the backward pass by its remat policy, and twice all of one layer (gradients)
    logits       a chunk three times over (logits, their exponentials, their gradient), float32

With widths D (emb), J (heads x head_dim), F (mlp, n branches), H heads, b bytes an activation, a bytes a score, an
attention of q queries over k keys keeps, a row,

    none   q(2 D + J) b + k 2 J b + H q k (2 a + b)   normed, output, queries; keys, values; scores, softmax, weights
    dots   q(D + 2 J) b + k 2 J b + H q k a           what the matrix products gave
    full   nothing

and a feed-forward block, a position,

    none   (2 D + (2 n + 1) F) b      dots   (n F + D) b       full   nothing

to which each layer adds its input, D b a position. J, F and H are those of a device: divided by model. Scores are most
of it: XL's 32 heads x 2048 x 2048 x (4 + 4 + 2) bytes are 1.3 GB a row and layer, which is why long rows want `full`.
"""

import dataclasses
import functools
import math
from collections.abc import Mapping

import jax

from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.training.losses import Loss
from flan_jax.training.optimizers import Optimizer
from flan_jax.training.partitioning import Partitioning, state_shardings
from flan_jax.training.state import TrainState, abstract_state


@dataclasses.dataclass(frozen=True)
class Estimate:
  """Bytes of a device, by what they are for; see above."""

  parameters: float
  optimizer: float
  gradients: float
  updates: float
  gathered: float
  activations: float
  logits: float

  @property
  def total(self) -> float:
    """All of it, as if all were there at once. They never quite are."""
    return sum(dataclasses.astuple(self))

  def __str__(self) -> str:
    parts = sorted(dataclasses.asdict(self).items(), key=lambda part: -part[1])
    return f"{self.total / 1e9:.1f} GB ({', '.join(f'{name} {size / 1e9:.1f}' for name, size in parts if size > 5e7)})"


def estimate(
  config: T5Config,
  lengths: Mapping[str, int],
  batch_size: int,
  *,
  optimizer: Optimizer,
  partitioning: Partitioning,
  devices: int,
  accumulation: int = 1,
  loss: Loss = Loss(),  # noqa: B008 (frozen)
  activation_bytes: int = 2,
) -> Estimate:
  """What a step needs of each of so many devices.

  Args:
    lengths: tokens of a packed row, as TASK_FEATURE_LENGTHS.
    batch_size: rows over all devices and microbatches.
    activation_bytes: of one activation: 2 for bfloat16, 4 for float32 (a dtype "auto" is the former on accelerators).
  """
  mesh = partitioning.abstract_mesh(devices)
  shapes, axes = _state(dataclasses.replace(config, remat_policy="none"), optimizer)
  shardings = state_shardings(shapes, axes, mesh)
  parameters = _bytes(shapes.params, shardings.params)
  split = mesh.shape["model"]
  rows = batch_size / (mesh.shape["data"] * mesh.shape["fsdp"] * accumulation)
  targets = rows * lengths["targets"]
  return Estimate(
    parameters=parameters,
    optimizer=_bytes(shapes.optimizer, shardings.optimizer),
    gradients=parameters * (2 if accumulation > 1 else 1),
    updates=parameters,
    gathered=_gathered(config, shapes.params, activation_bytes) / split if mesh.shape["fsdp"] > 1 else 0.0,
    activations=rows * _activations_of_row(config, lengths["inputs"], lengths["targets"], activation_bytes, split),
    logits=3 * 4 * min(loss.chunk_elements, max(targets, rows) * config.vocab_size) / split,
  )


def _bytes(shapes, shardings) -> float:
  """Of one device's part of all arrays."""
  sizes = jax.tree.map(
    lambda shape, where: math.prod(where.shard_shape(shape.shape)) * shape.dtype.itemsize, shapes, shardings
  )
  return float(sum(jax.tree.leaves(sizes)))


@functools.lru_cache(maxsize=8)
def _state(config: T5Config, optimizer: Optimizer) -> tuple[TrainState, dict[str, tuple[str, ...]]]:
  """Shapes of the state, and the parameters' axes. Kept, for whoever compares many meshes and remat policies."""
  model = Model(config)
  return abstract_state(model, optimizer.transformation(lambda step: 0.0)), model.axes()


def _gathered(config: T5Config, params: Mapping[str, jax.ShapeDtypeStruct], activation_bytes: int) -> float:
  """Embedding and head with their gradients; of the largest layer two copies and a gradient."""
  size = {name: math.prod(shape.shape) for name, shape in params.items()}
  alone = sum(elements for name, elements in size.items() if ".layers" not in name)
  of_decoder = [elements for name, elements in size.items() if name.startswith("decoder.layers")]
  layer = sum(of_decoder) / config.num_decoder_layers
  return 2 * 4 * alone + 3 * activation_bytes * layer


def _activations_of_row(config: T5Config, inputs: int, targets: int, b: int, split: int) -> float:
  """Bytes that one row's layers keep, and once more what the larger of the two kinds of layer needs to go back."""
  sides = {
    config.num_encoder_layers: [("attention", inputs, inputs), ("mlp", inputs, 0)],
    -config.num_decoder_layers: [("attention", targets, targets), ("attention", targets, inputs), ("mlp", targets, 0)],
  }

  def of_layer(blocks, policy: str) -> float:
    attention = sum(_of_attention(config, q, k, policy, b, split) for kind, q, k in blocks if kind == "attention")
    return attention + sum(_of_mlp(config, policy, b, split) * q for kind, q, _ in blocks if kind == "mlp")

  kept = sum(
    abs(count) * (of_layer(blocks, config.remat_policy) + blocks[0][1] * config.emb_dim * b)
    for count, blocks in sides.items()
  )
  return kept + 2 * max(of_layer(blocks, "none") for blocks in sides.values())


def _of_attention(config: T5Config, q: int, k: int, policy: str, b: int, split: int) -> float:
  width, joined, heads = config.emb_dim, config.num_heads * config.head_dim / split, config.num_heads / split
  a = 4 if config.float32_attention_logits else b
  return {
    "none": q * (2 * width + joined) * b + k * 2 * joined * b + heads * q * k * (2 * a + b),
    "dots": q * (width + 2 * joined) * b + k * 2 * joined * b + heads * q * k * a,
    "full": 0.0,
  }[policy]


def _of_mlp(config: T5Config, policy: str, b: int, split: int) -> float:
  width, hidden, branches = config.emb_dim, config.mlp_dim / split, len(config.mlp_activations)
  return {
    "none": (2 * width + (2 * branches + 1) * hidden) * b,
    "dots": (width + branches * hidden) * b,
    "full": 0.0,
  }[policy]
