"""Another instruction in the place of an example's own: the other one of the same text, or that of another task.

A type says which of its fields are the instruction (`instruction`). The first kind, a *swapped* example, asks something
else of the same text, and its answer is another one: fields that begin with `other_` stand for those they name. The
second kind, a *borrowed* instruction, reads well and says nothing of what is asked: the control of a model that may
have learned from wordings without what they say.
"""

import functools
import json
import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

from flan_jax import draws, errors
from flan_jax.data import formats, mapping, sources, specs, templates

OTHER = "other_"


def can_swap(fields: sources.Fields, kind: specs.TaskType) -> bool:
  """Whether an example has another instruction with an answer of its own."""
  named = {name.removeprefix(OTHER) for name in fields if name.startswith(OTHER)}
  return not named.isdisjoint(templates.variables(kind.target))


def swapped(fields: sources.Fields) -> sources.Fields:
  """The fields under the other instruction; of the first one neither rationale nor options without the answer stay.

  >>> swapped({"text": "a b", "ask": "say the first", "answer": "a", "other_ask": "say the last", "other_answer": "b"})
  {'text': 'a b', 'ask': 'say the last', 'answer': 'b'}
  """
  own = {name: value for name, value in fields.items() if not name.startswith(OTHER)}
  others = {name.removeprefix(OTHER): value for name, value in fields.items() if name.startswith(OTHER)}
  own.pop("rationale", None)
  if "answer" in others:
    own.pop(mapping.REFERENCES, None)
  if others.get("answer") not in own.get("choices", ()):
    own.pop("choices", None)
  return {**own, **others}


def bare(kind: specs.TaskType, form: str) -> tuple[specs.Wording, ...]:
  """What stands for a type's wordings of a format where there are to be no instructions: its fields alone.

  Raises:
    UsageError: the type does not say what its fields alone are.
  """
  wordings = kind.wordings.get("few_shot_bare" if formats.get_format(form).few_shot else "bare")
  if not wordings:
    raise errors.UsageError(f"instructions='none': type {kind.name} cannot be asked so: it has no `bare` in types.yaml")
  return wordings


class Lenders:
  """The tasks of a type whose instructions another task of it may be asked with.

  Attributes:
    sources: theirs; tasks whose files are not there are passed over.
  """

  def __init__(self, spec: specs.TaskSpec, names: Sequence[str], data_dir: str | pathlib.Path | None):
    """Opens the tasks' sources, once for all that borrow from them, and reads none.

    Args:
      spec: the task that borrows, and not from itself.
      names: full names of tasks; those of other types are passed over.

    Raises:
      UsageError: it has nothing to exchange, or nobody to borrow from.
    """
    alike = _of_type(spec.type, tuple(names), _known(data_dir))
    check_lending(spec, (source.spec for source in alike))
    self._instruction = specs.get_type(spec.type).instruction
    self.sources = [source for source in alike if source.spec.name != spec.name]

  def instead(self, fields: sources.Fields, *key: str | int) -> sources.Fields:
    """The fields with the instruction of a drawn example of a drawn task; the draw is a function of the key."""
    lender = self.sources[draws.draw(len(self.sources), *key, "lender")]
    lent = lender[draws.draw(len(lender), *key, "lent")].fields
    own = {name: value for name, value in fields.items() if name not in self._instruction}
    return own | {name: lent[name] for name in self._instruction if name in lent}


def manner_content(spec: specs.TaskSpec, manner: formats.Manner, data_dir: str | pathlib.Path | None) -> dict[str, Any]:
  """What a manner adds to the key of a task's store, as plain JSON values.

  Given instructions are not told, so that stores which were made before there were others keep their key.
  """
  told = {"formats": manner.formats, "shots": manner.shots, "options": manner.options}
  if manner.instructions == "given":
    return told
  told["instructions"] = manner.instructions
  if manner.instructions == "shuffled":
    told["lent"] = _lent(spec.type, manner.lenders, _known(data_dir))
  return told


def check_lending(spec: specs.TaskSpec, others: Iterable[specs.TaskSpec]) -> None:
  """Raises UsageError where a task has no instruction that could be shuffled, or no other task has its type."""
  if not specs.get_type(spec.type).instruction:
    why = "its types.yaml does not say which fields are the `instruction`"
  elif not any(task.type == spec.type and task.name != spec.name for task in others):
    why = "no other task of the mixture has that type"
  else:
    return
  raise errors.UsageError(f"instructions='shuffled': task {spec.name} of type {spec.type}: {why}")


@functools.lru_cache(maxsize=16)
def _of_type(kind: str, names: tuple[str, ...], data_dir: str | None) -> tuple[sources.Source, ...]:
  """Those of the tasks that have a type and whose files are there."""
  found = (specs.get_task(name, data_dir) for name in names)
  alike = (task for task in found if task.type == kind and sources.missing_file(task, data_dir) is None)
  return tuple(sources.open_source(task, data_dir) for task in alike)


@functools.lru_cache(maxsize=16)
def _lent(kind: str, names: tuple[str, ...], data_dir: str | None) -> str:
  """16 hexadecimal digits that change with anything that shapes the instructions of a type's tasks."""
  shaping = [
    (source.spec.name, source.fingerprint(), source.spec.fields, source.spec.constants)
    for source in _of_type(kind, names, data_dir)
  ]
  return f"{draws.hash64(json.dumps([specs.get_type(kind).instruction, shaping], sort_keys=True)):016x}"


def _known(data_dir: str | pathlib.Path | None) -> str | None:
  return None if data_dir is None else os.fspath(data_dir)
