"""Says where every thread stands when a run has not moved for long: a hang without a word is the worst of failures."""

import contextlib
import faulthandler
import pathlib
import sys
import threading
import time
from collections.abc import Callable, Iterator

FILE = "hang-stacks"  # in MODEL_DIR, with the process's number


@contextlib.contextmanager
def watching(model_dir: pathlib.Path, process: int, minutes: float | None) -> Iterator[Callable[[], None]]:
  """A context whose value is to be called whenever the run has moved. A thread of its own looks on, and ends with it.

  Where nothing moved for so long it writes the stacks of all threads into MODEL_DIR/hang-stacks-PROCESS.txt and says
  so; the run is left alone, for it may be slow and not dead. After as long again it does so again.

  Args:
    minutes: None watches nothing.
  """
  if minutes is None:
    yield lambda: None
    return
  moved, over = [time.monotonic()], threading.Event()
  path = model_dir / f"{FILE}-{process}.txt"
  thread = threading.Thread(target=_watch, args=(moved, over, path, minutes * 60), name="watchdog", daemon=True)
  thread.start()

  def beat() -> None:
    moved[0] = time.monotonic()

  try:
    yield beat
  finally:
    over.set()
    thread.join()


def _watch(moved: list[float], over: threading.Event, path: pathlib.Path, seconds: float) -> None:
  said = moved[0]
  while not over.wait(min(seconds / 4, 10.0)):
    now = time.monotonic()
    if now - max(moved[0], said) < seconds:
      continue
    said = now
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:  # a full disk must not end the watch
      print(f"{time.strftime('%Y-%m-%d %H:%M:%S')}: no step for {now - moved[0]:,.0f} s", file=file, flush=True)
      faulthandler.dump_traceback(file)
    print(
      f"no step for {(now - moved[0]) / 60:,.1f} minutes; where every thread stands is in {path}",
      file=sys.stderr,
      flush=True,
    )
