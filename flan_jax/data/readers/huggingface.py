"""{huggingface: FOLDER, split: train}: Hugging Face `datasets` on local files, without a network.

FOLDER is what `save_to_disk` wrote (a Dataset or a DatasetDict), or holds Parquet, JSON, JSON lines or CSV files named
as `load_dataset` knows them (train.jsonl, data/train-00000-of-00002.parquet, test.csv, ...; `config: NAME` picks one of
several). The latter are converted once into `datasets`' own cache. No code of a dataset is run. The package is an
optional extra: pip install "flan_jax[huggingface]".
"""

import functools
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from flan_jax import errors
from flan_jax.data.readers import fingerprints
from flan_jax.data.readers.plain import plain


class HuggingFaceRows:
  """The rows of one split, memory-mapped; a ClassLabel is its number."""

  def __init__(self, folder: pathlib.Path, split: str | None, config: str | None):
    self.file = str(folder)
    self._folder = folder
    self._split = split
    self._config = config

  def __len__(self) -> int:
    return len(self._dataset)

  def read(self, row: int) -> dict[str, Any]:
    try:
      table = self._dataset[row]
      table.validate(full=True)  # Arrow takes the offsets in a damaged file for granted, and would read outside of it
      (record,) = table.to_pylist()
    except IndexError:
      raise
    except Exception as error:  # Arrow's errors have many bases
      raise ValueError(f"the row does not read: {_first_line(error)}") from None
    return plain(record)

  def id(self, row: int) -> str:
    return str(row)

  def place(self, row: int) -> str:
    return f"{self.file}, row {row}"

  def fingerprint(self) -> str:
    """Of the descriptions and the files' sizes and ends where `save_to_disk` wrote them, else of all bytes."""
    asked = (str(self._split), str(self._config))
    paths = [path for path in sorted(self._folder.rglob("*")) if path.is_file()]
    if (self._folder / _SAVED).is_file() or (self._folder / _SAVED_SPLITS).is_file():
      return fingerprints.of_ends(paths, *asked)
    return fingerprints.of_bytes(paths, *asked)

  @functools.cached_property
  def _dataset(self) -> Any:
    """The split as `datasets` has it, giving Arrow tables of one row."""
    datasets = _library()
    try:
      if (self._folder / _SAVED).is_file():
        found = {self._split: datasets.load_from_disk(str(self._folder))}
      elif (self._folder / _SAVED_SPLITS).is_file():
        found = datasets.load_from_disk(str(self._folder))
      else:
        found = datasets.load_dataset(str(self._folder), name=self._config)
      if self._wanted in found:
        return found[self._wanted].with_format("arrow")
    except Exception as error:  # those of Arrow, pandas, json, and the library's own
      raise errors.FlanJaxError(f"{self._folder}: `datasets` cannot read it: {_first_line(error)}") from None
    splits = ", ".join(map(str, found))
    raise errors.FlanJaxError(f"{self._folder}: there is no split {self._wanted!r}; its splits: {splits}")

  @property
  def _wanted(self) -> str | None:
    single = (self._folder / _SAVED).is_file()
    return self._split if single or self._split else "train"


def open_huggingface(entry: Mapping[str, Any], data_dir: pathlib.Path) -> HuggingFaceRows:
  """The rows of {huggingface: FOLDER, split: SPLIT, config: NAME}; a saved Dataset has no splits.

  Raises:
    FlanJaxError: the path is no folder, `split` is given for a saved Dataset, or `datasets` is not installed.
  """
  folder = data_dir / entry["huggingface"]
  if not folder.is_dir():
    raise errors.FlanJaxError(f"{folder}: a folder was expected, what save_to_disk wrote or one of data files")
  if (folder / _SAVED).is_file() and "split" in entry:
    raise errors.FlanJaxError(f"{folder}: a saved Dataset, which has no splits; leave `split: {entry['split']}` out")
  _library()
  return HuggingFaceRows(folder, entry.get("split"), entry.get("config"))


_SAVED, _SAVED_SPLITS = "state.json", "dataset_dict.json"


def _library() -> Any:
  """`datasets`, told before its import that there is no network: it looks the names of folders up otherwise."""
  before = os.environ.get(_OFFLINE)
  os.environ[_OFFLINE] = "1"
  try:
    import datasets
  except ImportError as error:
    raise errors.FlanJaxError(
      f"the reader 'huggingface' needs the package `datasets` ({error}): pip install 'flan_jax[huggingface]'"
    ) from None
  finally:
    os.environ.pop(_OFFLINE)
    if before is not None:
      os.environ[_OFFLINE] = before
  datasets.disable_progress_bars()
  return datasets


_OFFLINE = "HF_HUB_OFFLINE"


def _first_line(error: Exception) -> str:
  return str(error).strip().partition("\n")[0] or type(error).__name__
