"""Our checkpoint format: what lies in MODEL_DIR/checkpoints/STEP, how it is read, and how damage to it is found.

A step's folder, written by Orbax, holds
  params/     the parameters by T5X's names,
  optimizer/  the optimizer's arrays by name (training/state.py),
  record/     JSON: step, model, vocabulary, mixture, tasks, position, fingerprints,
  files.json  size and xxh3 of every file in it, written after the rest.
Orbax restores flipped bytes without a word (six of six bit flips in a data file), so each array's fingerprint stands
in the record and is compared after reading, and files.json names the damaged file.
"""

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
import xxhash
from jaxtyping import Array, UInt32

from flan_jax import processes
from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model, Params

CHECKPOINTS = "checkpoints"  # folder in MODEL_DIR
VOCABULARY_FILE = "vocabulary.model"  # in MODEL_DIR, so that the folder is all that decoding needs
PARAMS, OPTIMIZER, RECORD = "params", "optimizer", "record"
FILES = "files.json"

Arrays = dict[str, jax.Array]
AbstractArrays = dict[str, jax.ShapeDtypeStruct]


@dataclasses.dataclass(frozen=True)
class LoadedCheckpoint:
  """A model to decode with.

  Attributes:
    config: of the network.
    params: on this process's first device.
    vocabulary_path: its SentencePiece file; None where a Hugging Face folder has none.
    extra: the record of the checkpoint (`mixture`, `tasks` trained on, `vocabulary` {name, sha256, extra_ids}, ...);
      empty for a Hugging Face folder.
    step: updates done; None for a Hugging Face folder.
  """

  config: T5Config
  params: Params
  vocabulary_path: pathlib.Path | None
  extra: dict[str, Any]
  step: int | None


def load(path: str | pathlib.Path) -> LoadedCheckpoint:
  """A checkpoint for decoding or to start from.

  Args:
    path: a MODEL_DIR (its newest checkpoint), MODEL_DIR/checkpoints/STEP, or a Hugging Face T5 folder.

  Raises:
    UsageError: there is no checkpoint at the path.
    FlanJaxError: the checkpoint is damaged.
  """
  path = pathlib.Path(path)
  if (path / "config.json").is_file():
    return _load_hugging_face(path)
  folder = step_folder(path)
  record = read_record(folder)
  config = T5Config(**record["model"])
  here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
  wanted = {
    name: jax.ShapeDtypeStruct(shape.shape, shape.dtype, sharding=here)
    for name, shape in Model(config).shapes().items()
  }
  params = restore(folder, {PARAMS: wanted})[PARAMS]
  vocabulary = folder.parent.parent / VOCABULARY_FILE
  return LoadedCheckpoint(config, params, vocabulary if vocabulary.is_file() else None, record, record["step"])


def step_folder(path: pathlib.Path) -> pathlib.Path:
  """The folder of one step: the path itself, or the newest in a MODEL_DIR.

  Raises:
    UsageError: there is none; says what is there.
  """
  if (path / RECORD).is_dir():
    return path
  steps = saved_steps(path)
  if steps:
    return path / CHECKPOINTS / str(steps[-1])
  siblings = saved_steps(path.parent.parent) if path.parent.name == CHECKPOINTS else []
  there = f" Steps there: {', '.join(map(str, siblings))}." if siblings else ""
  what = "is not there" if not path.exists() else "holds no checkpoint"
  raise UsageError(f"{path} {what}.{there} Wanted: a MODEL_DIR, MODEL_DIR/checkpoints/STEP or a Hugging Face folder")


def saved_steps(model_dir: pathlib.Path) -> list[int]:
  """The steps of which a MODEL_DIR holds a whole checkpoint, oldest first."""
  folders = (model_dir / CHECKPOINTS).glob("*")
  # Orbax writes under another name and renames when all is there, so a bare number is a whole checkpoint.
  return sorted(int(folder.name) for folder in folders if folder.name.isdecimal() and (folder / RECORD).is_dir())


def read_record(folder: pathlib.Path) -> dict[str, Any]:
  """The JSON of a step's folder.

  Raises:
    FlanJaxError: it cannot be read.
  """
  try:
    record = json.loads((folder / RECORD / "metadata").read_text(encoding="utf-8"))
    return {"step": record["step"], "model": record["model"], **record}
  except (OSError, ValueError, KeyError, TypeError) as error:
    raise _damaged(folder, [f"{RECORD}/metadata: {error}"]) from error


def restore(folder: pathlib.Path, wanted: Mapping[str, AbstractArrays]) -> dict[str, Arrays]:
  """Arrays of a step's folder onto the devices that `wanted` says, each compared with its fingerprint.

  Of several processes all must call it; the first compares the sums of the files, for all.

  Args:
    wanted: item (PARAMS, OPTIMIZER) to names to shapes with shardings.

  Raises:
    FlanJaxError: an array or a file is damaged or absent; names them.
  """
  record = read_record(folder)
  if faults := processes.from_first("damaged files", lambda: damaged_files(folder)):
    raise _damaged(folder, faults)
  arrays: dict[str, Arrays] = {}
  for item, abstract in wanted.items():
    try:
      arrays[item] = ocp.StandardCheckpointer().restore((folder / item).absolute(), abstract)
      faults += _strange_arrays(item, arrays[item], record["fingerprints"][item])
    except Exception as error:  # whatever Orbax, TensorStore or a decompressor says of a broken file
      raise _damaged(folder, [f"{item} cannot be read ({str(error).splitlines()[0][:200]})"]) from error
  if faults:
    raise _damaged(folder, faults)
  return arrays


def fingerprints(arrays: Mapping[str, jax.Array]) -> dict[str, str]:
  """Eight hexadecimal digits an array: any change of one element changes them, and so does (but for one case in
  2**32) any other change of values or of their order. They do not depend on how the array is split over devices."""
  sums = {name: _fingerprint(array) for name, array in arrays.items()}
  return {name: f"{int(value):08x}" for name, value in jax.device_get(sums).items()}


def write_file_sums(folder: pathlib.Path) -> None:
  """Writes files.json."""
  write_atomically(folder / FILES, json.dumps(_file_sums(folder), indent=1, sort_keys=True).encode())


def damaged_files(folder: pathlib.Path) -> list[str]:
  """The files that are not as files.json says; none where a kill came before it was written."""
  try:
    expected = json.loads((folder / FILES).read_text(encoding="utf-8"))
  except FileNotFoundError:
    return []
  except ValueError:
    return [f"{FILES} is no JSON"]
  found = _file_sums(folder)
  return [
    f"file {name} {_difference(sums, found.get(name))}" for name, sums in expected.items() if found.get(name) != sums
  ]


@jax.jit
def _fingerprint(array: Array) -> UInt32[Array, ""]:
  """Sum over elements of mix(bits ^ mix(index)). For a given index that is a bijection of the bits, so one changed
  element always shows; the sum is over integers modulo 2**32, so any order of adding gives the same."""
  bits = _bits(array)
  index = jnp.zeros(array.shape, jnp.uint32)
  for axis in range(array.ndim):
    index = index * jnp.uint32(array.shape[axis]) + jax.lax.broadcasted_iota(jnp.uint32, array.shape, axis)
  return jnp.sum(_mix(bits ^ _mix(index + jnp.uint32(0x9E3779B9))), dtype=jnp.uint32)


def _bits(array: Array) -> UInt32[Array, "..."]:
  width = {1: jnp.uint8, 2: jnp.uint16, 4: jnp.uint32}[array.dtype.itemsize]
  return jax.lax.bitcast_convert_type(array, width).astype(jnp.uint32)


def _mix(x: UInt32[Array, "..."]) -> UInt32[Array, "..."]:
  """MurmurHash3's finaliser: a bijection in which every input bit reaches every output bit."""
  x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
  x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
  return x ^ (x >> 16)


def _strange_arrays(item: str, arrays: Arrays, expected: Mapping[str, str]) -> list[str]:
  found = fingerprints(arrays)
  return [f"array {item}/{name} is not what was saved" for name in found if found[name] != expected.get(name)]


def _file_sums(folder: pathlib.Path) -> dict[str, list]:
  files = sorted(path for path in folder.rglob("*") if path.is_file() and FILES not in path.name)
  return {path.relative_to(folder).as_posix(): [path.stat().st_size, _xxh3(path)] for path in files}


def _xxh3(path: pathlib.Path) -> str:
  digest = xxhash.xxh3_64()
  with path.open("rb") as file:
    while block := file.read(1 << 22):
      digest.update(block)
  return digest.hexdigest()


def _difference(expected: list, found: list | None) -> str:
  if found is None:
    return "is missing"
  return "has changed" if expected[0] == found[0] else f"has {found[0]:,} bytes instead of {expected[0]:,}"


def _damaged(folder: pathlib.Path, faults: list[str]) -> FlanJaxError:
  older = [step for step in saved_steps(folder.parent.parent) if folder.name.isdecimal() and step < int(folder.name)]
  way_out = f"delete this folder to go on from step {older[-1]}" if older else "there is no older checkpoint"
  return FlanJaxError(f"checkpoint {folder} is damaged: {'; '.join(faults)}. {way_out}")


def _load_hugging_face(path: pathlib.Path) -> LoadedCheckpoint:
  from flan_jax.interop import huggingface  # most runs need no safetensors

  config, params = huggingface.load(path)
  vocabulary = path / "spiece.model"
  return LoadedCheckpoint(config, params, vocabulary if vocabulary.is_file() else None, {}, None)
