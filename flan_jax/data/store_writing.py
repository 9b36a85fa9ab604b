"""Putting a task's store on disk: whole or not at all, whoever else is at it and whenever the process is killed.

Everything is written into a temporary folder beside the final one, flushed to disk, and renamed at the end. Two
preparers of one store write the same records; the second to finish drops its copy. A preparer holds a lock on its
temporary folder, so that others see what killed ones left behind.
"""

import array
import contextlib
import dataclasses
import functools
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from flan_jax import errors, locks
from flan_jax.data import origins, records, store
from flan_jax.data.origins import Origins, OriginWriter
from flan_jax.data.store import Origin

_LOCK = "lock"  # of a temporary folder, in which it lies beside what is made
_VERSIONED = ("flan_jax", "numpy", "sentencepiece")


@dataclasses.dataclass(frozen=True)
class Shard:
  """What the index and the manifest need to know of one record file."""

  file: str
  index: np.ndarray  # int32 [examples, features + 1], see `store`
  origins: Origins


class ShardWriter:
  """Writes examples to one record file; a context manager, whose `shard` is complete after its end."""

  def __init__(self, folder: pathlib.Path, number: int, features: Sequence[str], token_dtype: str):
    self._path = folder / f"tokens-{number:05}.bin"
    self._features = tuple(features)
    self._dtype = np.dtype(token_dtype).newbyteorder("<")
    self._index = array.array("q")  # of each example in turn: the lengths of its features, its CRC-32
    self._origins = OriginWriter()

  def __enter__(self) -> "ShardWriter":
    self._file = self._path.open("wb")
    return self

  def add(self, tokens: Mapping[str, Sequence[int] | np.ndarray], origin: Origin) -> None:
    """One example: the clean tokens of each feature, without EOS."""
    parts = [np.asarray(tokens[feature], self._dtype) for feature in self._features]
    for part in parts:
      self._file.write(part.data)
    self._index.extend((*map(len, parts), records.record_crc(parts)))
    self._origins.add(origin)

  def __exit__(self, *_: object) -> None:
    self._file.close()
    flush(self._path)

  @property
  def shard(self) -> Shard:
    index = np.array(self._index, np.int64).reshape(-1, len(self._features) + 1)
    return Shard(self._path.name, index.astype(np.uint32).view(np.int32), self._origins.origins())


def token_dtype(vocabulary_size: int) -> str:
  """The narrowest type of the ids on disk; T5's 32,100 fit into two bytes."""
  return "uint16" if vocabulary_size <= 1 << 16 else "int32"


@contextlib.contextmanager
def building(final: pathlib.Path) -> Iterator[pathlib.Path]:
  """A temporary folder, gone at the end of the context unless `commit` has renamed it; until then a file is open.

  Folders that killed preparers of this machine left beside `final` are removed on the way.

  Raises:
    FlanJaxError: the disk is full, or the folder cannot be written.
  """
  with naming_disk_errors(final.parent):
    final.parent.mkdir(parents=True, exist_ok=True)
    _sweep(final.parent)
    around = pathlib.Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{_owner()}.{os.getpid()}."))
  try:
    with _locked(around):
      with naming_disk_errors(final.parent):
        (around / "made").mkdir()
      yield around / "made"
  finally:
    shutil.rmtree(around, ignore_errors=True)


def commit(temporary: pathlib.Path, final: pathlib.Path, shards: Sequence[Shard], facts: Mapping[str, Any]) -> None:
  """Writes index and manifest beside the records and renames the folder to `final`; harmless if `final` stands already.

  Args:
    temporary: holds the record files; made by `building`.
    final: the store's folder.
    shards: in the order of the examples, which is that of the variants first.
    facts: of the manifest: `task`, `features`, `token_dtype`, `variants` (how many there are; 1 if not said), and what
      else a reader of it wants to know.

  Raises:
    FlanJaxError: the disk is full, or the folder cannot be written.
  """
  with naming_disk_errors(final.parent):
    np.save(temporary / store.INDEX, np.concatenate([shard.index for shard in shards]))
    flush(temporary / store.INDEX)
    _write_origins(temporary / store.ORIGINS, origins.joined([shard.origins for shard in shards]))
    manifest = json.loads(json.dumps(_manifest(temporary, shards, facts)))
    content = json.dumps({**manifest, "xxh3": store.digest(manifest)}, indent=2, ensure_ascii=False)
    (temporary / store.MANIFEST).write_text(content + "\n", encoding="utf-8")
    flush(temporary / store.MANIFEST)
    settle(temporary, final)


def settle(temporary: pathlib.Path, final: pathlib.Path) -> None:
  """Renames a folder whose files are flushed to `final`, or drops it where another process was faster."""
  flush(temporary)
  try:
    os.rename(temporary, final)
  except OSError:
    if not final.exists():
      raise
    shutil.rmtree(temporary, ignore_errors=True)


def flush(path: pathlib.Path) -> None:
  """Waits until a file or folder is on disk."""
  handle = os.open(path, os.O_RDONLY)
  try:
    os.fsync(handle)
  finally:
    os.close(handle)


@contextlib.contextmanager
def naming_disk_errors(folder: pathlib.Path) -> Iterator[None]:
  """Turns the system's errors (full disk, no permission) into one that says where and what to do."""
  try:
    yield
  except OSError as error:
    raise errors.FlanJaxError(
      f"cannot write in {folder}: {error.strerror or error}. Nothing half-written is used; "
      "free the space or give another folder, and the next run goes on with the tasks that are missing"
    ) from None


def _write_origins(path: pathlib.Path, columns: Origins) -> None:
  with path.open("wb") as file:
    np.savez(file, **{name: getattr(columns, name) for name in store.ORIGIN_COLUMNS})
  flush(path)


def _manifest(folder: pathlib.Path, shards: Sequence[Shard], facts: Mapping[str, Any]) -> dict[str, Any]:
  tokens = sum(shard.index[:, :-1].sum(axis=0, dtype=np.int64) for shard in shards)
  variants = sum(np.bincount(shard.origins.variant, minlength=facts.get("variants", 1)) for shard in shards)
  return {
    **facts,
    "examples": sum(len(shard.origins) for shard in shards),
    "variants": variants.tolist(),
    "tokens": dict(zip(facts["features"], tokens.tolist(), strict=True)),
    "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    "versions": _versions(),
    "index": _file_entry(folder / store.INDEX),
    "origins": _file_entry(folder / store.ORIGINS),
    "records": [{**_file_entry(folder / shard.file), "examples": len(shard.origins)} for shard in shards],
  }


@functools.cache
def _versions() -> dict[str, str]:
  return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in _VERSIONED}}


def _file_entry(path: pathlib.Path) -> dict[str, Any]:
  return {"file": path.name, "bytes": path.stat().st_size, "xxh3": store.checksum(path)}


@contextlib.contextmanager
def _locked(folder: pathlib.Path) -> Iterator[None]:
  """Holds the lock of a temporary folder; without one, where the file system has none, it is never swept.

  The lock gets its name when it is held, so that nobody ever sees it free while its folder is in use.
  """
  with contextlib.ExitStack() as held:
    with contextlib.suppress(OSError):
      held.enter_context(locks.alone(folder / "unnamed"))
      os.rename(folder / "unnamed", folder / _LOCK)
    yield


def _sweep(folder: pathlib.Path) -> None:
  """Removes the temporary folders of killed preparers, whose locks the system took back.

  Those of this machine only, since some file systems keep each machine's locks to itself. Process numbers tell nothing:
  containers with the name of one machine count each their own.
  """
  for path in folder.glob(f".{_owner()}.*"):
    with contextlib.suppress(OSError):  # another sweeper was faster, or there are no locks
      if (path / _LOCK).exists() and not locks.is_held(path / _LOCK):
        shutil.rmtree(path, ignore_errors=True)


def _owner() -> str:
  return f"making-{socket.gethostname().replace('.', '-')}"
