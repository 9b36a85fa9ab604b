"""The table says what the rows say, in any width, with or without a checkpoint before."""

import dataclasses
import io

import pytest
from rich.console import Console

from flan_jax.evaluation.held_out.results import Results, draw_samples
from flan_jax.evaluation.held_out.rows import rows_of
from flan_jax.evaluation.held_out.table import print_results


@pytest.fixture
def made(compared):
  return [
    *compared("c.seen", "zero_shot", 1, 9, 10, choices=4),
    *compared("c.new", "zero_shot", 0, 6, 12, cluster="tales"),
    *compared("c.new", "cot", 3, 3, 12, cluster="tales"),
  ]


def printed(made, width=100, notes=()):
  rows = rows_of(made, {"c.seen"}, {})
  console = Console(file=io.StringIO(), width=width)
  print_results(Results({"notes": list(notes)}, rows, draw_samples(made, rows)), console)
  return console.file.getvalue()


def test_summary_clusters_prompts_and_notes(made):
  said = printed(made, notes=["beware of [brackets]"])
  assert "0.0% [0, 24]   →   50.0% [25, 75]" in said
  assert "seen" in said
  assert "held out" in said
  assert "25.0%" in said  # chance
  assert "0.0 → 50.0%" in said
  assert "25.0 → 25.0%" in said
  assert said.count("drawn by hash") == 2  # two tasks only
  assert "[of c.new]?" in said  # markup in a prompt is text
  assert "beware of [brackets]" in said


def test_without_before(made):
  said = printed([each._replace(before=None) for each in made])
  assert "→" not in said
  assert "before" not in said
  assert "50.0%" in said


def test_no_colours_outside_a_terminal(made):
  assert "\x1b" not in printed(made)


@pytest.mark.parametrize("width", [84, 200])
def test_nothing_is_cut_on_a_terminal_of_84_columns(made, width):
  assert "…" not in printed(made, width)


def test_a_long_prompt_shows_its_ends(made):
  prompt = "\n".join(f"line {i}" for i in range(40))
  long = [each._replace(after=dataclasses.replace(each.after, prompt=prompt)) for each in made]
  said = printed(long)
  assert "line 0\n" in said
  assert "line 39\n" in said
  assert "28 more lines" in said
  assert "line 20" not in said
