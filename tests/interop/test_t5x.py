"""T5X's checkpoints: what T5X computes with them we compute, in both layouts, scanned or not, and one step further."""

import contextlib
import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import ml_dtypes
import msgpack
import numpy as np
import optax
import pytest
import tensorstore
from hypothesis import given, settings
from hypothesis import strategies as st

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop.loading import load, open_source
from flan_jax.interop.t5x import T5XTensors
from flan_jax.interop.t5x_storage import LAYOUTS, LEGACY, ORBAX, Arrays, open_arrays
from flan_jax.interop.t5x_writing import WRITERS, chunk_shape
from flan_jax.models.model import Model
from flan_jax.models.stacking import is_stacked, stacked, unstacked
from flan_jax.training.losses import masked_cross_entropy
from flan_jax.training.optimizers import Adafactor
from flan_jax.training.state import new_state, optimizer_arrays, with_optimizer_arrays

FOLDERS = [
  *(f"{variant}/{layout}" for variant in ("t5_1_1_tiny", "t5_1_0_tied_tiny", "t5_1_1_tiny_scan") for layout in LAYOUTS),
  "t5_1_1_factored/orbax",
]
VARIANTS = [folder for folder in FOLDERS if folder.endswith(ORBAX)]
# By default of each kind of network one: Adafactor's state is dear, and so are Orbax's files.
PLAIN = {"t5_1_1_tiny/orbax", "t5_1_0_tied_tiny/orbax"}


def _plain_ones_slow(folders):
  return [pytest.param(folder, marks=[pytest.mark.slow] * (folder in PLAIN)) for folder in folders]


@pytest.fixture(params=FOLDERS)
def folder(golden, request):
  """A checkpoint that T5X wrote."""
  return golden / "t5x" / request.param / "checkpoint_400"


@pytest.fixture(params=VARIANTS)
def variant(golden, request):
  """(the folder of a variant, one checkpoint in it)."""
  folder = golden / "t5x" / request.param / "checkpoint_400"
  return folder.parent.parent, folder


def test_the_network_is_read_from_shapes(folder):
  source = open_source(folder)
  expected = json.loads((folder.parent.parent / "meta.json").read_text())["config"]
  found = {**dataclasses.asdict(source.config), "mlp_activations": list(source.config.mlp_activations)}
  assert {name: found[name] for name in expected if name != "dtype"} == {
    n: x for n, x in expected.items() if n != "dtype"
  }
  assert source.config.relative_bias == ("per_layer" if expected["scan_layers"] else "shared")
  assert (source.kind, source.step, source.details["layout"]) == ("t5x", 400, folder.parent.name)


def test_logits_are_those_of_t5x(variant):
  loaded = load(variant[1])
  model, expected = Model(loaded.config), np.load(variant[0] / "golden.npz")
  plain = {"encoder_input_tokens": "input_ids", "decoder_input_tokens": "decoder_input_ids"}
  packed = {ours: f"packed_{theirs}" for ours, theirs in plain.items()}
  packed |= {name: name for name in ("encoder_segment_ids", "decoder_segment_ids")}
  for features, logits, real in (
    (plain, "logits", expected["targets"] > 0),
    (packed, "packed_logits", expected["decoder_segment_ids"] > 0),
  ):
    batch = {ours: expected[theirs].astype(np.int32) for ours, theirs in features.items()}
    found = jax.jit(lambda params, batch: model.logits(params, model.hidden(params, batch)))(loaded.params, batch)
    np.testing.assert_allclose(np.asarray(found)[real], expected[logits][real], atol=1e-4)


@pytest.mark.parametrize("variant", _plain_ones_slow(VARIANTS), indirect=True)
def test_one_more_step_from_adafactors_state_is_t5xs(variant):
  """The scanned network's Adafactor factors every kernel of a layer, whatever its size, and nothing as small else."""
  source = open_source(variant[1])
  model, params = Model(source.config), source.parameters()
  gradient = jax.jit(jax.grad(lambda params: _loss(model, params, np.load(variant[0] / "golden.npz"))))(params)
  moved = {}
  for of_kernels in (True, False):
    names = [name for name in params if (is_stacked(name) and name.endswith(".kernel")) == of_kernels]
    if names:
      moved |= _one_step(source, {n: params[n] for n in names}, {n: gradient[n] for n in names}, of_kernels)
  expected = np.load(variant[0] / "next_params.npz")
  moved = unstacked(moved) if source.config.scan_layers else moved
  for name, array in _under_their_names(expected, source).items():
    np.testing.assert_allclose(moved[name], array, rtol=0, atol=1e-5, err_msg=name)


def test_stacked_and_unrolled_parameters_are_the_same(folder):
  source = open_source(folder)
  scanned = source.parameters(config=dataclasses.replace(source.config, scan_layers=True))
  unrolled = source.parameters(config=dataclasses.replace(source.config, scan_layers=False))
  jax.tree.map(np.testing.assert_array_equal, scanned, stacked(unrolled))


@pytest.mark.parametrize("folder", _plain_ones_slow(FOLDERS), indirect=True)
def test_arrays_are_written_as_t5x_writes_them(folder, tmp_path):
  """Bit for bit after a round trip; files of the legacy layout and Orbax's descriptions are the same bytes."""
  arrays = open_arrays(folder)
  writer = WRITERS[arrays.layout](tmp_path / "copy")
  for name in arrays:
    writer.write(name, arrays.read(name))
  writer.finish()
  copy = open_arrays(tmp_path / "copy")
  assert set(copy) == set(arrays)
  for name in arrays:
    assert (copy.dtype(name), copy.shape(name)) == (arrays.dtype(name), arrays.shape(name))
    assert copy.read(name).tobytes() == arrays.read(name).tobytes()
  described = ["state/_METADATA", "state/array_metadatas/process_0"]
  files = described if arrays.layout == ORBAX else [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
  for file in files:
    assert (tmp_path / "copy" / file).read_bytes() == (folder / file).read_bytes(), file


def test_orbax_reads_what_we_write(golden, tmp_path):
  import orbax.checkpoint as ocp

  arrays = open_arrays(golden / "t5x/t5_1_1_factored/orbax/checkpoint_400")
  writer = WRITERS[ORBAX](tmp_path / "copy")
  for name in arrays:
    writer.write(name, arrays.read(name))
  writer.finish()
  with pytest.warns(UserWarning, match="Sharding info not provided"):
    tree = ocp.PyTreeCheckpointer().restore(tmp_path / "copy" / "state")
  leaves = {
    ".".join(str(key.key) for key in path): leaf for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]
  }
  assert set(leaves) == set(arrays)
  for name, leaf in leaves.items():
    np.testing.assert_array_equal(leaf, arrays.read(name))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_bfloat16_is_read_as_it_was_written(layout, tmp_path):
  array = np.arange(-9, 9, dtype=np.float32).reshape(3, 6).astype(ml_dtypes.bfloat16)
  writer = WRITERS[layout](tmp_path / "c")
  writer.write("target.token_embedder.embedding", array)
  writer.finish()
  found = open_arrays(tmp_path / "c").read("target.token_embedder.embedding")
  assert found.dtype == array.dtype
  assert found.tobytes() == array.tobytes()


def test_chunks_divide_an_array_and_stay_below_64_mebibytes():
  for shape in ((250112, 4096), (4096, 24, 10240), (7,), (), (1 << 25,)):
    chunks = chunk_shape(shape, 4)
    assert all(size % chunk == 0 for size, chunk in zip(shape, chunks, strict=True))
    assert 4 * np.prod(chunks) <= 64 << 20


# --- what is broken is named ---


@pytest.fixture
def broken(golden, tmp_path):
  """A legacy checkpoint to break, and its tree."""
  shutil.copytree(golden / "t5x/t5_1_1_tiny/legacy/checkpoint_400", tmp_path / "c", copy_function=shutil.copy)
  for path in [tmp_path / "c", *(tmp_path / "c").rglob("*")]:
    path.chmod(0o755)
  return tmp_path / "c"


def test_a_missing_and_a_damaged_chunk_are_named(broken):
  name = "target.decoder.layers_1.mlp.wo.kernel"
  chunk = broken / name / "0.0"
  content = chunk.read_bytes()
  for change, message in (
    (lambda: chunk.write_bytes(content[: len(content) // 2]), name),
    (lambda: chunk.write_bytes(bytes([*content[:50], content[50] ^ 4, *content[51:]])), name),
    (chunk.unlink, f"1 of 1 chunks are missing: {name}/0.0"),
  ):
    change()
    with pytest.raises(FlanJaxError, match=message):
      open_source(broken).parameters()


@pytest.mark.parametrize("change", [{"dtype": "<i4"}, {"dtype": ">f4"}, {"order": "F"}, {"shape": [64, 128]}], ids=str)
def test_an_array_that_is_another_than_the_trees_is_named(broken, change):
  """Its own description would be believed: numbers of another kind or in another order."""
  name = "target.decoder.layers_1.mlp.wo.kernel"
  file = broken / name / ".zarray"
  file.write_text(json.dumps(json.loads(file.read_text()) | change))
  with pytest.raises(FlanJaxError, match=rf"{name}.*{next(iter(change))} is .* where .* was written"):
    open_arrays(broken).read(name)


def test_a_missing_second_moment_is_named(broken):
  """It would be read as zeros, of which Adafactor makes steps without bound; at step 0 zeros may be left out."""
  name = "state.param_states.decoder.layers_1.mlp.wo.kernel.v"
  (broken / name / "0.0").unlink()
  with pytest.raises(FlanJaxError, match=f"chunks are missing: {name}/0.0"):
    open_source(broken).moments()("v", "decoder.layers_1.mlp.wo.kernel")


def test_more_chunks_than_files_are_refused_uncounted(broken):
  arrays = Arrays(str(broken), LEGACY, tensorstore.KvStore.open(f"file://{broken}/").result(), {})
  name = "target.decoder.layers_1.mlp.wo.kernel"
  arrays._arrays[name] = dataclasses.replace(open_arrays(broken)._arrays[name], shape=(1 << 40, 64), chunks=(1, 1))
  with pytest.raises(FlanJaxError, match="more than there are files"):
    arrays.read(name)


@pytest.mark.parametrize(
  ("change", "message"),
  [
    ({"chunks": [0, 64]}, "wanted are whole numbers above 0"),
    ({"chunks": ["128", "64"]}, "wanted are whole numbers above 0"),
    ({"shape": None}, "wanted are whole numbers above 0"),
    ({"chunks": [128]}, "of another number of axes"),
  ],
)
def test_sizes_that_make_no_array_are_refused(broken, change, message):
  tree = _tree(broken)
  tree["optimizer"]["target"]["decoder"]["layers_1"]["mlp"]["wo"]["kernel"]["metadata"] |= change
  (broken / "checkpoint").write_bytes(msgpack.packb(tree))
  with pytest.raises(FlanJaxError, match=rf"layers_1\.mlp\.wo\.kernel has shape .*{message}"):
    open_source(broken)


@pytest.mark.parametrize(
  ("layer", "message"),
  [("20000", "20,001 layers"), ("7", "3 layers of the decoder, the last of them layers_7, wanted 8"), ("9" * 5000, "")],
  ids=["20000", "7", "5000 digits"],
)
def test_layers_that_are_named_but_not_there_are_not_made(broken, layer, message):
  """One name must not make a network of as many layers."""
  tree = _tree(broken)
  decoder = tree["optimizer"]["target"]["decoder"]
  decoder[f"layers_{layer}"] = decoder["layers_1"]
  (broken / "checkpoint").write_bytes(msgpack.packb(tree))
  with pytest.raises(FlanJaxError, match=message or "has no place in the network"):
    open_source(broken)


@pytest.mark.parametrize(
  "step",
  [np.zeros(2, np.int32), np.float32("inf"), float("nan"), 2.5, -5, True],
  ids=["two numbers", "infinite", "none", "a fraction", "negative", "True"],
)
def test_a_step_that_counts_no_updates_is_refused(broken, step):
  tree = _tree(broken)
  tree["optimizer"]["state"]["step"] = _packed(step) if isinstance(step, np.generic | np.ndarray) else step
  (broken / "checkpoint").write_bytes(msgpack.packb(tree))
  with pytest.raises(FlanJaxError, match=r"state\.step is .*, which counts no updates"):
    open_source(broken)


def test_a_step_of_the_orbax_layout_that_is_none_is_refused(golden, tmp_path):
  """Which is looked up to know whether other arrays may be zeros."""
  arrays = open_arrays(golden / "t5x/t5_1_1_tiny/orbax/checkpoint_400")
  writer = WRITERS[ORBAX](tmp_path / "c")
  for name in arrays:
    writer.write(name, np.zeros(2, np.int32) if name == "state.step" else arrays.read(name))
  writer.finish()
  with pytest.raises(FlanJaxError, match=r"state\.step is int32 of shape \[2\], which counts no updates"):
    open_source(tmp_path / "c")


def test_truncated_and_missing_files_of_the_orbax_layout_are_named(golden, tmp_path):
  """Nodes of its database have sums, its arrays none: a flipped bit in them is another value, for Orbax as for us."""
  whole = golden / "t5x/t5_1_0_tied_tiny/orbax/checkpoint_400"
  for path in whole.rglob("*"):
    copy = tmp_path / path.relative_to(whole)
    copy.mkdir() if path.is_dir() else shutil.copyfile(path, copy)
  files = [path for path in (tmp_path / "state").rglob("*") if path.is_file() and path.stat().st_size > 5_000]
  files = [path for path in files if path.parent.name == "d"]
  assert len(files) > 3
  for file in files:
    content = file.read_bytes()
    for change in (lambda file=file, content=content: file.write_bytes(content[: len(content) // 2]), file.unlink):
      change()
      with pytest.raises(FlanJaxError, match=r"cannot be read as a T5X checkpoint|chunks are missing"):
        _read_all(tmp_path)
    file.write_bytes(content)
  assert _read_all(tmp_path).keys() == _read_all(whole).keys()


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_url_is_read_as_a_folder_is(golden, layout):
  """gs:// goes the same way: all is read through TensorStore's stores."""
  folder = golden / "t5x/t5_1_1_tiny" / layout / "checkpoint_400"
  from_url, from_folder = open_source(f"file://{folder.resolve()}"), open_source(folder)
  assert from_url.config == from_folder.config
  jax.tree.map(np.testing.assert_array_equal, from_url.parameters(), from_folder.parameters())


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_path_may_lead_up_and_down(golden, layout, tmp_path, monkeypatch):
  shutil.copytree(golden / "t5x/t5_1_1_tiny" / layout / "checkpoint_400", tmp_path / "a #1%20?" / "checkpoint_400")
  (tmp_path / "here").mkdir()
  monkeypatch.chdir(tmp_path / "here")
  assert (
    open_source("../a #1%20?/checkpoint_400").config == open_source(tmp_path / "a #1%20?" / "checkpoint_400").config
  )


def test_a_folder_of_checkpoints_gives_the_newest(golden, tmp_path):
  for step in (9, 10):
    shutil.copytree(golden / "t5x/t5_1_1_tiny/legacy/checkpoint_400", tmp_path / f"checkpoint_{step}")
  assert open_source(tmp_path).path == str(tmp_path / "checkpoint_10")
  assert open_source(tmp_path / "checkpoint_9" / "checkpoint").path == str(tmp_path / "checkpoint_9")


def test_parameters_that_do_not_fit_are_all_named(broken):
  """Of another shape, missing and unknown ones in one error."""
  tree = msgpack.unpackb((broken / "checkpoint").read_bytes(), strict_map_key=False)
  target = tree["optimizer"]["target"]
  for layer in ("layers_0", "layers_1"):
    target["decoder"][layer]["mlp"]["wo"]["kernel"]["metadata"]["shape"] = [128, 65]
  target["prompt"] = target["encoder"].pop("encoder_norm")
  (broken / "checkpoint").write_bytes(msgpack.packb(tree))
  with pytest.raises(FlanJaxError) as error:
    open_source(broken)
  for words in (
    "4 parameters do not fit",
    "encoder.encoder_norm.scale is missing",
    "prompt.scale has no place",
    "decoder.layers_0.mlp.wo.kernel has shape [128, 65] where the network has [128, 64]",
    "decoder.layers_1.mlp.wo.kernel",
  ):
    assert words in str(error.value)


@pytest.mark.parametrize("path", ["../../etc/", "/etc/"])
def test_a_path_out_of_the_folder_is_refused(broken, path):
  tree = msgpack.unpackb((broken / "checkpoint").read_bytes(), strict_map_key=False)
  tree["optimizer"]["target"]["token_embedder"]["embedding"]["kvstore"]["path"] = path
  (broken / "checkpoint").write_bytes(msgpack.packb(tree))
  with pytest.raises(FlanJaxError, match="points out of the checkpoint"):
    open_source(broken)


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_truncated_tree_is_named_and_a_flipped_bit_is_no_crash(golden, tmp_path_factory, data):
  """A flip inside a value cannot be told from another value; anything else is an error that names the file."""
  whole = (golden / "t5x/t5_1_0_tied_tiny/legacy/checkpoint_400/checkpoint").read_bytes()
  folder = tmp_path_factory.getbasetemp() / "flipped"
  folder.mkdir(exist_ok=True)
  if data.draw(st.booleans()):
    (folder / "checkpoint").write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(FlanJaxError, match=r"flipped/checkpoint: "):
      open_arrays(folder)
    return
  flipped = bytearray(whole)
  flipped[data.draw(st.integers(0, len(whole) - 1))] ^= 1 << data.draw(st.integers(0, 7))
  (folder / "checkpoint").write_bytes(flipped)
  with contextlib.suppress(FlanJaxError):
    open_source(folder)


def test_a_state_that_does_not_fit_is_refused(golden):
  """The scanned network's state factors small kernels, which the run's Adafactor does not."""
  source = open_source(golden / "t5x/t5_1_1_tiny_scan/orbax/checkpoint_400")
  wanted = jax.eval_shape(lambda: new_state(Model(source.config).init(0), Adafactor().transformation(lambda step: 1.0)))
  with pytest.raises(UsageError, match=r"arrays of Adafactor's state do not fit.*scanned network factors"):
    source.optimizer_arrays(optimizer_arrays(wanted))


def _tree(folder):
  return msgpack.unpackb((folder / "checkpoint").read_bytes(), strict_map_key=False)


def _read_all(folder):
  arrays = open_arrays(folder)
  return {name: arrays.read(name) for name in arrays}


def _loss(model, params, batch):
  features = {"encoder_input_tokens": batch["input_ids"], "decoder_input_tokens": batch["decoder_input_ids"]}
  features = {name: feature.astype(np.int32) for name, feature in features.items()}
  targets = jnp.asarray(batch["targets"], jnp.int32)
  logits = model.logits(params, model.hidden(params, features))
  return masked_cross_entropy(logits, targets, (targets > 0).astype(jnp.float32), z_loss=1e-4).loss.sum()


def _one_step(source, params, gradient, factor_all):
  optimizer = Adafactor(min_dim_size_to_factor=1 if factor_all else 128).transformation(lambda step: 0.01)
  state = jax.eval_shape(lambda: new_state(params, optimizer))
  state = with_optimizer_arrays(state, source.optimizer_arrays(optimizer_arrays(state)))
  updates, _ = jax.jit(optimizer.update)(gradient, state.optimizer, params)
  return optax.apply_updates(params, updates)


def _under_their_names(arrays, source):
  """What a file keyed by T5X's paths holds, under our names with layers apart."""
  inline = {f"target.{name.replace('/', '.')}": arrays[name] for name in arrays.files}
  tensors = T5XTensors(Arrays("next_params", LEGACY, tensorstore.KvStore.open("memory://").result(), inline))
  assert tensors.config == source.config
  return {name: tensors.read(name) for name in tensors.shapes()}


def _packed(array) -> msgpack.ExtType:
  """As flax writes an array into a tree."""
  array = np.asarray(array)
  return msgpack.ExtType(1, msgpack.packb((array.shape, array.dtype.name, array.tobytes())))
