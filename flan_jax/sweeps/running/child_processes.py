"""Processes that do not outlive the one that started them, and that the terminal's Ctrl-C does not reach.

Each is this file first, which says so to the system and then becomes the program: between fork and exec nothing of
Python runs, for which JAX's threads would be a danger.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import IO

_PR_SET_PDEATHSIG = 1


def start(
  argv: Sequence[str],
  *,
  environment: Mapping[str, str] | None = None,
  output: IO | int | None = None,
  cores: Collection[int] = (),
  inherits: Collection[int] = (),
) -> subprocess.Popen:
  """Starts a program in a process group of its own; when the thread that calls this ends, it gets SIGTERM (on Linux).

  Args:
    argv: the program's path first.
    output: a file for both of its outputs; None leaves it this process's.
    cores: of the CPU, the only ones that it and all that it starts run on; empty leaves it those of this process.
    inherits: open files that it gets too.

  Raises:
    OSError: no process can be started.
  """
  wishes = [str(os.getpid()), ",".join(map(str, cores))]
  return subprocess.Popen(
    [sys.executable, "-I", "-S", __file__, *wishes, *argv],
    stdin=subprocess.DEVNULL,
    stdout=output,
    stderr=None if output is None else subprocess.STDOUT,
    env=None if environment is None else dict(environment),
    start_new_session=True,
    pass_fds=tuple(inherits),
  )


def kill_group(process: subprocess.Popen) -> None:
  """Ends what is left of a process and of those that it started in its group."""
  with contextlib.suppress(ProcessLookupError, PermissionError):
    os.killpg(process.pid, signal.SIGKILL)


def _become(parent: int, cores: str, argv: Sequence[str]) -> None:
  if sys.platform == "linux":
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it ended before the system was asked to tell
      sys.exit(128 + signal.SIGTERM)
  if cores and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, map(int, cores.split(",")))
  try:
    os.execvp(argv[0], argv)
  except OSError as error:
    sys.exit(f"flan-jax: {argv[0]}: {error.strerror}")


if __name__ == "__main__":
  _become(int(sys.argv[1]), sys.argv[2], sys.argv[3:])
