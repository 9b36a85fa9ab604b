"""Ctrl-C and SIGTERM: at once while a run gets ready, and as a wish that travels with a batch while it trains."""

import signal
import threading


class Stopped(BaseException):
  """SIGTERM came before training began, or went on. No Exception: nobody on the way may take it for one of his own."""

  def __init__(self):
    super().__init__("stopped by SIGTERM before the first step")


class StopRequest:
  """A context manager around a run. While it prepares, restores and starts, SIGTERM raises `Stopped`, so that whatever
  is open is closed; after `only_note` a signal is no more than a wish, for all processes must stop at the same step.

  Attributes:
    number: the signal's once there was one, before that 0. A second Ctrl-C interrupts at once, as ever.
  """

  number: int = 0
  _only_noted = False

  def __enter__(self) -> "StopRequest":
    self._before = {}
    if threading.current_thread() is threading.main_thread():  # Python hears signals nowhere else
      self._before = {number: signal.signal(number, self._heard) for number in (signal.SIGINT, signal.SIGTERM)}
    return self

  def __exit__(self, *_) -> None:
    for number, handler in self._before.items():
      signal.signal(number, handler)

  def only_note(self) -> None:
    """From now on the loop looks at `number`, and what it saves last is not disturbed."""
    self._only_noted = True

  def _heard(self, number: int, _frame) -> None:
    again, self.number = self.number, number
    if number == signal.SIGINT and (again or not self._only_noted):
      raise KeyboardInterrupt
    if not self._only_noted and not again:  # once: a second one would break into what the first one closes
      raise Stopped
