"""Records out of rendered prompts: a template read backwards, so that published prompts can be rendered again.

Only templates that fill columns in, perhaps under conditions, can be read so.
"""

import re
from collections.abc import Iterator
from typing import Any

import jinja2
from jinja2 import nodes

Pieces = list[Any]  # texts, and expressions as nodes
_PARTED = "|||"


class CannotUnrenderError(Exception):
  """The template does more than fill columns in."""


def columns(jinja: str, choices: list[str], given: str, said: str) -> dict[str, Any] | None:
  """What the template must have been given for this prompt and target; None if it can have given no such thing."""
  for pieces, assumed in _ways(_ENVIRONMENT.parse(jinja).body):
    split = next((i for i, piece in enumerate(pieces) if isinstance(piece, str) and _PARTED in piece), None)
    if split is None:
      continue
    before, after = pieces[split].split(_PARTED)
    found = dict(assumed)
    for part, text in (([*pieces[:split], before], given), ([after, *pieces[split + 1 :]], said)):
      pattern, names = _pattern(part, choices)
      match = re.fullmatch(pattern, text.strip(), re.DOTALL)
      if match is None:
        break
      for node, value in zip(names, match.groups(), strict=True):
        _put(found, node, value, choices)
    else:
      return found
  return None


def _ways(body: list[nodes.Node]) -> Iterator[tuple[Pieces, dict[str, Any]]]:
  """The texts and expressions in their order, for each way through the conditions, and what the way assumes."""
  if not body:
    yield [], {}
    return
  for first, assumed in _ways_through(body[0]):
    for rest, more in _ways(body[1:]):
      joined = [*first, *rest]
      if first and rest and isinstance(first[-1], str) and isinstance(rest[0], str):
        joined = [*first[:-1], first[-1] + rest[0], *rest[1:]]
      yield joined, assumed | more


def _ways_through(node: nodes.Node) -> Iterator[tuple[Pieces, dict[str, Any]]]:
  if isinstance(node, nodes.If):
    for branch, holds in ((node.body, True), (node.else_, False)):
      for pieces, assumed in _ways(branch):
        yield pieces, _assumption(node.test, holds) | assumed
  elif isinstance(node, nodes.Output):
    pieces: Pieces = []
    for part in node.nodes:
      constant = part.data if isinstance(part, nodes.TemplateData) else part
      constant = str(part.value) if isinstance(part, nodes.Const) else constant
      pieces = (
        [*pieces[:-1], pieces[-1] + constant]
        if pieces and isinstance(constant, str) and isinstance(pieces[-1], str)
        else [*pieces, constant]
      )
    yield pieces, {}
  else:
    raise CannotUnrenderError(type(node).__name__)


def _assumption(test: nodes.Node, holds: bool) -> dict[str, Any]:
  if isinstance(test, nodes.Name):
    return {test.name: holds}
  if (
    isinstance(test, nodes.Compare) and isinstance(test.expr, nodes.Name) and isinstance(test.ops[0].expr, nodes.Const)
  ):
    value = test.ops[0].expr.value
    if isinstance(value, bool):
      return {test.expr.name: value == holds}
    return {test.expr.name: value} if holds and test.ops[0].op == "eq" else {}
  return {}


def _pattern(pieces: Pieces, choices: list[str]) -> tuple[str, list[nodes.Node]]:
  """A regular expression with a group for each expression that is no constant, and those expressions."""
  written, names = [], []
  for piece in pieces:
    constant = piece if isinstance(piece, str) else _constant(piece, choices)
    if constant is None:
      names.append(piece)
    written.append(constant)
  written[0] = written[0] and written[0].lstrip()
  written[-1] = written[-1] and written[-1].rstrip()
  return "".join("(.*?)" if constant is None else re.escape(constant) for constant in written), names


def _constant(node: nodes.Node, choices: list[str]) -> str | None:
  """What an expression over the answer choices alone gives."""
  if any(name.name != "answer_choices" for name in node.find_all(nodes.Name)) or isinstance(node, nodes.Name):
    return None
  environment = jinja2.Environment()
  template = nodes.Template([nodes.Output([node])], lineno=1).set_environment(environment)
  return jinja2.Template.from_code(environment, environment.compile(template), {}).render(answer_choices=choices)


def _put(found: dict[str, Any], node: nodes.Node, text: str, choices: list[str]) -> None:
  """Writes the column that an expression reads."""
  if isinstance(node, nodes.Filter) and node.name == "choice":
    _put_value(found, node.node, [text])
  elif isinstance(node, nodes.Filter) and node.name == "join" and isinstance(node.args[0], nodes.Const):
    _put_value(found, node.node, text.split(node.args[0].value))
  elif isinstance(node, nodes.Getitem) and isinstance(node.node, nodes.Name) and node.node.name == "answer_choices":
    if text not in choices:
      raise CannotUnrenderError(f"{text!r} is not among {choices}")
    _put_value(found, node.arg, choices.index(text))
  else:
    _put_value(found, node, text)


def _put_value(found: dict[str, Any], node: nodes.Node, value: Any) -> None:
  if isinstance(node, nodes.Name):
    found[node.name] = value
  elif isinstance(node, nodes.Getattr) and isinstance(node.node, nodes.Name):
    found.setdefault(node.node.name, {})[node.attr] = value
  else:
    raise CannotUnrenderError(type(node).__name__)


def _environment() -> jinja2.Environment:
  environment = jinja2.Environment()
  environment.filters["choice"] = lambda values: values[0]
  return environment


_ENVIRONMENT = _environment()
