"""What an evaluation shows: on a terminal, in a pipe and in files."""

import io
import json

import pytest

from flan_jax.training.samples import FILE, Sample, Samples
from flan_jax.training.writers import Writers

METRICS = {"held_out/loss": 1.25, "held_out/accuracy": 0.5, "held_out/exact_match": 0.25, "unseen/loss": 2.0}
METRICS |= {"unseen/accuracy": 0.125}


class Heard(Writers):
  """In the place of writers."""

  def __init__(self):
    self.lines, self.texts = [], []

  def write(self, line):
    self.lines.append(line)

  def text(self, *told):
    self.texts.append(told)


class Terminal(io.StringIO):
  def isatty(self):
    return True


def sample(side="held_out", number=0, **fields) -> Sample:
  prompt = f"{'far away ' * 60}[the question {number}]"
  return Sample(
    **{
      "side": side,
      "task": f"demo.t{number}",
      "format": "zero_shot",
      "id": "7",
      "prompt": prompt,
      "target": "yes\nindeed",
      "output": "[no]",
      "correct": False,
      **fields,
    }
  )


@pytest.fixture
def shown(tmp_path, monkeypatch):
  """A function that shows six samples of two sides on a kind of stderr and gives (writers, what was printed)."""

  def show(stderr):
    monkeypatch.setattr("sys.stderr", stderr)
    heard = Heard()
    samples = [sample("held_out", i) for i in range(5)] + [sample("unseen", 9, correct=True)]
    Samples(tmp_path, 0, heard).show(1200, METRICS, samples)
    return heard, stderr.getvalue()

  return show


def test_a_pipe_gets_plain_lines(shown):
  heard, said = shown(io.StringIO())
  first, *lines = said.splitlines()
  assert first == (
    "step 1,200: new examples: loss 1.2500, accuracy 50.0%, exact match 25.0%; "
    "unseen tasks: loss 2.0000, accuracy 12.5%"
  )
  assert len(lines) == 4 + 1  # of the first side the first four
  assert lines[0] == "  new examples, wrong, demo.t0: said '[no]', target 'yes indeed'"
  assert lines[-1].startswith("  unseen tasks, right, demo.t9")
  assert heard.lines == [{"step": 1200, **METRICS}]


def test_a_terminal_gets_a_table_with_the_ends_of_questions(shown, monkeypatch):
  monkeypatch.setenv("COLUMNS", "160")
  _, said = shown(Terminal())
  assert "asked" in said
  assert "[the question 3]" in said.replace("\n", " ")  # whole, though Rich takes brackets for markup
  assert "[no]" in said
  assert "demo.t4" not in said


def test_writers_get_all_samples_as_one_text(shown):
  heard, _ = shown(io.StringIO())
  ((step, name, text),) = heard.texts
  assert (step, name) == (1200, "samples")
  assert [f"demo.t{number}" in text for number in (0, 4, 9)] == [True] * 3


def test_samples_of_lost_steps_are_taken_out(tmp_path):
  for step, start in ((10, 0), (20, 10), (20, 10)):  # killed after 20, gone on from 10
    Samples(tmp_path, start, Heard()).show(step, METRICS, [sample()])
  lines = [json.loads(line) for line in (tmp_path / FILE).read_text().splitlines()]
  assert [line["step"] for line in lines] == [10, 20]
  assert (lines[0]["target"], lines[0]["correct"]) == ("yes\nindeed", False)


def test_samples_of_an_evaluation_that_is_made_again_go(tmp_path):
  for step in (10, 20):
    Samples(tmp_path, step, Heard()).show(step, METRICS, [sample()])
  Samples(tmp_path, 20, Heard(), owed=True)
  assert [json.loads(line)["step"] for line in (tmp_path / FILE).open()] == [10]


def test_texts_may_hold_any_character(tmp_path):
  """What str.splitlines takes for line ends ends no line."""
  for step, start in ((10, 0), (20, 10)):
    Samples(tmp_path, start, Heard()).show(step, METRICS, [sample(output="one\u2028two\u2029three\x85四")])
  before = (tmp_path / FILE).read_bytes()
  Samples(tmp_path, 20, Heard())
  assert (tmp_path / FILE).read_bytes() == before
  Samples(tmp_path, 10, Heard())
  assert (tmp_path / FILE).read_bytes() == before[: before.index(b"\n") + 1]


def test_a_line_cut_in_the_midst_of_a_letter_goes(tmp_path):
  """As a kill or a full disk leaves it."""
  Samples(tmp_path, 0, Heard()).show(10, METRICS, [sample(output="四")])
  whole = (tmp_path / FILE).read_bytes()
  (tmp_path / FILE).write_bytes(whole + whole[: whole.index("四".encode()) + 1])
  Samples(tmp_path, 10, Heard())
  assert (tmp_path / FILE).read_bytes() == whole
