"""Mixtures made of a mixture by arguments behind its name: 'flan2022_b(tasks=89, max_per_task=1000, cot=False)'.

    parts=[p, ...]      only these parts, in this order; with tasks=k and seed=s each part is shuffled within itself
    tasks=k             the first k tasks: part after part, in catalogue order; with seed=s in an order of its own
    max_per_task=n      n examples of each task, the same ones among those of a larger n
    cot=False           no format that reasons first, and not the part called cot
    few_shot=s          solved examples in this share of the prompts, of those that reason first as of the others, as
                        far as tasks have wordings for both; False is 0; a part that has no such format gets one
    without=[c, ...]    not these clusters, nor those related to them, of any collection
    licences=[p, ...]   only tasks whose licence matches one of these patterns; an unknown licence matches none
    instructions=i      'none': no word of instruction in any prompt, the bare fields alone; 'shuffled': an example has
                        the instruction of a drawn other task of its type in the mixture; with either all else that is
                        drawn (format, options, exemplars, target) is as with 'given'

Every name has one spelling, `str(parse(name))`, whatever the order of its arguments.
"""

import ast
import dataclasses
import fnmatch
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import gin

from flan_jax import draws, errors
from flan_jax.data import formats as formats_
from flan_jax.data import instructions, related_clusters, specs

if TYPE_CHECKING:
  from flan_jax.data.mixtures import MixtureSpec, Part


@dataclasses.dataclass(frozen=True)
class Asked:
  """A mixture's name taken apart; `str` puts it together again."""

  base: str
  parts: tuple[str, ...] = ()
  tasks: int | None = None
  seed: int | None = None
  max_per_task: int | None = None
  cot: bool = True
  few_shot: float | None = None  # None as the mixture has it: True would equal the share 1
  without: tuple[str, ...] = ()
  licences: tuple[str, ...] = ()
  instructions: str = "given"

  def __str__(self) -> str:
    values = {name: getattr(self, name) for name, default in _ARGUMENTS.items() if getattr(self, name) != default}
    if self.few_shot == 0:
      values["few_shot"] = False
    told = (f"{name}={list(value) if isinstance(value, tuple) else value!r}" for name, value in values.items())
    return f"{self.base}({', '.join(told)})" if values else self.base


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
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or call.args:
      raise SyntaxError("arguments are written NAME=VALUE, in one pair of brackets")
    if len({keyword.arg for keyword in call.keywords}) < len(call.keywords):
      raise SyntaxError("an argument is given twice")
    given = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
  except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
    reason = error.msg if isinstance(error, SyntaxError) else "only numbers, True, False, texts and lists of these"
    raise errors.UsageError(
      f"mixture {text!r} cannot be read: {reason}. Written for example {base}(tasks=10, cot=False)"
    ) from None
  for name in given:
    if name not in _ARGUMENTS:
      raise errors.unknown_name(f"argument of mixture {base}", str(name), _ARGUMENTS, ", ".join(_ARGUMENTS))
  return asked(base, **given)


def asked(base: str, **given: Any) -> Asked:
  """The name of a base with arguments, which are checked; in lists but that of the parts, order is of no account.

  Raises:
    UsageError: an argument is not what it has to be.
  """
  for name in ("parts", "without", "licences"):
    if isinstance(given.get(name), str):
      given[name] = [given[name]]
  for name, value in given.items():
    allowed, meaning = _ARGUMENT_TYPES[name]
    if not allowed(value):
      raise errors.UsageError(f"mixture {base}: {name}={value!r}: it is {meaning}")
  if given.get("seed") is not None and given.get("tasks") is None:
    raise errors.UsageError(f"mixture {base}: seed={given['seed']!r}: it is of the order in which tasks=k takes tasks")
  return Asked(base, **{name: _spelled(name, value) for name, value in given.items()})


def _spelled(name: str, value: Any) -> Any:
  if name == "parts":
    return tuple(value)
  if name == "few_shot":
    return None if value is True else float(value)
  return tuple(sorted(set(value))) if isinstance(value, list | tuple) else value


def canonical(name: str) -> str:
  """The one spelling of a mixture's name."""
  return str(parse(name))


@gin.register
def mixture(
  name: str,
  parts: Sequence[str] = (),
  tasks: int | None = None,
  seed: int | None = None,
  max_per_task: int | None = None,
  cot: bool = True,
  few_shot: bool | float = True,
  without: Sequence[str] = (),
  licences: Sequence[str] = (),
  instructions: str = "given",
) -> str:
  """The one spelling of a mixture, for gin: MIXTURE_OR_TASK_NAME = @mixture()."""
  given = (parts, tasks, seed, max_per_task, cot, few_shot, without, licences, instructions)
  return str(asked(name, **dict(zip(_ARGUMENTS, given, strict=True))))


def applied(mixture: "MixtureSpec", change: Asked, data_dir: str | None) -> "MixtureSpec":
  """The mixture as the arguments change it.

  Raises:
    UsageError: no such cluster or part; fewer tasks than asked for are known.
    FlanJaxError: nothing is left.
  """
  if change == Asked(change.base):
    _check_left(mixture.parts, change)
    return mixture
  _check_clusters(mixture, change, data_dir)
  reduced = (dataclasses.replace(part, formats=_formats(part, change)) for part in _parts(mixture, change))
  parts = [(part, _tasks(part, change, data_dir)) for part in reduced]
  # A part that the arguments emptied is gone; one whose files are not there stays, so that this is told.
  parts = [dataclasses.replace(part, tasks=tasks) for part, tasks in parts if tasks or not part.tasks]
  parts = [part for part in parts if part.formats and not (part.name == "cot" and not change.cot)]
  if change.tasks is not None:
    parts = _first_tasks(parts, change)
  _check_left(parts, change)
  parts = _instructed(parts, change, data_dir)
  limits = [limit for limit in (change.max_per_task, mixture.max_per_task) if limit is not None]
  return dataclasses.replace(
    mixture, name=str(change), parts=tuple(parts), max_per_task=min(limits) if limits else None
  )


def _parts(mixture: "MixtureSpec", change: Asked) -> "Sequence[Part]":
  named = {part.name: part for part in mixture.parts}
  for name in change.parts:
    if name not in named:
      raise errors.unknown_name(f"part of mixture {change.base}", name, named, ", ".join(named))
  return [named[name] for name in change.parts] or mixture.parts


def _formats(part: "Part", change: Asked) -> tuple[tuple[str, int], ...]:
  kept = {name: Fraction(weight) for name, weight in part.formats if change.cot or not _reasons(name)}
  if change.few_shot is None:
    return tuple((name, weight) for name, weight in part.formats if name in kept)
  share = Fraction(str(change.few_shot))
  weights: dict[str, Fraction] = {}
  for reasons in (False, True):  # so that no share of exemplars changes how much reasoning is learned
    weights |= _with_exemplars({name: kept[name] for name in kept if _reasons(name) == reasons}, share)
  return formats_.ballot_weights(weights)


def _reasons(form: str) -> bool:
  return formats_.get_format(form).rationale


def _with_exemplars(weights: Mapping[str, Fraction], share: Fraction) -> dict[str, Fraction]:
  """The same sum of weights, of which the formats with exemplars have this share."""
  found: dict[str, Fraction] = {}
  for few_shot, of_all in ((False, 1 - share), (True, share)):
    these = {name: weight for name, weight in weights.items() if formats_.get_format(name).few_shot == few_shot}
    these = these or {_COUNTERPART[name]: weight for name, weight in weights.items()}
    unit = of_all * sum(weights.values()) / (sum(these.values()) or 1)
    found |= {name: weight * unit for name, weight in these.items()}
  return found


def _tasks(part: "Part", change: Asked, data_dir: str | None) -> tuple[str, ...]:
  if not change.without and not change.licences:
    return part.tasks
  known = [specs.get_task(task, data_dir) for task in part.tasks]
  return tuple(
    spec.name
    for spec in known
    if not related_clusters.held_out(spec, change.without) and _licensed(spec.licence, change.licences)
  )


def _licensed(licence: str, patterns: Sequence[str]) -> bool:
  # Several licences apply together, so each has to be allowed.
  written = [each.strip().casefold() for each in licence.split(", ")]
  if not patterns:
    return True
  return not _UNKNOWN.intersection(written) and all(
    any(fnmatch.fnmatchcase(each, pattern.casefold()) for pattern in patterns) for each in written
  )


def _first_tasks(parts: "list[Part]", change: Asked) -> "list[Part]":
  tasks = [task for part in parts for task in _ordered(part.tasks, change.seed if change.parts else None)]
  if len(tasks) < change.tasks:
    empty = [part.name for part in parts if not part.tasks]
    lacking = f"; its parts {', '.join(empty)} have tasks in the data folder alone (--data_dir)" if empty else ""
    raise errors.UsageError(f"{change}: only {len(tasks)} tasks are known here{lacking}")
  if not change.parts:
    tasks = _ordered(tasks, change.seed)
  kept = frozenset(tasks[: change.tasks])
  cut = (dataclasses.replace(part, tasks=tuple(task for task in part.tasks if task in kept)) for part in parts)
  return [part for part in cut if part.tasks]


def _instructed(parts: "Sequence[Part]", change: Asked, data_dir: str | None) -> "Sequence[Part]":
  """The parts with what is asked of their instructions, which is looked at before anything is rendered."""
  known = [specs.get_task(task, data_dir) for part in parts for task in part.tasks]
  lenders = tuple(spec.name for spec in known) if change.instructions == "shuffled" else ()
  for spec in known if change.instructions != "given" else ():
    if lenders:
      instructions.check_lending(spec, known)
    else:
      instructions.bare(specs.get_type(spec.type), "zero_shot")
  return [dataclasses.replace(part, instructions=change.instructions, lenders=lenders) for part in parts]


def _ordered(tasks: Sequence[str], seed: int | None) -> Sequence[str]:
  return tasks if seed is None else sorted(tasks, key=lambda task: draws.hash64(seed, task, "tasks"))


def _check_clusters(mixture: "MixtureSpec", change: Asked, data_dir: str | None) -> None:
  if not change.without:
    return
  clusters = {(spec.collection, spec.cluster) for spec in (specs.get_task(task, data_dir) for task in mixture.tasks)}
  known = {name for pair in clusters for name in (pair[1], ".".join(pair))} | set(related_clusters.group_names())
  for name in change.without:
    if name not in known:
      raise errors.unknown_name(f"cluster of mixture {change.base}", name, known, "flan-jax inspect --clusters")


def _check_left(parts: "Sequence[Part]", change: Asked) -> None:
  if not any(part.tasks for part in parts):
    patterns = ", ".join(dict.fromkeys(pattern for part in parts for pattern in part.patterns))
    hint = f": {patterns} are to be found in files of the data folder (--data_dir)" if patterns else ""
    raise errors.UsageError(f"mixture {change} has no task{hint}")


def _whole(value: Any) -> bool:
  return isinstance(value, int) and not isinstance(value, bool)


def _share(value: Any) -> bool:
  # Three decimals: a ballot of 1,000 of each format at the most.
  return isinstance(value, bool) or (isinstance(value, int | float) and 0 <= value <= 1 and round(value, 3) == value)


def _texts(value: Any) -> bool:
  return isinstance(value, list | tuple) and all(isinstance(text, str) and text for text in value)


_ARGUMENTS = {field.name: field.default for field in dataclasses.fields(Asked) if field.name != "base"}
_ARGUMENT_TYPES = {
  "parts": (lambda value: _texts(value) and len(set(value)) == len(value), "a list of names of parts, none twice"),
  "tasks": (lambda value: value is None or (_whole(value) and value > 0), "a whole number above 0"),
  "seed": (lambda value: value is None or _whole(value), "a whole number"),
  "max_per_task": (lambda value: value is None or (_whole(value) and value > 0), "a whole number above 0"),
  "cot": (lambda value: isinstance(value, bool), "True or False"),
  "few_shot": (_share, "True, False or a share from 0 to 1 of at most three decimals"),
  "without": (_texts, "a list of names of clusters"),
  "licences": (_texts, "a list of patterns such as 'MIT'"),
  "instructions": (lambda value: value in formats_.INSTRUCTIONS, f"one of {', '.join(formats_.INSTRUCTIONS)}"),
}
_COUNTERPART = {**formats_.WITHOUT_EXEMPLARS, "zero_shot": "few_shot", "cot": "few_shot_cot"}
_CALL = re.compile(r"\s*([^\s()]+)\s*\((.*)\)\s*", re.DOTALL)
_UNKNOWN = frozenset(["", "unknown"])
