"""Samples are drawn by hash from what runs answered: the base beside the tuned run, on the very same prompts."""

import json
from pathlib import Path

import pytest

from flan_jax.evaluation.answered import Answered, write_answered
from flan_jax.sweeps.report.samples import OF_AN_EVALUATION, samples

TASKS = [f"demo.t{number}" for number in range(9)]
RUNS = [
  {"name": "control-untuned", "axes": {"control": "untuned", "seed": None}, "tuned": False},
  {"name": "control-none_seed-0", "axes": {"control": "none", "seed": 0}, "tuned": True},
  {"name": "control-tuned_seed-0", "axes": {"control": "tuned", "seed": 0}, "tuned": True},
  {"name": "control-tuned_seed-1", "axes": {"control": "tuned", "seed": 1}, "tuned": True},
]
SWEEP = {
  "name": "controls",
  "score": "dev/zero_shot",
  "ladder": ["seen", "dev"],
  "evaluations": [{"name": "dev", "mixture": "m"}, {"name": "seen", "mixture": "m"}, {"name": "s", "suites": ["x"]}],
  "runs": RUNS,
}


def answered(task: str, variant: str, id: str, output: str) -> Answered:
  fixed = {"suite": "m", "group": "c", "language": "en", "split": "held_out", "mode": "direct", "n": 1, "shots": 0}
  fixed |= {"exemplars": "", "prompt_tokens": 3, "extracted": output, "kind": "verbatim", "listed": (), "choices": ()}
  told = {"prompt": f"{variant} {task} {id}", "target": "yes", "references": ("yes",), "correct": output == "yes"}
  return Answered(task=task, variant=variant, id=id, output=output, scores={}, **told, **fixed)


@pytest.fixture
def folder(tmp_path) -> Path:
  """Of a sweep; the base is right in continuations alone, the tuned always."""
  for run in RUNS:
    for evaluation in ("seen", "dev"):
      lines = [
        answered(task, variant, str(id), "yes" if run["tuned"] or variant == "continuation" else f"{run['name']}?")
        for task in TASKS
        for variant in ("zero_shot", "continuation", "zero_shot+ranked")
        for id in range(3)
      ]
      path = tmp_path / "runs" / run["name"] / "evaluations" / evaluation / "predictions.jsonl"
      path.parent.mkdir(parents=True)
      write_answered(path, lines)
  return tmp_path


def test_a_few_of_each_evaluation_of_different_tasks(folder):
  groups = samples(folder, SWEEP)
  assert [group.name for group in groups] == ["seen", "dev clusters"]
  for group in groups:
    tasks = [sample.task for sample in group.samples]
    assert len(tasks) == len(set(tasks)) == OF_AN_EVALUATION
    assert group.about == "control-tuned_seed-0 beside the base, control-untuned"
  assert groups == samples(folder, SWEEP)
  assert groups[0].samples[0].prompt != groups[1].samples[0].prompt


def test_outputs_are_to_the_prompt_that_is_shown_and_the_bases_best(folder):
  for sample in samples(folder, SWEEP)[0].samples:
    base, tuned, at_best = sample.outputs
    assert sample.prompt.startswith(f"zero_shot {sample.task}")
    assert (base.who, base.prompt, base.text, base.correct) == ("base", None, "control-untuned?", False)
    assert (at_best.who, at_best.correct) == ("base", True)
    assert at_best.prompt == sample.prompt.replace("zero_shot", "continuation")
    assert (tuned.who, tuned.prompt, tuned.correct) == ("tuned", None, True)


def test_without_a_base_or_a_run_there_is_less(folder):
  (alone, _) = samples(folder, {**SWEEP, "runs": RUNS[2:]})
  assert [output.who for output in alone.samples[0].outputs] == ["tuned"]
  assert samples(folder, {**SWEEP, "runs": RUNS[:1]}) == []
  assert samples(folder / "elsewhere", SWEEP) == []


def test_what_runs_on_is_cut(folder):
  path = folder / "runs" / RUNS[2]["name"] / "evaluations" / "dev" / "predictions.jsonl"
  lines = [{**json.loads(line), "output": "x" * 5000} for line in path.read_text().splitlines()]
  path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
  texts = [output.text for sample in samples(folder, SWEEP)[1].samples for output in sample.outputs]
  assert max(map(len, texts)) == 601
