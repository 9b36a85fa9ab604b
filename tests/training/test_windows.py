"""The log of windows: the batch of any step is found, with the file, without it, and with what a kill left of it."""

import json

import pytest

from flan_jax.data.segments import EncoderDecoderRows
from flan_jax.data.stream import Position, Stream
from flan_jax.training.windows import FILE, WindowLog, position_of
from tests.data.handmade import make_store, numbered

IDENTITY = {"seed": 3}
STEPS = 25


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
  root = tmp_path_factory.mktemp("stores")
  return [make_store(root, f"t.{i}", numbered(i, n)) for i, n in enumerate((30, 7))]


def logged(stores, model_dir, identity=IDENTITY) -> Stream:
  log = WindowLog(model_dir, identity, variants=1)
  return Stream(stores, [2, 1], EncoderDecoderRows(24, 12), 8, 3, 40, planned=log.planned)


def walked(stream: Stream) -> list[Position]:
  """Where each of the first batches begins."""
  positions = [Position()]
  for _ in range(STEPS):
    positions.append(stream.batch(positions[-1])[1])
  return positions[:-1]


def found(stores, model_dir) -> list[Position]:
  stream = Stream(stores, [2, 1], EncoderDecoderRows(24, 12), 8, 3, 40)
  return [position_of(step, stream, model_dir, IDENTITY) for step in range(1, STEPS + 1)]


def test_the_batch_of_any_step_is_found(stores, tmp_path, monkeypatch):
  expected = walked(logged(stores, tmp_path))
  assert expected[-1].window > 5
  assert found(stores, tmp_path) == expected
  (tmp_path / "empty").mkdir()
  assert found(stores, tmp_path / "empty") == expected  # planned again
  monkeypatch.setattr(Stream, "plan", None)
  assert found(stores, tmp_path) == expected  # and nothing is planned where it is noted


@pytest.mark.parametrize("cut", [1, 5, 30, 200])
def test_what_a_kill_cut_short_is_noted_again(stores, tmp_path, cut):
  expected = walked(logged(stores, tmp_path))
  whole = (tmp_path / FILE).read_text()
  (tmp_path / FILE).write_text(whole[:-cut])
  assert found(stores, tmp_path) == expected
  walked(logged(stores, tmp_path))
  noted = [json.loads(line) for line in whole.splitlines()[1:]]
  again = {}
  for line in (tmp_path / FILE).read_text().splitlines()[1:]:
    if line.endswith("}"):
      again.setdefault(json.loads(line)["window"], json.loads(line))
  assert list(again.values()) == noted


def test_each_window_is_noted_once_over_resumptions(stores, tmp_path):
  walked(logged(stores, tmp_path))
  once = (tmp_path / FILE).read_text()
  walked(logged(stores, tmp_path))
  assert (tmp_path / FILE).read_text() == once


def test_lines_of_another_stream_are_dropped(stores, tmp_path):
  (tmp_path / FILE).write_text('{"stream": "other"}\n{"window": 0, "rows": 1}')
  expected = walked(logged(stores, tmp_path))
  assert found(stores, tmp_path) == expected
  assert "other" not in (tmp_path / FILE).read_text()


def test_a_task_that_begins_again_is_said_once(stores, tmp_path, capsys):
  """Each window draws 27 or 26 examples of t.0, which has 30, and 13 of t.1, which has 7."""
  stream = logged(stores, tmp_path)
  stream.plan(0)
  assert capsys.readouterr().err == "window 0: all examples of t.1 were drawn; from here on they come again\n"
  stream.plan(1)
  said = capsys.readouterr().err
  assert "all examples of t.0, t.1 were drawn" in said
  logged(stores, tmp_path).plan(0)
  assert capsys.readouterr().err == ""
