"""Records of a task by random access, as named string fields with stable ids.

What reads the files are the `readers`; what makes a type's fields of a record is `mapping`. `options_within: FIELD` in
a spec's reader entry (any reader) takes the list of options off the end of that field: see `embedded_options`.
"""

import collections
import dataclasses
import functools
import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from flan_jax import errors
from flan_jax.data import embedded_options, mapping, readers, specs
from flan_jax.data.readers.generated import GeneratedRows
from flan_jax.data.readers.rows import Problem

Fields = Mapping[str, str | list[str]]
_KEPT = 10_000  # made examples of a source: some 650 bytes each, so 6 MB in every process


class MissingDataError(errors.FlanJaxError):
  """A file of a task is not under the data folder; says which, where it comes from and where it belongs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
  """One example: an id that is stable while its file is, and the task type's fields (texts or lists of texts)."""

  id: str
  fields: Fields


@dataclasses.dataclass(frozen=True)
class Lost:
  """The records of a source that are no examples.

  Attributes:
    problems: the malformed ones, in the order of the file.
    skipped: how many sound ones give no example, by reason.
  """

  problems: tuple[Problem, ...] = ()
  skipped: Mapping[str, int] = dataclasses.field(default_factory=dict)

  def counts(self) -> dict[str, int]:
    """For a manifest, by what became of them."""
    skipped = {f"left out: {reason}": count for reason, count in self.skipped.items()}
    return {"malformed records": len(self.problems), **skipped}

  def first(self) -> list[str]:
    """For a manifest, some of the malformed ones."""
    return [str(problem) for problem in self.problems[:20]]


@dataclasses.dataclass(frozen=True)
class MissingFile:
  """A file that a task needs and the data folder lacks."""

  task: str
  file: str
  folder: str
  origin: str
  advice: str = ""

  def __str__(self) -> str:
    comes = f" It comes from {self.origin}." if self.origin else ""
    advice = f" {self.advice}" if self.advice else ""
    return f"{self.task} needs {self.file}, which belongs in {self.folder} (--data_dir).{comes}{advice}"


class Source:
  """The good records of one task as Examples, the malformed ones as `problems`, and how many give no example and why.

  The records are looked through when the first of them is asked for: a prepared task is known by its fingerprint alone.
  """

  def __init__(self, spec: specs.TaskSpec, rows: readers.Rows, original: "Source | None" = None):
    """Opens nothing and reads nothing.

    Args:
      original: of a task that asks the other way round, the records of the one that it was made of.
    """
    self.spec = spec
    self.original = original
    self._rows = rows
    self._type = specs.get_type(spec.type)
    # Examples that are made, not read, by row: splitting, rendering and counting look at each of a few hundred again.
    keeps = isinstance(rows, GeneratedRows) and len(rows) <= _KEPT
    self._made: dict[int, Example] | None = {} if keeps else None

  @property
  def lost(self) -> Lost:
    """The records that are no examples."""
    return self._scanned[1]

  @property
  def problems(self) -> tuple[Problem, ...]:
    """The malformed records, in the order of the file."""
    return self.lost.problems

  @property
  def rows(self) -> np.ndarray:
    """int64 [len(self)]: the record in the file that each example is."""
    return self._scanned[0]

  @functools.cached_property
  def made_of(self) -> Callable[[int], str] | None:
    """Where several tasks are made of the same records: from an example's index to what its record was."""
    original = getattr(self._rows, "original", None)
    return None if original is None else lambda index: original(int(self.rows[index]))

  @property
  def publishes(self) -> bool:
    """Whether its publisher may give solved examples; nothing is read."""
    return hasattr(self._rows, "exemplars")

  @property
  def records(self) -> int:
    """How many records there are, malformed ones too; found without reading them."""
    return len(self._rows)

  def __len__(self) -> int:
    return len(self._scanned[0])

  def __getitem__(self, index: int | np.integer) -> Example:
    """The index-th good record; raises FlanJaxError where a generator gives a record that its type refuses."""
    row = int(self._scanned[0][index])
    try:
      return self._example(row)
    except (ValueError, readers.NoExample) as error:
      raise errors.FlanJaxError(f"{self._rows.place(row)}: {error}") from None

  def everything(self) -> list[Example]:
    """All examples, in order; each record is read once, where looking for the good ones and `self[i]` read it twice."""
    found: list[Example] = []
    if isinstance(self._rows, GeneratedRows) or "_scanned" in self.__dict__:
      return [self[index] for index in range(len(self))]
    self.__dict__["_scanned"] = self._scan(found.append)
    return found

  def fingerprint(self) -> str:
    """16 hexadecimal digits that change when the file's bytes, or the generators' code or parameters, do."""
    return self._rows.fingerprint()

  @functools.cached_property
  def exemplars(self) -> tuple[Example, ...]:
    """The solved examples that the publisher gives for prompts; empty where the training examples are to be used."""
    return self._published("exemplars")

  @functools.cached_property
  def negatives(self) -> tuple[Example, ...]:
    """The wrongly solved examples that the publisher gives, with explanations where there are any."""
    return self._published("negatives")

  def _published(self, what: str) -> tuple[Example, ...]:
    found = []
    for i, record in enumerate(getattr(self._rows, what, lambda: ())()):
      try:
        found.append(Example(f"{what}/{i}", self._fields(record)))
      except (ValueError, readers.NoExample) as error:
        raise errors.FlanJaxError(f"{self._rows.file}: {what}/{i}: {error}") from None
    return tuple(found)

  @functools.cached_property
  def _scanned(self) -> tuple[np.ndarray, Lost]:
    """The rows that are examples (int64, ascending), and what became of the others."""
    return self._scan(lambda example: None)

  def _scan(self, found: Callable[[Example], None]) -> tuple[np.ndarray, Lost]:
    everything = np.arange(len(self._rows), dtype=np.int64)
    if isinstance(self._rows, GeneratedRows):
      return everything, Lost()  # our own code, tested; made only when asked for
    problems, skipped = {}, {}
    for row in everything.tolist():
      try:
        found(self._example(row))
      except readers.NoExample as reason:
        skipped[row] = str(reason)
      except ValueError as error:
        problems[row] = Problem(self._rows.place(row), str(error))
    good = np.delete(everything, [*problems, *skipped])
    return good, Lost(tuple(problems.values()), dict(collections.Counter(skipped.values())))

  def _example(self, row: int) -> Example:
    if self._made is not None and row in self._made:
      return self._made[row]
    example = Example(self._rows.id(row), self._fields(self._rows.read(row)))
    if self._made is not None:
      self._made[row] = example
    return example

  def _fields(self, record: Mapping[str, Any]) -> mapping.Fields:
    if "options_within" in self.spec.reader:
      record = embedded_options.taken_apart(record, self.spec.reader["options_within"])
    return mapping.mapped(record, self.spec, self._type)


@functools.lru_cache(maxsize=64)  # an open file is a file descriptor, and there may be thousands of tasks
def open_source(spec: specs.TaskSpec, data_dir: str | pathlib.Path | None, strict: bool = False) -> Source:
  """The records of a task.

  Args:
    spec: what to read.
    data_dir: the user's data folder; a task that is generated needs none.
    strict: whether a malformed record is an error; otherwise it is left out, and stands in `Source.problems`.

  Raises:
    MissingDataError: the file is not there.
    FlanJaxError: no reader of that name; with `strict`, a malformed record (file, line, reason).
  """
  missing = missing_file(spec, data_dir)
  if missing is not None:
    raise MissingDataError(str(missing))
  try:
    source = Source(spec, readers.open_rows(spec.reader, pathlib.Path(data_dir or ".")), _original(spec, data_dir))
  except errors.FlanJaxError as error:
    raise errors.FlanJaxError(f"task {spec.name}: {error}") from None
  if strict:
    require_sound(source)
  return source


def require_sound(source: Source) -> None:
  """Raises FlanJaxError (file, line, reason) where a record of a source is malformed."""
  if source.problems:
    more = f" ({len(source.problems)} malformed records in all)" if len(source.problems) > 1 else ""
    raise errors.FlanJaxError(f"{source.problems[0]}{more}")


def _original(spec: specs.TaskSpec, data_dir: str | pathlib.Path | None) -> Source | None:
  if not spec.inverted_of:
    return None
  original = specs.get_task(spec.inverted_of, data_dir)
  if original.reader != spec.reader:
    raise errors.FlanJaxError(f"it is {original.name} turned round, but is read by {dict(spec.reader)}")
  return open_source(original, data_dir)


def missing_file(spec: specs.TaskSpec, data_dir: str | pathlib.Path | None) -> MissingFile | None:
  """The file that a task lacks under the data folder, or None when all is there; nothing is read."""
  root = "DATA_DIR" if data_dir is None else os.fspath(data_dir)
  for needed in readers.needs(spec.reader):
    path = os.path.join(root, needed)  # not pathlib: a listing asks this of thousands of tasks
    if not os.path.exists(path) or (data_dir is None and not os.path.isabs(needed)):
      folder, name = os.path.split(path)
      return MissingFile(spec.name, name, folder, spec.origin, readers.advice(spec.reader, pathlib.Path(root)))
  return None
