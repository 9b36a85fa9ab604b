"""One run of a sweep: its commands, one after the other. `python -m flan_jax.sweeps.running.execution D/runs/NAME`

All launchers start runs so, on whatever machine. The folder says how far it came (state.json) and what was said
(log.txt); commands that ended well are not repeated, the others know themselves how to go on.
"""

import argparse
import contextlib
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, BinaryIO, NamedTuple

from flan_jax import locks
from flan_jax.atomic import write_atomically
from flan_jax.errors import FlanJaxError
from flan_jax.interop.steps import saved_steps
from flan_jax.sweeps.plan import LOCK, LOG, RUN_RECORD, STATE
from flan_jax.sweeps.running import child_processes

TRAIN = "train"  # the stage; others are 'evaluate NAME'
HEARTBEAT_SECONDS = 10.0
_PROGRAM = {"flan-jax": (sys.executable, "-m", "flan_jax")}  # this very one, whatever lies in PATH
# How commands end that were asked to: killed by the signal, or by themselves with the exit code that shells know.
_STOPPED_CODES = (-signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT)
_LOG_BYTES = 32 * 2**20  # progress takes 40 KB an hour; a warning in every step would fill a disk
_LOG_TAIL = 2**20


class Commands(NamedTuple):
  """What execution reads of run.json.

  Attributes:
    config: see `PlannedRun`.
    train_steps: at which training is done.
    stages: stage to command, in their order.
  """

  config: str
  train_steps: int
  stages: dict[str, list[str]]

  @classmethod
  def read(cls, folder: pathlib.Path) -> "Commands":
    """Those of a run's folder.

    Raises:
      FlanJaxError: it has none, or they are not whole.
    """
    path = folder / RUN_RECORD
    try:
      content = json.loads(path.read_text(encoding="utf-8"))
      stages = {each["stage"]: [str(word) for word in each["argv"]] for each in content["commands"]}
      return cls(content["config"], int(content["train_steps"]), stages)
    except FileNotFoundError:
      raise FlanJaxError(f"{path}: no such file; 'flan-jax sweep' writes the folders of its runs") from None
    except (ValueError, KeyError, TypeError) as error:
      raise FlanJaxError(
        f"{path}: not a run of a sweep ({error!r}); the same 'flan-jax sweep' writes it anew"
      ) from None


def read_state(folder: pathlib.Path) -> dict[str, Any]:
  """The content of a run's state.json; empty where there is none, or none that can be read.

  JSON values: `state` ('running' while it is not known how it ended, 'stopped', 'failed', 'finished'), `config`,
  `stage` (the last that was begun), `stages` {stage: {'seconds' (of all its starts), 'exit_code' (None while it
  runs)}}, `pid`, `host`, `started` and `updated` (seconds since 1970, by that host's clock), `launcher`.
  """
  try:
    content = json.loads((folder / STATE).read_text(encoding="utf-8"))
  except (OSError, ValueError):
    return {}
  return content if isinstance(content, dict) and isinstance(content.get("stages"), dict) else {}


def execute(folder: pathlib.Path, launcher: str = "", parent: int | None = None) -> str:
  """Runs what is not done yet of a run, and waits for it; SIGTERM and Ctrl-C are passed on, SIGQUIT kills.

  Args:
    folder: of the run.
    launcher: for the record.
    parent: the process whose child this one is: when it is gone, this is as good as SIGTERM. None: it goes on.

  Returns:
    'finished', 'stopped' or 'failed'; see `states.STATES`.

  Raises:
    FlanJaxError: the folder is no run's, is one of other settings, or another process is at it.
    OSError: it cannot be written.
  """
  commands = Commands.read(folder)
  check_settings(folder, commands.config)
  with locks.alone(folder / LOCK) as lock:
    if lock is None:
      raise FlanJaxError(f"{folder}: another process is at this run")
    return _Execution(folder, commands, launcher, parent, lock).go()


def follow(folder: pathlib.Path, process: int) -> int:
  """Takes part in a run's training as another process than the first, where it is not done yet.

  Args:
    process: of those of the run, from 1; what it says is in log.PROCESS.txt.

  Returns:
    the exit code.

  Raises:
    FlanJaxError: the folder is no run's, or is one of other settings.
  """
  commands = Commands.read(folder)
  check_settings(folder, commands.config)
  if TRAIN not in commands.stages or _trained(folder, commands):
    return 0
  with (folder / LOG).with_suffix(f".{process}.txt").open("ab") as log:
    child = child_processes.start(_runnable(commands.stages[TRAIN]), environment=_environment(), output=log)
    with _heard(lambda number: _ask_to_stop(child, number)):
      code = child.wait()
  return 0 if _trained(folder, commands) else code


def check_settings(folder: pathlib.Path, config: str) -> None:
  """Raises FlanJaxError if a run's folder has checkpoints of other settings: training would go on from them.

  Args:
    config: what its state.json should say, if there is one.
  """
  before = read_state(folder).get("config", config)
  if before != config and saved_steps(folder):
    raise FlanJaxError(f"{folder} has checkpoints of other settings: take another --model_dir, or remove that folder")


class _Execution:
  """Holds the lock of the folder."""

  def __init__(self, folder: pathlib.Path, commands: Commands, launcher: str, parent: int | None, lock: int):
    kept = read_state(folder)
    same = kept.get("config") == commands.config
    now = time.time()
    self._folder = folder
    self._commands = commands
    self._parent = parent
    self._lock = lock
    self._stages: dict[str, dict[str, Any]] = kept["stages"] if same else {}
    self._about = {"pid": os.getpid(), "host": socket.gethostname(), "started": now, "launcher": launcher}
    self._stage: str | None = kept.get("stage") if same else None
    self._asked = 0  # the signal that asked it to end
    self._child: subprocess.Popen | None = None

  def go(self) -> str:
    with _heard(self._hear):
      state = "finished"
      for stage in self._commands.stages:
        if self._is_done(stage):
          continue
        state = "stopped" if self._asked else self._do(stage)
        if state != "finished":
          break
      self._write(state)
    return state

  def _is_done(self, stage: str) -> bool:
    return self._did_all(stage, self._stages.get(stage, {}).get("exit_code"))

  def _did_all(self, stage: str, code: int | None) -> bool:
    return _trained(self._folder, self._commands) if stage == TRAIN else code == 0

  def _do(self, stage: str) -> str:
    """Runs a command to its end; 'finished' if it did all that it should."""
    self._stage = stage
    self._stages[stage] = {"seconds": self._stages.get(stage, {}).get("seconds", 0.0), "exit_code": None}
    self._write("running")
    argv = self._commands.stages[stage]
    path = self._folder / LOG
    with path.open("a+b", buffering=0) as log:
      _say(log, f"{stage}: {shlex.join(argv)}")
      self._child = child_processes.start(
        _runnable(argv), environment=_environment(), output=log, inherits=[self._lock]
      )
      try:
        code = self._waited(stage, log)
      finally:
        child_processes.kill_group(self._child)
        self._child = None
      state = self._outcome(stage, code)
      seconds = self._stages[stage]["seconds"]
      _say(log, f"{stage}: {_ending(code)}, {seconds:,.0f} s in all: {'done' if state == 'finished' else state}")
    self._stages[stage]["exit_code"] = code if state != "stopped" else None
    return state

  def _waited(self, stage: str, log: BinaryIO) -> int:
    """The exit code of the command, meanwhile writing that it lives."""
    before, start = self._stages[stage]["seconds"], time.monotonic()
    wrote = start
    if self._asked:  # it came while the command was started
      _ask_to_stop(self._child, self._asked)
    while True:
      with contextlib.suppress(subprocess.TimeoutExpired):
        self._child.wait(timeout=1.0)
      self._stages[stage]["seconds"] = round(before + time.monotonic() - start, 3)
      if self._child.returncode is not None:
        return self._child.returncode
      if self._parent not in (None, os.getppid()) and not self._asked:
        self._hear(signal.SIGTERM)
      if time.monotonic() - wrote > HEARTBEAT_SECONDS:
        wrote = time.monotonic()
        with contextlib.suppress(OSError):  # a full disk may have room again when it ends
          self._write("running")
          _shorten(log)

  def _outcome(self, stage: str, code: int) -> str:
    if self._did_all(stage, code):
      return "finished"
    # Training that was asked to stop saves and ends well.
    return "stopped" if self._asked or code == 0 or code in _STOPPED_CODES else "failed"

  def _hear(self, number: int) -> None:
    self._asked = number
    if self._child is not None:
      _ask_to_stop(self._child, number)

  def _write(self, state: str) -> None:
    known = {"state": state, "config": self._commands.config, "stage": self._stage, "stages": self._stages}
    content = {**known, **self._about, "updated": time.time()}
    write_atomically(self._folder / STATE, (json.dumps(content, indent=2) + "\n").encode())


def _trained(folder: pathlib.Path, commands: Commands) -> bool:
  """Whether there is the checkpoint of the last step, however training ended after it.

  By this alone each process of a run decides whether it takes part: one that asked besides for what only the first has
  seen, such as an exit code that a node took with it, would wait for others that have left.
  """
  return max(saved_steps(folder), default=-1) >= commands.train_steps


def _runnable(argv: list[str]) -> list[str]:
  return [*_PROGRAM.get(argv[0], (argv[0],)), *argv[1:]]


def _environment() -> dict[str, str]:
  """Of commands whose output is a file: lines are there at once, and have no colours."""
  kept = {name: value for name, value in os.environ.items() if name not in ("FORCE_COLOR", "CLICOLOR_FORCE")}
  return {**kept, "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


@contextlib.contextmanager
def _heard(take) -> Iterator[None]:
  """While it lasts, `take` gets the numbers of signals that ask this process to end."""
  numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
  before = {number: signal.signal(number, lambda number, frame: take(number)) for number in numbers}
  try:
    yield
  finally:
    for number, handler in before.items():
      signal.signal(number, handler)


def _ask_to_stop(child: subprocess.Popen, number: int) -> None:
  if number == signal.SIGQUIT:
    child_processes.kill_group(child)
  elif child.returncode is None:
    child.send_signal(signal.SIGTERM)


def _ending(code: int) -> str:
  if code >= 0:
    return f"exit code {code}"
  name = signal.Signals(-code).name
  return f"killed by {name}{' (the system does so where memory runs out)' if -code == signal.SIGKILL else ''}"


def _say(log: BinaryIO, text: str) -> None:
  with contextlib.suppress(OSError):  # no room for words: what counts is in state.json
    log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n".encode())


def _shorten(log: BinaryIO) -> None:
  """Leaves the end of a log that has grown beyond all reason. Whoever appends to it just goes on behind."""
  size = os.fstat(log.fileno()).st_size
  if size > _LOG_BYTES:
    tail = os.pread(log.fileno(), _LOG_TAIL, size - _LOG_TAIL)
    os.ftruncate(log.fileno(), 0)
    log.write(b"--- (left out)\n" + tail[tail.find(b"\n") + 1 :])


def main() -> None:
  """The program: exit code 0 finished, 1 failed, 143 stopped."""
  parser = argparse.ArgumentParser(description="Does one run of a sweep.")
  parser.add_argument("folder", type=pathlib.Path, help="D/runs/NAME")
  parser.add_argument("--launcher", default="", help="For the record")
  parser.add_argument("--parent", type=int, help="End when this process, which started it, is gone")
  parser.add_argument("--follow", type=int, metavar="PROCESS", help="Take part in training as this process, from 1")
  given = parser.parse_args()
  try:
    if given.follow:
      sys.exit(follow(given.folder, given.follow))
    state = execute(given.folder, given.launcher, given.parent)
  except (FlanJaxError, OSError) as error:
    words = str(error) if isinstance(error, FlanJaxError) else f"{error.filename or given.folder}: {error.strerror}"
    sys.exit(f"flan-jax: {words}")
  sys.exit({"finished": 0, "failed": 1, "stopped": 128 + signal.SIGTERM}[state])


if __name__ == "__main__":
  main()
