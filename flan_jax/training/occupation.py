"""The MODEL_DIR of a run: writable, the same for all its processes, and no other run's while it lasts.

A second trainer would take the first one's half-written checkpoints for what a kill has left, and delete them.
"""

import contextlib
import pathlib
import sys
import tempfile
from collections.abc import Iterator

from flan_jax import locks, processes
from flan_jax.errors import FlanJaxError

LOCK = "train.lock"  # a sweep holds its own, by another name, around all commands of a run


@contextlib.contextmanager
def occupied(path: str) -> Iterator[pathlib.Path]:
  """The folder at a path, made where there is none, as this run's own while the context lasts; the first process holds
  it for all, and it is free as soon as that is gone, however it went.

  Raises:
    FlanJaxError: it cannot be written, is not shared by the processes, or another run is in it; says whose.
  """
  model_dir = _writable(path)
  processes.check_shared(model_dir)
  with contextlib.ExitStack() as held:
    processes.from_first("MODEL_DIR", lambda: _take(model_dir, held))
    yield model_dir


def _writable(path: str) -> pathlib.Path:
  model_dir = pathlib.Path(path).expanduser()
  try:
    model_dir.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=model_dir):
      return model_dir
  except OSError as error:
    raise FlanJaxError(f"MODEL_DIR {model_dir} cannot be written: {error.strerror} (--model_dir)") from error


def _take(model_dir: pathlib.Path, held: contextlib.ExitStack) -> None:
  path = model_dir / LOCK
  try:
    lock = held.enter_context(locks.alone(path))
  except OSError as error:  # a file system without locks is no reason not to train on it
    print(
      f"{path} cannot be locked ({error.strerror}): nothing keeps a second run out of this MODEL_DIR, so start none",
      file=sys.stderr,
      flush=True,
    )
    return
  if lock is None:
    raise FlanJaxError(
      f"MODEL_DIR {model_dir} is in use: {locks.holder(path)} trains in it. Wait until it has ended, or stop it "
      "(SIGTERM saves), and the same command goes on from there; or take another MODEL_DIR (--model_dir)"
    )
