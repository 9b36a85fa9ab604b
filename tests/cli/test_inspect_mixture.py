"""What `inspect --mixture` expects is what a run would see: counted here over every example, not a sample."""

import collections
import json

import pytest

from flan_jax.cli.main import run
from flan_jax.data import expected_shares, mixtures
from flan_jax.data.rendering import Renderer
from flan_jax.data.vocabularies import load_vocabulary

SHARES = [f"share of {name}" for name in expected_shares.SHARES]


@pytest.fixture
def one_process(monkeypatch):
  monkeypatch.setattr("os.cpu_count", lambda: 1)  # starting workers takes longer than the toy's examples


def shown(said, toy, name, vocabulary, *more):
  return said("inspect", "--mixture", name, "--data_dir", toy.data_dir, "--vocabulary", vocabulary, *more)


@pytest.fixture
def found(said, toy, small_vocabulary, one_process):
  return json.loads(shown(said, toy, "toy", small_vocabulary, "--json"))


def by_hand(toy, vocabulary):
  """(examples, input tokens, target tokens) of each format, each task's examples weighing what its rate says."""
  mixture = mixtures.get_mixture("toy", toy.data_dir)
  renderers = {}
  for task in mixture.tasks:
    part = mixture.part_of(task)
    renderers[task] = Renderer(task, toy.data_dir, 0, *part.manner)
  rates = mixtures.rates(mixture, {task: len(each.splits.train) for task, each in renderers.items()}, toy.data_dir)
  sums = collections.defaultdict(lambda: [0.0, 0.0, 0.0])
  for task, renderer in renderers.items():
    train = renderer.splits.train.tolist()
    for index in train:
      made = renderer.render(renderer.source[index])
      lengths = [len(ids) + 1 for ids in vocabulary.encode([made.inputs, made.targets])]
      for i, amount in enumerate((1, *lengths)):
        sums[made.format][i] += amount * rates[task] / len(train)
  totals = [sum(values) for values in zip(*sums.values(), strict=True)]
  return {form: [value / total for value, total in zip(sums[form], totals, strict=True)] for form in sums}


def test_shares_are_those_of_all_training_examples_at_their_rates(found, toy, small_vocabulary):
  told = {line["format"]: [line[share] for share in SHARES] for line in found["expected"]["format"]}
  hand = by_hand(toy, load_vocabulary(small_vocabulary))
  assert told.keys() == hand.keys()
  for form in hand:
    assert told[form] == pytest.approx(hand[form])


@pytest.mark.parametrize("group", ["tasks", *expected_shares.GROUPS])
def test_every_grouping_is_of_the_whole(found, group):
  for share in SHARES:
    assert sum(line[share] for line in found["expected"][group]) == pytest.approx(1)


def test_a_task_shows_its_examples_its_cap_and_the_rate_of_both(found):
  lines = {line["task"]: line for line in found["expected"]["tasks"]}
  total = sum(line["rate"] for line in lines.values())
  assert set(lines) == {"toy.capitals", "toy.parity", "toy.echo_a", "toy.echo_b"}
  for line in lines.values():
    assert line["rate"] == min(line["examples"], line["cap"])
    assert line["share of examples"] == pytest.approx(line["rate"] / total)
  assert lines["toy.parity"]["rate"] == 7


def test_what_is_missing_is_told_by_folder_with_its_origin(said, toy, tmp_path, small_vocabulary):
  words = ("--vocabulary", small_vocabulary)
  found = json.loads(said("inspect", "--mixture", "toy", "--data_dir", tmp_path, *words, "--json"))
  assert (found["installed"], found["tasks in all"]) == (0, 4)
  (line,) = found["missing"]
  assert (line["folder"], line["tasks"], line["origins"]) == (str(tmp_path / "toy"), 4, ["the toy shop"])
  assert line["files"]["toy.parity"] == str(tmp_path / "toy" / "parity.jsonl")
  text = said("inspect", "--mixture", "toy", "--data_dir", tmp_path, *words)
  assert "4 belong in" in text
  assert "and 1 more" in text


def test_the_text_has_every_task_and_no_colour_in_a_pipe(said, toy, small_vocabulary, one_process):
  text = shown(said, toy, "toy(tasks=2)", small_vocabulary)
  assert "toy(tasks=2): 2 of 2 tasks are installed" in text
  assert "toy.capitals\ttoy\t" in text
  assert "\x1b" not in text


@pytest.mark.parametrize(
  ("arguments", "told"),
  [
    (["--mixture", "tov"], "Nearest: toy"),
    (["--mixture", "toy(task=3)"], "task"),
    (["--mixture", "toy", "--files"], "one thing"),
    (["--count"], "--count is for --catalog"),
    (["--files"], "--data_dir"),
    (["--files", "--data_dir", "/not/there"], "there is no such folder"),
  ],
)
def test_mistakes(toy, arguments, told, capsys):
  assert run(["inspect", *arguments]) == 2
  assert told in capsys.readouterr().err
