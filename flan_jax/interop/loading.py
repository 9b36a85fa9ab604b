"""Checkpoints of any kind: what a folder holds, its parameters on any devices, its optimizer's state."""

import dataclasses
import hashlib
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax.sharding import Sharding, SingleDeviceSharding

from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop.damage import DamagedError
from flan_jax.interop.host_arrays import HostArrays
from flan_jax.interop.shipped import located
from flan_jax.interop.tensors import MOST_LAYERS, Moments, Tensors, check_shapes, layers_apart, place
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model, Params
from flan_jax.models.stacking import is_stacked, names_of_layers

if TYPE_CHECKING:
  from flan_jax.interop.t5x import T5XMoments

FLAN_JAX, T5X, HUGGING_FACE = "flan_jax", "t5x", "hf"  # kinds of checkpoints
_OTHERS = (  # what is looked for besides our own
  ", a T5X checkpoint_STEP (with a file checkpoint, or state/manifest.ocdbt), a Hugging Face folder (with "
  "config.json), or demo, the base that ships"
)
_MOMENT = re.compile(r"(?P<place>\d+)\.(?P<kind>v|v_row|v_col)\.(?P<name>.+)")
_COUNT = re.compile(r"(?P<place>\d+)\.count")


@dataclasses.dataclass(frozen=True)
class Source:
  """A checkpoint that was recognised; its arrays are read when asked for.

  Attributes:
    kind: FLAN_JAX, T5X or HUGGING_FACE.
    path: of its folder; of one step, where there are several.
    config: of the network, as saved: stacked layers or not.
    tensors: its parameters with layers apart, one at a time on the host.
    vocabulary_path: its SentencePiece file; None where the folder has none.
    record: what our own checkpoint says of itself (`mixture`, `tasks`, `vocabulary` {name, sha256, extra_ids}, ...);
      empty for others.
    step: updates done; None for a Hugging Face folder.
    details: what else a report says: T5X's layout, Hugging Face's model_type.
  """

  kind: str
  path: str
  config: T5Config
  tensors: Tensors
  vocabulary_path: pathlib.Path | None = None
  record: Mapping[str, Any] = dataclasses.field(default_factory=dict)
  step: int | None = None
  details: Mapping[str, str] = dataclasses.field(default_factory=dict)

  @property
  def vocabulary_sha256(self) -> str | None:
    """Of the vocabulary that our own checkpoint was trained with; None where nobody says."""
    return (self.record.get("vocabulary") or {}).get("sha256")

  def parameters(self, shardings: Mapping[str, Sharding] | None = None, config: T5Config | None = None) -> Params:
    """The parameters as float32, each read to the host alone and put straight onto its devices.

    Args:
      shardings: of each parameter of `config`; None puts all onto this process's first device.
      config: whose layers say whether the parameters are stacked; None as saved.

    Raises:
      FlanJaxError: a file is damaged.
    """
    wanted = Model(config or self.config).shapes()
    wanted = {name: _sharded(shape, (shardings or {}).get(name)) for name, shape in wanted.items()}
    if isinstance(self.tensors, OwnTensors) and shardings and self.tensors.are_float32:
      return self.tensors.restore(layout.PARAMS, wanted)  # every process reads its part
    return place(self.tensors.read, wanted)

  def optimizer_arrays(self, wanted: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, jax.Array]:
    """Adafactor's state for a run that starts from these parameters, by the names of training/state.py.

    Its count of updates goes on from that state's, so that the second moments keep their memory; other counts (the
    schedule's) begin at 0, as the run's steps do.

    Args:
      wanted: names, shapes and shardings of the run's own state.

    Raises:
      UsageError: the checkpoint has no state of Adafactor, or the run's optimizer keeps another; names the arrays.
    """
    moments = {name for name in wanted if _MOMENT.fullmatch(name)}
    places = {name.split(".")[0] for name in moments}
    if len(places) != 1 or any(name not in moments and not _COUNT.fullmatch(name) for name in wanted):
      raise UsageError(f"{self.path}: only Adafactor's state can be taken over, and this run's optimizer is another")
    counts = {name: 0 for name in wanted if name not in moments}
    if isinstance(self.tensors, OwnTensors):
      if layout.OPTIMIZER not in self.record["arrays"]:
        raise UsageError(f"{self.path} holds no state of an optimizer: start without train.initial_optimizer")
      placed = {name: _sharded(shape, shape.sharding) for name, shape in wanted.items()}
      arrays = self.tensors.restore(layout.OPTIMIZER, placed)
      counts = {name: 0 for name in counts if name.split(".")[0] not in places}
    else:
      of_moments = {name: wanted[name] for name in moments}
      arrays = place(_fitting(self, of_moments).read, of_moments)
      counts |= {name: self.step for name in counts if name.split(".")[0] in places}
    return arrays | place(lambda name: np.asarray(counts[name]), {name: wanted[name] for name in counts})

  def moments(self) -> Moments | None:
    """Adafactor's second moments, layers apart, as optax has them; None where there are none."""
    if isinstance(self.tensors, OwnTensors):
      return self.tensors.moments()
    moments = _t5x_moments(self)
    return moments and (lambda kind, name: moments.read(f"0.{kind}.{name}"))

  def updates(self) -> int:
    """Those that Adafactor's state has seen: more than `step` where a run began with the state of another."""
    if isinstance(self.tensors, OwnTensors):
      return self.tensors.updates()
    return self.step or 0


@dataclasses.dataclass(frozen=True)
class LoadedCheckpoint:
  """A model to decode with.

  Attributes:
    config: of the network; its layers are unrolled, as decoding runs them.
    params: on this process's first device.
    vocabulary_path: its SentencePiece file; None where the folder has none.
    extra: the record of our own checkpoint (see `Source.record`); empty for others.
    step: updates done; None for a Hugging Face folder.
  """

  config: T5Config
  params: Params
  vocabulary_path: pathlib.Path | None
  extra: Mapping[str, Any]
  step: int | None


def load(
  path: str | os.PathLike, shardings: Callable[[Model], Mapping[str, Sharding]] | None = None
) -> LoadedCheckpoint:
  """A checkpoint of any kind for decoding; takes and raises what `open_source` does.

  Args:
    shardings: gives that of each parameter of a network; None puts all onto this process's first device.
  """
  return loaded(open_source(path), shardings)


def loaded(source: Source, shardings: Callable[[Model], Mapping[str, Sharding]] | None = None) -> LoadedCheckpoint:
  """As `load`, of a checkpoint that was recognised; raises FlanJaxError where a file is damaged."""
  config = layers_apart(source.config)
  params = source.parameters(shardings and shardings(Model(config)), config)
  return LoadedCheckpoint(config, params, source.vocabulary_path, source.record, source.step)


def open_source(path: str | os.PathLike) -> Source:
  """Recognises what lies at a path, and reads what its arrays are but not the arrays.

  Args:
    path: 'demo' (the embedded collection's base model), a MODEL_DIR (its newest checkpoint),
      MODEL_DIR/checkpoints/STEP, a T5X checkpoint_STEP or a folder of them (its newest; gs://bucket/.../checkpoint_STEP
      too), or a Hugging Face T5 folder.

  Raises:
    UsageError: there is no checkpoint at the path; says what was looked for.
    FlanJaxError: the checkpoint is damaged, or of a network that we have not; names file or parameters.
  """
  path = located(path)
  where = str(path)
  if "://" in where:
    source = _t5x(where)
  else:
    folder = pathlib.Path(path)
    source = _hugging_face(folder) or _own(folder) or _t5x(str(_newest_of_t5x(folder)))
  if source is None:
    raise layout.no_checkpoint(where, _OTHERS)
  return source


class OwnTensors:
  """The parameters of a step's folder of ours, whose layers may be stacked, and its Adafactor's state."""

  def __init__(self, folder: pathlib.Path, config: T5Config, record: Mapping[str, Any]):
    self._folder = folder
    self._config = config
    self._parameters = HostArrays(folder, layout.PARAMS, record)
    self._optimizer = HostArrays(folder, layout.OPTIMIZER, record)

  @property
  def are_float32(self) -> bool:
    """Whether the parameters are kept as a run keeps them; those that were converted may be shorter."""
    return self._parameters.dtypes == {"float32"}

  def shapes(self) -> dict[str, tuple[int, ...]]:
    """The shape of every parameter, layers apart; nothing is read."""
    return {name: shape.shape for name, shape in Model(layers_apart(self._config)).shapes().items()}

  def read(self, name: str) -> np.ndarray:
    """One parameter. Raises DamagedError where it is not what was saved."""
    return self._parameters.read(name)

  def restore(self, item: str, wanted: Mapping[str, jax.ShapeDtypeStruct]) -> dict[str, jax.Array]:
    """Arrays of an item as `wanted` says, straight onto their devices."""
    return layout.restore(self._folder, {item: wanted})[item]

  def moments(self) -> Moments | None:
    """As `Source.moments`."""
    place = self._place()
    return place and (lambda kind, name: self._optimizer.read(f"{place}.{kind}.{name}"))

  def updates(self) -> int:
    """As `Source.updates`; 0 where there is no state of Adafactor."""
    place = self._place()
    return int(self._optimizer.read(f"{place}.count")) if place else 0

  def _place(self) -> str | None:
    """Of Adafactor in the optimizer's chain of transformations, as its arrays' names begin."""
    return next((found["place"] for name in self._optimizer.names if (found := _MOMENT.fullmatch(name))), None)


def _own(folder: pathlib.Path) -> Source | None:
  if not (folder / layout.RECORD).is_dir() and not layout.saved_steps(folder):
    return None
  step = layout.step_folder(folder)
  record = layout.read_record(step)
  config = layout.saved_config(step, record)
  check_shapes(step, config, _layers_apart(record["arrays"].get(layout.PARAMS, {})))
  vocabulary = _file(step.parent.parent / layout.VOCABULARY_FILE)
  source = Source(FLAN_JAX, str(step), config, OwnTensors(step, config, record), vocabulary, record, record["step"])
  _check_vocabulary(source)
  return source


def _layers_apart(kinds: Mapping[str, tuple[str, list[int]]]) -> dict[str, tuple[int, ...]]:
  """The shape of each array of a record, layers apart."""
  shapes: dict[str, tuple[int, ...]] = {}
  for name, (_, shape) in kinds.items():
    if is_stacked(name):
      shapes |= dict.fromkeys(names_of_layers(name, min(shape[0], MOST_LAYERS + 1)), tuple(shape[1:]))
    else:
      shapes[name] = tuple(shape)
  return shapes


def _check_vocabulary(source: Source) -> None:
  """Raises DamagedError where our own checkpoint's vocabulary is not the file that it was trained with."""
  path, expected = source.vocabulary_path, source.vocabulary_sha256
  if path is None or expected is None:
    return
  found = hashlib.sha256(path.read_bytes()).hexdigest()
  if found != expected:
    fault = f"file {path} has changed (sha256 {found[:12]} instead of {expected[:12]})"
    raise DamagedError(pathlib.Path(source.path), [fault], f"Put back the vocabulary whose sha256 is {expected}")


def _hugging_face(folder: pathlib.Path) -> Source | None:
  from flan_jax.interop import huggingface  # most runs need no safetensors

  if not (folder / huggingface.CONFIG).is_file():
    return None
  tensors = huggingface.HuggingFaceTensors(folder)
  vocabulary = _file(folder / huggingface.VOCABULARY)
  details = {"model_type": tensors.model_type}
  return Source(HUGGING_FACE, str(folder), tensors.config, tensors, vocabulary, details=details)


def _t5x(where: str) -> Source | None:
  from flan_jax.interop import t5x  # most runs need no TensorStore of their own

  tensors = t5x.open_t5x(where)
  if tensors is None:
    return None
  details = {"layout": tensors.arrays.layout, "layers": "scanned" if tensors.scanned else "unrolled"}
  return Source(T5X, where, tensors.config, tensors, step=tensors.step, details=details)


def _newest_of_t5x(folder: pathlib.Path) -> pathlib.Path:
  """The newest checkpoint_STEP in a folder, or the folder itself; T5X's own file `checkpoint` stands for its folder."""
  if folder.name == "checkpoint" and folder.is_file():
    return folder.parent
  steps = [each for each in folder.glob("checkpoint_*") if each.name.removeprefix("checkpoint_").isdecimal()]
  return max(steps, key=lambda each: int(each.name.removeprefix("checkpoint_")), default=folder)


def _t5x_moments(source: Source) -> "T5XMoments | None":
  """None at step 0 too: those before the first update are zeros, which T5X writes all the same."""
  from flan_jax.interop.t5x import T5XMoments, T5XTensors

  tensors = source.tensors
  return T5XMoments(tensors) if isinstance(tensors, T5XTensors) and tensors.has_moments() and tensors.step else None


def _fitting(source: Source, wanted: Mapping[str, jax.ShapeDtypeStruct]) -> "T5XMoments":
  """T5X's second moments; raises UsageError where there are none, or one has not the shape that is wanted."""
  moments = _t5x_moments(source)
  if moments is None:
    raise UsageError(f"{source.path} holds no state of Adafactor: start without train.initial_optimizer")
  faults = [
    f"{name} has shape {list(moments.shape(name))}, here {list(wanted[name].shape)}"
    for name in sorted(wanted)
    if moments.shape(name) != wanted[name].shape
  ]
  if faults:
    raise UsageError(
      f"{source.path}: {len(faults)} arrays of Adafactor's state do not fit, such as {'; '.join(faults[:3])}. "
      "T5X's scanned network factors kernels of any size, others those whose sides reach "
      "Adafactor.min_dim_size_to_factor; start without train.initial_optimizer"
    )
  return moments


def _file(path: pathlib.Path) -> pathlib.Path | None:
  return path if path.is_file() else None


def _sharded(shape: jax.ShapeDtypeStruct, sharding: Sharding | None) -> jax.ShapeDtypeStruct:
  sharding = sharding or SingleDeviceSharding(jax.local_devices()[0])
  return jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=sharding)
