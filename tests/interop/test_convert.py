"""Conversions: arrays are the same after any way there and back, and nothing half written looks whole."""

import dataclasses
import json
import os
import signal

import jax
import numpy as np
import pytest

from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop.convert import Wish, convert
from flan_jax.interop.damage import DamagedError
from flan_jax.interop.loading import Source, load, open_source
from flan_jax.interop.t5x_export import write_t5x
from flan_jax.interop.t5x_storage import LEGACY, ORBAX, open_arrays
from flan_jax.interop.tensors import DTYPES, layers_apart
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model
from flan_jax.training.optimizers import Adafactor
from flan_jax.training.state import new_state, optimizer_arrays
from tests.interop.saved import flip, save

TINY = T5Config(1536, 16, 2, 4, 24, 2, 1)


class InMemory:
  """Random parameters of a network, layers apart."""

  def __init__(self, config):
    self._params = jax.device_get(jax.jit(Model(config).init)(0))

  def shapes(self):
    return {name: array.shape for name, array in self._params.items()}

  def read(self, name):
    return self._params[name]

  def set(self, name, array):
    self._params[name] = array


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
  """A T5X checkpoint of TINY; read only."""
  folder = tmp_path_factory.mktemp("tiny") / "checkpoint_7"
  folder.mkdir()
  write_t5x(folder, TINY, InMemory(TINY), layout=LEGACY, step=7)
  return folder


@pytest.mark.parametrize(
  ("variant", "layout"),
  [
    ("t5_1_1_factored", ORBAX),
    ("t5_1_1_tiny_scan", LEGACY),
    pytest.param("t5_1_1_tiny", LEGACY, marks=pytest.mark.slow),
    pytest.param("t5_1_0_tied_tiny", ORBAX, marks=pytest.mark.slow),
  ],
)
def test_t5x_comes_back_from_our_own_kind_bit_for_bit(golden, variant, layout, tmp_path):
  """Parameters, step and Adafactor's state, under the same names, from either layout to either."""
  folder = golden / "t5x" / variant / "orbax/checkpoint_400"
  convert(open_source(folder), tmp_path / "ours", Wish("flan_jax"))
  report = convert(open_source(tmp_path / "ours"), tmp_path / "back", Wish("t5x", layout=layout))
  arrays, back = open_arrays(folder), open_arrays(tmp_path / "back")
  assert report["destination"]["step"] == 400
  assert set(back) == set(arrays)
  for name in arrays:
    assert (back.dtype(name), back.read(name).tobytes()) == (arrays.dtype(name), arrays.read(name).tobytes()), name


@pytest.mark.parametrize(
  "kind", ["t5_1_0", *(pytest.param(kind, marks=pytest.mark.slow) for kind in ("t5_1_1", "mt5"))]
)
def test_hugging_face_comes_back_from_our_own_kind_bit_for_bit(golden, kind, tmp_path):
  source = open_source(golden / "hf" / kind)
  golden_file = golden / "hf" / kind / "golden.npz"
  ours = convert(source, tmp_path / "ours", Wish("flan_jax", scan=True), golden_file)
  back = convert(open_source(tmp_path / "ours"), tmp_path / "back", Wish("hf"), golden_file)
  assert open_source(tmp_path / "ours").config.scan_layers
  assert max(*ours["check"].values(), *back["check"].values()) < 1e-4
  _check_same(open_source(tmp_path / "back"), source)


def test_shared_biases_become_one_a_layer_for_the_scanned_network_and_back(golden, tmp_path):
  folder = golden / "t5x/t5_1_1_tiny"
  source = open_source(folder / "legacy/checkpoint_400")
  report = convert(source, tmp_path / "scanned", Wish("t5x", scan=True), folder / "golden.npz")
  assert max(report["check"].values()) < 1e-4
  assert any("left out" in note and "afresh" in note for note in report["notes"])
  scanned = open_source(tmp_path / "scanned")
  assert (scanned.config.scan_layers, scanned.config.relative_bias, scanned.step) == (True, "per_layer", 0)
  convert(scanned, tmp_path / "back", Wish("t5x", scan=False))
  _check_same(open_source(tmp_path / "back"), source)


def test_biases_that_differ_cannot_be_shared(golden, tmp_path):
  source = open_source(golden / "t5x/t5_1_1_tiny_scan/orbax/checkpoint_400")
  for wish in (Wish("hf"), Wish("t5x", scan=False)):
    with pytest.raises(UsageError, match=r"layers_1\.relpos_bias\.rel_embedding is not .*--to t5x --scan"):
      convert(source, tmp_path / "out", wish)
  assert list(tmp_path.iterdir()) == []


def test_what_fails_the_check_is_not_written(golden, tmp_path):
  folder = golden / "t5x/t5_1_1_tiny"
  arrays = dict(np.load(folder / "golden.npz"))
  arrays["packed_logits"] = arrays["packed_logits"] + 2e-4 * (np.arange(arrays["packed_logits"].shape[-1]) == 5)
  np.savez(tmp_path / "golden.npz", **arrays)
  with pytest.raises(FlanJaxError, match=r"packed_logits by 0\.0002.*nothing was written"):
    convert(open_source(folder / "legacy/checkpoint_400"), tmp_path / "out", Wish("hf"), tmp_path / "golden.npz")
  assert [path.name for path in tmp_path.iterdir()] == ["golden.npz"]


def test_only_real_targets_are_compared(golden, tmp_path):
  """What T5X computed on padding is nobody's concern."""
  folder = golden / "t5x/t5_1_1_tiny"
  arrays = dict(np.load(folder / "golden.npz"))
  arrays["logits"] = np.where((arrays["targets"] > 0)[..., None], arrays["logits"], 1e9)
  np.savez(tmp_path / "golden.npz", **arrays)
  report = convert(open_source(folder / "orbax/checkpoint_400"), tmp_path / "m", Wish("hf"), tmp_path / "golden.npz")
  assert max(report["check"].values()) < 1e-4


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut"])
def test_a_broken_golden_is_named(tiny, tmp_path, content):
  (tmp_path / "golden.npz").write_bytes(content)
  with pytest.raises(FlanJaxError, match=r"golden\.npz: cannot be read"):
    convert(open_source(tiny), tmp_path / "out", Wish("hf"), tmp_path / "golden.npz")


def test_a_destination_that_holds_something_is_left_alone(tiny, tmp_path):
  (tmp_path / "out").mkdir()
  (tmp_path / "out" / "mine").touch()
  with pytest.raises(UsageError, match="holds something already"):
    convert(open_source(tiny), tmp_path / "out", Wish("hf"))
  assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine"]
  (tmp_path / "out" / "mine").unlink()
  convert(open_source(tiny), tmp_path / "out", Wish("hf"))


def test_links_are_followed_before_anything_is_written(tiny, tmp_path):
  """To an empty folder, to one that is not there yet; one that leads nowhere is refused."""
  (tmp_path / "empty").mkdir()
  for target in ("empty", "absent"):
    (tmp_path / f"to_{target}").symlink_to(tmp_path / target)
    convert(open_source(tiny), tmp_path / f"to_{target}", Wish("hf"))
    assert (tmp_path / f"to_{target}").is_symlink()
    assert open_source(tmp_path / target).kind == "hf"
  (tmp_path / "loop").symlink_to(tmp_path / "loop")
  with pytest.raises(UsageError, match="leads to itself"):
    convert(open_source(tiny), tmp_path / "loop", Wish("hf"))


def test_sigterm_leaves_nothing_behind(tiny, tmp_path, monkeypatch):
  source = open_source(tiny)
  reads = []

  def read_until_stopped(name):
    reads.append(name)
    if len(reads) == 3:
      os.kill(os.getpid(), signal.SIGTERM)
    return type(source.tensors).read(source.tensors, name)

  monkeypatch.setattr(source.tensors, "read", read_until_stopped)
  before = signal.getsignal(signal.SIGTERM)
  with pytest.raises(KeyboardInterrupt):
    convert(source, tmp_path / "out", Wish("hf"))
  assert list(tmp_path.iterdir()) == []
  assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("to", ["flan_jax", "hf"])
def test_a_vocabulary_with_more_ids_than_rows_is_refused(tmp_path, to):
  config = dataclasses.replace(TINY, vocab_size=384)
  source = Source("t5x", "here", config, InMemory(config))
  with pytest.raises(UsageError, match=r"has 1,536 ids, but here has an embedding of 384 rows"):
    convert(source, tmp_path / "out", Wish(to, vocabulary=load_vocabulary("demo")))
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("to", ["flan_jax", "t5x", "hf"])
def test_the_destination_gets_its_name_last(tiny, tmp_path, monkeypatch, to):
  """A kill before that leaves no folder of that name; an interrupt leaves nothing."""
  replace = os.replace

  def replaced(one, other):
    if str(other).endswith("/out"):
      assert open_source(one).tensors.shapes() == open_source(tiny).tensors.shapes()
      raise KeyboardInterrupt
    replace(one, other)

  monkeypatch.setattr(os, "replace", replaced)
  with pytest.raises(KeyboardInterrupt):
    convert(open_source(tiny), tmp_path / "out", Wish(to))
  assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize("to", ["t5x", "hf"])
def test_half_precision_is_rounded_once(tiny, tmp_path, to, dtype):
  convert(open_source(tiny), tmp_path / "half", Wish(to, dtype=dtype))
  half, whole = open_source(tmp_path / "half"), open_source(tiny)
  for name in whole.tensors.shapes():
    array = half.tensors.read(name)
    assert array.dtype.name == dtype
    np.testing.assert_array_equal(array, whole.tensors.read(name).astype(array.dtype))


@pytest.mark.parametrize("to", ["t5x", "hf"])
def test_a_number_beyond_half_precision_is_refused(tmp_path, to):
  tensors, name = InMemory(TINY), "decoder.layers_0.mlp.wo.kernel"
  tensors.set(name, np.full((24, 16), -65536, np.float32))
  source = Source("hf", "here", TINY, tensors)
  with pytest.raises(UsageError, match=rf"{name}: 384 of its 384 numbers are beyond float16's"):
    convert(source, tmp_path / "out", Wish(to, dtype="float16"))
  assert list(tmp_path.iterdir()) == []
  convert(source, tmp_path / "out", Wish(to, dtype="bfloat16"))


def test_ours_in_bfloat16_is_read_as_float32_but_no_run_goes_on_with_it(tiny, tmp_path):
  whole = open_source(tiny)
  report = convert(whole, tmp_path / "half", Wish("flan_jax", dtype="bfloat16"))
  half = open_source(tmp_path / "half")
  assert whole.moments() is not None
  assert half.moments() is None
  assert any("Adafactor's state is left out" in note for note in report["notes"])
  expected = whole.parameters()
  sharding = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  for name, array in half.parameters(dict.fromkeys(expected, sharding)).items():
    assert half.record["arrays"]["params"][name][0] == "bfloat16"
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.asarray(expected[name]).astype(DTYPES["bfloat16"]).astype(np.float32))


def test_wishes_that_nobody_can_fulfil(tiny):
  layouts = [{"to": to, "layout": layout} for to in ("hf", "flan_jax") for layout in (LEGACY, ORBAX)]
  for wish in ({"to": "hf", "scan": True}, *layouts):
    with pytest.raises(UsageError, match="--"):
      Wish(**wish)


@pytest.mark.parametrize("activations", [("silu", "linear"), ("gelu",), ("relu", "linear")], ids=str)
def test_activations_that_t5x_would_lose_are_refused(activations, tmp_path):
  """Read again they would be gelu, linear or relu: another network, with no error."""
  config = dataclasses.replace(TINY, mlp_activations=activations)
  with pytest.raises(UsageError, match=r"activations .* would be lost"):
    convert(Source("flan_jax", "m", config, InMemory(config)), tmp_path / "out", Wish("t5x"))
  assert list(tmp_path.iterdir()) == []


def test_activations_that_were_guessed_are_told(tiny, tmp_path):
  notes = convert(open_source(tiny), tmp_path / "out", Wish("hf"))["notes"]
  assert any("activations assumed: gelu, linear" in note for note in notes)


def test_our_own_kind_holds_all_that_decoding_and_adafactor_need(tiny, tmp_path):
  report = convert(open_source(tiny), tmp_path / "m", Wish("flan_jax", vocabulary=load_vocabulary("demo")))
  loaded = load(tmp_path / "m")
  assert loaded.vocabulary_path == tmp_path / "m" / "vocabulary.model"
  assert loaded.extra["vocabulary"]["sha256"] == load_vocabulary("demo").sha256
  assert json.loads(json.dumps(report))["parameters"] == sum(x.size for x in loaded.params.values())
  state = jax.eval_shape(lambda: new_state(Model(TINY).init(0), Adafactor().transformation(lambda step: 1.0)))
  wanted = optimizer_arrays(state)
  arrays = open_source(tmp_path / "m").optimizer_arrays(wanted)
  assert {name: (x.shape, x.dtype) for name, x in arrays.items()} == {n: (x.shape, x.dtype) for n, x in wanted.items()}


def test_a_changed_vocabulary_is_found_before_anybody_uses_it(tiny, tmp_path):
  """Neither decoded with nor handed on, under a sum that would make it look whole."""
  convert(open_source(tiny), tmp_path / "m", Wish("flan_jax", vocabulary=load_vocabulary("demo")))
  flip(tmp_path / "m" / "vocabulary.model", 9999)
  for read in (load, open_source):
    with pytest.raises(DamagedError, match=r"m/vocabulary\.model has changed \(sha256 .*Put back the vocabulary"):
      read(tmp_path / "m")


@pytest.mark.parametrize("to", ["hf", "flan_jax"])
def test_a_state_that_is_not_adafactors_is_not_dropped_in_silence(to, tmp_path):
  save(tmp_path / "m", (5,))  # of AdamW
  report = convert(open_source(tmp_path / "m"), tmp_path / "out", Wish(to))
  assert [note for note in report["notes"] if "the optimizer's state is left out" in note]
  assert open_source(tmp_path / "out").moments() is None


def test_the_state_before_the_first_update_is_none(tmp_path):
  """T5X has one at step 0, all zeros: neither reported nor taken over as if it remembered anything."""
  convert(Source("hf", "here", TINY, InMemory(TINY)), tmp_path / "t5x", Wish("t5x"))
  source = open_source(tmp_path / "t5x")
  assert source.tensors.has_moments()
  assert source.moments() is None
  report = convert(source, tmp_path / "h", Wish("hf"))
  assert not [note for note in report["notes"] if "state" in note]


@pytest.mark.parametrize("to", ["hf", "t5x"])
def test_each_array_of_the_scanned_network_is_read_once(to, tmp_path, monkeypatch):
  """Also where its position biases get other names."""
  convert(Source("hf", "here", TINY, InMemory(TINY)), tmp_path / "scanned", Wish("t5x", scan=True))
  source = open_source(tmp_path / "scanned")
  reads = []
  read = source.tensors.arrays.read
  monkeypatch.setattr(source.tensors.arrays, "read", lambda home: reads.append(home) or read(home))
  convert(source, tmp_path / "out", Wish(to, scan=False if to == "t5x" else None))
  kernels = [home for home in reads if "rel_embedding" not in home]
  assert sorted(kernels) == sorted(set(kernels))


def _check_same(source, expected):
  assert layers_apart(source.config) == layers_apart(expected.config)
  assert set(source.tensors.shapes()) == set(expected.tensors.shapes())
  for name in expected.tensors.shapes():
    np.testing.assert_array_equal(source.tensors.read(name), expected.tensors.read(name), err_msg=name)
