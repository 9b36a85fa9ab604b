"""The answer in an output: one extractor for every format, built from the closers that end rationales.

A rationale-first target is a rationale and a *closer* ("So the answer is {{ answer }}."). The renderer draws closers
from collections/closers.yaml and this file is given the very same list, so the two cannot drift apart.
"""

import dataclasses
import re
from collections.abc import Sequence

from flan_jax.errors import FlanJaxError

_SLOT = re.compile(r"\{\{\s*answer\s*\}\}")


class Extractor:
  """Reads answers out of outputs; never raises, whatever a model wrote.

  >>> extractor = Extractor(["So the answer is {{ answer }}."])
  >>> extractor.reasoned("Two and two are 4. So the answer is 4.")
  '4'
  >>> extractor.reasoned("Two and two are 4.") is None
  True

  Args:
    closers: sentences with one `{{ answer }}` after at least one word.

  Raises:
    FlanJaxError: for a closer that could not be found again in an output.
  """

  def __init__(self, closers: Sequence[str]):
    self._closers = [_Closer.parse(text) for text in closers]

  def direct(self, output: str) -> str | None:
    """The answer of an answer-only format: the output itself; None if it is blank."""
    return output.strip() or None

  def reasoned(self, output: str) -> str | None:
    """The answer of a rationale-first format: what follows the last closer, up to the line's end; None without one."""
    # The latest start wins: "So the answer is (" over "the answer is", and a corrected answer over the first one.
    # Of equal starts the longest tail that is really there wins: "{{ answer }}!" over "{{ answer }}".
    found = max((hit for closer in self._closers for hit in closer.hits(output)), default=None)
    return (found.answer or None) if found else None


@dataclasses.dataclass(frozen=True, order=True)
class _Hit:
  start: int
  tail: int
  answer: str


@dataclasses.dataclass(frozen=True)
class _Closer:
  """A closer taken apart: the pattern of its head and the text of its tail."""

  head: re.Pattern[str]
  tail: str

  @classmethod
  def parse(cls, text: str) -> "_Closer":
    parts = _SLOT.split(text)
    if len(parts) != 2 or not parts[0].strip():
      raise FlanJaxError(
        f"closer {text!r} must have '{{{{ answer }}}}' once and after some words, by which an answer is found again"
      )
    head = parts[0].strip()
    # "the answer is" must not be found in "the answer isn't"; after "Answer:" a space may be missing.
    gap = r"\s+" if head[-1].isalnum() else r"\s*"
    before = r"(?<!\w)" if head[0].isalnum() else ""
    words = r"\s+".join(re.escape(word) for word in head.split())
    return cls(re.compile(f"{before}{words}{gap}", re.IGNORECASE), parts[1].strip())

  def hits(self, output: str):
    for match in self.head.finditer(output):
      line = output[match.end() :].split("\n", 1)[0].strip()
      ends = bool(self.tail) and line.endswith(self.tail)
      answer = line[: -len(self.tail)].rstrip() if ends else line
      yield _Hit(match.end(), len(self.tail) if ends else 0, answer)
