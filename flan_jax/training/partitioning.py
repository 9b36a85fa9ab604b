"""Where arrays live: a mesh over the axes data, fsdp and model, and one table from logical axis names to mesh axes.

A strategy is the size of each mesh axis, so it is a gin file of three lines (gin_configs/sharding). An axis of size 1
splits nothing, which is why one table serves all strategies.
"""

import dataclasses
import functools
import math
from collections.abc import Callable

import gin
import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec
from jax.typing import DTypeLike
from jaxtyping import Array

from flan_jax.errors import UsageError
from flan_jax.models.gathering import GATHERED, Gather, Spread
from flan_jax.setting_types import check_types
from flan_jax.training.state import TrainState

# One without devices says where arrays would lie.
AnyMesh = Mesh | AbstractMesh

# Logical axis of a parameter -> mesh axis. `embed` is a side of every matrix, so splitting it over fsdp is ZeRO-3; the
# other side goes over model, so that each device holds some heads, some of the hidden layer, some of the vocabulary.
RULES: dict[str, str | None] = {
  "embed": "fsdp",
  "mlp": "model",
  "heads": "model",
  "joined_kv": "model",
  "kv": None,
  "vocab": "model",
  "relpos_buckets": None,
  "layers": None,
}

# The rows of a batch are split over both: fsdp is data parallelism whose parameters are split as well.
_BATCH = PartitionSpec(("data", "fsdp"))


@gin.register
@dataclasses.dataclass(frozen=True)
class Partitioning:
  """The size of each mesh axis; at most one may be -1, which is then as many as there are devices left.

  Attributes:
    data: copies of the parameters, each with its share of the batch.
    fsdp: parts of parameters and optimizer state, gathered where they are used; also shares of the batch.
    model: parts of heads, hidden layers and vocabulary, which compute together.
  """

  data: int = -1
  fsdp: int = 1
  model: int = 1

  def __post_init__(self):
    check_types(self)

  def mesh(self, devices: list[jax.Device] | None = None) -> Mesh:
    """The mesh over these devices (all, if not given).

    Raises:
      UsageError: the sizes do not multiply to the number of devices.
    """
    devices = jax.devices() if devices is None else devices
    sizes = self.sizes(len(devices))
    # Auto: XLA propagates shardings. JAX 0.10's explicit axes would refuse an embedding lookup over a split table.
    return jax.make_mesh(tuple(sizes.values()), tuple(sizes), axis_types=(AxisType.Auto,) * 3, devices=devices)

  def abstract_mesh(self, count: int) -> AbstractMesh:
    """The mesh over so many devices that need not be here."""
    sizes = self.sizes(count)
    return AbstractMesh(tuple(sizes.values()), tuple(sizes), axis_types=(AxisType.Auto,) * 3)

  def sizes(self, count: int) -> dict[str, int]:
    """The size of each axis over so many devices.

    Raises:
      UsageError: they do not multiply to that.
    """
    sizes = {"data": self.data, "fsdp": self.fsdp, "model": self.model}
    fixed = math.prod(size for size in sizes.values() if size != -1)
    free = [axis for axis, size in sizes.items() if size == -1]
    if len(free) > 1 or fixed < 1 or count % fixed or (not free and fixed != count):
      shape = " x ".join(f"{axis} {size}" for axis, size in sizes.items())
      raise UsageError(
        f"Partitioning {shape} does not fit {count} device(s): the sizes must multiply to that; "
        "one of them may be -1 (what is left)"
      )
    return {axis: count // fixed if size == -1 else size for axis, size in sizes.items()}


def parameter_shardings(
  shapes: dict[str, jax.ShapeDtypeStruct], axes: dict[str, tuple[str, ...]], mesh: AnyMesh
) -> dict[str, NamedSharding]:
  """The sharding of every parameter by the table; a side that does not divide over its mesh axis stays whole."""
  return {name: NamedSharding(mesh, _spec(shapes[name].shape, axes[name], mesh)) for name in shapes}


def state_shardings(shapes: TrainState, axes: dict[str, tuple[str, ...]], mesh: AnyMesh) -> TrainState:
  """Parameters by the table; what the optimizer keeps in a parameter's shape lies like it, the rest is whole.

  Adafactor's rows and columns are whole on every device: of XXL's 11 billion parameters they are 4 million numbers.
  """
  whole = NamedSharding(mesh, PartitionSpec())
  params = parameter_shardings(shapes.params, axes, mesh)

  def of_optimizer(path: tuple, leaf: jax.ShapeDtypeStruct) -> NamedSharding:
    name = getattr(path[-1], "key", None) if path else None
    like_parameter = name in params and leaf.shape == shapes.params[name].shape
    return params[name] if like_parameter else whole

  optimizer = jax.tree_util.tree_map_with_path(of_optimizer, shapes.optimizer)
  return TrainState(whole, params, optimizer, jax.tree.map(lambda _: whole, shapes.guard))


def gather_over(mesh: Mesh, dtype: DTypeLike | None = None) -> Gather | None:
  """What brings a parameter that is split over fsdp to all devices that use it; None where that axis is 1.

  XLA left alone gathers parameters of unrolled layers, but in a loop over layers it was seen to gather and reduce whole
  activations instead; and a lookup in an embedding whose rows are split gives vectors that are split so. The gradient
  comes back to where the parameter lies.

  Args:
    dtype: of the gathered copy, where a layer uses it so anyway: half the bytes travel. None leaves float32.
  """
  if mesh.shape["fsdp"] == 1:
    return None

  def gather(array: Array, axes: tuple[str, ...]) -> Array:
    spec = _spec(array.shape, axes, mesh)
    if "fsdp" not in spec:
      return array
    kept, used = (NamedSharding(mesh, each) for each in (spec, _without_fsdp(spec)))
    return _moved(array if dtype is None else array.astype(dtype), kept, used)

  return gather


def spread_over(mesh: Mesh) -> Spread | None:
  """What gives each share of the rows a copy of an array, on the devices that have the share; None where there is one.

  With one array for all rows, XLA sums the gradient of each use over devices before it adds the uses up: in a loop,
  each time around. 64 x 512 targets make 63 chunks of logits, of which each would have the head's gradient summed.
  """
  shares = mesh.shape["data"] * mesh.shape["fsdp"]
  if shares == 1:
    return None

  def spread(array: Array, axes: tuple[str, ...]) -> Array:
    where = PartitionSpec(*_BATCH, *_without_fsdp(_spec(array.shape, axes, mesh)))
    return _lying(jnp.broadcast_to(array, (shares, *array.shape)), NamedSharding(mesh, where))

  return spread


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def _moved(array: Array, kept: NamedSharding, used: NamedSharding) -> Array:
  # Without the first constraint the whole float32 array might travel, to be rounded where it arrives.
  return checkpoint_name(_lying(_lying(array, kept), used), GATHERED)


_moved.defvjp(
  lambda array, kept, used: (_moved(array, kept, used), None),
  # First as a sum over devices of the whole, then each its part, of which XLA makes one operation. A gradient of an
  # embedding that is asked for in parts at once was seen to gather all activations on a mesh with all three axes.
  lambda kept, used, _, gradient: (_lying(_lying(gradient, used), kept),),
)


def _lying(array: Array, where: NamedSharding) -> Array:
  return jax.lax.with_sharding_constraint(array, where)


def _without_fsdp(spec: PartitionSpec) -> PartitionSpec:
  return PartitionSpec(*(None if axis == "fsdp" else axis for axis in spec))


def batch_sharding(mesh: Mesh) -> NamedSharding:
  """Rows over data x fsdp; the rest of a batch array is whole."""
  return NamedSharding(mesh, _BATCH)


def replicated(mesh: Mesh) -> NamedSharding:
  """The whole array on every device."""
  return NamedSharding(mesh, PartitionSpec())


def check_batch_size(batch_size: int, mesh: Mesh, accumulation: int = 1) -> None:
  """Raises UsageError if the rows of a batch do not divide over the mesh and the microbatches."""
  shares = mesh.shape["data"] * mesh.shape["fsdp"] * accumulation
  if batch_size % shares:
    microbatches = f" x accumulation {accumulation}" if accumulation > 1 else ""
    raise UsageError(
      f"BATCH_SIZE = {batch_size} does not divide over data {mesh.shape['data']} x fsdp {mesh.shape['fsdp']}"
      f"{microbatches}: take a multiple of {shares}"
    )


def process_rows(
  mesh: Mesh,
  batch_size: int,
  process: int | None = None,
  process_of: Callable[[jax.Device], int] = lambda device: device.process_index,
) -> tuple[int, int]:
  """Which rows of a batch the devices of a process hold, as (index, count): the index-th of `count` equal blocks.

  Processes that split a row's computation between them (a model axis over processes) hold the same block.

  Args:
    batch_size: must fit the mesh (`check_batch_size`).
    process: this one, if not given.
    process_of: says whose a device is.

  Raises:
    UsageError: the rows of a process are not one block, or the blocks of processes differ in size.
  """
  held: dict[int, set[int]] = {}
  for device, (rows,) in batch_sharding(mesh).devices_indices_map((batch_size,)).items():
    held.setdefault(process_of(device), set()).update(range(batch_size)[rows])
  sizes = {len(rows) for rows in held.values()}
  for number, rows in sorted(held.items()):
    # Blocks of one size that divides the batch and their beginnings: equal or apart, and together all rows.
    if len(sizes) > 1 or max(rows) - min(rows) >= len(rows) or min(rows) % len(rows) or batch_size % len(rows):
      shape = " x ".join(f"{axis} {size}" for axis, size in mesh.shape.items())
      raise UsageError(
        f"on the mesh {shape}, process {number} would hold {_few(sorted(rows))} of the {batch_size} rows of a batch; "
        "each process must hold one block of rows, all of the same size. Let data x fsdp be a multiple of the number "
        "of processes, or model a multiple of the devices of each"
      )
  mine = held[jax.process_index() if process is None else process]
  return min(mine) // len(mine), batch_size // len(mine)


def _few(rows: list[int]) -> str:
  return ", ".join(map(str, rows)) if len(rows) <= 8 else f"{', '.join(map(str, rows[:7]))}, ... {rows[-1]}"


def model_info(
  shapes: dict[str, jax.ShapeDtypeStruct], axes: dict[str, tuple[str, ...]], shardings: dict[str, NamedSharding]
) -> str:
  """A table of every parameter: name, number, shape, dtype, logical axes, partition; then the total."""
  rows = [("parameter", "elements", "shape", "dtype", "logical axes", "partition")]
  rows += [
    (
      name,
      f"{math.prod(shape.shape):,}",
      " x ".join(map(str, shape.shape)),
      shape.dtype.name,
      ", ".join(axes[name]),
      ", ".join(str(axis) for axis in _padded(shardings[name].spec, len(shape.shape))),
    )
    for name, shape in shapes.items()
  ]
  widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
  table = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
  total = sum(math.prod(shape.shape) for shape in shapes.values())
  mesh = next(iter(shardings.values())).mesh
  devices = " x ".join(f"{axis} {size}" for axis, size in mesh.shape.items())
  return "\n".join([*table, "", f"Total: {total:,} parameters. Mesh: {devices}, {mesh.devices.flat[0].device_kind}.\n"])


def _spec(shape: tuple[int, ...], axes: tuple[str, ...], mesh: AnyMesh) -> PartitionSpec:
  chosen: list[str | None] = []
  for size, axis in zip(shape, axes, strict=True):
    mesh_axis = RULES[axis]
    # A mesh axis splits one side only: of a matrix with the same logical axis twice, the first.
    fits = mesh_axis is not None and mesh_axis not in chosen and size % mesh.shape[mesh_axis] == 0
    chosen.append(mesh_axis if fits and mesh.shape[mesh_axis] > 1 else None)
  return PartitionSpec(*chosen)


def _padded(spec: PartitionSpec, length: int) -> tuple:
  return (*spec, *(None,) * (length - len(spec)))
