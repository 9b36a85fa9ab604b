"""The evaluation as a whole, asked of answerers whose score is known: who says the targets is right everywhere."""

import contextlib
import dataclasses
import shutil
from pathlib import Path

import pytest

from flan_jax.data import mixtures, specs
from flan_jax.data.vocabularies import load_vocabulary
from flan_jax.draws import hash64
from flan_jax.errors import UsageError
from flan_jax.evaluation import asking, journal
from flan_jax.evaluation.answering import Output
from flan_jax.evaluation.held_out import evaluate as evaluation
from flan_jax.evaluation.held_out.evaluate import Request, evaluate
from flan_jax.evaluation.held_out.examples import formats_of, held_out_prompts, held_out_questions, opened
from flan_jax.evaluation.held_out.results import Results
from tests.evaluation.untrained import write_checkpoint

FORMATS = ("zero_shot", "few_shot", "cot", "few_shot_cot")


LONG = {"inputs": 10_000, "targets": 16}  # no prompt loses an exemplar


class Scripted:
  """Answers each prompt by looking it up, and ranks that choice first; dies after so many answers."""

  def __init__(self, script, dies_after=10_000):
    self.vocabulary = load_vocabulary("demo")
    self.asked: list[str] = []
    self._script = script
    self._dies_after = dies_after

  def outputs(self, prompts, **_):
    for index, prompt in reversed(list(enumerate(prompts))):
      if len(self.asked) == self._dies_after:
        raise KeyboardInterrupt
      self.asked.append(prompt)
      yield index, [Output(self._script.get(prompt, ""))]

  def log_probabilities(self, prompts, candidates, **_):
    for index, (prompt, choices) in enumerate(zip(prompts, candidates, strict=True)):
      yield index, [-float(choice != self._script.get(prompt, "")) for choice in choices]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
  """Checkpoints by what they say that they were trained on."""
  said = {
    "silent": {"tasks": None},
    "nothing": {},
    "gsm8k": {"tasks": ["cot.gsm8k"]},
    "near": {"tasks": ["cot.aqua", "somebody's own task"]},
  }
  folder = tmp_path_factory.mktemp("models")
  for seed, (name, each) in enumerate(said.items()):
    write_checkpoint(folder / name, seed=seed, task_feature_lengths=LONG, **each)
  return folder


@pytest.fixture
def loads(models, monkeypatch):
  """A function that says how each checkpoint answers."""

  def give(**answerers):
    loaded = {str(models / name): answerer for name, answerer in answerers.items()}
    monkeypatch.setattr(evaluation.Answerer, "load", lambda path, *_: loaded[str(path)])

  return give


@pytest.fixture
def task(tmp_path):
  (tmp_path / "cot").mkdir()
  lines = (f"How many apples are {i} apples?\t{i}\tI count them. There are {i}.\n" for i in range(400))
  (tmp_path / "cot" / "gsm8k_train.tsv").write_text("".join(lines))
  return {"name": "cot.gsm8k", "tasks": ("cot.gsm8k",), "data_dir": tmp_path, "examples": 12, "formats": FORMATS}


def prompts_of(request: Request):
  return [
    prompt
    for task in request.tasks
    for prompt in held_out_prompts(task, request.data_dir, formats_of(task, request.formats), request.examples)
  ]


def script(request: Request) -> dict[str, str]:
  return {prompt.inputs: prompt.targets for prompt in prompts_of(request)}


def guesses(request: Request, who: str) -> dict[str, str]:
  """Right and wrong answers in many styles."""
  found = {}
  for prompt in prompts_of(request):
    answer, target = prompt.answer, prompt.targets
    styles = (target, f"{answer}.", f"**{answer}**", f"I count. So the answer is {answer}.", f"The answer is {answer}")
    styles += ("", "I do not know.", f"{target}\n\nQ: How many more?")
    found[prompt.inputs] = styles[hash64(who, prompt.format, prompt.example_id) % len(styles)]
  return found


def test_saying_the_targets_is_right_and_saying_nothing_is_wrong(task, models, loads):
  request = Request(models / "gsm8k", before=models / "nothing", **task)
  loads(gsm8k=Scripted(script(request)), nothing=Scripted({}))
  results, compared = evaluate(request)
  assert [row.format for row in results.rows] == list(FORMATS)
  for row in results.rows:
    assert (row.split, row.n, row.before, row.after) == ("seen", 12, 0.0, 1.0)
    assert (row.no_answer_before, row.no_answer_after) == (1.0, 0.0)
  assert len(compared) == 12 * len(FORMATS)
  assert len(results.samples) == 1


def test_figures_are_those_that_stand_in_earlier_reports(task, models, loads):
  """(format, n, right before and after, without an answer before and after), by the code of November 2026."""
  request = Request(models / "gsm8k", before=models / "nothing", **{**task, "examples": 30})
  loads(gsm8k=Scripted(guesses(request, "new")), nothing=Scripted(guesses(request, "old")))
  found = []
  for row in evaluate(request)[0].rows:
    shares = (row.before, row.after, row.no_answer_before, row.no_answer_after)
    found.append((row.format, row.n, *(share * row.n for share in shares)))
  assert found == [
    ("zero_shot", 16, 7, 10, 3, 2),
    ("few_shot", 16, 4, 9, 0, 2),
    ("cot", 16, 10, 7, 6, 9),
    ("few_shot_cot", 16, 4, 6, 12, 10),
  ]


@pytest.fixture
def small_batches(monkeypatch):
  monkeypatch.setattr(asking.batches, "__defaults__", (4,))


def files(folder: Path) -> dict[str, bytes]:
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_killed_and_continued_is_as_if_never_killed(task, models, loads, small_batches, tmp_path):
  request = Request(models / "gsm8k", before=models / "nothing", **{**task, "formats": ("zero_shot", "cot")})
  scripts = guesses(request, "new"), guesses(request, "old")
  loads(**dict(zip(("gsm8k", "nothing"), map(Scripted, scripts), strict=True)))
  evaluate(request, tmp_path / "whole")
  asked: list[list[str]] = [[], []]
  for lives in (3, 6, 19, 10_000):  # within the first batch, after one, within the last of the first checkpoint
    mortal = [Scripted(each, lives) for each in scripts]
    loads(**dict(zip(("gsm8k", "nothing"), mortal, strict=True)))
    with contextlib.suppress(KeyboardInterrupt):
      evaluate(request, tmp_path / "killed")
    for mine, answerer in zip(asked, mortal, strict=True):
      mine += answerer.asked
    with (tmp_path / "killed" / "journal.jsonl").open("ab") as file:
      file.write(b'[{"suite": "cot.gs')  # torn
  said: list[str] = []
  loads()  # nothing is left to ask
  results, _ = evaluate(request, tmp_path / "killed", said.append)
  assert "journal.jsonl: 24 of 24 prompts have been answered (after)" in said[0]
  assert files(tmp_path / "killed") == files(tmp_path / "whole")
  assert Results.read(tmp_path / "killed" / "results.json") == results
  assert [len(mine) >= 24 and set(mine) == set(scripts[0]) for mine in asked] == [True, True]
  assert sum(map(len, asked)) <= 2 * 24 + 3 * 3  # a kill costs what the batch had: less than 4 answers


def test_another_checkpoint_at_the_same_path_is_asked_anew(task, models, monkeypatch, tmp_path):
  """As when a run is trained again; the answers of the one before, which is the same, stand."""
  request = Request(tmp_path / "run", before=models / "nothing", **task)
  out, right = tmp_path / "out", script(request)
  shutil.copytree(models / "gsm8k", tmp_path / "run")
  loaded = iter([Scripted(right), Scripted({})])
  monkeypatch.setattr(evaluation.Answerer, "load", lambda *_: next(loaded))
  evaluate(request, out)
  first = (out / "journal.jsonl").read_bytes()
  shutil.rmtree(tmp_path / "run")
  shutil.copytree(models / "near", tmp_path / "run")
  loaded = iter([Scripted({})])
  results, _ = evaluate(request, out)
  assert [row.after for row in results.rows] == [0.0] * len(FORMATS)
  assert (out / "journal.old.jsonl").read_bytes() == first
  loaded = iter([Scripted(right)])
  assert evaluate(dataclasses.replace(request, before=None, seed=1), out)[0].rows[0].before is None
  assert not (out / "predictions_before.jsonl").exists()


def test_an_evaluation_of_suites_is_not_written_over(task, models, tmp_path):
  out = tmp_path / "out"
  with journal.opened(out / "journal.jsonl", {"checkpoint": {}, "suites": {}, "n": [1]}):
    pass
  before = files(out)
  with pytest.raises(UsageError, match="holds another evaluation"):
    evaluate(Request(models / "gsm8k", **task), out)
  assert files(out) == before


def test_a_rationale_without_its_closer_has_no_answer(task, models, loads):
  request = Request(models / "nothing", **{**task, "formats": ("cot",)})
  loads(nothing=Scripted(dict.fromkeys(script(request), "I count them.")))
  results, _ = evaluate(request)
  assert (results.rows[0].after, results.rows[0].no_answer_after) == (0.0, 1.0)
  assert results.rows[0].before is None


def test_notes_say_what_to_beware_of(task, models, loads):
  loads(silent=Scripted({}), near=Scripted({}))
  notes = evaluate(Request(models / "silent", **task))[0].about["notes"]
  assert "does not say what it was trained on" in notes[0]
  notes = evaluate(Request(models / "near", **task))[0].about["notes"]
  assert specs.get_task("cot.aqua").cluster == specs.get_task("cot.gsm8k").cluster
  assert "of clusters that were: cot.gsm8k" in notes[0]
  notes = evaluate(Request(models / "near", missing=("cot.qed",), **task))[0].about["notes"]
  assert any("not here: cot.qed" in note for note in notes)


def test_formats_that_no_task_has_are_refused_before_anything_is_loaded(task):
  with pytest.raises(UsageError, match=r"no task of cot\.gsm8k has prompts in the format"):
    evaluate(Request(checkpoint=Path("nowhere"), **{**task, "formats": ()}))


@pytest.mark.slow
def test_the_targets_of_all_real_rationales_are_read_back(shared_data, models, loads):
  present, _ = mixtures.installed(mixtures.get_mixture("cot"), shared_data, "skip")
  request = Request(models / "nothing", "cot", present, examples=40, formats=FORMATS, data_dir=shared_data)
  loads(nothing=Scripted(script(request)))
  results, compared = evaluate(request)
  found = [each.after for each in compared]
  assert not [(p.task, p.variant, p.output[-80:], p.extracted, p.target) for p in found if not p.correct]
  assert len(results.rows) == len(present) * len(FORMATS)


def test_the_targets_of_the_embedded_collection_are_read_back(models, loads):
  one_of_each_type = {specs.get_task(name).type: name for name in mixtures.get_mixture("demo_all").tasks}
  request = Request(models / "nothing", "demo", tuple(one_of_each_type.values()), examples=10, formats=FORMATS)
  loads(nothing=Scripted(script(request)))
  results, compared = evaluate(request)
  assert not [each for each in compared if not each.after.correct]
  assert {row.split for row in results.rows} == {"held_out"}


def test_who_ignores_the_instruction_has_no_swap_score(models, loads):
  """The same answer whatever is asked is right at most once of two."""
  tasks = ("demo.step_reverse", "demo.step_first")
  request = Request(models / "nothing", "demo", tasks, examples=6, formats=("zero_shot", "few_shot"), swap=True)
  renderers = [opened(task, None, request.formats) for task in tasks]
  asked = [each for one in renderers for each in held_out_questions(one, request.formats, 6, "demo", swap=True)]
  loads(nothing=Scripted({each.prompt: each.references[0] for each in asked}))
  obeys, compared = evaluate(request)
  assert len(compared) == len(asked) == 2 * 2 * 6 * 2
  assert [(row.n, row.pairs, row.after, row.swap_after) for row in obeys.rows] == [(6, 6, 1.0, 1.0)] * 4
  deaf = {(each.task, each.id): each.references[0] for each in asked if "+" not in each.variant}
  loads(nothing=Scripted({each.prompt: deaf[each.task, each.id] for each in asked}))
  ignores, _ = evaluate(request)
  assert [(row.after, row.swap_after) for row in ignores.rows] == [(1.0, 0.0)] * 4


def test_choices_are_ranked_beside_what_is_written(models, loads):
  name = next(name for name in specs.task_names("demo") if specs.get_task(name).cluster == "nli")
  request = Request(models / "nothing", "demo", (name,), examples=8, formats=("zero_shot", "cot"), rank="sum")
  loads(nothing=Scripted(script(request)))
  results, compared = evaluate(request)
  ranked = {row.format: (row.ranked, row.rank_after) for row in results.rows}
  assert ranked["zero_shot"] == (8, 1.0)
  assert ranked.get("cot", (0, None)) == (0, None)  # to rank what comes before the reasoning would be another question
  assert {each.after.choice_scores is None for each in compared if "+" not in each.after.variant} == {True}
