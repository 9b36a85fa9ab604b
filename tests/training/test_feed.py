"""The data of a run: that its batches tell submixtures apart, and that what is looked up later does not need them."""

import numpy as np
import pytest

from flan_jax.data.mixtures import get_mixture
from flan_jax.data.prepare import prepare
from flan_jax.data.stream import Position
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.training.feed import open_feed
from tests.training.toy_run import LENGTHS, TASK, toy_run

TWO = "demo(tasks=2)"


@pytest.fixture(scope="module")
def vocabulary():
  return load_vocabulary("demo")


@pytest.fixture(scope="module")
def feed(vocabulary, tmp_path_factory):
  folder = tmp_path_factory.mktemp("two")
  prepare(get_mixture(TWO), data_dir=None, vocabulary=vocabulary, lengths=LENGTHS, store_dir=folder, processes=1)
  return open_feed(toy_run(folder / "model", folder, 1, mixture_or_task_name=TWO), vocabulary)


def test_two_tasks_are_two_submixtures(feed):
  assert feed.submixtures == get_mixture(TWO).tasks
  batch, _ = feed.stream.batch(Position())
  for segment in feed.stream.rows(Position()):
    here = batch["decoder_segment_ids"][segment.row] == segment.segment
    assert set(batch["decoder_submixtures"][segment.row][here]) == {feed.submixtures.index(segment.task)}
  assert set(np.unique(batch["decoder_submixtures"])) == {0, 1}


def test_names_of_submixtures_are_no_part_of_what_a_run_is(feed):
  """A run whose collections were regrouped goes on."""
  assert not {"submixtures", *feed.submixtures} & set(feed.identity)


def test_one_task_has_none(store, vocabulary, tmp_path):
  feed = open_feed(toy_run(tmp_path, store, 1), vocabulary)
  assert feed.tasks == (TASK,)
  assert feed.submixtures == ()
  assert "decoder_submixtures" not in feed.stream.batch(Position())[0]
