"""What was asked of a user's SeqIO module, and what it was when its stores were made: enough to see a change later.

A user's code cannot be hashed reliably, so beside the stores of a mixture lies a record of the files, packages and
vocabularies that they came from. Comparing it needs neither the module nor TensorFlow.
"""

import dataclasses
import hashlib
import importlib.metadata
import json
import pathlib
import platform
from collections.abc import Iterable, Mapping
from typing import Any

from flan_jax import atomic
from flan_jax.data import prepare
from flan_jax.data.vocabularies import Vocabulary, load_vocabulary


@dataclasses.dataclass(frozen=True)
class Request:
  """What to export, in plain values: it travels to the subprocess as JSON.

  Attributes:
    name: of the SeqIO task or mixture.
    module: dotted name of what registers it when imported.
    lengths: tokens of a row by feature, EOS included; or {'text': N} under an objective, see `tokenising.room_of`.
    render_seed: of the seeds that SeqIO gives to preprocessors that draw.
    variants: passes over each dataset, each with other seeds.
  """

  name: str
  module: str
  vocabulary_path: str
  extra_ids: int
  lengths: dict[str, int]
  store_dir: str
  render_seed: int = 0
  variants: int = 1

  def vocabulary(self) -> Vocabulary:
    return load_vocabulary(self.vocabulary_path, extra_ids=self.extra_ids)

  def shape(self) -> dict[str, Any]:
    """The parts of a store's key that the request says: another shape is another preparation, not a changed one."""
    return {
      "store": prepare.STORE_VERSION,
      "module": self.module,
      "vocabulary": {"sha256": self.vocabulary().sha256, "extra_ids": self.extra_ids},
      "lengths": self.lengths,
      "render_seed": self.render_seed,
      "variants": self.variants,
    }

  def record_path(self) -> pathlib.Path:
    """Where the subprocess says what it read and made."""
    return pathlib.Path(self.store_dir) / "seqio" / self.name / f"{prepare.key_digest(self.shape())}.json"


@dataclasses.dataclass(frozen=True)
class Made:
  """A leaf task of a mixture: its rate there, and its store's folder, relative to the store_dir."""

  task: str
  rate: float
  folder: str


@dataclasses.dataclass(frozen=True)
class Record:
  """What the stores of a mixture came from, and which they are.

  Attributes:
    sources: sha256 of the user's own Python files, by path.
    vocabularies: sha256 of the local vocabulary files that the tasks name, by path; a remote one is not watched.
    versions: of Python and of the installed packages that the module loads, by name.
    tasks: in the mixture's order.
  """

  sources: dict[str, str]
  vocabularies: dict[str, str]
  versions: dict[str, str]
  tasks: tuple[Made, ...]

  def changes(self) -> list[str]:
    """What is no longer as recorded, in words; empty if nothing changed."""
    files = {**self.sources, **self.vocabularies}
    now = digests(files)
    changed = [f"{path} {'changed' if path in now else 'is gone'}" for path in files if now.get(path) != files[path]]
    versions = installed_versions(self.versions)
    moved = [name for name in self.versions if versions[name] != self.versions[name]]
    return [*changed, *(f"{name} {self.versions[name]} -> {versions[name]}" for name in moved)]

  def standing(self, request: Request) -> list[Made]:
    """The tasks whose stores have their folders still."""
    return [made for made in self.tasks if (pathlib.Path(request.store_dir) / made.folder).exists()]

  def write(self, request: Request) -> None:
    content = {**request.shape(), **dataclasses.asdict(self)}
    atomic.write_atomically(request.record_path(), json.dumps(content, indent=2).encode())


def read_record(request: Request) -> Record | None:
  """The record of an earlier export of the same request; None if there was none, or if it cannot be read any more: the
  stores that stand are then found again by their keys."""
  path = request.record_path()
  if not path.exists():
    return None
  try:
    content = json.loads(path.read_text(encoding="utf-8"))
    made = tuple(Made(**task) for task in content["tasks"])
    return Record(content["sources"], content["vocabularies"], content["versions"], made)
  except (ValueError, KeyError, TypeError):
    return None


def digests(paths: Iterable[str]) -> dict[str, str]:
  """sha256 by path, of the files that exist."""
  files = ((path, pathlib.Path(path)) for path in paths)
  return {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in files if file.is_file()}


def installed_versions(names: Iterable[str]) -> dict[str, str]:
  """The versions of packages, 'none' where one is not installed; 'python' is the interpreter's."""
  return {name: platform.python_version() if name == "python" else _version(name) for name in names}


def store_key(request: Request, sources: Mapping[str, str], versions: Mapping[str, str], task: str) -> dict[str, Any]:
  """What shaped a task's store. The digests stand without their paths: a module may move."""
  packages = prepare.key_digest(versions)  # some 60 of them; the record names them
  return {**request.shape(), "sources": sorted(sources.values()), "packages": packages, "task": task}


def _version(name: str) -> str:
  try:
    return importlib.metadata.version(name)
  except importlib.metadata.PackageNotFoundError:
    return "none"
