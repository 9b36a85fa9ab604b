"""Checkpoints: what is read is what was written, whatever the mesh."""

import pathlib

import jax
import pytest

from flan_jax.errors import UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop import loading
from flan_jax.interop.small_arrays import bundled, unbundled
from flan_jax.training.checkpoints import Checkpoints, Saving
from tests.interop.saved import CONFIG, RECORD, WORDS, check_same, save, state, trainer, wanted


@pytest.fixture(scope="module")
def saved(tmp_path_factory) -> pathlib.Path:
  """A MODEL_DIR with steps 0 and 5; read only."""
  model_dir = tmp_path_factory.mktemp("model")
  save(model_dir, (0, 5))
  (model_dir / layout.VOCABULARY_FILE).write_bytes(WORDS)
  return model_dir


def test_load_gives_the_newest_step_of_a_folder_or_the_named_one(saved):
  loaded = loading.load(saved)
  assert (loaded.step, loaded.config, loaded.extra["tasks"]) == (5, CONFIG, ["toy.a"])
  assert loaded.vocabulary_path.read_bytes() == WORDS
  check_same(loaded.params, state(5).params)
  assert loading.load(saved / "checkpoints" / "0").step == 0


@pytest.mark.parametrize(("written_on", "read_on"), [(1, 1), (1, 8), (8, 1), (8, 8)])
def test_the_state_comes_back_whole_with_its_position(written_on, read_on, tmp_path):
  """Small and large arrays, placed as the trainer places them; and what is written does not depend on the mesh."""
  save(tmp_path, (5,), devices=written_on)
  with Checkpoints(tmp_path, RECORD, Saving()) as checkpoints:
    restored, record = checkpoints.restore(5, trainer(read_on).abstract())
  assert record["position"] == {"window": 5, "row": 3}
  check_same(restored, state(5))
  asked = trainer(read_on).abstract()
  for mine, abstract in zip(jax.tree.leaves(restored[1:3]), jax.tree.leaves(asked[1:3]), strict=True):
    assert mine.sharding == abstract.sharding


def test_where_nothing_is_both_say_so_alike(saved, tmp_path):
  """Who reads our own checkpoints only does not say that others would do."""
  for path in (tmp_path, tmp_path / "no", saved / "checkpoints" / "3"):
    said = []
    for look in (layout.step_folder, loading.open_source):
      with pytest.raises(UsageError) as error:
        look(path)
      said.append(str(error.value))
    own, any_kind = said
    assert any_kind.startswith(own)
    assert "Hugging Face" not in own
    assert ("Steps there: 0, 5." in own) == (path.name == "3")


def test_small_arrays_travel_together(saved):
  record = layout.read_record(saved / "checkpoints" / "5")
  assert len(record["small_arrays"]["params"]) == len(record["arrays"]["params"]) - 2
  arrays = {"a": jax.numpy.arange(3), "b": jax.numpy.ones((2, 2), "bfloat16"), "c": jax.numpy.float32(7.0)}
  tree, small = bundled(arrays)
  assert list(tree) == ["small_arrays"]
  kinds = {name: (array.dtype.name, list(array.shape)) for name, array in arrays.items()}
  check_same(unbundled(tree["small_arrays"], list(small), kinds), arrays)


@pytest.mark.parametrize(
  ("item", "change", "message"),
  [
    ("optimizer", {"1.0.count": None}, r"1\.0\.count is int32\[\] there, absent here"),
    ("optimizer", {"0.extra": ((2,), "float32")}, r"0\.extra is absent there, float32\[2\] here"),
    (
      "params",
      {"token_embedder.embedding": ((1024, 16), "float32")},
      r"\[2048, 16\] there, float32\[1024, 16\]",
    ),
  ],
)
def test_other_arrays_than_the_saved_ones_are_no_damage(item, change, message, saved):
  """Another optimizer, say: the checkpoint stays where it is."""
  asked = {item: dict(wanted()[item])}
  for name, kind in change.items():
    asked[item].pop(name, None)
    if kind:
      asked[item][name] = jax.ShapeDtypeStruct(*kind)
  with pytest.raises(UsageError, match=message):
    layout.restore(saved / "checkpoints" / "5", asked)


@pytest.mark.parametrize(("path", "message"), [("nowhere", "is not there"), ("checkpoints/3", "Steps there: 0, 5")])
def test_a_path_without_checkpoint_says_what_is_there(saved, path, message):
  with pytest.raises(UsageError, match=message):
    loading.load(saved / path)
