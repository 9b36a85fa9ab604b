"""Mixtures made of a mixture by arguments behind its name: 'flan2022_b(tasks=89, max_per_task=1000, cot=False)'.

    tasks=k             the first k tasks: part after part, in catalogue order; with seed=s in an order of its own
    max_per_task=n      n examples of each task, the same ones among those of a larger n
    cot=False           no format that reasons first, and not the part called cot
    few_shot=False      no format with solved examples
    without=[c, ...]    not these clusters, nor those related to them, of any collection
    licences=[p, ...]   only tasks whose licence matches one of these patterns; an unknown licence matches none

Every name has one spelling, `str(parse(name))`, whatever the order of its arguments.
"""

import ast
import dataclasses
import fnmatch
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gin

from flan_jax import draws, errors
from flan_jax.data import formats as formats_
from flan_jax.data import related_clusters, specs

if TYPE_CHECKING:
  from flan_jax.data.mixtures import MixtureSpec, Part


@dataclasses.dataclass(frozen=True)
class Asked:
  """A mixture's name taken apart; `str` puts it together again."""

  base: str
  tasks: int | None = None
  seed: int | None = None
  max_per_task: int | None = None
  cot: bool = True
  few_shot: bool = True
  without: tuple[str, ...] = ()
  licences: tuple[str, ...] = ()

  def __post_init__(self):
    for name in ("tasks", "max_per_task"):
      self._check(name, getattr(self, name), lambda value: value is None or (_whole(value) and value > 0))
    self._check("seed", self.seed, lambda value: value is None or (_whole(value) and self.tasks is not None))
    for name in ("cot", "few_shot"):
      self._check(name, getattr(self, name), lambda value: isinstance(value, bool))
    for name in ("without", "licences"):
      value = getattr(self, name)
      names = (value,) if isinstance(value, str) else value
      self._check(name, value, lambda _, names=names: _texts(names))
      object.__setattr__(self, name, tuple(sorted(set(names))))

  def __str__(self) -> str:
    values = {name: getattr(self, name) for name, default in _ARGUMENTS.items() if getattr(self, name) != default}
    told = (f"{name}={list(value) if isinstance(value, tuple) else value!r}" for name, value in values.items())
    return f"{self.base}({', '.join(told)})" if values else self.base

  def _check(self, name: str, value: Any, allowed: Any) -> None:
    if not allowed(value):
      raise errors.UsageError(f"mixture {self.base}: {name}={value!r}: it is {_MEANT[name]}")


def parse(text: str) -> Asked:
  """A name as it is written in commands and gin files.

  >>> str(parse("flan2022_b(cot = False, tasks=89)"))
  'flan2022_b(tasks=89, cot=False)'

  Raises:
    UsageError: the arguments are no literals, or it has no such argument; names the nearest.
  """
  found = _CALL.fullmatch(text)
  if found is None:
    return Asked(text.strip())
  base, arguments = found.groups()
  try:
    call = ast.parse(f"f({arguments})", mode="eval").body
    if not isinstance(call, ast.Call) or call.args:
      raise ValueError("arguments are written NAME=VALUE")
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
  except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
    reason = error.msg if isinstance(error, SyntaxError) else "numbers, True, False, texts and lists of these alone"
    raise errors.UsageError(
      f"mixture {text!r} cannot be read: {reason}. Written for example {base}(tasks=10, cot=False)"
    ) from None
  for name in given:
    if name not in _ARGUMENTS:
      raise errors.unknown_name(f"argument of mixture {base}", str(name), _ARGUMENTS, ", ".join(_ARGUMENTS))
  return Asked(base, **given)


def canonical(name: str) -> str:
  """The one spelling of a mixture's name."""
  return str(parse(name))


@gin.register
def mixture(
  name: str,
  tasks: int | None = None,
  seed: int | None = None,
  max_per_task: int | None = None,
  cot: bool = True,
  few_shot: bool = True,
  without: Sequence[str] = (),
  licences: Sequence[str] = (),
) -> str:
  """The one spelling of a mixture, for gin: MIXTURE_OR_TASK_NAME = @mixture()."""
  return str(Asked(name, tasks, seed, max_per_task, cot, few_shot, without, licences))


def applied(mixture: "MixtureSpec", asked: Asked, data_dir: str | None) -> "MixtureSpec":
  """The mixture as the arguments change it.

  Raises:
    UsageError: no such cluster; fewer tasks than asked for are known.
    FlanJaxError: nothing is left.
  """
  if asked == Asked(asked.base):
    _check_left(mixture.parts, asked)
    return mixture
  _check_clusters(mixture, asked, data_dir)
  reduced = (dataclasses.replace(part, formats=_formats(part, asked)) for part in mixture.parts)
  parts = [(part, _tasks(part, asked, data_dir)) for part in reduced]
  # A part that the arguments emptied is gone; one whose files are not there stays, so that this is told.
  parts = [dataclasses.replace(part, tasks=tasks) for part, tasks in parts if tasks or not part.tasks]
  parts = [part for part in parts if part.formats and not (part.name == "cot" and not asked.cot)]
  if asked.tasks is not None:
    parts = _first_tasks(parts, asked)
  _check_left(parts, asked)
  limits = [limit for limit in (asked.max_per_task, mixture.max_per_task) if limit is not None]
  return dataclasses.replace(mixture, name=str(asked), parts=tuple(parts), max_per_task=min(limits) if limits else None)


def _formats(part: "Part", asked: Asked) -> tuple[tuple[str, int], ...]:
  return tuple(
    (name, weight)
    for name, weight in part.formats
    if (asked.cot or not formats_.get_format(name).rationale)
    and (asked.few_shot or not formats_.get_format(name).few_shot)
  )


def _tasks(part: "Part", asked: Asked, data_dir: str | None) -> tuple[str, ...]:
  if not asked.without and not asked.licences:
    return part.tasks
  known = [specs.get_task(task, data_dir) for task in part.tasks]
  return tuple(
    spec.name
    for spec in known
    if not related_clusters.held_out(spec, asked.without) and _licensed(spec.licence, asked.licences)
  )


def _licensed(licence: str, patterns: Sequence[str]) -> bool:
  written = licence.strip().casefold()
  if not patterns:
    return True
  return written not in _UNKNOWN and any(fnmatch.fnmatchcase(written, pattern.casefold()) for pattern in patterns)


def _first_tasks(parts: "list[Part]", asked: Asked) -> "list[Part]":
  tasks = [task for part in parts for task in part.tasks]
  if len(tasks) < asked.tasks:
    empty = [part.name for part in parts if not part.tasks]
    lacking = f"; its parts {', '.join(empty)} have tasks in the data folder alone (--data_dir)" if empty else ""
    raise errors.UsageError(f"{asked}: only {len(tasks)} tasks are known here{lacking}")
  if asked.seed is not None:
    tasks.sort(key=lambda task: draws.hash64(asked.seed, task, "tasks"))
  kept = frozenset(tasks[: asked.tasks])
  cut = (dataclasses.replace(part, tasks=tuple(task for task in part.tasks if task in kept)) for part in parts)
  return [part for part in cut if part.tasks]


def _check_clusters(mixture: "MixtureSpec", asked: Asked, data_dir: str | None) -> None:
  if not asked.without:
    return
  clusters = {(spec.collection, spec.cluster) for spec in (specs.get_task(task, data_dir) for task in mixture.tasks)}
  known = {name for pair in clusters for name in (pair[1], ".".join(pair))} | set(related_clusters.group_names())
  for name in asked.without:
    if name not in known:
      raise errors.unknown_name(f"cluster of mixture {asked.base}", name, known, "flan-jax inspect --clusters")


def _check_left(parts: "Sequence[Part]", asked: Asked) -> None:
  if not any(part.tasks for part in parts):
    patterns = ", ".join(dict.fromkeys(pattern for part in parts for pattern in part.patterns))
    hint = f": {patterns} are to be found in files of the data folder (--data_dir)" if patterns else ""
    raise errors.UsageError(f"mixture {asked} has no task{hint}")


def _whole(value: Any) -> bool:
  return isinstance(value, int) and not isinstance(value, bool)


def _texts(value: Any) -> bool:
  return isinstance(value, list | tuple) and all(isinstance(text, str) and text for text in value)


_ARGUMENTS = {field.name: field.default for field in dataclasses.fields(Asked) if field.name != "base"}
_MEANT = {
  "tasks": "a whole number above 0",
  "seed": "a whole number, beside tasks=k",
  "max_per_task": "a whole number above 0",
  "cot": "True or False",
  "few_shot": "True or False",
  "without": "a list of names of clusters",
  "licences": "a list of patterns such as 'MIT'",
}
_CALL = re.compile(r"\s*([^\s()]+)\s*\((.*)\)\s*", re.DOTALL)
_UNKNOWN = ("", "unknown")
