"""Finding stores that are damaged, by the checksums in their manifests, and taking them out of the way."""

import contextlib
import os
import pathlib
import sys
from collections.abc import Iterable

from flan_jax.data import store_writing
from flan_jax.data.store import StoreError, damages, open_store
from flan_jax.progress import Progress


def remove_damaged(folders: Iterable[pathlib.Path], progress: Progress) -> list[pathlib.Path]:
  """Reads every file of the stores that stand and removes each store that is not as it was written; says so on stderr.

  Returns:
    The folders that are no more; whoever prepares next makes them again.
  """
  standing = [folder for folder in folders if folder.exists()]
  removed = []
  with progress("verifying", len(standing), "stores") as advance:
    for folder in standing:
      looked_at = _identity(folder)
      if (wrong := _faults(folder)) and looked_at and looked_at == _identity(folder):
        print(f"damaged, to be made again: {folder}: {wrong}", file=sys.stderr)
        _remove(folder)
        removed.append(folder)
      advance(1, folder.parent.name)
  return removed


def _faults(folder: pathlib.Path) -> str:
  try:
    changed = damages(open_store(folder))
  except StoreError as error:
    return str(error).partition(". The store is damaged")[0].removeprefix(f"{folder}/")
  return f"{', '.join(changed)} changed since it was written" if changed else ""


def _identity(folder: pathlib.Path) -> tuple[int, int, int] | None:
  """Tells whether somebody else has put another folder in its place; None where there is none. The number of a folder
  that is gone is given out again, so the time of its making counts too."""
  try:
    status = folder.stat()
  except FileNotFoundError:
    return None
  return status.st_dev, status.st_ino, status.st_ctime_ns


def _remove(folder: pathlib.Path) -> None:
  """In one step for whoever looks, into a folder that is swept if this process is killed."""
  with store_writing.building(folder) as temporary, contextlib.suppress(FileNotFoundError):
    os.rename(folder, temporary / "damaged")  # not found: another one that verifies was faster
