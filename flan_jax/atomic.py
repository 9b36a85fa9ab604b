"""Files appear whole or not at all, and what nobody keeps goes."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

_unfinished: set[str] = set()


def write_atomically(path: Path, content: bytes | Iterable[bytes]) -> None:
  """Writes `content` to `path`, making its folder: a reader, or a kill at any moment, sees the old file or the new one.

  Args:
    content: all of it, or parts that need not be in memory together.

  Raises:
    OSError: if the folder cannot be made or written; nothing is left behind then.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  # In the same folder, since os.replace is atomic only within a file system.
  handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
  _unfinished.add(temporary)
  try:
    with os.fdopen(handle, "wb") as file:
      file.writelines([content] if isinstance(content, bytes) else content)
      file.flush()
      os.fsync(file.fileno())
      os.fchmod(file.fileno(), 0o666 & ~_umask())  # mkstemp's files are readable by their owner only
    os.replace(temporary, path)
  except BaseException:
    os.unlink(temporary)
    raise
  finally:
    _unfinished.discard(temporary)


@contextlib.contextmanager
def kept_or_temporary(folder: Path | None) -> Iterator[Path]:
  """`folder`; where it is None, one that is gone afterwards, by `remove_unfinished` where a signal ends the process."""
  if folder is not None:
    yield folder
    return
  with tempfile.TemporaryDirectory() as temporary:
    _unfinished.add(temporary)
    try:
      yield Path(temporary)
    finally:
      _unfinished.discard(temporary)


def remove_unfinished() -> None:
  """Removes what is in the making, and temporary folders, for a process that is about to end in their midst."""
  for temporary in list(_unfinished):
    if os.path.isdir(temporary):
      shutil.rmtree(temporary, ignore_errors=True)
    else:
      with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)


def _umask() -> int:
  current = os.umask(0)
  os.umask(current)
  return current
