"""Our checkpoint format: what lies in MODEL_DIR/checkpoints/STEP, how it is written and read.

A step's folder, written by Orbax under another name and renamed when all is there, holds
  params/     the parameters by T5X's names,
  optimizer/  the optimizer's arrays by name (training/state.py),
  record/     JSON (see record_fields.py): step, model, vocabulary, mixture, tasks, position, metrics, since_line (sums
              of the steps since the last line of metrics), arrays {item: {name: [dtype, shape]}},
              fingerprints {item: {name: digits}}, small_arrays {item: names in their order},
  files.json  size and xxh3 of every file in it,
and perhaps
  made_up.json  the metrics, where the step was saved without: written by a later start, so not in files.json.
Orbax restores flipped bytes without a word (six of six bit flips in a data file). So the files are compared with
files.json before they are read (damage.py) and each array's fingerprint afterwards (fingerprints.py), which also sees
what goes wrong between a disk and a device.
"""

import dataclasses
import json
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from flan_jax import processes
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop.damage import DamagedError, damaged_arrays, damaged_files, strange_arrays, write_file_sums
from flan_jax.interop.fingerprints import fingerprints
from flan_jax.interop.record_fields import check_fields
from flan_jax.interop.small_arrays import BUNDLE, bundled, unbundled
from flan_jax.interop.steps import CHECKPOINTS, RECORD, saved_steps
from flan_jax.models.configs import T5Config
from flan_jax.models.stacking import is_stacked, stacked, unstacked
from flan_jax.setting_types import fits

VOCABULARY_FILE = "vocabulary.model"  # in MODEL_DIR, so that the folder is all that decoding needs
PARAMS, OPTIMIZER = "params", "optimizer"
MADE_UP = "made_up.json"
_RECORD_FILE = f"{RECORD}/metadata"  # Orbax's name for what JsonSave writes

Arrays = dict[str, jax.Array]
AbstractArrays = dict[str, jax.ShapeDtypeStruct]


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
  raise no_checkpoint(str(path))


def no_checkpoint(where: str, others: str = "") -> UsageError:
  """There is no checkpoint at a path or address; says what is there, and what was looked for.

  Args:
    others: kinds that were looked for besides ours.
  """
  path = pathlib.Path(where)
  siblings = saved_steps(path.parent.parent) if path.parent.name == CHECKPOINTS else []
  there = f" Steps there: {', '.join(map(str, siblings))}." if siblings else ""
  what = "holds no checkpoint" if "://" in where or path.exists() else "is not there"
  wanted = f"a MODEL_DIR or MODEL_DIR/checkpoints/STEP of flan_jax (with {RECORD}/){others}"
  return UsageError(f"{where} {what}.{there} Wanted: {wanted}")


def read_record(folder: pathlib.Path) -> dict[str, Any]:
  """The JSON of a step's folder.

  Raises:
    DamagedError: it cannot be read, or is not what was saved.
  """
  if faults := damaged_files(folder, within=[RECORD]):
    raise damaged(folder, faults)
  try:
    record = json.loads((folder / _RECORD_FILE).read_text(encoding="utf-8"))
    check_fields(record)
    return record
  except (OSError, ValueError, RecursionError) as error:
    raise damaged(folder, [f"file {_RECORD_FILE} cannot be read ({error})"]) from error


def read_metrics(folder: pathlib.Path) -> dict[str, float]:
  """What an evaluation of a step said, before it was saved or later; nothing where there was none.

  Raises:
    DamagedError: its record cannot be read.
  """
  if metrics := read_record(folder).get("metrics"):
    return metrics
  try:
    made_up = json.loads((folder / MADE_UP).read_text(encoding="utf-8"))
  except (OSError, ValueError):
    return {}
  return made_up if fits(made_up, dict[str, float]) else {}


def saved_config(folder: pathlib.Path, record: Mapping[str, Any]) -> T5Config:
  """The network of a step's record.

  Raises:
    FlanJaxError: it makes none; names fields that only another version of flan_jax knows.
  """
  known = {field.name for field in dataclasses.fields(T5Config)}
  if unknown := sorted(set(record["model"]) - known):
    raise FlanJaxError(
      f"{folder}: this flan_jax does not know what its model's {', '.join(unknown)} means: take the one that wrote it"
    )
  try:
    return T5Config(**record["model"])
  except (TypeError, UsageError) as error:
    raise damaged(folder, [f"file {_RECORD_FILE}: {error}"]) from error


def faults(folder: pathlib.Path, items: Collection[str] = (PARAMS, OPTIMIZER)) -> list[str]:
  """What is wrong with the files of a step's folder, and with which arrays therefore; nothing if it is whole."""
  faults = damaged_files(folder, within=[RECORD, *items])
  try:
    return faults and faults + damaged_arrays(folder, read_record(folder), items)
  except DamagedError:  # without the record nobody knows what the arrays should be
    return faults


def restore(folder: pathlib.Path, wanted: Mapping[str, AbstractArrays]) -> dict[str, Arrays]:
  """Arrays of a step's folder onto the devices that `wanted` says, after its files and then against its fingerprints.

  Layers may be wanted stacked that were saved one by one, and the other way round (models/stacking.py); the arrays of
  an item are then in memory twice for a moment. Of several processes all must call it; the first compares the sums of
  the files, for all.

  Args:
    wanted: item (PARAMS, OPTIMIZER) to names to shapes with shardings.

  Raises:
    DamagedError: an array or a file is damaged or absent; names them.
    UsageError: the folder holds other arrays than those wanted.
  """
  if found := processes.from_first("damaged files", lambda: faults(folder, list(wanted))):
    raise damaged(folder, found)
  return read_arrays(folder, wanted)


def read_arrays(folder: pathlib.Path, wanted: Mapping[str, AbstractArrays]) -> dict[str, Arrays]:
  """`restore` from a folder whose files were compared before."""
  record = read_record(folder)
  arrays: dict[str, Arrays] = {}
  strange = []
  for item, asked in wanted.items():
    if item not in record["arrays"]:
      raise damaged(folder, [f"{item} is missing"])
    abstract = _as_saved(asked, record["arrays"][item])
    _check_kinds(folder, item, abstract, record)
    large, small = _read(folder, item, abstract, record)
    found, expected = fingerprints({**large, **small}), record["fingerprints"][item]
    if names := [name for name in found if found[name] != expected[name]]:
      strange.append(strange_arrays(item, names))
    small = {name: _placed(array, abstract[name].sharding) for name, array in small.items()}
    arrays[item] = _as_asked({**large, **small}, asked)
  if strange:
    raise damaged(folder, strange)
  return arrays


def handlers() -> dict[str, Any]:
  """How Orbax writes each item. Uncompressed: float32 shrinks by 8% only, in twice the time of the rest."""
  arrays = {item: ocp.PyTreeCheckpointHandler(use_compression=False) for item in (PARAMS, OPTIMIZER)}
  return {**arrays, RECORD: ocp.JsonCheckpointHandler()}


def to_save(items: Mapping[str, Arrays], record: Mapping[str, Any]) -> ocp.args.Composite:
  """What Orbax is given to write a step's folder.

  Args:
    items: PARAMS and OPTIMIZER to their arrays.
    record: what it says besides arrays, fingerprints and small_arrays.
  """
  trees, small = {}, {}
  for item, arrays in items.items():
    trees[item], small[item] = bundled(arrays)
  record = {
    **record,
    "arrays": {item: {name: _kind(each) for name, each in arrays.items()} for item, arrays in items.items()},
    "fingerprints": {item: fingerprints({**arrays, **small[item]}) for item, arrays in items.items()},
    "small_arrays": {item: list(arrays) for item, arrays in small.items()},
  }
  saved = {item: ocp.args.PyTreeSave(tree) for item, tree in trees.items()}
  return ocp.args.Composite(**saved, **{RECORD: ocp.args.JsonSave(record)})


def write_step(folder: pathlib.Path, items: Mapping[str, Arrays], record: Mapping[str, Any]) -> None:
  """Writes a step's folder that is of no run; one process does so, and returns when all is on the disk.

  Args:
    folder: MODEL_DIR/checkpoints/STEP.
    items: PARAMS, and OPTIMIZER where there is one, to their arrays.
    record: `step`, `model` and what else is known (see the format).
  """
  with ocp.Checkpointer(ocp.CompositeCheckpointHandler(**handlers())) as checkpointer:
    checkpointer.save(folder.absolute(), args=to_save(items, record))
  write_file_sums(folder)


def damaged(folder: pathlib.Path, faults: list[str]) -> DamagedError:
  """The error of a damaged step; it names the newest older one that is whole."""
  steps = saved_steps(folder.parent.parent) if folder.name.isdecimal() else []
  older = (folder.parent / str(step) for step in reversed(steps) if step < int(folder.name))
  whole = next((each for each in older if not damaged_files(each)), None)
  return DamagedError(folder, faults, f"{whole} is whole" if whole else "there is no older checkpoint that is whole")


def _as_saved(asked: AbstractArrays, saved: Mapping[str, Any]) -> AbstractArrays:
  """What to read for what is asked: its layers stacked or one by one, as they were saved."""
  return stacked(asked) if any(map(is_stacked, saved)) else unstacked(asked)


def _as_asked(arrays: Arrays, asked: AbstractArrays) -> Arrays:
  if arrays.keys() == asked.keys():
    return {name: arrays[name] for name in asked}
  change = stacked if any(map(is_stacked, asked)) else unstacked
  return jax.jit(change, out_shardings={name: abstract.sharding for name, abstract in asked.items()})(arrays)


def _check_kinds(folder: pathlib.Path, item: str, wanted: AbstractArrays, record: Mapping[str, Any]) -> None:
  """Raises UsageError where the arrays wanted have other names, shapes or dtypes than those saved."""
  saved = {name: tuple(kind) for name, kind in record["arrays"][item].items()}
  asked = {name: tuple(_kind(each)) for name, each in wanted.items()}
  if differing := sorted(name for name in {**saved, **asked} if saved.get(name) != asked.get(name)):
    name = differing[0]
    raise UsageError(
      f"{folder / item} holds other arrays than this run's, {len(differing)} differ: {name} is "
      f"{_told(saved.get(name))} there, {_told(asked.get(name))} here. "
      "Take back the settings of its MODEL_DIR/config.gin"
    )


def _kind(array: jax.Array | jax.ShapeDtypeStruct) -> list:
  return [array.dtype.name, list(array.shape)]


def _told(kind: tuple | None) -> str:
  return f"{kind[0]}{kind[1]}" if kind else "absent"


def _read(
  folder: pathlib.Path, item: str, wanted: AbstractArrays, record: Mapping[str, Any]
) -> tuple[Arrays, dict[str, np.ndarray]]:
  """(the large arrays on their devices, the small ones on the host)."""
  small = record["small_arrays"][item]
  asked = {name: abstract for name, abstract in wanted.items() if name not in set(small)}
  if small:
    asked[BUNDLE] = np.zeros(0, np.uint8)  # numpy's: every process reads it to its host
  try:
    with ocp.StandardCheckpointer() as checkpointer:
      arrays = checkpointer.restore((folder / item).absolute(), asked)
  except Exception as error:  # whatever Orbax, TensorStore or a decompressor says of a broken file
    raise damaged(folder, [f"{item} cannot be read ({str(error).splitlines()[0][:200]})"]) from error
  return arrays, unbundled(arrays.pop(BUNDLE), small, record["arrays"][item]) if small else {}


def _placed(array: np.ndarray, sharding: jax.sharding.Sharding) -> jax.Array:
  return jax.make_array_from_callback(array.shape, sharding, lambda part: array[part])
