"""Ctrl-C and SIGTERM end a command that works in JAX at once.

KeyboardInterrupt is no way out of JAX: raised in a callback of its garbage collection it is lost, held back while a
program is compiled or runs, and where it does get out, the interpreter goes down under threads of XLA that still work
and may crash. So nothing is raised: the process says that it stopped and is gone. That is for commands whose files are
sound at any moment (evaluation/journal.py, atomic.py); a run that trains has more to do (training/stopping.py).
"""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator

from flan_jax import atomic, keys

WORDS = "stopped"
_BAR_OVER = "\x1b[?25h\n"
_HELD_UP_SECONDS = 0.5  # how long the main thread may be in a call that lets no Python run
_STUCK_SECONDS = 1.0  # how long the last words may take: nobody may be reading them
_ending = threading.Lock()


def code_of(number: int) -> int:
  """The exit code of a command that a signal stopped, as shells give it: 130 for SIGINT, 143 for SIGTERM."""
  return 128 + number


@contextlib.contextmanager
def ending_at_once() -> Iterator[None]:
  """While it lasts SIGINT and SIGTERM end this process; after it there is nothing to stop, and they are ignored.

  One that the process was started to ignore (in the background of a script, say) it ignores all the time.
  """
  before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
  heard = [number for number, handler in before.items() if handler != signal.SIG_IGN]
  reading, writing = os.pipe()
  os.set_blocking(writing, False)
  signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
  for number in heard:
    signal.signal(number, _end)
  threading.Thread(target=_stand_in, args=(reading, heard), daemon=True, name="signals").start()

  def in_child() -> None:  # whose signals are its own affair, and would be heard at this end of the pipe
    signal.set_wakeup_fd(-1)
    for number in heard:
      signal.signal(number, before[number])

  os.register_at_fork(after_in_child=in_child)
  try:
    yield
  finally:
    for number in heard:
      signal.signal(number, signal.SIG_IGN)  # the interpreter takes a while to go, and would let them kill it


def _end(number: int, _frame: object = None) -> None:
  if _ending.acquire(timeout=_STUCK_SECONDS):  # once, by the main thread or the one that stands in for it
    atomic.remove_unfinished()
    keys.give_back()
    # Not through sys.stderr, whose lock an interrupted write may hold. A bar on a terminal has hidden the cursor.
    os.write(2, f"{_BAR_OVER if os.isatty(2) else ''}flan-jax: {WORDS}\n".encode())
  os._exit(code_of(number))


def _stand_in(reading: int, heard: list[int]) -> None:
  """Ends the process where the main thread, which alone runs Python's handlers, does not come round to it."""
  while (number := os.read(reading, 1)[0]) not in heard:
    pass
  time.sleep(_HELD_UP_SECONDS)
  _end(number)
