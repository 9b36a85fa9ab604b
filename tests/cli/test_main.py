"""The command line as a user meets it: quick help, one-line errors, exit codes."""

import resource
import signal
import subprocess
import sys

import pytest

from flan_jax.cli.main import COMMANDS, group, run, split_bindings
from flan_jax.errors import UsageError

HEAVY = ("jax", "flax", "tensorflow", "matplotlib", "seqio", "numpy")


@pytest.mark.parametrize("arguments", [["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_quick_and_imports_nothing_heavy(arguments):
  program = (
    "import sys\nfrom flan_jax.cli.main import run\ncode = run(sys.argv[1:])\n"
    f"heavy = [name for name in {HEAVY} if name in sys.modules]\nassert not heavy, heavy\nsys.exit(code)"
  )
  used = resource.getrusage(resource.RUSAGE_CHILDREN)
  done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
  now = resource.getrusage(resource.RUSAGE_CHILDREN)
  assert done.returncode == 0, done.stderr
  assert "Usage: flan-jax" in done.stdout
  assert now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime < 0.5  # CPU seconds, interpreter and all


def test_help_lists_every_command(capsys):
  assert run(["--help"]) == 0
  said = " ".join(capsys.readouterr().out.split())
  assert all(name in said and words in said for name, (_, words) in COMMANDS.items())


@pytest.mark.parametrize(
  ("arguments", "code", "said"),
  [
    (["evil"], 2, "flan-jax: no command 'evil'. Nearest: eval."),
    (["eval"], 2, "Missing argument 'CHECKPOINT'"),
    (["eval", "somewhere", "--exampels", "3"], 2, "Did you mean '--examples'?"),
    (["inspect", "--task", "cot.gsm8"], 2, "flan-jax: no task 'cot.gsm8'. Nearest: cot.gsm8k"),
    (["inspect", "--tasks", "cott"], 2, "flan-jax: no collection 'cott'. Nearest: cot"),
    (["inspect", "--gin.X=1"], 2, "only 'flan-jax train' and 'flan-jax sweep' read gin bindings"),
    (["train", "--gin.X"], 2, "write --gin.X=VALUE"),
    (["eval", "nowhere", "--task", "demo.nothing"], 2, "flan-jax: no task 'demo.nothing'"),
    (["eval", "nowhere", "--suite", "mmllu"], 2, "no suite 'mmllu'. Nearest: mmlu"),
    (["eval", "nowhere"], 2, "--task, --mixture or --suite"),
    (["eval", "nowhere", "--task", "cot.gsm8k", "--mixture", "cot"], 2, "--task, --mixture or --suite"),
  ],
)
def test_errors_are_one_line_and_have_their_code(arguments, code, said, capsys):
  assert run(arguments) == code
  output = capsys.readouterr()
  assert said in output.err
  assert output.err.startswith("flan-jax: ")
  assert output.err.count("\n") == 1
  assert output.out == ""


@pytest.mark.parametrize(("interrupt", "code"), [(KeyboardInterrupt(), 130), (KeyboardInterrupt(signal.SIGTERM), 143)])
def test_a_stopped_command_has_the_code_of_its_signal(interrupt, code, capsys, monkeypatch):
  def stopped(*_):
    raise interrupt

  monkeypatch.setattr(group, "invoke", stopped)
  assert run(["convert", "here", "there"]) == code
  assert capsys.readouterr().err.strip() == "flan-jax: stopped"


def test_no_command_is_told_what_there_is(capsys):
  assert run([]) == 2
  assert "Commands:" in capsys.readouterr().err


def test_dashes_are_as_good_as_underscores(capsys):
  assert run(["inspect", "--data-dir", "nowhere", "--collections"]) == 0
  assert "cot" in capsys.readouterr().out


def test_bindings_are_taken_out_of_the_command_line():
  rest, bindings = split_bindings(["train", "--gin.A=1", "x", "--gin.B.c='d=e'", "--", "--gin.C=2"])
  assert rest == ["train", "x", "--", "--gin.C=2"]
  assert bindings == ["A=1", "B.c='d=e'"]
  with pytest.raises(UsageError, match=r"write --gin\.A=VALUE"):
    split_bindings(["--gin.A", "1"])
