"""The one figure of a run that tables show: what `Sweep.score` names, out of results.json of an evaluation."""

import functools
import json
import pathlib
import statistics
from collections.abc import Mapping
from typing import Any

from flan_jax.sweeps.plan import EVALUATIONS

_RESULTS = "results.json"


def headline(folder: pathlib.Path, score: str) -> float | None:
  """The score of a run, a share of 1; None where it is not measured (yet).

  Of a mixture it is the mean over the held-out tasks (over the seen ones where it has no others), of suites the mean
  over their averages.

  Args:
    folder: of the run.
    score: 'EVALUATION/VARIANT', as in `Sweep`.
  """
  evaluation, _, variant = score.partition("/")
  path = folder / EVALUATIONS / evaluation / _RESULTS
  try:
    return _read(path, path.stat().st_mtime_ns, variant)
  except (OSError, ValueError, KeyError, TypeError, AttributeError):
    return None


@functools.lru_cache(maxsize=4096)
def _read(path: pathlib.Path, written: int, variant: str) -> float | None:
  del written  # by which a new file is known
  results = json.loads(path.read_text(encoding="utf-8"))
  return _of_suites(results["suites"], variant) if "suites" in results else _of_mixture(results["averages"], variant)


def _of_mixture(averages: list[Mapping[str, Any]], variant: str) -> float | None:
  by_split = {each["split"]: each["after"] for each in averages if each["format"] == variant}
  return by_split.get("held_out", by_split.get("seen"))


def _of_suites(suites: Mapping[str, Any], variant: str) -> float | None:
  mode, _, paths = variant.partition("@")
  found = [each["modes"].get(mode, {"n": {}})["n"].get(paths or "1", {}).get("average") for each in suites.values()]
  measured = [average for average in found if average is not None]
  return statistics.fmean(measured) if measured else None
