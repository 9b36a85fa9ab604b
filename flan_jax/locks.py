"""Who is at a folder now: a lock that the system takes back when its holders are gone, however they went."""

import contextlib
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

_LOOKING_SECONDS = 0.5  # `is_held` looks by holding it with others for a moment; who wants it alone tries so long


@contextlib.contextmanager
def alone(path: Path) -> Iterator[int | None]:
  """Holds a lock while the context lasts, or longer: until each process that inherited its file is gone.

  Args:
    path: a file, made with its folder where there is none; it says who took it last.

  Yields:
    the open file, for `pass_fds`; None where another process holds it.

  Raises:
    OSError: the file cannot be written, or its file system has no locks (NFS or Lustre mounted without them).
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
  try:
    taken = _taken(file)
    if taken:
      _sign(file)
    yield file if taken else None
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


def holder(path: Path) -> str:
  """Who took it last, 'process 4711 on node1'; 'another process' where the file does not say."""
  try:
    return path.read_text(encoding="utf-8").strip() or "another process"
  except (OSError, ValueError):
    return "another process"


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


def _sign(file: int) -> None:
  with contextlib.suppress(OSError):  # a full disk does not keep anybody out
    os.ftruncate(file, 0)
    os.pwrite(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode(), 0)
