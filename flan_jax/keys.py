"""Keys of the terminal, read as they are pressed."""

import contextlib
import os
import select
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from typing import Any

_TERMINAL = "/dev/tty"
_ESCAPE, _FOLLOWING_SECONDS = b"\x1b", 0.02
_held: list[tuple[int, list[Any]]] = []  # terminals in another mode than they were, with the mode that they were in


@contextlib.contextmanager
def pressed() -> Iterator[Callable[[], str]]:
  """While it lasts the function that it gives waits for a key and returns it; nothing shows what is typed.

  '' is the terminal's end. They are the terminal's keys even where standard input is a pipe.

  Raises:
    OSError: there is no terminal.
  """
  with contextlib.ExitStack() as opened:
    handle = sys.stdin.fileno() if sys.stdin.isatty() else opened.enter_context(open(_TERMINAL, "rb", 0)).fileno()
    _held.append((handle, termios.tcgetattr(handle)))
    opened.callback(give_back)
    tty.setcbreak(handle, termios.TCSADRAIN)
    yield lambda: _key(handle)


def there() -> bool:
  """Whether there is a terminal whose keys could be read."""
  try:
    return sys.stdin.isatty() or not open(_TERMINAL, "rb", 0).close()
  except OSError:
    return False


def _key(handle: int) -> str:
  key = os.read(handle, 1)
  if key == _ESCAPE and _follows(handle) and os.read(handle, 1) in (b"[", b"O"):
    # An arrow or a function key: parameters and one letter or tilde (ECMA-48, 5.4), none of which is a key of its own.
    while _follows(handle) and not b"@" <= os.read(handle, 1) <= b"~":
      pass
  return key.decode("utf-8", "replace")


def _follows(handle: int) -> bool:
  return bool(select.select([handle], [], [], _FOLLOWING_SECONDS)[0])


def give_back() -> None:
  """Puts terminals back into the mode that they were in; also for a process that is about to end."""
  while _held:
    handle, mode = _held.pop()
    termios.tcsetattr(handle, termios.TCSADRAIN, mode)
