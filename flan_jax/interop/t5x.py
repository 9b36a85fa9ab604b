"""T5X's checkpoints in: what network they belong to, and their arrays under our names and in our shapes.

Two networks of T5X's are known. The unrolled one has our names. The scanned one (examples/scalable_t5) keeps all layers
in one array, on axis 1, with heads apart, such as `encoder.encoder.attention.query.kernel` [embed, layers, heads, kv],
and has a relative position bias a layer. Its Adafactor factors the second moments of a layer's kernels whatever their
sizes, over the embed axis; that of the unrolled one does so only where both axes are at least 128 long.
"""

import math
import re
from collections.abc import Mapping

import numpy as np

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop.t5x_storage import Arrays, open_arrays
from flan_jax.interop.tensors import MOST_LAYERS, check_shapes
from flan_jax.models.configs import T5Config
from flan_jax.models.position_bias import BUCKETS
from flan_jax.models.stacking import is_stacked, names_of_layers, split_name

TARGET, STATES, STEP = "target.", "state.param_states.", "state.step"
LAYERS_AXIS = 1  # of the scanned network's parameters
_SCANNED = re.compile(r"(encoder|decoder)\.\1\.(.+)")
_GATED, _UNGATED = TOLD_BY_NAMES = ("gelu", "linear"), ("relu",)  # T5 1.1's activations, T5 1.0's
# The axes of one layer's kernels where heads are apart.
_AXES = {
  **dict.fromkeys(("query", "key", "value"), ("embed", "heads", "kv")),
  "out": ("heads", "kv", "embed"),
  **dict.fromkeys(("wi", "wi_0", "wi_1"), ("embed", "mlp")),
  "wo": ("mlp", "embed"),
}


class T5XTensors:
  """The parameters of a T5X checkpoint, and Adafactor's second moments, under our names with layers apart.

  Attributes:
    arrays: as stored.
    scanned: whether T5X's scanned network wrote them.
    config: of the network, as far as shapes tell: activations are those of T5 1.1 or 1.0, dropout and the like have
      our defaults.
    step: updates that T5X had done.
  """

  def __init__(self, arrays: Arrays):
    self.arrays = arrays
    self._homes = {name: home for home in arrays if home.startswith(TARGET) for name in self._names(home)}
    self.scanned = any(map(is_scanned, map(self.home, self._homes)))
    self.config = _config(arrays.url, self.shapes(), self.scanned)
    check_shapes(arrays.url, self.config, self.shapes())
    self.step = _step(arrays)
    self._last: tuple[str, np.ndarray] | None = None

  def shapes(self) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, in our layout; nothing is read."""
    return {name: _our_shape(name, self._shape(home)) for name, home in self._homes.items()}

  def read(self, name: str) -> np.ndarray:
    """One parameter, as it is stored. Raises FlanJaxError where its file is damaged."""
    array = self.layer_of(self._homes[name], split_name(name)[1], LAYERS_AXIS)
    return array.reshape(_our_shape(name, array.shape))

  def has_moments(self) -> bool:
    """Whether there is a state of Adafactor."""
    return any(name.startswith(STATES) and name.endswith(".v_row") for name in self.arrays)

  def _names(self, home: str) -> list[str]:
    """Our names of what an array holds."""
    name = home.removeprefix(TARGET)
    found = _SCANNED.fullmatch(name)
    if not found:
      return [name]
    shape = self.arrays.shape(home)
    if len(shape) <= LAYERS_AXIS or shape[LAYERS_AXIS] > MOST_LAYERS:
      raise FlanJaxError(f"{self.arrays.url}: {home} of shape {list(shape)} holds no layers on axis {LAYERS_AXIS}")
    return names_of_layers(f"{found[1]}.layers.{found[2]}", shape[LAYERS_AXIS])

  def _shape(self, home: str) -> tuple[int, ...]:
    shape = self.arrays.shape(home)
    return shape[:LAYERS_AXIS] + shape[LAYERS_AXIS + 1 :] if is_scanned(home.removeprefix(TARGET)) else shape

  def layer_of(self, home: str, layer: int | None, axis: int) -> np.ndarray:
    """A layer of an array of the scanned network, or an array as it is."""
    if layer is None or not self.scanned:
      return self.arrays.read(home)
    # The layers of an array are asked for one after the other: the one last read is kept.
    if self._last is None or self._last[0] != home:
      self._last = None
      self._last = home, self.arrays.read(home)
    return np.take(self._last[1], layer, axis)

  def layers_of(self, name: str) -> list[str]:
    """The names, layers apart, of what an array of ours holds, stacked or not."""
    return [each for each in self._homes if split_name(each)[0] == name] if is_stacked(name) else [name]

  def home(self, name: str) -> str:
    """T5X's path of a parameter, with dots: `encoder.encoder.mlp.wo.kernel`."""
    return self._homes[name].removeprefix(TARGET)


class T5XMoments:
  """Adafactor's second moments as optax has them, by the names of training/state.py and with layers apart:
  `0.v_row.encoder.layers_0.mlp.wo.kernel`; of shape [1] where one is not in use."""

  def __init__(self, tensors: T5XTensors):
    self._tensors = tensors

  def shape(self, name: str) -> tuple[int, ...]:
    """Without reading the array; of a stacked one with its layers on axis 0."""
    _, kind, parameter = name.split(".", 2)
    layers = self._tensors.layers_of(parameter)
    home, axis = self._home(kind, layers[0])
    shape = self._tensors.arrays.shape(home)
    if axis is not None:
      shape = _joined(kind, layers[0], shape[:axis] + shape[axis + 1 :])
    return (len(layers), *shape) if is_stacked(parameter) else shape

  def read(self, name: str) -> np.ndarray:
    """One array. Raises FlanJaxError where its file is damaged."""
    _, kind, parameter = name.split(".", 2)
    home, axis = self._home(kind, parameter)
    if axis is None:
      return self._tensors.arrays.read(home)
    array = self._tensors.layer_of(home, split_name(parameter)[1], axis)
    return array.reshape(_joined(kind, parameter, array.shape))

  def _home(self, kind: str, name: str) -> tuple[str, int | None]:
    """(T5X's array, the axis of its layers or None)."""
    home = f"{STATES}{self._tensors.home(name)}."
    if not is_scanned(self._tensors.home(name)) or self._tensors.arrays.shape(home + kind) == (1,):
      return home + kind, None
    if kind == "v":
      return home + kind, LAYERS_AXIS
    kind = same_factor(kind, name, self._tensors.shapes()[name])
    return home + kind, factor_axes(name, kind).index("layers")


def open_t5x(url: str) -> T5XTensors | None:
  """The checkpoint of a folder (T5X's checkpoint_STEP, local or gs://); None where it is none of T5X's.

  Raises:
    FlanJaxError: it cannot be read, or is of a network that we have not; says which parameters do not fit.
  """
  arrays = open_arrays(url)
  return None if arrays is None else T5XTensors(arrays)


def their_name(name: str) -> tuple[str, int | None]:
  """(the scanned network's name, the layer in it) of one of our parameters with layers apart.

  >>> their_name("encoder.layers_3.attention.query.kernel")
  ('encoder.encoder.attention.query.kernel', 3)
  """
  whole, layer = split_name(name)
  return re.sub(r"^(encoder|decoder)\.layers\.", r"\1.\1.", whole), layer


def layer_axes(name: str) -> tuple[str, ...] | None:
  """The axes of a kernel's layer in the scanned network; None of what is factored in no network.

  >>> layer_axes("encoder.layers_0.attention.out.kernel")
  ('heads', 'kv', 'embed')
  """
  *_, part, last = name.split(".")
  return _AXES.get(part) if last == "kernel" and split_name(name)[1] is not None else None


def factor_axes(name: str, kind: str) -> tuple[str, ...]:
  """The axes of the scanned network's `v_row` or `v_col` of a kernel: embed and layers, or the others.

  >>> factor_axes("encoder.layers_0.attention.query.kernel", "v_col")
  ('layers', 'heads', 'kv')
  """
  axes = layer_axes(name)
  axes = (*axes[:LAYERS_AXIS], "layers", *axes[LAYERS_AXIS:])
  return tuple(axis for axis in axes if axis == "layers" or (axis == "embed") == (kind == "v_row"))


def same_factor(kind: str, name: str, shape: tuple[int, ...]) -> str:
  """Which of `v_row` and `v_col` one network's factor is in the other, for a kernel of our shape.

  The update is gradient / sqrt(row * column / mean), in which the two are alike; but unrolled, and in optax, the row is
  that of the shorter axis (of the first where they are equal), and in the scanned network that of embed.
  """
  embed = 0 if layer_axes(name)[0] == "embed" else 1
  return kind if np.argsort(shape)[-2] == embed else {"v_row": "v_col", "v_col": "v_row"}[kind]


def is_scanned(home: str) -> bool:
  """Whether T5X's path is that of an array that holds all layers."""
  return _SCANNED.fullmatch(home) is not None


def _joined(kind: str, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
  return _our_shape(name, shape) if kind == "v" else (math.prod(shape),)


def _our_shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
  """Heads and head_dim joined, which the scanned network keeps apart."""
  if len(shape) != 3:
    return tuple(shape)
  a, b, c = shape
  return (a * b, c) if ".out." in name else (a, b * c)


def _step(arrays: Arrays) -> int:
  """Updates that T5X had done; 0 where it does not say."""
  if STEP not in arrays:
    return 0
  shape, dtype = arrays.shape(STEP), arrays.dtype(STEP)
  # Looked at before it is read: of an array that is not as small, `read` asks this very one whether zeros may be right.
  fault = f"is {dtype} of shape {list(shape)}" if shape not in ((), (1,)) or dtype.kind not in "iu" else ""
  step = 0 if fault else arrays.read(STEP).item()
  if fault or step < 0:
    raise FlanJaxError(
      f"{arrays.url}: cannot be read as a T5X checkpoint: its {STEP} {fault or f'is {step}'}, which counts no updates. "
      "Take the checkpoint of another step"
    )
  return step


def _config(where: str, shapes: Mapping[str, tuple[int, ...]], scanned: bool) -> T5Config:
  """The network that parameters of these shapes belong to.

  Raises:
    FlanJaxError: an array from which a size is read is missing or of a strange shape.
  """
  biases = [name for name in shapes if name.startswith("encoder.") and name.endswith("relpos_bias.rel_embedding")]
  gated = "encoder.layers_0.mlp.wi_0.kernel" in shapes
  try:
    vocab_size, emb_dim = shapes["token_embedder.embedding"]
    heads, buckets = shapes[biases[0]]
    joined = shapes["encoder.layers_0.attention.query.kernel"][1]
    mlp_dim = shapes["encoder.layers_0.mlp.wi_0.kernel" if gated else "encoder.layers_0.mlp.wi.kernel"][1]
  except (KeyError, ValueError, IndexError) as error:
    raise FlanJaxError(f"{where}: not T5's parameters: {error} is missing or strange") from error
  if buckets != BUCKETS or joined % heads:
    raise FlanJaxError(f"{where}: {buckets} buckets of distance and {joined} units of {heads} heads are not T5's")
  try:
    return T5Config(
      vocab_size=vocab_size,
      emb_dim=emb_dim,
      num_heads=heads,
      head_dim=joined // heads,
      mlp_dim=mlp_dim,
      num_encoder_layers=_layers(shapes, "encoder"),
      num_decoder_layers=_layers(shapes, "decoder"),
      mlp_activations=_GATED if gated else _UNGATED,
      logits_via_embedding="decoder.logits_dense.kernel" not in shapes,
      scan_layers=scanned,
      relative_bias="shared" if biases == ["encoder.relpos_bias.rel_embedding"] else "per_layer",
    )
  except UsageError as error:
    raise FlanJaxError(f"{where}: {error}") from error


def _layers(shapes: Mapping[str, tuple[int, ...]], stack: str) -> int:
  layers = {split_name(name)[1] for name in shapes if name.startswith(f"{stack}.layers_")} - {None}
  return 1 + max(layers, default=-1)
