"""`eval --suite` and `certify` from the command line, on networks that have learned nothing."""

import json
import os
import random
import shutil
import subprocess
import sys
import time

import pytest

from flan_jax.cli.main import run
from flan_jax.evaluation.answering import Answerer
from flan_jax.models.configs import T5Config
from tests.evaluation.suites.suite_samples import write_all
from tests.evaluation.untrained import StandIn, write_checkpoint

WITH_T5_VOCABULARY = T5Config(
  vocab_size=32128, emb_dim=8, num_heads=2, head_dim=4, mlp_dim=8, num_encoder_layers=1, num_decoder_layers=1
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
  return write_checkpoint(tmp_path_factory.mktemp("model"), tasks=["cot.gsm8k"])


@pytest.fixture(scope="module")
def checkpoint_with_t5_vocabulary(tmp_path_factory, shared_data):
  return write_checkpoint(tmp_path_factory.mktemp("t5"), WITH_T5_VOCABULARY, "t5", shared_data, tasks=["cot.gsm8k"])


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
  folder = tmp_path_factory.mktemp("suite")
  lines = [{"input": f"Reverse: {i} a b", "target": f"b a {i}"} for i in range(6)]
  (folder / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
  (folder / "mine.yaml").write_text("tasks: mine.jsonl\n")
  return str(folder / "mine.yaml")


def test_a_suite_of_ones_own_gives_a_table_files_and_a_page(checkpoint, suite, tmp_path, capsys):
  asked = ["eval", str(checkpoint), "--suite", suite, "--n", "1,3", "--max_new_tokens", "4", "--output", str(tmp_path)]
  assert run(asked) == 0
  said = capsys.readouterr()
  assert "asking 12 questions" in said.err
  assert "mine" in said.out
  assert "by the majority of paths" in said.out
  results = json.loads((tmp_path / "results.json").read_text())
  assert results["suites"]["mine"]["modes"]["direct"]["n"].keys() == {"1", "3"}
  assert len((tmp_path / "predictions.jsonl").read_text().splitlines()) == 12
  assert "<!doctype html>" in (tmp_path / "page.html").read_text()
  assert run([*asked, "--json"]) == 0
  again = capsys.readouterr()
  assert "all 12 questions have been answered" in again.err
  assert json.loads(again.out) == results


@pytest.mark.slow
def test_a_real_evaluation_killed_again_and_again_is_as_if_never_killed(checkpoint, suite, tmp_path):
  seed = os.environ.get("FLAN_JAX_TEST_SEED", str(time.time_ns() % 1_000_000))
  print(f"FLAN_JAX_TEST_SEED={seed}")
  draw, killed = random.Random(seed), 0
  asked = [sys.executable, "-m", "flan_jax", "eval", str(checkpoint), "--suite", suite, "--mode", "direct,cot"]
  asked += ["--n", "1,3,9", "--max_new_tokens", "8", "--output"]
  subprocess.run([*asked, str(tmp_path / "whole")], check=True, capture_output=True)
  journal = tmp_path / "killed" / "journal.jsonl"
  while True:
    process = subprocess.Popen([*asked, str(tmp_path / "killed")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    before = _lines(journal)
    while process.poll() is None and _lines(journal) <= before:
      time.sleep(0.01)
    time.sleep(draw.uniform(0, 0.5))
    process.kill()
    if process.wait() == 0:
      break
    killed += 1
  assert killed > 0
  for name in ("predictions.jsonl", "results.json", "page.html"):
    assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def _lines(path):
  return path.read_bytes().count(b"\n") if path.exists() else 0


def test_on_a_mesh_the_answers_are_those_of_one_device(checkpoint, suite, tmp_path):
  found = []
  for name in (None, "two_d"):
    more = [] if name is None else ["--sharding", name]
    asked = ["eval", str(checkpoint), "--suite", suite, "--max_new_tokens", "4", "--output", str(tmp_path / f"{name}")]
    assert run([*asked, *more]) == 0
    lines = (tmp_path / f"{name}" / "predictions.jsonl").read_text().splitlines()
    found.append([json.loads(line) for line in lines])
  for one, other in zip(*found, strict=True):
    assert one["output"] == other["output"]
    assert one["log_probability"] == pytest.approx(other["log_probability"], abs=1e-4)


@pytest.mark.parametrize(
  ("arguments", "code", "message"),
  [
    (["--suite", "mmllu"], 2, "no suite 'mmllu'. Nearest: mmlu"),
    (["--suite", ","], 2, "--suite: which?"),
    (["--suite", "{suite}", "--mode", "direkt"], 2, "'direkt' is no mode"),
    (["--suite", "{suite}", "--n", "0"], 2, "--n 0: write whole numbers of at least 1"),
    (["--suite", "{suite}", "--shots", "1,2"], 2, "--shots 1,2: write a whole number"),
    (["--suite", "{suite}", "--tasks", "mein"], 2, "Nearest: mine"),
    (["--suite", "{suite}", "--split", "mmlu=test"], 2, "--split: mmlu is not among the suites that are asked"),
    (["--suite", "{suite}", "--beside", "flan_t5_xxxl"], 2, "Nearest: flan_t5_xxl"),
    (["--suite", "{suite}", "--formats", "cot"], 2, "--formats says nothing of --suite"),
    (["--suite", "{suite}", "--temperature", "0"], 2, "temperature 0.0: must be above 0"),
    (["--suite", "{suite}", "--scorer", "nowhere:f"], 2, "cannot be imported"),
    (["--task", "demo.step_first", "--n", "4"], 2, "--n says nothing of --task"),
    (["--suite", "{suite}", "--sharding", "auto"], 2, "--sharding auto chooses by a run's memory"),
    (["--suite", "mmlu"], 1, "mmlu_abstract_algebra"),
  ],
)
def test_mistakes_are_told_before_anything_is_asked(arguments, code, message, checkpoint, suite, tmp_path, capsys):
  output = tmp_path / "out"
  given = [argument.format(suite=suite) for argument in arguments]
  assert run(["eval", str(checkpoint), *given, "--output", str(output)]) == code
  said = capsys.readouterr()
  assert message in said.err
  assert said.out == ""
  assert not list(output.glob("*"))


def test_a_split_that_is_here_is_told_where_the_one_that_is_asked_is_not(checkpoint, tmp_path, capsys):
  write_all(tmp_path)
  shutil.rmtree(tmp_path / "mmlu" / "val")
  asked = ["--suite", "mmlu", "--missing", "skip", "--data_dir", str(tmp_path)]
  assert run(["eval", str(checkpoint), *asked]) == 1
  assert "The split test has 2 tasks here (--split mmlu=test)." in capsys.readouterr().err


def test_help_says_what_goes_with_what(capsys):
  assert run(["eval", "--help"]) == 0
  said = capsys.readouterr().out
  headings = ["What to measure", "Which questions", "Of suites", "Of tasks and mixtures", "The model", "Results"]
  places = [said.index(f"\n{heading}") for heading in headings]
  assert places == sorted(places)
  assert said.index("--formats") > places[3] > said.index("--temperature")


SUITES = [
  ("mmlu", ["--split", "mmlu=test", "--tasks", "logical_fallacies,world_religions"], 4),
  ("bbh", ["--tasks", "boolean_expressions,word_sorting"], 4),
  pytest.param("tydiqa", ["--languages", "Korean,Swahili"], 2, marks=pytest.mark.slow),
  pytest.param("mgsm", ["--languages", "de,th"], 2, marks=pytest.mark.slow),
  ("gsm8k", [], 1),
  pytest.param("super_ni", ["--tasks", "task613_politifact_text_generation"], 1, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("name", "chosen", "questions"), SUITES)
def test_a_published_suite(name, chosen, questions, checkpoint_with_t5_vocabulary, shared_data, tmp_path, capsys):
  asked = ["eval", str(checkpoint_with_t5_vocabulary), "--suite", name, *chosen, "--examples", "1"]
  more = ["--max_new_tokens", "2", "--data_dir", str(shared_data), "--output", str(tmp_path), "--beside", "flan_t5_xl"]
  assert run([*asked, *more]) == 0
  said = capsys.readouterr().out
  assert f"Note: {name}: at most 1 examples of each task" in said
  results = json.loads((tmp_path / "results.json").read_text())
  cells = [cell for mode in results["suites"][name]["modes"].values() for cell in mode["n"].values()]
  assert sum(cell["n"] for cell in cells) == questions
  lines = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
  assert all(line["log_probability"] < 0 for line in lines if line["mode"] == "direct")
  assert all(line["prompt_tokens"] > 20 for line in lines)
  if name == "gsm8k":
    assert "cot.gsm8k" in said  # it was trained on its training examples


@pytest.fixture
def data_with_validation(shared_data, tmp_path):
  """The samples, and validation questions of two of MMLU's subjects."""
  for folder in ("bbh", "tydiqa", "mgsm", "mmlu_cot"):
    (tmp_path / folder).symlink_to(shared_data / folder)
  (tmp_path / "mmlu" / "val").mkdir(parents=True)
  (tmp_path / "mmlu" / "dev").symlink_to(shared_data / "mmlu" / "dev")
  for subject in ("anatomy", "virology"):
    shutil.copy(shared_data / f"mmlu/dev/{subject}_dev.csv", tmp_path / f"mmlu/val/{subject}_val.csv")
  return tmp_path


@pytest.mark.slow
def test_a_certificate_by_the_papers_protocol(checkpoint, data_with_validation, tmp_path, capsys, monkeypatch):
  monkeypatch.setattr(Answerer, "load", lambda *_, **__: StandIn())
  folder = tmp_path / "out"
  asked = ["certify", str(checkpoint), "--data_dir", str(data_with_validation), "--missing", "skip"]
  assert run(asked) == 2
  assert "no published row is of this size" in capsys.readouterr().err
  asked += ["--beside", "flan_t5_xl", "--examples", "2", "--output", str(folder)]
  assert run(asked) == 1  # a stand-in answers other things than Flan-T5 XL
  said = capsys.readouterr()
  assert "differs from flan_t5_xl by more than 1.0 points" in said.err
  found = json.loads((folder / "certificate.json").read_text())
  names = ["mmlu direct", "mmlu cot", "bbh direct", "bbh cot", "tydiqa direct", "mgsm cot"]
  assert [each["name"] for each in found["figures"]] == names
  assert [each["of_tasks"] for each in found["figures"]] == [57, 57, 27, 27, 8, 10]
  results = json.loads((folder / "results.json").read_text())
  assert {name: suite["split"] for name, suite in results["suites"].items()}["mmlu"] == "validation"
  assert results["normalised_average"] is not None
  assert run([*asked, "--tolerance", "100"]) == 0
  assert "agrees" in capsys.readouterr().out
