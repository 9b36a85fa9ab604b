"""- discover: natural_instructions: a task a file of a Super-NaturalInstructions checkout (`tasks/*.json`, `splits/`).

Tags: train_split and test_split of the official default split; xlingual_train_split and xlingual_test_split of the
cross-lingual one; mmlu for the tasks made of MMLU, on which a model that is evaluated on MMLU must not be trained.
"""

import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from flan_jax import errors
from flan_jax.data.discoveries.entries import Problem, TaskEntry, defaults, files, once_each
from flan_jax.data.readers import natural_instructions

# The task numbers that google-research/FLAN leaves out of its mixtures: 57, one a subject of MMLU.
MMLU_TASKS = frozenset([*range(664, 668), *range(685, 738)])


def discover(data_dir: pathlib.Path | None, entry: Mapping[str, Any]) -> Iterator[TaskEntry | Problem]:
  """The tasks of the checkout in DATA_DIR/FOLDER (`folder`, natural_instructions by default).

  Tags: the official splits that a task is in, `mmlu`, and `domain:NAME` for each of its domains.

  Cluster and category are the first of the task's Categories; `metrics_by_category` of the entry maps some of them to
  their metrics.
  """
  if data_dir is None:
    return
  folder = str(entry.get("folder", "natural_instructions"))
  tags = _split_tags(data_dir / folder / "splits")
  yield from once_each(
    (file.path, _task(pathlib.Path(file.path), f"{folder}/tasks/{file.name}", entry, tags))
    for file in files(data_dir / folder / "tasks", ".json")
  )


def _task(path: pathlib.Path, relative: str, entry: Mapping[str, Any], tags: Mapping[str, list[str]]) -> Any:
  try:
    told = natural_instructions.described(path)
  except errors.FlanJaxError as error:
    place, _, reason = str(error).partition(": ")
    return Problem(place, reason)
  except OSError as error:
    return Problem(str(path), error.strerror or str(error))
  category = (_texts(told.get("Categories")) or ["uncategorised"])[0]
  number = _NUMBER.match(path.stem)
  mmlu = ["mmlu"] if number and int(number[1]) in MMLU_TASKS else []
  languages = dict.fromkeys(_texts(told.get("Input_language")) + _texts(told.get("Output_language")))
  metrics = entry.get("metrics_by_category", {}).get(category)
  return {
    **defaults(entry),
    "name": path.stem,
    "reader": {"natural_instructions": relative},
    "cluster": category,
    "category": category,
    "dataset": ", ".join(_texts(told.get("Source"))) or path.stem,
    "language": ", ".join(languages) or "English",
    "licence": ", ".join(_texts(told.get("Instance License"))) or "Unknown",
    "tags": tags.get(path.stem, []) + mmlu + [f"domain:{domain}" for domain in _texts(told.get("Domains"))],
    **({"metrics": metrics} if metrics else {}),
  }


def _split_tags(folder: pathlib.Path) -> dict[str, list[str]]:
  """Tags of each task that the lists of a checkout's splits name; a list that is not there gives none."""
  tags: dict[str, list[str]] = {}
  for track, prefix in (("default", ""), ("xlingual", "xlingual_")):
    for part in ("train", "test"):
      try:
        names = (folder / track / f"{part}_tasks.txt").read_text(encoding="utf-8", errors="replace").split()
      except OSError:
        continue
      for name in names:
        tags.setdefault(name, []).append(f"{prefix}{part}_split")
  return tags


def _texts(value: Any) -> list[str]:
  """The texts of a list, or a text alone, as older files have it."""
  values = [value] if isinstance(value, str) else value if isinstance(value, list) else []
  return [text.strip(" ,") for text in values if isinstance(text, str) and text.strip(" ,")]


_NUMBER = re.compile(r"task(\d+)")
