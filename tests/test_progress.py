"""Progress in a pipe and on a terminal."""

import re

import pytest

from flan_jax import progress


def test_a_pipe_gets_plain_lines(capsys, monkeypatch):
  monkeypatch.setattr(progress, "_LINE_SECONDS", 0.0)
  with progress.shown("preparing", 3, "examples", done=1) as advance:
    advance(1, note="toy.a")
    advance(1)
  lines = capsys.readouterr().err.splitlines()
  assert len(lines) == 2  # the last one once, though it is both due and the end
  assert lines[0] == "preparing: 2 of 3 examples, toy.a"
  assert re.fullmatch(r"preparing: 3 of 3 examples, [\d,.]+/s, toy\.a", lines[-1])


def test_a_pipe_is_not_flooded(capsys):
  with progress.shown("preparing", 1000, "examples") as advance:
    for _ in range(1000):
      advance(1)
  assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
  monkeypatch.setattr("sys.stderr.isatty", lambda: True)
  with progress.shown("training", 10, "steps", done=4) as advance:
    advance(6, note="loss 1.5")
  shown = capsys.readouterr().err
  assert "training" in shown
  assert "10/10" in shown
  assert "loss 1.5" in shown


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_narrow_terminal_has_the_units_and_the_time_whole(width, monkeypatch, capsys):
  """The bar and the note give way."""
  monkeypatch.setattr("sys.stderr.isatty", lambda: True)
  monkeypatch.setenv("COLUMNS", str(width))
  with progress.shown("training", 5000, "steps") as advance:
    for _ in range(2):
      advance(2500, note="loss 0.0044, accuracy 100.0%, 2,974 tokens/s")
  shown = re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", capsys.readouterr().err)
  assert "5000/5000" in shown
  assert re.search(r"steps [\d,.]+/s \d:\d\d:\d\d", shown)
  assert ("2,974 tokens/s" in shown) == (width == 200)


def test_an_error_passes_through():
  with pytest.raises(KeyError), progress.shown("preparing", 1, "examples"):
    raise KeyError


def test_the_time_left_of_a_line_can_be_read_back(monkeypatch, capsys):
  monkeypatch.setattr(progress, "_LINE_SECONDS", -1.0)
  monkeypatch.setattr(progress._Pace, "seconds_left", lambda pace: 1472.4)
  with progress.shown("answering", 100_000, "questions") as advance:
    for _ in range(2):
      advance(1)
  first, second = capsys.readouterr().err.splitlines()
  assert progress.told_seconds_left(first) is None  # nothing to count by
  assert progress.told_seconds_left(second) == 1472
