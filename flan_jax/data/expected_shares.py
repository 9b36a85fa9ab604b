"""What a run on a mixture is expected to see: shares of examples and tokens by task, part, format, options, language.

Shares follow from the rates; tokens, formats and options from a sample of each task (`length_sample`).
"""

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float64

from flan_jax.data import specs
from flan_jax.data.length_sample import Pool
from flan_jax.data.mixtures import MixtureSpec, Part

GROUPS = ("part", "format", "options", "language", "direction")
SHARES = ("examples", "inputs", "targets")  # of examples, of input tokens, of target tokens


def expected(
  mixture: MixtureSpec, pools: Mapping[str, Pool], data_dir: str | os.PathLike | None = None
) -> dict[str, list[dict[str, Any]]]:
  """{tasks: a line a task, part: a line a part, format: ..., options, language, direction}, the largest share first.

  A line has `share of examples`, `share of inputs` and `share of targets` (tokens), each in [0, 1]; they add up to 1.

  Args:
    pools: of the mixture's installed tasks, with the mixture's rates.
  """
  drawn = {task: pool for task, pool in pools.items() if pool.rate and len(pool.lengths)}
  weights = _weights(drawn)
  labels = {task: _labels(mixture, task, data_dir) for task in drawn}
  found = {"tasks": _task_lines(mixture, pools, drawn, weights, data_dir)}
  for group in GROUPS:
    names = [_of_samples(group, labels[task], pool) for task, pool in drawn.items()]
    found[group] = _lines(group, np.concatenate(names) if names else np.array([], np.str_), weights)
  return found


def _weights(drawn: Mapping[str, Pool]) -> Float64[np.ndarray, "samples 3"]:
  """Of each sampled example, one task's after another's: its share of all examples, input tokens and target tokens."""
  total = sum(pool.rate for pool in drawn.values())
  rows = []
  for pool in drawn.values():
    share = pool.rate / total / len(pool.lengths)
    rows.append(share * np.column_stack([np.ones(len(pool.lengths)), pool.lengths.astype(np.float64)]))
  weights = np.concatenate(rows) if rows else np.zeros((0, len(SHARES)))
  return weights / np.maximum(weights.sum(axis=0), np.finfo(np.float64).tiny)


def _labels(mixture: MixtureSpec, task: str, data_dir: str | os.PathLike | None) -> dict[str, str]:
  """What all examples of a task have in common."""
  spec = specs.get_task(task, data_dir)
  turned = "turned round" if spec.inverted_of else "straight"
  return {"part": mixture.part_of(task).name, "language": spec.language, "direction": turned}


def _of_samples(group: str, labels: Mapping[str, str], pool: Pool) -> np.ndarray:
  """What each sampled example of a task is called in a grouping."""
  if group == "format":
    return np.array(pool.formats, np.str_)
  if group == "options":
    return np.array(pool.options, np.str_)
  return np.full(len(pool.lengths), labels[group])


def _lines(group: str, names: np.ndarray, weights: Float64[np.ndarray, "samples 3"]) -> list[dict[str, Any]]:
  distinct, which = np.unique(names, return_inverse=True)
  sums = np.stack([np.bincount(which, column, len(distinct)) for column in weights.T], axis=1)
  order = np.argsort(-sums[:, 0], kind="stable")
  return [{group: str(distinct[i]), **_shares(sums[i])} for i in order]


def _task_lines(
  mixture: MixtureSpec,
  pools: Mapping[str, Pool],
  drawn: Mapping[str, Pool],
  weights: Float64[np.ndarray, "samples 3"],
  data_dir: str | os.PathLike | None,
) -> list[dict[str, Any]]:
  ends = np.cumsum([0, *(len(pool.lengths) for pool in drawn.values())])
  sums = {task: weights[a:b].sum(axis=0) for task, a, b in zip(drawn, ends[:-1], ends[1:], strict=True)}
  lines = []
  for task, pool in pools.items():
    part, means = mixture.part_of(task), pool.lengths.mean(axis=0) if len(pool.lengths) else (0.0, 0.0)
    lines.append(
      {
        "task": task,
        "part": part.name,
        "examples": pool.examples,
        "cap": _cap(mixture, part, task, data_dir),
        "rate": round(float(pool.rate), 1),
        **_shares(sums.get(task, np.zeros(len(SHARES)))),
        "mean inputs": round(float(means[0]), 1),
        "mean targets": round(float(means[1]), 1),
      }
    )
  return sorted(lines, key=lambda line: -line["share of examples"])


def _cap(mixture: MixtureSpec, part: Part, task: str, data_dir: str | os.PathLike | None) -> int:
  cap = specs.get_task(task, data_dir).cap if part.cap is None else part.cap
  return min(cap, mixture.max_per_task or cap)


def _shares(sums: Float64[np.ndarray, "3"]) -> dict[str, float]:
  return {f"share of {name}": float(value) for name, value in zip(SHARES, sums, strict=True)}
