"""Who is at a folder now: a lock that the system takes back when its holders are gone, however they went."""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_LOOKING_SECONDS = 0.5  # `is_held` looks by holding it with others for a moment; who wants it alone tries so long


@contextlib.contextmanager
def alone(path: Path) -> Iterator[int | None]:
  """Holds a lock while the context lasts, or longer: until each process that inherited its file is gone.

  Args:
    path: a file, made with its folder where there is none; its content is nobody's.

  Yields:
    the open file, for `pass_fds`; None where another process holds it.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
  try:
    yield file if _taken(file) else None
  finally:
    os.close(file)  # not unlocked: a child that outlives this process keeps the folder to itself until it ends


def is_held(path: Path) -> bool:
  """Whether some process of this machine holds it (of others too where the file system tells)."""
  try:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
  except FileNotFoundError:
    return False
  try:
    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
  except BlockingIOError:
    return True
  finally:
    os.close(file)
  return False


def _taken(file: int) -> bool:
  deadline = time.monotonic() + _LOOKING_SECONDS
  while True:
    try:
      fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
      return True
    except BlockingIOError:
      if time.monotonic() > deadline:
        return False
      time.sleep(0.02)
