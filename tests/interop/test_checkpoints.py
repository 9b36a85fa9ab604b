"""Checkpoints: what is read is what was written, whatever the mesh, and damage never passes."""

import dataclasses
import functools
import json
import pathlib
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.training.checkpoints import Checkpoints
from flan_jax.training.partitioning import Partitioning
from flan_jax.training.state import TrainState, new_state, optimizer_arrays

CONFIG = T5Config(512, 16, 2, 4, 16, 1, 1)  # an embedding of 32 KiB: Orbax keeps small arrays in its index
RECORD = {"model": dataclasses.asdict(CONFIG), "vocabulary": {"sha256": "0"}, "mixture": "toy", "tasks": ["toy.a"]}


@functools.cache
def _state() -> TrainState:
  return new_state(Model(CONFIG).init(0), optax.adam(0.1))


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> pathlib.Path:
  """A MODEL_DIR with steps 0 and 5; read only."""
  model_dir = tmp_path_factory.mktemp("model")
  with Checkpoints(model_dir, RECORD, keep=2) as checkpoints:
    for step in (0, 5):
      checkpoints.save(step, _state(), {"window": step, "row": 3})
  (model_dir / layout.VOCABULARY_FILE).write_bytes(b"words")
  return model_dir


@pytest.fixture
def copy(saved, tmp_path) -> pathlib.Path:
  return pathlib.Path(shutil.copytree(saved, tmp_path / "model"))


def test_load_gives_the_newest_step_of_a_folder_or_the_named_one(saved):
  loaded = layout.load(saved)
  assert (loaded.step, loaded.config, loaded.extra["tasks"]) == (5, CONFIG, ["toy.a"])
  assert loaded.vocabulary_path.read_bytes() == b"words"
  _check_same_values(loaded.params)
  assert layout.load(saved / "checkpoints" / "0").step == 0


def test_the_state_comes_back_whole_with_its_position(saved):
  state = _state()
  wanted = jax.tree.map(lambda array: jax.ShapeDtypeStruct(array.shape, array.dtype, sharding=array.sharding), state)
  with Checkpoints(saved, RECORD, keep=2) as checkpoints:
    restored, position = checkpoints.restore(5, wanted)
  assert position == {"window": 5, "row": 3}
  assert int(restored.step) == 5
  jax.tree.map(np.testing.assert_array_equal, (restored.params, restored.optimizer), (state.params, state.optimizer))


def test_only_the_newest_and_step_0_are_kept(tmp_path):
  with Checkpoints(tmp_path, RECORD, keep=2) as checkpoints:
    for step in range(5):
      checkpoints.save(step, _state(), {})
  assert layout.saved_steps(tmp_path) == [0, 3, 4]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax leaves its futures behind
@pytest.mark.parametrize("item", [layout.PARAMS, layout.OPTIMIZER])
def test_a_flipped_bit_is_found_and_named(copy, item):
  """In every data file of the step: the file is named from files.json."""
  folder = copy / "checkpoints" / "5"
  for file in sorted(path for path in (folder / item).rglob("*") if path.is_file() and path.stat().st_size):
    content = file.read_bytes()
    _flip(file, len(content) // 2)
    with pytest.raises(FlanJaxError, match="go on from step 0") as error:
      layout.restore(folder, _wanted())
    assert f"file {file.relative_to(folder)} has changed" in str(error.value)
    file.write_bytes(content)
  layout.restore(folder, _wanted())


def test_a_flipped_bit_in_an_array_is_named_without_file_sums(copy):
  """A kill may come before files.json is written: the fingerprints still tell, where Orbax itself reads on."""
  folder = copy / "checkpoints" / "5"
  (folder / layout.FILES).unlink()
  large = [file for file in (folder / "params" / "ocdbt.process_0" / "d").iterdir() if file.stat().st_size > 30_000]
  assert large  # the embedding and the head, which Orbax writes to one file or to two, as its threads come
  for file in large:
    content = file.read_bytes()
    for offset in (len(content) // 4, len(content) // 2):
      _flip(file, offset)
      with pytest.raises(FlanJaxError, match=r"array params/\S+ is not what was saved"):
        layout.restore(folder, _wanted())
      file.write_bytes(content)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Orbax leaves its futures behind
def test_a_flipped_bit_in_the_index_is_named_without_file_sums(copy):
  folder = copy / "checkpoints" / "5"
  (folder / layout.FILES).unlink()
  for file in (folder / "params" / "d").iterdir():
    _flip(file, file.stat().st_size // 2)
  with pytest.raises(FlanJaxError, match="params cannot be read"):
    layout.restore(folder, _wanted())


def test_an_older_value_in_an_array_is_named(copy):
  """What compression or a stale cache could do: well-formed files with other values."""
  folder = copy / "checkpoints" / "5"
  (folder / layout.FILES).unlink()  # it would name the record
  record = layout.read_record(folder)
  record["fingerprints"]["params"]["decoder.decoder_norm.scale"] = "00000000"
  (folder / layout.RECORD / "metadata").write_text(json.dumps(record))
  with pytest.raises(FlanJaxError, match=r"array params/decoder\.decoder_norm\.scale is not what was saved"):
    layout.restore(folder, _wanted())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_missing_file_is_named(copy):
  folder = copy / "checkpoints" / "5"
  file = next((folder / "params" / "ocdbt.process_0" / "d").iterdir())
  file.unlink()
  with pytest.raises(FlanJaxError, match=f"{file.name} is missing"):
    layout.restore(folder, _wanted())


def test_a_broken_record_is_named(copy):
  (copy / "checkpoints" / "5" / "record" / "metadata").write_text("{")
  with pytest.raises(FlanJaxError, match="record/metadata"):
    layout.load(copy)


@pytest.mark.parametrize(("path", "message"), [("nowhere", "is not there"), ("checkpoints/3", "Steps there: 0, 5")])
def test_a_path_without_checkpoint_says_what_is_there(saved, path, message):
  with pytest.raises(UsageError, match=message):
    layout.load(saved / path)


def test_fingerprints_do_not_depend_on_the_mesh():
  array = jax.random.normal(jax.random.key(0), (16, 24))
  expected = layout.fingerprints({"a": array})
  mesh = Partitioning(2, 2, 2).mesh()
  for spec in (PartitionSpec("fsdp", "model"), PartitionSpec(None, ("data", "fsdp", "model")), PartitionSpec()):
    assert layout.fingerprints({"a": jax.device_put(array, NamedSharding(mesh, spec))}) == expected


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int32", "uint8"])
def test_fingerprints_see_every_bit_and_the_order(dtype):
  rng = np.random.default_rng(0)
  array = rng.integers(1, 100, (3, 5)).astype(jnp.dtype(dtype))
  expected = layout.fingerprints({"a": jnp.asarray(array)})
  raw = np.array(array).view(np.uint8)
  for byte in range(raw.size):
    flipped = raw.copy().reshape(-1)
    flipped[byte] ^= 1 << int(rng.integers(8))
    changed = flipped.view(array.dtype).reshape(array.shape)
    assert layout.fingerprints({"a": jnp.asarray(changed)}) != expected
  assert layout.fingerprints({"a": jnp.asarray(array[::-1])}) != expected
  assert layout.fingerprints({"a": jnp.asarray(array)}) == expected


def _wanted() -> dict[str, dict]:
  state = _state()
  items = {layout.PARAMS: state.params, layout.OPTIMIZER: optimizer_arrays(state)}
  return jax.tree.map(lambda each: jax.ShapeDtypeStruct(each.shape, each.dtype, sharding=each.sharding), items)


def _check_same_values(params) -> None:
  for name, array in _state().params.items():
    np.testing.assert_array_equal(params[name], array)


def _flip(file: pathlib.Path, offset: int) -> None:
  content = bytearray(file.read_bytes())
  content[offset] ^= 0x10
  file.write_bytes(content)
