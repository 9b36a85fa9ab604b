"""`flan-jax prepare`: what it makes, tells, verifies and refuses."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

from flan_jax.cli.main import run

TSV = "".join(f"How many apples are {i} apples?\t{i}\tI count them. There are {i}.\n" for i in range(60))
ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def data_dir(tmp_path):
  (tmp_path / "data" / "cot").mkdir(parents=True)
  (tmp_path / "data" / "cot" / "gsm8k_train.tsv").write_text(f"{TSV}a line without tabs\n")
  return tmp_path / "data"


@pytest.fixture
def arguments(data_dir, small_vocabulary, tmp_path):
  places = ("--data_dir", data_dir, "--store_dir", tmp_path / "store", "--vocabulary", small_vocabulary)
  return ["prepare", "cot.gsm8k", *map(str, places), "--processes", "1"]


@pytest.fixture
def prepared(arguments, capsys):
  """A function from further arguments to the JSON of the stores."""

  def run_it(*more):
    assert run([*arguments, "--json", *more]) == 0, capsys.readouterr().err
    return json.loads(capsys.readouterr().out)

  return run_it


def records(line) -> dict[str, bytes]:
  return {path.name: path.read_bytes() for path in pathlib.Path(line["folder"]).glob("*.[bn]*")}


def test_what_is_prepared_for_an_objective_has_to_fit_as_a_whole(prepared):
  """In few-shot prompts exemplars are dropped for it; nothing else is limited."""
  (line,) = prepared("--text_length", "60")
  (shorter,) = prepared("--text_length", "30")
  assert line["folder"] != shorter["folder"]
  assert shorter["tokens"] <= 30 * shorter["examples"]
  assert json.loads((pathlib.Path(line["folder"]) / "manifest.json").read_text())["key"]["lengths"] == {"text": 60}


def test_what_is_made_is_told_as_json_and_as_a_table(prepared, arguments, capsys):
  (line,) = prepared()
  assert line["task"] == "cot.gsm8k"
  assert 50 <= line["rate"] == line["examples"] <= 60
  assert line["left out"] == 1
  assert line["left out because"] == "1 malformed"
  assert pathlib.Path(line["folder"]).is_dir()
  assert run(arguments) == 0
  said = capsys.readouterr()
  table = [row.split("\t") for row in said.out.splitlines()]
  assert table[0] == ["task", "rate", "examples", "tokens", "MB", "left out", "left out because"]
  assert table[1][3] == f"{line['tokens']:,}"
  assert table[-1][0] == "all"
  assert "preparing" not in said.err  # it stands


def test_progress_says_tokens_and_megabytes(arguments, capsys):
  assert run(arguments) == 0
  assert "60 of 61 records" not in capsys.readouterr().err
  assert run([*arguments, "--render_seed", "5"]) == 0
  said = capsys.readouterr().err
  assert "61 of 61 records" in said
  assert "cot.gsm8k, " in said
  assert " tokens, 0.0 MB" in said


def test_variants_multiply_examples_and_not_the_rate(prepared):
  (once,), (four,) = prepared(), prepared("--variants", "4")
  assert four["rate"] == once["rate"]
  assert four["examples"] == 4 * once["examples"]


@pytest.mark.parametrize("damage", ["flip", "cut", "remove", "manifest"])
def test_verify_finds_and_repairs(prepared, capsys, damage):
  (line,) = prepared()
  before = records(line)
  name = "manifest.json" if damage == "manifest" else "tokens-00000.bin"
  path = pathlib.Path(line["folder"]) / name
  content = bytearray(path.read_bytes())
  if damage == "flip":
    content[7] ^= 1
  path.write_bytes(b"{" if damage == "manifest" else content if damage == "flip" else content[:-3])
  if damage == "remove":
    path.unlink()
  capsys.readouterr()
  (again,) = prepared("--verify")
  assert again["folder"] == line["folder"]
  assert records(again) == before
  assert list(path.parent.parent.glob(".*")) == []


def test_verify_says_what_it_found(arguments, prepared, capsys):
  (line,) = prepared()
  path = pathlib.Path(line["folder"]) / "tokens-00000.bin"
  path.write_bytes(path.read_bytes()[:-1] + b"\xff")
  assert run([*arguments, "--verify"]) == 0
  assert f"damaged, to be made again: {line['folder']}: tokens-00000.bin changed" in capsys.readouterr().err
  assert run([*arguments, "--verify"]) == 0
  assert "damaged" not in capsys.readouterr().err


def test_a_full_disk_is_named_and_the_next_run_goes_on(arguments, prepared, small_vocabulary):
  """A limit on the size of files is met as a full disk is: in the middle of a write."""
  program = (
    "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500));"
    "from flan_jax.cli.main import run; sys.exit(run(sys.argv[1:]))"
  )
  environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
  done = subprocess.run(
    [sys.executable, "-c", program, *arguments], env=environment, capture_output=True, text=True, check=False
  )
  assert done.returncode == 1
  assert "cannot write in" in done.stderr
  assert "Nothing half-written is used" in done.stderr
  assert "Traceback" not in done.stderr
  (line,) = prepared()
  assert line["examples"] > 50


@pytest.mark.slow
def test_lengths_are_suggested_for_a_model(arguments, capsys, tmp_path):
  assert run([*arguments, "--suggest_lengths", "t5_demo", "--json"]) == 0
  found = json.loads(capsys.readouterr().out)
  assert (found["given"]["inputs"], found["given"]["targets"]) == (512, 128)
  assert found["examples"] == 16_384
  for shape in found["suggested"]:
    assert shape["kept"] >= shape["min_kept"]
    if found["given"]["kept"] >= shape["min_kept"]:  # then the given lengths are among the candidates
      assert shape["tokens_per_gflop"] >= found["given"]["tokens_per_gflop"]
  assert not (tmp_path / "store").exists()  # nothing is prepared
  assert run([*arguments, "--suggest_lengths", "t5_demo"]) == 0
  best = found["suggested"][0]
  assert capsys.readouterr().out.splitlines()[-1] == f"--lengths {best['inputs']},{best['targets']}"


def test_an_unknown_model_to_suggest_for_names_the_nearest(arguments, capsys):
  assert run([*arguments, "--suggest_lengths", "t5_dem"]) == 2
  assert "Nearest: t5_demo" in capsys.readouterr().err


@pytest.mark.parametrize(
  ("changes", "message"),
  [
    (["--lengths", "512"], "write two whole numbers"),
    (["--module", "m"], "--module needs --vocabulary"),
    (["--vocabulary", "demo", "--beam_options", "--x=1"], "they are for --runner"),
    (["--vocabulary", "demo", "--runner", "DirectRunner", "--beam_options", "--x='"], "No closing quotation"),
  ],
)
def test_mistakes_are_usage_errors(changes, message, data_dir, capsys):
  assert run(["prepare", "cot.gsm8k", "--data_dir", str(data_dir), *changes]) == 2
  assert message in capsys.readouterr().err


def test_an_unknown_mixture_names_the_nearest(capsys):
  assert run(["prepare", "cott"]) == 2
  assert "Nearest: cot" in capsys.readouterr().err


def test_a_missing_task_is_named(arguments, capsys):
  assert run(["prepare", "cot.creak", *arguments[2:]]) == 1
  assert "creak_train.tsv" in capsys.readouterr().err
