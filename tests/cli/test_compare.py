"""`compare` end to end: side by side in a pipe, and blind by the keys of a terminal, stopped and gone on."""

import io
import json
import os
import pty
import sys
import termios

import pytest

from flan_jax import keys
from flan_jax.cli import signals
from flan_jax.cli.main import run
from flan_jax.evaluation.answering import Answerer, Output
from tests.evaluation.untrained import StandIn, write_checkpoint

TASK = "demo.step_reverse"
LISTED = ["--task", TASK, "--examples", "6"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
  folder = tmp_path_factory.mktemp("models")
  return [str(write_checkpoint(folder / name, seed=seed)) for seed, name in enumerate(("one", "two"))]


class Reversing(StandIn):
  """Puts the words of a prompt's list in backward order, or says that it cannot."""

  def __init__(self, able: bool):
    super().__init__()
    self._able = able

  def outputs(self, prompts, **options):
    for index, _ in super().outputs(prompts, **options):
      words = prompts[index].partition("[")[2].partition("]")[0].split()
      yield index, [Output(" ".join(reversed(words)) if self._able else "I cannot")]


@pytest.fixture
def stand_ins(models, monkeypatch):
  """The checkpoint `one` can reverse lists and `two` cannot; gives how often each was loaded."""
  loaded = []

  def load(path, *_):
    loaded.append(path)
    return Reversing(path == models[0])

  monkeypatch.setattr(Answerer, "load", load)
  return loaded


@pytest.fixture
def press(monkeypatch):
  """A function: the keys that the terminal on standard input has pressed."""
  handles = []

  def pressed(text: bytes) -> None:
    master, slave = pty.openpty()
    handles.append(master)
    os.write(master, text + b"q")  # so that no mistake waits for ever
    monkeypatch.setattr(sys, "stdin", os.fdopen(slave))

  yield pressed
  for handle in handles:
    os.close(handle)


@pytest.mark.slow
def test_two_networks_on_prompts_in_a_pipe(models, said):
  lines = said("compare", *models, "Reverse: a b", "Reverse: c d").splitlines()
  assert [line.split()[0] for line in lines if line] == ["prompt", "A", "B", "prompt", "A", "B", "A", "B", "2"]
  assert lines[0].endswith("Reverse: a b")


def test_prompts_of_a_file_have_no_right_answer(models, stand_ins, said, tmp_path):
  (tmp_path / "prompts.txt").write_text('Reverse: [a b]\n{"prompt": "Reverse: [c d]"}\nReverse: [a b]\n')
  content = json.loads(said("compare", *models, "--file", tmp_path / "prompts.txt", "--json"))
  assert [(each["prompt"], each["A"], each["B"]) for each in content["pairs"]] == [
    ("Reverse: [a b]", "b a", "I cannot"),
    ("Reverse: [c d]", "d c", "I cannot"),
  ]
  assert content["right"] is content["preferred"] is None


def test_on_a_task_it_says_who_is_right(models, stand_ins, said, tmp_path):
  text = said("compare", *models, *LISTED, "--output", tmp_path)
  assert text.count("  right\n") == text.count("  wrong\n") == 6
  assert "Right of 6: A 100.0%, B 0.0%, both 0.0%" in text
  assert "A less B: +100.0 [" in text
  content = json.loads((tmp_path / "comparison.json").read_text())
  assert content["right"]["difference"]["share"] == 1.0
  assert {each["target"] for each in content["pairs"]} == {each["A"] for each in content["pairs"]}
  said("compare", *models, *LISTED, "--output", tmp_path)
  assert stand_ins == models  # the second time the journals knew all answers


def test_blind_it_takes_keys_and_goes_on_where_it_was_stopped(models, stand_ins, press, tmp_path, capsys):
  asked = ["compare", *models, *LISTED, "--blind", "--output", str(tmp_path)]
  said = []
  for typed in (b"x1\x1b[1~", b"2t", b"111", b""):  # what is no key, arrows and the like are passed over
    press(typed)
    assert run(asked) == 0
    said.append(capsys.readouterr())
  assert stand_ins == models
  assert [each.err.count("Which is better?") for each in said] == [2, 3, 3, 0]
  assert "Stopped: the same command goes on" in said[0].err
  assert "3 of 6 pairs have been judged" in said[2].err
  for each in said:
    shown = each.err.replace(str(tmp_path), "")
    assert not any(path in shown for path in models)
    assert not any(line.split()[:1] in (["A"], ["B"]) for line in shown.splitlines())
  content = json.loads((tmp_path / "comparison.json").read_text())
  liked = content["preferred"]
  assert (liked["pairs"], liked["ties"], liked["A"] + liked["B"]) == (6, 1, 5)
  lines = [json.loads(line) for line in (tmp_path / "preferences.jsonl").read_text().splitlines()[1:]]
  order = [line for (line,) in lines]
  first = [each["first"] for each in order]
  expected = [first[0], {"A": "B", "B": "A"}[first[1]], "tie", *first[3:]]
  assert [each["preferred"] for each in order] == expected
  assert "Preferred of 6: A" in said[-1].out
  assert "% of those that are no ties" in said[-1].out


def test_preferences_of_another_comparison_are_in_the_way_before_anything_is_asked(
  models, stand_ins, press, tmp_path, capsys
):
  blind = [*LISTED, "--blind", "--output", str(tmp_path)]
  press(b"1")
  assert run(["compare", *models, *blind]) == 0
  kept = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
  del stand_ins[:]
  assert run(["compare", *reversed(models), *blind]) == 2
  assert "holds another evaluation (checkpoints.A" in capsys.readouterr().err
  assert (stand_ins, {path.name: path.read_bytes() for path in tmp_path.iterdir()}) == ([], kept)


def test_blind_without_a_terminal_is_refused(models, monkeypatch, capsys):
  monkeypatch.setattr(sys, "stdin", io.StringIO())
  monkeypatch.setattr(keys, "_TERMINAL", "/nowhere")
  assert run(["compare", *models, *LISTED, "--blind"]) == 2
  assert "by the keys of a terminal: there is none here" in capsys.readouterr().err


def test_a_process_that_ends_while_it_waits_gives_the_terminal_back(press):
  press(b"")
  before = termios.tcgetattr(sys.stdin.fileno())
  with keys.pressed():
    assert termios.tcgetattr(sys.stdin.fileno()) != before
    signals.keys.give_back()  # as `signals._end` does
    assert termios.tcgetattr(sys.stdin.fileno()) == before


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    (["a", "b", "Hello", "--task", TASK], "compare asks one thing"),
    (["a", "b", "--task", TASK, "--mixture", "demo"], "compare asks one thing"),
    (["a", "b", "Hello", "--file", "x"], "prompts or --file, not both"),
    (["a", "b", "Hello", "--formats", "cot"], "--formats says nothing of prompts"),
    (["a", "b", "--task", "demo.step_revers"], "Nearest: demo.step_reverse"),
    (["a", "b", "--task", TASK, "--formats", "zero"], "no format 'zero'"),
    (["nowhere", "b", "Hello"], "nowhere is not there. Wanted: a MODEL_DIR"),
  ],
)
def test_what_cannot_be_compared(arguments, message, capsys):
  assert run(["compare", *arguments]) == 2
  assert message in capsys.readouterr().err
