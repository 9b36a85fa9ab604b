"""Finding stores that are damaged, by the checksums in their manifests, and taking them out of the way."""

import os
import pathlib
import shutil
import sys
from collections.abc import Iterable

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
      if wrong := _faults(folder):
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


def _remove(folder: pathlib.Path) -> None:
  """In one step for whoever looks: a name that begins with a dot is no store."""
  aside = folder.with_name(f".damaged.{folder.name}")
  shutil.rmtree(aside, ignore_errors=True)
  os.rename(folder, aside)
  shutil.rmtree(aside)
