"""Jinja templates, sandboxed and compiled once; and where in a prompt the list of answer options goes."""

import dataclasses
import functools
import re
from collections.abc import Callable, Iterable, Mapping

import jinja2
import jinja2.meta

from flan_jax import errors
from flan_jax.data import frames, specs
from flan_jax.data.readers import prompt_sandbox

Render = Callable[[Mapping[str, str | list[str]]], str]
RENDER_ERRORS = (jinja2.TemplateError, KeyError)


@functools.cache
def compiled(text: str) -> Render:
  """The function of the fields that a template is; outer whitespace of what it gives is kept.

  Templates come from files that users exchange, so they run in a sandbox and with bounded work. Nearly all are plain
  text with `{{ field }}` holes, which str.format_map fills alike: 0.5 us instead of the 15 us of a Jinja context.

  Raises:
    FlanJaxError: the text is not a Jinja template, or uses what templates may not (`prompt_sandbox`). What it returns
      raises one of RENDER_ERRORS for an undefined field.
  """
  parts = _HOLE.split(text)  # texts and names in turn
  if not any(mark in part for part in parts[::2] for mark in ("{{", "{%", "{#")) and variables(text) == set(
    parts[1::2]
  ):
    texts = [part.replace("{", "{{").replace("}", "}}") for part in parts[::2]]
    holes = [f"{{{name}}}" for name in parts[1::2]] + [""]
    return "".join(text + hole for text, hole in zip(texts, holes, strict=True)).format_map
  try:
    return _ENVIRONMENT.bounded(_ENVIRONMENT.from_string(text).render)
  except _NOT_A_TEMPLATE as error:
    raise errors.FlanJaxError(f"not a template ({getattr(error, 'message', error)}): {text!r}") from None


@functools.cache
def expression(text: str) -> Callable[[Mapping[str, object]], object]:
  """The function of the columns that a Jinja expression is ('choices[label]'), sandboxed; its value is of any kind.

  Raises:
    FlanJaxError: the text is not an expression.
  """
  try:
    return _ENVIRONMENT.bounded(_ENVIRONMENT.compile_expression(text, undefined_to_none=False))
  except _NOT_A_TEMPLATE as error:
    raise errors.FlanJaxError(f"not an expression ({getattr(error, 'message', error)}): {text!r}") from None


@dataclasses.dataclass(frozen=True, eq=False)
class Turn:
  """A compiled wording of one question, parted where a list of options goes.

  The list stands after the question: at the very end, or, when the wording's last line is a cue such as 'Answer:' (no
  field in it; a colon, '=' or an arrow at its end), before that line.

      What is 2 + 3?        What is 2 + 3?
      Answer:               Options:
                            - 4
                            - 5
                            Answer:
  """

  body: Render
  cue: str

  def render(self, fields: Mapping[str, str | list[str]], block: str = "") -> str:
    """The question with the options' block, if there is one, and the cue."""
    if not block:
      return self.body(fields) + self.cue
    return f"{self.body(fields).rstrip()}\n{block}{self.cue}"


@dataclasses.dataclass(frozen=True, eq=False)
class Prompt:
  """A compiled wording: the head (fields of the query), the turns, what stands between them; see specs.Wording."""

  id: str
  head: Render
  turn: Turn
  join: str
  after: Render | None
  negative: Render | None


def compile_wording(wording: specs.Wording, fields: Iterable[str], where: str) -> Prompt:
  """The compiled wording.

  Args:
    wording: what to compile.
    fields: the names that its templates may use.
    where: how an error names the place, e.g. 'type nli'.

  Raises:
    FlanJaxError: it is not a template, or it uses a field that its type does not have.
  """
  allowed = set(fields)
  for text in (wording.head, wording.turn, wording.after, wording.negative):
    unknown = variables(text) - allowed
    if unknown:
      raise errors.FlanJaxError(
        f"{where}: wording {wording.id} uses {', '.join(sorted(unknown))}; the fields are {', '.join(sorted(allowed))}"
      )
  body, cue = frames.parted(wording.turn)
  return Prompt(
    wording.id,
    compiled(wording.head),
    Turn(compiled(body), cue),
    wording.join,
    compiled(wording.after) if wording.after else None,
    compiled(wording.negative) if wording.negative else None,
  )


@functools.lru_cache(maxsize=8192)  # hundreds of tasks share a type's wordings
def variables(text: str) -> frozenset[str]:
  """The names that a template reads."""
  if "{" not in text:
    return frozenset()
  try:
    return frozenset(jinja2.meta.find_undeclared_variables(_ENVIRONMENT.parse(text)))
  except jinja2.TemplateSyntaxError as error:
    raise errors.FlanJaxError(f"not a template ({error.message}): {text!r}") from None


_ENVIRONMENT = prompt_sandbox.StrictEnvironment()
_NOT_A_TEMPLATE = (jinja2.TemplateError, errors.FlanJaxError, SyntaxError, OverflowError, RecursionError, MemoryError)
_HOLE = re.compile(r"\{\{ *(\w+) *\}\}")
