"""Commands that work in JAX end at once when they are told to, with their own exit code and a word, and go on later."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest

from tests.evaluation.untrained import write_checkpoint

SEED = os.environ.get("FLAN_JAX_TEST_SEED", str(time.time_ns() % 1_000_000))
NUMBERS = (signal.SIGINT, signal.SIGTERM)
FILES = {"journal.jsonl", "predictions.jsonl", "results.json", "page.html"}
QUESTIONS = 60


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
  return write_checkpoint(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
  folder = tmp_path_factory.mktemp("suite")
  lines = [{"input": f"Reverse: {i} a b", "target": f"b a {i}"} for i in range(QUESTIONS)]
  (folder / "mine.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
  (folder / "mine.yaml").write_text("tasks: mine.jsonl\n")
  return str(folder / "mine.yaml")


@pytest.fixture
def draw(request):
  print(f"FLAN_JAX_TEST_SEED={SEED}")  # pytest shows it where the test fails
  return random.Random(f"{SEED} {request.node.name}")


def stopped(process: subprocess.Popen, number: int) -> bool:
  """Sends a signal, and whether it came before the process was through; what it says and how it ends is as declared."""
  process.send_signal(number)
  said = process.communicate(timeout=30)[1]
  assert "Traceback" not in said, said
  assert "Exception ignored" not in said, said
  if process.returncode == 0:
    return False
  assert process.returncode == 128 + number, said
  assert said.splitlines()[-1] == "flan-jax: stopped", said
  return True


def started(arguments: list[str]) -> subprocess.Popen:
  """A process that hears Ctrl-C, even where the tests run in the background of a shell that has it ignored."""
  program = f"import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n{arguments[0]}"
  command = [sys.executable, "-c", program, *arguments[1:]]
  return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


LOST = """
import os, signal, sys, time
from flan_jax.cli import signals
with signals.ending_at_once():
  class Dropped:
    def __del__(self):
      print("ready", flush=True)
      time.sleep(60)  # what is raised here is ignored, as in JAX's callbacks of garbage collection
  Dropped()
  print("went on", file=sys.stderr)
"""
HELD_UP = """
import hashlib
from flan_jax.cli import signals
with signals.ending_at_once():
  print("ready", flush=True)
  hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # hours without Python, as in a program of XLA
"""
FULL = """
import os, sys
from flan_jax.cli import signals
os.set_blocking(2, False)
try:
  while True:
    os.write(2, b"x" * 4096)
except BlockingIOError:
  os.set_blocking(2, True)
with signals.ending_at_once():
  print("ready", flush=True)
  os.write(2, b"x")  # waits for a reader who does not come, and so would the last words
"""


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("program", [LOST, HELD_UP])
def test_a_signal_is_not_lost_where_an_exception_would_be_or_no_python_runs(program, number):
  process = started([program])
  assert process.stdout.readline() == "ready\n"
  assert stopped(process, number)


KEEPING_NOTHING = """
import time
from flan_jax import atomic
from flan_jax.cli import signals
with signals.ending_at_once(), atomic.kept_or_temporary(None) as folder:
  (folder / "journal").touch()
  print(folder, flush=True)
  time.sleep(60)
"""


@pytest.mark.parametrize("number", NUMBERS)
def test_a_folder_that_nobody_keeps_goes_with_the_process(number):
  process = started([KEEPING_NOTHING])
  folder = pathlib.Path(process.stdout.readline().strip())
  assert folder.is_dir()
  assert stopped(process, number)
  assert not folder.exists()


def test_a_process_whose_words_nobody_reads_ends_too():
  process = started([FULL])
  assert process.stdout.readline() == "ready\n"
  process.send_signal(signal.SIGTERM)
  assert process.wait(timeout=30) == 143


CHILD = """
import os, signal
from flan_jax.cli import signals
with signals.ending_at_once():
  reading, writing = os.pipe()
  child = os.fork()
  if child == 0:
    os.write(writing, b"!")
    signal.pause()
  os.read(reading, 1)
  os.kill(child, signal.SIGTERM)
  assert os.waitpid(child, 0)[1] == signal.SIGTERM
  signal.signal(signal.SIGALRM, lambda *_: print("another's", flush=True))
  signal.raise_signal(signal.SIGALRM)
  signal.pause()
"""


def test_signals_of_children_and_of_others_end_nothing():
  process = started([CHILD])
  assert process.stdout.readline() == "another's\n", process.stderr.read()
  assert stopped(process, signal.SIGINT)


def test_what_is_ignored_from_the_start_stays_ignored_and_after_the_end_all_is():
  program = "import signal\nfrom flan_jax.cli import signals\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
  program += "with signals.ending_at_once():\n  signal.raise_signal(signal.SIGINT)\n"
  assert started([program + "signal.raise_signal(signal.SIGTERM)\nprint('on')"]).communicate(timeout=30)[0] == "on\n"


def test_a_write_that_is_going_on_leaves_no_file(tmp_path):
  program = "import os, sys, signal\nfrom pathlib import Path\nfrom flan_jax import atomic\n"
  program += "from flan_jax.cli import signals\nos.replace = lambda *_: signal.raise_signal(signal.SIGTERM)\n"
  program += "with signals.ending_at_once():\n  atomic.write_atomically(Path(sys.argv[1]) / 'new', b'content')"
  process = started([program, str(tmp_path)])
  process.communicate(timeout=30)
  assert process.returncode == 143
  assert list(tmp_path.iterdir()) == []


# Evaluates once undisturbed, and once in one process after the other, each forked when all is imported, that are
# stopped at a random moment after they have begun until one is done.
FORKS = """
import json, os, random, signal, sys, time
from pathlib import Path
from flan_jax.cli import main, suite_runs
from flan_jax.evaluation import answering, asking
from flan_jax.evaluation.suite_runs import page, suite_evaluation, suite_request, suite_table
from tests.evaluation.untrained import StandIn
asking.batches.__defaults__ = (16,)
answering.Answerer.load = lambda *_, **__: StandIn(0.002)
seed, folder, *arguments = sys.argv[1:]
draw, run, said = random.Random(seed), main.run, Path(folder, "said")
signal.signal(signal.SIGINT, signal.default_int_handler)
def end(name, number, pause):
  reading, writing = os.pipe()
  child = os.fork()
  if child == 0:
    for stream in (1, 2):
      os.dup2(os.open(said, os.O_RDWR | os.O_CREAT | os.O_TRUNC), stream)
    main.run = lambda arguments: os.write(writing, b"!") and run(arguments)
    try:
      main.main([*arguments, "--output", str(Path(folder, name))])
    except SystemExit as ended:
      os._exit(ended.code)
  os.read(reading, 1)
  time.sleep(pause)
  os.kill(child, number)
  sent = time.monotonic()
  code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
  return number, code, said.read_text(), time.monotonic() - sent
ends = [end("whole", 0, 0)]
while len(ends) == 1 or ends[-1][1] != 0:
  ends.append(end("stopped", draw.choice([signal.SIGINT, signal.SIGTERM]), draw.uniform(0, 0.5)))  # it takes 0.8 s
print(json.dumps(ends))
"""


def asked(checkpoint, suite) -> list[str]:
  arguments = ["eval", str(checkpoint), "--suite", suite, "--mode", "direct,cot", "--n", "1,4"]
  return [*arguments, "--max_new_tokens", "8"]


def same_files(one: pathlib.Path, other: pathlib.Path) -> bool:
  """And no others, such as halves of one."""
  found = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, other)]
  return found[0].keys() == FILES and found[0] == found[1]


@pytest.mark.slow
def test_evaluations_that_are_stopped_until_one_is_done_give_what_one_gives(checkpoint, suite, tmp_path, draw):
  command = [sys.executable, "-c", FORKS, str(draw.random()), str(tmp_path), *asked(checkpoint, suite)]
  done = subprocess.run(command, capture_output=True, text=True, check=False)
  assert done.returncode == 0, done.stderr
  whole, *stops, last = json.loads(done.stdout)
  assert whole[1] == last[1] == 0
  assert stops
  for number, code, said, seconds in stops:
    assert code == 128 + number, said
    assert said.endswith("flan-jax: stopped\n"), said
    assert "Traceback" not in said
    assert seconds < 20
  assert same_files(tmp_path / "stopped", tmp_path / "whole")


@pytest.mark.slow
def test_a_real_evaluation_ends_wherever_it_is_stopped_and_goes_on(checkpoint, suite, tmp_path, draw):
  def start(name):
    program = "import sys\nfrom flan_jax.cli.main import main\nmain(sys.argv[1:])"
    return started([program, *asked(checkpoint, suite), "--output", str(tmp_path / name)])

  began = time.monotonic()
  assert start("whole").wait() == 0
  whole = time.monotonic() - began
  stops = 0
  for _ in range(8):
    process = start("stopped")
    _until_it_hears(process)
    time.sleep(draw.uniform(0, whole))
    stops += stopped(process, draw.choice(NUMBERS))
  assert stops > 0
  assert start("stopped").wait() == 0
  assert same_files(tmp_path / "stopped", tmp_path / "whole")


def _until_it_hears(process: subprocess.Popen) -> None:
  status = pathlib.Path(f"/proc/{process.pid}/status")
  while process.poll() is None:
    caught = next(line for line in status.read_text().splitlines() if line.startswith("SigCgt:"))
    if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1:  # Python itself leaves SIGTERM alone
      return
    time.sleep(0.01)
