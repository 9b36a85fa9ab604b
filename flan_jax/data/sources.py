"""Records of a task by random access, as named string fields with stable ids.

A reader turns the spec's `reader` entry into rows; the table at the end of this file names them all:

    {tsv: FILE, columns: [...]}     a line a record; `escaped_newlines: true` reads a written \\n as a line break,
                                    `header: true` takes the columns from the first line
    {jsonl: FILE}                   a JSON object a line
    {generator: demo.lists, examples: 2000, params: {...}}
                                    procedural: generate() of flan_jax.collections.demo.generators.lists

`options_within: FIELD` (any reader) takes the list of options off the end of that field: see `embedded_options`.
"""

import dataclasses
import functools
import importlib
import json
import mmap
import pathlib
import random
import types
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
import xxhash

from flan_jax import draws, errors
from flan_jax.data import embedded_options, specs

Fields = Mapping[str, str | list[str]]


class MissingDataError(errors.FlanJaxError):
  """A file of a task is not under the data folder; says which, where it comes from and where it belongs."""


@dataclasses.dataclass(frozen=True, slots=True)
class Example:
  """One example: an id that is stable while its file is, and the task type's fields (texts or lists of texts)."""

  id: str
  fields: Fields


@dataclasses.dataclass(frozen=True)
class Problem:
  """A malformed record, told rather than dropped: `str()` gives 'file:line: reason'."""

  file: str
  line: int
  reason: str

  def __str__(self) -> str:
    return f"{self.file}:{self.line}: {self.reason}"


@dataclasses.dataclass(frozen=True)
class MissingFile:
  """A file that a task needs and the data folder lacks."""

  task: str
  file: str
  folder: str
  origin: str

  def __str__(self) -> str:
    comes = f" It comes from {self.origin}." if self.origin else ""
    return f"{self.task} needs {self.file}, which belongs in {self.folder} (--data_dir).{comes}"


class Source:
  """The good records of one task as Examples, and the malformed ones as `problems`.

  The records are looked through when the first of them is asked for: a prepared task is known by its fingerprint alone.
  """

  def __init__(self, spec: specs.TaskSpec, rows: "Rows"):
    self.spec = spec
    self._rows = rows
    self._type = specs.get_type(spec.type)

  @property
  def problems(self) -> tuple[Problem, ...]:
    """The malformed records, in the order of the file."""
    return self._scanned[1]

  @property
  def _good(self) -> np.ndarray:
    return self._scanned[0]

  @property
  def records(self) -> int:
    """How many records there are, malformed ones too; found without reading them."""
    return len(self._rows)

  def __len__(self) -> int:
    return len(self._good)

  def __getitem__(self, index: int | np.integer) -> Example:
    """The index-th good record; raises FlanJaxError where a generator gives a record that its type refuses."""
    row = int(self._good[index])
    try:
      return self._example(row)
    except ValueError as error:
      raise errors.FlanJaxError(f"{self._rows.file}:{self._rows.line(row)}: {error}") from None

  def fingerprint(self) -> str:
    """16 hexadecimal digits that change when the file's bytes, or the generators' code or parameters, do."""
    return self._rows.fingerprint()

  @functools.cached_property
  def _scanned(self) -> tuple[np.ndarray, tuple[Problem, ...]]:
    everything = np.arange(len(self._rows), dtype=np.int64)
    if isinstance(self._rows, GeneratedRows):
      return everything, ()  # our own code, tested; made only when asked for
    problems = {}
    for row in everything.tolist():
      try:
        self._example(row)
      except ValueError as error:
        problems[row] = Problem(self._rows.file, self._rows.line(row), str(error))
    return np.delete(everything, list(problems)), tuple(problems.values())

  def _example(self, row: int) -> Example:
    record = self._rows.read(row)
    if "options_within" in self.spec.reader:
      record = embedded_options.taken_apart(record, self.spec.reader["options_within"])
    return Example(str(self._rows.line(row)), _mapped(record, self.spec, self._type))


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
  source = Source(spec, _reader(spec)(spec, pathlib.Path(data_dir or ".")))
  if strict and source.problems:
    more = f" ({len(source.problems)} malformed records in all)" if len(source.problems) > 1 else ""
    raise errors.FlanJaxError(f"{source.problems[0]}{more}")
  return source


def missing_file(spec: specs.TaskSpec, data_dir: str | pathlib.Path | None) -> MissingFile | None:
  """The file that a task lacks under the data folder, or None when all is there; nothing is read."""
  file = next((spec.reader[kind] for kind in _FILE_READERS if kind in spec.reader), None)
  if file is None or (data_dir is not None and (pathlib.Path(data_dir) / file).is_file()):
    return None
  folder = (pathlib.Path(data_dir) if data_dir is not None else pathlib.Path("DATA_DIR")) / pathlib.Path(file).parent
  return MissingFile(spec.name, pathlib.Path(file).name, str(folder), spec.origin)


class Rows(Protocol):
  """What a reader gives: numbered raw records. `read` raises ValueError with the reason for a malformed one."""

  file: str

  def __len__(self) -> int: ...

  def read(self, row: int) -> dict[str, Any]: ...

  def line(self, row: int) -> int: ...

  def fingerprint(self) -> str: ...


class LineRows:
  """Lines of a UTF-8 file through mmap: memory holds one offset a line (8 bytes), never the file."""

  def __init__(self, path: pathlib.Path, parse: Callable[[str], dict[str, Any]], first_line: int = 0):
    self.file = str(path)
    self._parse = parse
    if path.stat().st_size == 0:
      raise errors.FlanJaxError(f"{path}: the file is empty")
    with path.open("rb") as file:
      self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    self._first_line = first_line

  @functools.cached_property
  def _ends(self) -> np.ndarray:
    """Where each line ends."""
    ends = np.flatnonzero(np.frombuffer(self._bytes, np.uint8) == ord("\n")).astype(np.int64)
    if len(ends) == 0 or ends[-1] != len(self._bytes) - 1:
      ends = np.append(ends, len(self._bytes))  # the last line may lack its line break
    return ends

  @functools.cached_property
  def _lines(self) -> np.ndarray:
    """The lines that are records, from 0."""
    starts = np.concatenate([[0], self._ends[:-1] + 1])
    # Blank lines are no records (files end with them), so they are neither examples nor problems.
    lines = np.flatnonzero(self._ends > starts)
    return lines[lines >= self._first_line]

  def __len__(self) -> int:
    return len(self._lines)

  def read(self, row: int) -> dict[str, Any]:
    line = int(self._lines[row])
    start = int(self._ends[line - 1]) + 1 if line else 0
    return self._parse(self._bytes[start : int(self._ends[line])].decode("utf-8").rstrip("\r"))

  def line(self, row: int) -> int:
    """The line in the file, from 1; also the example's id."""
    return int(self._lines[row]) + 1

  def fingerprint(self) -> str:
    return f"{xxhash.xxh3_64_intdigest(self._bytes, seed=len(self._bytes)):016x}"


class GeneratedRows:
  """Records that a module makes, each from a random state of its own: row i is found without making the others."""

  def __init__(self, spec: specs.TaskSpec, data_dir: pathlib.Path):
    del data_dir
    self.file = f"generator {spec.reader['generator']}"
    self._task = spec.name
    self._size = int(spec.reader.get("examples", 1000))
    self._params = spec.reader.get("params") or {}
    self._module = _generator_module(spec)

  def __len__(self) -> int:
    return self._size

  def read(self, row: int) -> dict[str, Any]:
    return self._module.generate(random.Random(draws.hash64("generate", self._task, row)), **self._params)

  def line(self, row: int) -> int:
    return row

  def fingerprint(self) -> str:
    code = _code(pathlib.Path(self._module.__file__).parent)
    return f"{draws.hash64(self._task, self._size, json.dumps(self._params, sort_keys=True), code):016x}"


@functools.cache
def _code(folder: pathlib.Path) -> int:
  """A hash of all modules of a folder: generators share vocabularies and grammar."""
  return draws.hash64(*(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))))


def _reader(spec: specs.TaskSpec) -> Callable[[specs.TaskSpec, pathlib.Path], Rows]:
  found = [kind for kind in _READERS if kind in spec.reader]
  if len(found) != 1:
    known = ", ".join(_READERS)
    raise errors.FlanJaxError(f"task {spec.name}: its reader {dict(spec.reader)} names not one of the readers {known}")
  return _READERS[found[0]]


def _tsv_rows(spec: specs.TaskSpec, data_dir: pathlib.Path) -> LineRows:
  path = data_dir / spec.reader["tsv"]
  header = bool(spec.reader.get("header", False))
  columns = _header_columns(path) if header else list(spec.reader.get("columns", ()))
  if not columns:
    raise errors.FlanJaxError(f"task {spec.name}: its tsv reader has neither `columns: [...]` nor `header: true`")
  escaped = bool(spec.reader.get("escaped_newlines", False))

  def parse(line: str) -> dict[str, str]:
    cells = line.split("\t")
    if len(cells) != len(columns):
      raise ValueError(f"{len(cells)} columns instead of {len(columns)} ({', '.join(columns)})")
    if escaped:
      cells = [cell.replace("\\n", "\n") for cell in cells]
    return dict(zip(columns, cells, strict=True))

  return LineRows(path, parse, first_line=int(header))


def _header_columns(path: pathlib.Path) -> list[str]:
  with path.open(encoding="utf-8") as file:
    return file.readline().rstrip("\r\n").split("\t")


def _jsonl_rows(spec: specs.TaskSpec, data_dir: pathlib.Path) -> LineRows:
  def parse(line: str) -> dict[str, Any]:
    record = json.loads(line)  # its JSONDecodeError is a ValueError
    if not isinstance(record, dict):
      raise ValueError(f"a JSON object was expected, not {type(record).__name__}")
    return record

  return LineRows(data_dir / spec.reader["jsonl"], parse)


def _generator_module(spec: specs.TaskSpec) -> types.ModuleType:
  collection, _, module = str(spec.reader["generator"]).partition(".")
  if not (collection.isidentifier() and module.isidentifier()):
    raise errors.FlanJaxError(
      f"task {spec.name}: the generator {spec.reader['generator']!r} is not of the form COLLECTION.MODULE"
    )
  full = f"flan_jax.collections.{collection}.generators.{module}"
  try:
    return importlib.import_module(full)
  except ModuleNotFoundError as error:
    raise errors.FlanJaxError(f"task {spec.name}: there is no generator module {full} ({error})") from None


def _mapped(record: Mapping[str, Any], spec: specs.TaskSpec, kind: specs.TaskType) -> dict[str, str | list[str]]:
  """The type's fields out of a raw record; ValueError names a required field that is absent or empty."""
  fields = dict(spec.constants)
  for names, required in ((kind.fields, True), (kind.optional, False)):
    for name in names:
      if name in fields:
        continue
      column = spec.fields.get(name, name)
      value = record.get(column)
      value = value.strip() if isinstance(value, str) else _text(value, column)
      if value:
        fields[name] = value
      elif required:
        raise ValueError(f"the column {column!r} is {'empty' if column in record else 'absent'}")
  if spec.choices is not None and "choices" not in fields:
    fields["choices"] = list(spec.choices)
  return fields


def _text(value: Any, column: str) -> str | list[str]:
  if value is None:
    return ""
  if isinstance(value, bool) or not isinstance(value, int | float | list | tuple):
    raise ValueError(f"the column {column!r} holds {type(value).__name__}, not text")
  if isinstance(value, int | float):
    return str(value)
  if not all(isinstance(item, str) for item in value):
    raise ValueError(f"the column {column!r} holds a list of other things than texts")
  return [item.strip() for item in value]


_FILE_READERS = ("tsv", "jsonl")
_READERS: dict[str, Callable[[specs.TaskSpec, pathlib.Path], Rows]] = {
  "tsv": _tsv_rows,
  "jsonl": _jsonl_rows,
  "generator": GeneratedRows,
}
