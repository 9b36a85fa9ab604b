"""Damage never passes: whatever file of a checkpoint has changed is named, and so are the arrays that suffer."""

import json
import pathlib
import shutil

import pytest

from flan_jax.errors import FlanJaxError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop import loading
from flan_jax.interop.damage import FILES, DamagedError, _sum_of, write_file_sums
from flan_jax.training import recovery
from tests.interop.saved import RECORD, files_of, flip, save, state, wanted
from tests.training.launching import randomly

# Orbax leaves the futures of a failed read behind.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

NAME = "decoder.decoder_norm.scale"  # of a parameter
DATA = {"data": {"rates": {"toy.a": 1.0}, "stores": {"toy.a": "toy.a-1"}}}  # what makes it a run's, among others


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> pathlib.Path:
  """A MODEL_DIR with steps 0 and 5; read only."""
  model_dir = tmp_path_factory.mktemp("model")
  save(model_dir, (0, 5))
  return model_dir


@pytest.fixture
def folder(saved, tmp_path) -> pathlib.Path:
  """A copy of step 5."""
  return pathlib.Path(shutil.copytree(saved, tmp_path / "model")) / "checkpoints" / "5"


def test_a_whole_checkpoint_has_no_faults(saved):
  assert layout.faults(saved / "checkpoints" / "5") == []


def test_a_folder_may_have_any_name(saved, tmp_path):
  copy = pathlib.Path(shutil.copytree(saved, tmp_path / "a #1%20?"))
  assert layout.faults(copy / "checkpoints" / "5") == []
  layout.restore(copy / "checkpoints" / "5", wanted())


def _large_files(folder: pathlib.Path) -> list[pathlib.Path]:
  """Those with the embedding and the head or their moments, which Orbax writes to one or two, as its threads come."""
  return [file for file in (folder / "ocdbt.process_0" / "d").iterdir() if file.stat().st_size > 30_000]


@pytest.mark.parametrize("item", [layout.PARAMS, layout.OPTIMIZER])
def test_a_flipped_bit_is_named_by_file_and_array(item, folder):
  draw = randomly(f"flip in {item}")
  for file in _large_files(folder / item):
    flip(file, draw.randrange(file.stat().st_size * 8))
    with pytest.raises(DamagedError) as error:
      layout.restore(folder, wanted())
    said = str(error.value)
    assert f"file {file.relative_to(folder)} has changed" in said
    assert f" {item}/" in said
    assert "not what was saved" in said
    assert f"{folder.parent / '0'} is whole" in said


def test_only_items_that_are_read_are_compared(folder):
  flip(_large_files(folder / layout.OPTIMIZER)[0], 1000)
  layout.restore(folder, {layout.PARAMS: wanted()[layout.PARAMS]})


@pytest.mark.parametrize("devices", [1, 8])
def test_a_bit_that_flipped_before_the_sums_were_taken_is_found_on_the_devices(devices, folder):
  """Orbax itself reads on: the fingerprints tell, on any mesh."""
  draw = randomly(f"flip before sums, {devices}")
  for file in _large_files(folder / "params"):
    content = file.read_bytes()
    # The ends of a file are an index, with sums of its own.
    flip(file, draw.randrange(len(content) * 2, len(content) * 6))
    write_file_sums(folder)
    with pytest.raises(DamagedError, match=r"arrays? params/\S+ (is|are) not what was saved"):
      layout.restore(folder, wanted(devices))
    file.write_bytes(content)


def test_an_index_that_broke_before_the_sums_were_taken_is_named(folder):
  for file in (folder / "params" / "d").iterdir():
    flip(file, file.stat().st_size * 4)
  write_file_sums(folder)
  with pytest.raises(DamagedError, match="params cannot be read"):
    layout.restore(folder, wanted())


def test_an_older_value_in_an_array_is_named(folder):
  """What a stale cache could do: well-formed files with other values; here in a small array."""
  record = layout.read_record(folder)
  record["fingerprints"]["params"]["decoder.decoder_norm.scale"] = "00000000"
  (folder / "record" / "metadata").write_text(json.dumps(record))
  write_file_sums(folder)
  with pytest.raises(DamagedError, match=r"array params/decoder\.decoder_norm\.scale is not what was saved"):
    layout.restore(folder, wanted())


@pytest.mark.parametrize(
  ("change", "message"),
  [
    (lambda record: record["model"].update(swiglu=1, colour=2), "does not know what its model's colour, swiglu means"),
    (lambda record: record["model"].update(num_encoder_layers=20_000), "20,000 layers of the encoder"),
    (lambda record: record["model"].update(num_encoder_layers=2), "1 layers of the encoder, .*wanted 2"),
    (lambda record: record["model"].pop("emb_dim"), "emb_dim"),
    (lambda record: record["fingerprints"].pop("params"), "arrays of params are not those of its fingerprints"),
    (lambda record: record["fingerprints"]["params"].popitem(), "arrays of params are not those of its fingerprints"),
    (lambda record: record.update(arrays=[]), "its field arrays must be {a text: "),
    (lambda record: record.pop("step"), "its field step is missing"),
    (lambda record: record.update(step="x"), "its field step must be a whole number"),
    (lambda record: record.update(step=-5), "its field step has -5"),
    (lambda record: record.update(model=[1]), "its field model must be"),
    (lambda record: record.update(vocabulary="demo"), "its field vocabulary must be"),
    (lambda record: record["vocabulary"].update(extra_ids="x"), "its field vocabulary must be"),
    (lambda record: record.update(tasks=5), "its field tasks must be a list"),
    (lambda record: record["arrays"]["params"].update({NAME: "abc"}), "its field arrays must be"),
    (lambda record: record["arrays"]["params"].update({NAME: ["float32", [-1]]}), "its field arrays has -1"),
    (lambda record: record["arrays"]["params"].update({NAME: ["float99", [16]]}), "dtype 'float99', which is none"),
    (lambda record: record.update(data=5), "its field data must be"),
    (lambda record: record.update(DATA), "its field store_dir is missing"),
    (lambda record: record.update(DATA, store_dir="/", vocabulary=None), "its field vocabulary must be"),
    (lambda record: record.update(DATA, store_dir="/", jumps=[{"step": 1}]), "its field jumps must be"),
    (lambda record: record.update(DATA, store_dir="/", position={"window": 0, "row": -5}), "its field position has -5"),
  ],
)
def test_a_record_that_makes_no_checkpoint_is_an_error(change, message, folder):
  """Written so by another version or by hand: its sums are right."""
  record = layout.read_record(folder)
  change(record)
  (folder / "record" / "metadata").write_text(json.dumps(record))
  write_file_sums(folder)
  with pytest.raises(FlanJaxError, match=message):
    loading.open_source(folder)


def test_a_checkpoint_without_a_part_that_a_run_needs_is_damage(folder):
  record = layout.read_record(folder)
  for field in ("arrays", "fingerprints", "small_arrays"):
    del record[field]["optimizer"]
  (folder / "record" / "metadata").write_text(json.dumps(record))
  write_file_sums(folder)
  assert loading.load(folder).step == 5
  with pytest.raises(DamagedError, match="optimizer is missing"):
    layout.restore(folder, wanted())


@pytest.mark.parametrize(
  "files", [5, ["a"], {"record/metadata": 5}, {"record/metadata": None}, {"record/metadata": ["x", 1]}], ids=str
)
def test_sums_that_are_none_are_damage(files, folder):
  """Although what they say of themselves is right."""
  (folder / FILES).write_text(json.dumps({"files": files, "sum": _sum_of(files)}))
  with pytest.raises(DamagedError, match=r"file files\.json cannot be read"):
    loading.open_source(folder)
  assert recovery.newest_whole(folder.parent.parent, {}) == (0, {5: layout.faults(folder)})


@pytest.mark.parametrize("file", [FILES, "record/metadata"])
def test_json_without_end_is_damage(file, folder):
  (folder / file).write_text("[" * 200_000)
  if file != FILES:
    write_file_sums(folder)
  with pytest.raises(DamagedError, match=file):
    loading.open_source(folder)


def test_a_missing_file_is_named(folder):
  (file,) = _large_files(folder / "params")[:1]
  file.unlink()
  with pytest.raises(DamagedError, match=f"{file.name} is missing"):
    layout.restore(folder, wanted())


def test_a_shorter_file_is_named(folder):
  (file,) = _large_files(folder / "params")[:1]
  file.write_bytes(file.read_bytes()[:-10])
  with pytest.raises(DamagedError, match=f"{file.name} has .* bytes instead of"):
    layout.restore(folder, wanted())


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"files": {}, "sum": "0"}', '{"files": 3, "sum": "0"}'])
def test_broken_sums_are_damage(content, folder):
  (folder / FILES).unlink() if content is None else (folder / FILES).write_text(content)
  with pytest.raises(DamagedError, match=r"file files\.json"):
    layout.restore(folder, wanted())


def test_damage_is_named_where_there_is_no_optimizer(tmp_path):
  """As in what was converted from a Hugging Face folder."""
  folder = tmp_path / "checkpoints" / "0"
  record = {"step": 0, "model": RECORD["model"]}
  layout.write_step(folder, {layout.PARAMS: state(0).params}, record)
  assert layout.faults(folder) == []
  for file in _large_files(folder / "params"):
    flip(file, file.stat().st_size * 4)
  for check in (lambda: loading.load(tmp_path), lambda: layout.restore(folder, {layout.PARAMS: wanted()["params"]})):
    with pytest.raises(DamagedError, match=r"has changed.*arrays? params/\S+ "):
      check()
  assert any("params/" in fault for fault in layout.faults(folder))


def test_a_changed_record_is_never_read(folder):
  record = folder / "record" / "metadata"
  record.write_text(record.read_text().replace('"row": 3', '"row": 7'))
  with pytest.raises(DamagedError, match="record/metadata has changed"):
    loading.load(folder.parent.parent)


def test_a_damaged_checkpoint_to_decode_from_is_an_error_that_names_a_whole_one(folder):
  """The newest of a MODEL_DIR is not silently replaced."""
  save(folder.parent.parent, (7,))
  for step in (5, 7):
    file = files_of(folder.parent / str(step) / "params")[0]
    flip(file, 8)
  with pytest.raises(DamagedError, match=rf"checkpoint .*7 is damaged: .*{folder.parent / '0'} is whole"):
    loading.load(folder.parent.parent)
  assert loading.load(folder.parent / "0").step == 0
