"""The journal of an evaluation: what has been answered is on disk for good, whenever the process is killed.

A file of JSON lines that is only ever appended to. The first says what was requested; each other one holds a batch of
answered questions, written and synced at once: a kill leaves a batch whole, or a torn last line, which is dropped.
A batch is the unit because an output may depend, in its last digits, on what shared the batch: batches that are always
answered whole give the same bytes whether or not a process was killed between them.
"""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Generic, Protocol, Self, TypeVar

from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.evaluation.answered import Answered

FILE = "journal.jsonl"
L = TypeVar("L", bound="Line")


class Line(Protocol):
  """What a journal is of: questions answered by a model (`Answered`), or pairs by a person."""

  def json(self) -> str:
    """JSON in one line, without its end."""

  @classmethod
  def from_json(cls, content: Mapping[str, Any]) -> Self:
    """What `json` gave; raises TypeError for anything else."""


class Journal(Generic[L]):
  """Of one request; see `opened`."""

  def __init__(self, file: BinaryIO, batches: list[list[L]]):
    self._file = file
    self._batches = batches

  @property
  def answered(self) -> list[L]:
    """All that has been answered, in the order in which it was."""
    return [each for batch in self._batches for each in batch]

  def append(self, batch: Sequence[L]) -> None:
    """Adds a batch; when it returns, the batch is on disk.

    Raises:
      FlanJaxError: it cannot be written, for want of space, say; what was written before stays.
    """
    _write(self._file, f"[{', '.join(each.json() for each in batch)}]\n")
    self._batches.append(list(batch))


@contextlib.contextmanager
def opened(
  path: Path, request: Mapping[str, Any], *, makes_room: bool = False, of: type[L] = Answered
) -> Iterator[Journal[L]]:
  """The journal at a path, made where there is none, for as long as the context lasts.

  Args:
    path: of its file.
    request: JSON values that tell this request from every other one: those of the file must be equal.
    makes_room: a journal of another request of the same kind (one that names the same things) does not stand in the
      way: it is renamed to NAME.old.jsonl, in place of the one that was there, and this one begins anew. A journal of
      another kind is refused all the same.
    of: what the journal holds.

  Raises:
    UsageError: the file is of another request; names what differs.
    FlanJaxError: another process has it open, or it is something else.
  """
  path.parent.mkdir(parents=True, exist_ok=True)
  with path.open("a+b") as file:
    _lock(file, path)
    file.seek(0)
    lines = _whole_lines(file.read())
    if lines and makes_room and _of_the_same_kind(_requested(lines, path), request):
      os.replace(path, path.with_suffix(f".old{path.suffix}"))
      with opened(path, request, of=of) as anew:
        yield anew
      return
    batches = _read(lines, path, request, of) if lines else []
    file.truncate(sum(map(len, lines)))
    _write(file, "" if lines else f"{json.dumps({'request': request}, ensure_ascii=False)}\n")
    _sync_folder(path.parent)
    yield Journal(file, batches)


def differences(mine: Any, theirs: Any, name: str = "") -> list[str]:
  """In words, where two JSON values differ: 'modes.direct is 3, there 5'."""
  if mine == theirs:
    return []
  if isinstance(mine, Mapping) and isinstance(theirs, Mapping):
    keys = dict.fromkeys([*mine, *theirs])
    found = (differences(mine.get(key), theirs.get(key), f"{name}.{key}" if name else key) for key in keys)
    return [each for part in found for each in part]
  return [f"{name} is {_short(mine)}, there {_short(theirs)}"]


def _whole_lines(content: bytes) -> list[bytes]:
  """The lines up to the first that is torn: one without its end, or of the zeros that a file system may leave."""
  lines = []
  for line in content.splitlines(keepends=True):
    if not line.endswith(b"\n") or b"\0" in line:
      break
    lines.append(line)
  return lines


def _requested(lines: Sequence[bytes], path: Path) -> Any:
  """What a journal's first line says."""
  try:
    return json.loads(lines[0])["request"]
  except (ValueError, KeyError, TypeError):
    raise FlanJaxError(f"{path}:1: not the journal of an evaluation; give another --output, or move it away") from None


def _of_the_same_kind(theirs: Any, request: Mapping[str, Any]) -> bool:
  """Whether it is another request, one that names the same things."""
  mine = json.loads(json.dumps(request))
  return theirs != mine and isinstance(theirs, Mapping) and theirs.keys() == mine.keys()


def _read(lines: Sequence[bytes], path: Path, request: Mapping[str, Any], of: type[L]) -> list[list[L]]:
  differing = differences(json.loads(json.dumps(request)), _requested(lines, path))
  if differing:
    raise UsageError(
      f"{path.parent} holds another evaluation ({'; '.join(differing[:4])}"
      f"{f' and {len(differing) - 4} more differences' if len(differing) > 4 else ''}). Give another --output, or "
      f"remove {path.name} there to begin anew"
    )
  batches = []
  for number, line in enumerate(lines[1:], start=2):
    try:
      batches.append([of.from_json(content) for content in json.loads(line)])
    except (ValueError, TypeError, AttributeError) as error:
      raise FlanJaxError(
        f"{path}:{number}: a damaged line ({error!r}); remove that line, and its questions are asked again"
      ) from None
  return batches


def _lock(file: BinaryIO, path: Path) -> None:
  try:
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
  except BlockingIOError:
    raise FlanJaxError(f"{path}: another process is at this evaluation; give another --output") from None


def _write(file: BinaryIO, text: str) -> None:
  """Writes and syncs, past the buffer of `file`: what could not be written would be tried again when it is closed."""
  left = memoryview(text.encode())
  try:
    while left:
      left = left[os.write(file.fileno(), left) :]
    os.fsync(file.fileno())
  except OSError as error:
    raise FlanJaxError(f"{file.name}: {error.strerror}; when it can be written, the same command goes on") from None


def _sync_folder(folder: Path) -> None:
  """Makes a new file's name last too."""
  handle = os.open(folder, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


def _short(value: Any) -> str:
  text = json.dumps(value, ensure_ascii=False)
  return text if len(text) <= 60 else f"{text[:57]}..."
