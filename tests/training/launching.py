"""Starts the toy run as processes of its own, in one or several, and reads what it left behind."""

import atexit
import dataclasses
import json
import multiprocessing
import os
import pathlib
import random
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Callable

import numpy as np

from flan_jax.interop import checkpoints as layout
from flan_jax.interop import loading
from flan_jax.training.feed import past_feed
from tests.training import toy_run
from tests.training.toy_run import STEPS

ROOT = pathlib.Path(__file__).parent.parent.parent
KILLED = -signal.SIGKILL  # the exit code
# Processes are copies of one that has imported what a run needs and has started neither JAX's backend nor a thread:
# half of a start's seconds are imports.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([toy_run.__name__])
SEED = int(os.environ.get("FLAN_JAX_TEST_SEED") or random.SystemRandom().randrange(1 << 32))


def randomly(test: str) -> random.Random:
  """The draws of a test, such as the step at which it stops a run; FLAN_JAX_TEST_SEED=... makes them again."""
  print(f"FLAN_JAX_TEST_SEED={SEED}")  # pytest shows it where the test fails
  return random.Random(f"{SEED} {test}")


@dataclasses.dataclass(frozen=True)
class Ended:
  """A process that came to its end, and its standard error."""

  code: int
  said: str


@dataclasses.dataclass(frozen=True)
class Launcher:
  """Runs tests/training/toy_run.py; compilations are shared by all its runs.

  Attributes:
    store_dir: with the toy task prepared.
    environment: of the processes.
  """

  store_dir: pathlib.Path
  environment: dict[str, str]

  def run(
    self,
    model_dir: pathlib.Path,
    *options: str,
    steps: int = STEPS,
    processes: int = 1,
    signals: dict[int, str] | None = None,
    of_process: dict[int, tuple[str, ...]] | None = None,
    patient: bool = False,
    launcher: Callable[[int, int, int], dict[str, str]] | None = None,
  ) -> list[Ended]:
    """Starts a run, waits for its end, and leaves no process behind.

    Args:
      options: for all processes.
      signals: process to 'STEP:NAME:SECONDS'; see `toy_run`.
      of_process: options for one process.
      patient: when a process dies, the others are left to find out themselves; otherwise they are killed too.
      launcher: (index, count, a free port) to what it puts into a process's environment, instead of flags.
    """
    port = _free_port()
    by_flags = processes > 1 and not launcher
    several = ["--coordinator", f"localhost:{port}", "--processes", str(processes)] if by_flags else []
    started = []
    try:
      for process in range(processes):
        own = ["--process", str(process)] if by_flags else []
        own += (of_process or {}).get(process, ())
        own += ["--signal", signals[process]] if process in (signals or {}) else []
        said_by = launcher(process, processes, port) if launcher else {}
        arguments = [str(model_dir), str(self.store_dir), str(steps), *options, *several, *own]
        started.append(self._start(arguments, self.environment | said_by))
      return _ended(started, patient)
    finally:
      for process, said in started:
        process.kill()
        process.join()
        said.close()

  def finish(self, model_dir: pathlib.Path, *options: str, **settings) -> str:
    """`run`, which must come to a good end; what its first process said."""
    ended = self.run(model_dir, *options, **settings)
    assert [each.code for each in ended] == [0] * len(ended), "\n".join(each.said for each in ended)
    return ended[0].said

  def _start(self, arguments: list[str], environment: dict[str, str]) -> tuple[multiprocessing.Process, object]:
    # Not a pipe, which would have to be emptied meanwhile; `run` closes it.
    said = tempfile.NamedTemporaryFile(mode="r")  # noqa: SIM115
    process = FORKS.Process(target=_as_a_program, args=(arguments, environment, said.name))
    process.start()
    return process, said


def _as_a_program(arguments: list[str], environment: dict[str, str], said: str) -> None:
  """`python -m tests.training.toy_run`, in a process that has imported it."""
  os.environ.clear()
  os.environ.update(environment)
  file = os.open(said, os.O_WRONLY | os.O_APPEND)
  for standard in (1, 2):
    os.dup2(file, standard)
  sys.argv[1:] = arguments
  try:
    toy_run.main()
  finally:
    # As at the end of a program, which multiprocessing leaves out: JAX's processes wait for each other there, and one
    # that loses the first would be aborted before it has told why it ends.
    atexit._run_exitfuncs()


def launcher(store_dir: pathlib.Path) -> Launcher:
  """A launcher of programs with one device, which read and keep compilations where the tests do."""
  environment = {
    **os.environ,
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": " ".join(flag for flag in os.environ["XLA_FLAGS"].split() if "device_count" not in flag),
    "PYTHONPATH": str(ROOT),
  }
  environment.pop("PJRT_NPROC", None)  # the program sets its own, as it does devices
  return Launcher(store_dir, environment)


def rows_placed(model_dir: pathlib.Path) -> dict[int, dict[int, str]]:
  """Step to row to digest, of all rows that any process of any run in this folder placed on a device.

  Rows that were placed twice (on two devices that share a row, or again after a kill) must have been the same.
  """
  found: dict[int, dict[int, str]] = {}
  for file in model_dir.glob("rows-*.txt"):
    for line in file.read_text().splitlines():
      step, row, digest = line.split()
      assert found.setdefault(int(step), {}).setdefault(int(row), digest) == digest, f"{file}: {line}"
  return found


def steps_after_mid_windows(whole: pathlib.Path, period: int) -> list[int]:
  """Steps in which a kill leaves a checkpoint in the middle of a window, whether or not the newest one is whole yet.

  Args:
    whole: MODEL_DIR of a finished run of the same stream.
  """
  feed = past_feed(whole)
  rows, position = {}, feed.beginning
  for step in range(1, STEPS):
    _, position = feed.stream.batch(position)
    rows[step] = position.row
  newest = {step: (step - 1) // period * period for step in range(2 * period + 1, STEPS - period)}
  return [step for step, saved in newest.items() if rows[saved] and rows[saved - period]]


def metrics_of(model_dir: pathlib.Path) -> list[dict]:
  """The lines of metrics.jsonl."""
  return [json.loads(line) for line in (model_dir / "metrics.jsonl").read_text().splitlines()]


def check_same_run(one: pathlib.Path, other: pathlib.Path) -> None:
  """Byte for byte: parameters, optimizer state, position of the next batch, all batches, and each line's loss."""
  check_same_batches(one, other)
  check_same_end(one, other)


def check_same_end(one: pathlib.Path, other: pathlib.Path) -> None:
  """All of `check_same_run` but the batches."""
  first, second = (layout.read_record(layout.step_folder(path)) for path in (one, other))
  for key in ("step", "position", "fingerprints"):
    assert first[key] == second[key]
  params, expected = loading.load(one).params, loading.load(other).params
  assert all(np.asarray(params[name]).tobytes() == np.asarray(expected[name]).tobytes() for name in expected)
  for mine, theirs in zip(metrics_of(one), metrics_of(other), strict=True):
    assert (mine["step"], mine["loss"]) == (theirs["step"], theirs["loss"])


def check_same_batches(one: pathlib.Path, other: pathlib.Path) -> None:
  """Every row of every step has the same bytes in all arrays of the batch, wherever it lay."""
  batches = rows_placed(other)
  assert sorted(batches) == list(range(1, len(batches) + 1))
  assert all(sorted(rows) == list(range(len(batches[1]))) for rows in batches.values())
  assert rows_placed(one) == batches


def check_close_losses(one: pathlib.Path, other: pathlib.Path) -> None:
  """The same steps, with losses that differ by float32 sums in another order, which training then carries on."""
  first, second = metrics_of(one), metrics_of(other)
  assert [line["step"] for line in first] == [line["step"] for line in second]
  np.testing.assert_allclose([line["loss"] for line in first], [line["loss"] for line in second], rtol=2e-5)


def _ended(started: list[tuple[multiprocessing.Process, object]], patient: bool, seconds: float = 240) -> list[Ended]:
  deadline = time.monotonic() + seconds
  while any(process.exitcode is None for process, _ in started):
    assert time.monotonic() < deadline, _said(started)
    if not patient and any(process.exitcode for process, _ in started):
      for process, _ in started:
        process.kill()
    time.sleep(0.02)
  return [Ended(process.exitcode, text) for (process, _), text in zip(started, _said(started), strict=True)]


def _said(started: list[tuple[multiprocessing.Process, object]]) -> list[str]:
  texts = []
  for _, said in started:
    said.seek(0)
    texts.append(said.read())
  return texts


def _free_port() -> int:
  with socket.socket() as probe:
    probe.bind(("localhost", 0))
    return probe.getsockname()[1]
