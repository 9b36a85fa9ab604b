"""Jinja for templates of strangers: no attribute leads out of the record, and a render has bounded work.

What Jinja's sandbox leaves open is closed by three lists (statements, filters, methods) and by a budget: every
iteration, call and text is charged, so that nested loops or doubling texts end with an error after about a second.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, MappingView
from typing import Any

import jinja2
import jinja2.filters
import jinja2.sandbox
from jinja2 import nodes
from jinja2.runtime import Context, Namespace, missing
from jinja2.visitor import NodeTransformer

from flan_jax import draws, errors
from flan_jax.data.readers.rows import NoExample

Render = Callable[[Mapping[str, Any], str], str]

BUDGET = 10_000_000  # characters looked at in a render; a long contract has 300,000
ELEMENT = 20  # what a list's element costs beside its characters: so at most 500,000 of them
STEP = 100  # what an iteration or a call costs: so at most 100,000 of them


def compiled(text: str, where: str) -> Render:
  """The function of (the record's columns, a key) that a template is; the key decides what `choice` chooses.

  It may change the lists of the record. It raises FlanJaxError for a way out of the sandbox, ValueError with the
  reason where the record does not suit the template or the work is too much, NoExample where it has nothing to choose.

  Raises:
    FlanJaxError: the text is not a template, or uses what templates here may not.
  """
  try:
    tree = _ENVIRONMENT.parse(text)
    _check(tree, where)
    assigned = frozenset(name.name for name in tree.find_all(nodes.Name) if name.ctx == "store")
    code = _ENVIRONMENT.compile(_Charged().visit(tree))
    template = jinja2.Template.from_code(_ENVIRONMENT, code, _ENVIRONMENT.make_globals(None))
  except (jinja2.TemplateError, SyntaxError, ValueError, OverflowError, RecursionError, MemoryError) as error:
    reason = getattr(error, "message", None) or error
    raise errors.FlanJaxError(f"{where}: not a template that can be used: {reason}") from None

  def render(columns: Mapping[str, Any], key: str) -> str:
    _RENDERING.begin(key, assigned)
    try:
      return template.render(columns)
    except jinja2.sandbox.SecurityError as error:
      raise errors.FlanJaxError(f"{where}: refused: {error}") from None
    except _RENDER_ERRORS as error:
      raise ValueError(f"the template fails on this record: {error}") from None

  return render


_RENDER_ERRORS = (
  *(jinja2.TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError),
  *(RecursionError, MemoryError),
)


class _Rendering(threading.local):
  """What the render of this thread has left to spend, and its choices so far."""

  left = 0
  key = ""
  choices = 0
  assigned: frozenset[str] = frozenset()

  def begin(self, key: str, assigned: frozenset[str]) -> None:
    self.left, self.key, self.choices, self.assigned = BUDGET, key, 0, assigned

  def charge(self, amount: int) -> None:
    self.left -= amount
    if self.left < 0:
      raise ValueError("it loops too much or makes too long a text")

  def charge_values(self, *values: Any) -> None:
    """Charges what it takes to look at the values whole; lists within lists are walked, so that sharing counts."""
    waiting = list(values)
    while waiting:
      value = waiting.pop()
      if isinstance(value, str):
        self.charge(len(value))
      elif isinstance(value, range):
        self.charge(ELEMENT * len(value))
      elif isinstance(value, list | tuple | MappingView):
        self.charge(ELEMENT * (len(value) + 1))
        waiting.extend(value)
      elif isinstance(value, Mapping):
        self.charge(ELEMENT * (len(value) + 1))
        waiting.extend(value.keys())
        waiting.extend(value.values())
      elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
        raise ValueError("a number is too large")


_RENDERING = _Rendering()
_LARGEST = 1 << 1024


class _Absent(jinja2.Undefined):
  """Jinja's lenient undefined value (a list that is too short gives nothing), except for columns that do not exist."""

  def _told(self, given: Any) -> Any:
    if self._undefined_obj is missing and self._undefined_name not in _RENDERING.assigned:
      raise ValueError(f"the record has no column {self._undefined_name!r}, which the template reads")
    return given

  def __str__(self) -> str:
    return self._told("")

  def __len__(self) -> int:
    return self._told(0)

  def __iter__(self) -> Iterator[Any]:
    return iter(self._told(()))

  def __bool__(self) -> bool:
    return self._told(False)

  def __eq__(self, other: object) -> bool:
    return self._told(type(self) is type(other))

  def __ne__(self, other: object) -> bool:
    return not self == other

  def __hash__(self) -> int:
    return self._told(0)


class _Environment(jinja2.sandbox.SandboxedEnvironment):
  """The sandbox with lists of what may be called, and everything charged."""

  intercepted_binops = frozenset(["+", "-", "*", "/", "//", "%"])

  def is_safe_callable(self, obj: Any) -> bool:
    owner, name = getattr(obj, "__self__", None), getattr(obj, "__name__", "")
    return any(obj is known for known in self.globals.values()) or name in _METHODS.get(type(owner), ())

  def unsafe_undefined(self, obj: Any, attribute: str) -> jinja2.Undefined:
    raise jinja2.sandbox.SecurityError(f"it reads {attribute!r} of {type(obj).__name__}")

  def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 (as Jinja has it)
    _RENDERING.charge(STEP)
    _RENDERING.charge_values(*args, *kwargs.values())
    owner = getattr(__obj, "__self__", None)
    if isinstance(owner, list | tuple):
      _charge_list_method(owner, __obj.__name__)
    if isinstance(owner, str):
      _RENDERING.charge(len(owner))
      if __obj.__name__ in ("strip", "lstrip", "rstrip") and args:
        _RENDERING.charge(len(owner) * len(str(args[0])))
      if __obj.__name__ == "replace" and len(args) > 1:
        _RENDERING.charge(owner.count(str(args[0])) * len(str(args[1])))
      if __obj.__name__ == "join" and args:
        args = (_taken(args[0]), *args[1:])
        _RENDERING.charge(len(owner) * len(args[0]))
    return super().call(__context, __obj, *args, **kwargs)

  def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
    _RENDERING.charge_values(left, right)
    if operator == "*":
      for text, times in ((left, right), (right, left)):
        if isinstance(text, str | list | tuple) and isinstance(times, int):
          _RENDERING.charge(len(text) * max(0, times))
    if operator == "%" and isinstance(left, str):
      _check_format(left)
    return super().call_binop(context, operator, left, right)


def _charge_list_method(owner: list | tuple, name: str) -> None:
  """Charges for what a method looks at or moves; appending does neither, and templates collect texts so."""
  if name in ("count", "index", "remove"):
    _RENDERING.charge_values(owner)
  elif name != "append":
    _RENDERING.charge(len(owner))


class _Charged(NodeTransformer):
  """Puts a charge on what a template loops over, keeps, cuts out, compares and puts together."""

  def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 (Jinja's name)
    self.generic_visit(node)
    node.iter = _filtered("charged_each", node.iter)
    return node

  def visit_Assign(self, node: nodes.Assign) -> nodes.Node:  # noqa: N802
    self.generic_visit(node)
    node.node = _filtered("charged", node.node)
    return node

  def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
    self.generic_visit(node)
    node.expr = _filtered("charged", node.expr)
    for operand in node.ops:
      operand.expr = _filtered("charged", operand.expr)
    return node

  def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
    self.generic_visit(node)
    of_choices = isinstance(node.node, nodes.Name) and node.node.name == "answer_choices"
    computed = isinstance(node.arg, nodes.Name) or node.arg.find(nodes.Name) is not None
    # answer_choices[label]; a literal -1 is the last choice, and is meant.
    if of_choices and computed and not isinstance(node.arg, nodes.Slice):
      node.arg = _filtered("charged_label", node.arg)
    return _filtered("charged", node) if isinstance(node.arg, nodes.Slice) else node

  def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
    self.generic_visit(node)
    node.nodes = [_filtered("charged", part) for part in node.nodes]
    return node


def _filtered(name: str, node: nodes.Expr) -> nodes.Expr:
  return nodes.Filter(node, name, [], [], None, None, lineno=node.lineno).set_environment(_ENVIRONMENT)


def _check(tree: nodes.Template, where: str) -> None:
  """Refuses statements that are not on the list and names that begin with an underscore."""
  for node in tree.find_all(nodes.Node):
    kind = type(node).__name__
    if kind not in _NODES or getattr(node, "recursive", False):
      raise errors.FlanJaxError(f"{where}: line {node.lineno}: a template may not use {kind}")
    if kind == "Name" and node.name in ("self", "super"):
      raise errors.FlanJaxError(f"{where}: line {node.lineno}: a template may not use {node.name!r}")
    name = getattr(node, "attr", None) or (isinstance(node, nodes.Getitem) and getattr(node.arg, "value", None))
    if isinstance(name, str) and name.startswith("__"):
      raise errors.FlanJaxError(f"{where}: line {node.lineno}: a template may not read {name!r}")


def _check_format(text: str) -> None:
  if "*" in text or any(len(part) > 3 for part in _digit_runs(text)):
    raise ValueError("a format asks for too wide a text")


def _digit_runs(text: str) -> list[str]:
  return "".join(letter if letter.isdigit() else " " for letter in text).split()


def _taken(values: Any) -> list[Any]:
  """The values as a list, each charged as it comes: they may be endless."""
  taken = []
  for value in values:
    _RENDERING.charge_values((value,))
    taken.append(value)
  return taken


@jinja2.pass_context
def _each(context: Context, values: Iterable[Any]) -> Iterator[Any]:
  for value in values:
    _RENDERING.charge(STEP)
    yield value


@jinja2.pass_context
def _kept(context: Context, value: Any) -> Any:
  _RENDERING.charge_values(value)
  return value


@jinja2.pass_context
def _label(context: Context, value: Any) -> Any:
  """A label; below 0 it says that there is none, where Python would take the last of the choices."""
  if isinstance(value, int) and value < 0:
    raise NoExample(f"the label is {value}")
  return value


@jinja2.pass_context
def _choice(context: Context, values: Iterable[Any]) -> Any:
  """One of the values by a hash of the render's key and of how many choices it made: PromptSource draws at random."""
  values = _taken(values)
  if not values:
    raise NoExample("the template finds nothing to choose from")
  _RENDERING.choices += 1
  return values[draws.draw(len(values), "promptsource", _RENDERING.key, _RENDERING.choices)]


def _most_frequent(values: Iterable[Any]) -> list[Any]:
  """Those values that are there most often, in their order."""
  counts = Counter(_taken(values))
  most = max(counts.values(), default=0)
  return [value for value, count in counts.items() if count == most]


def _format(text: str, *args: Any) -> str:
  _check_format(text)
  return text % args


def _replaced(text: Any, old: Any, new: Any, count: int = -1) -> str:
  text, old, new = str(text), str(old), str(new)
  _RENDERING.charge(text.count(old) * len(new))
  return text.replace(old, new, count)


def _rounded(value: Any, precision: int = 0, method: str = "common") -> Any:
  if not isinstance(precision, int) or abs(precision) > 20:
    raise ValueError("round is asked for more than 20 digits")
  return jinja2.filters.do_round(value, precision, method)


def _trimmed(value: Any, chars: Any = None) -> str:
  if chars is not None:
    _RENDERING.charge(len(str(value)) * len(str(chars)))
  return jinja2.filters.do_trim(value, chars)


@jinja2.pass_environment
def _summed(environment: jinja2.Environment, values: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
  if not isinstance(start, int | float):
    raise ValueError("sum adds numbers, so it starts with one")
  return jinja2.filters.sync_do_sum(environment, values, attribute, start)


def _charged_test(function: Callable[..., Any]) -> Callable[..., Any]:
  """A test, charged like a filter: `l | select('in', many)` calls it for each of l."""
  wants_environment = getattr(function, "jinja_pass_arg", None) is not None  # no test of Jinja's wants another

  @jinja2.pass_context
  def charged(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
    _RENDERING.charge(STEP)
    _RENDERING.charge_values(value, *args, *kwargs.values())
    return function(*((context.environment,) if wants_environment else ()), value, *args, **kwargs)

  return charged


def _charged_filter(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
  """A filter that is charged for its arguments, and that the compiler does not try out while it compiles."""
  asked = getattr(function, "jinja_pass_arg", None)  # some of Jinja's own want the context or environment first

  @jinja2.pass_context
  def charged(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
    _RENDERING.charge(STEP)
    if isinstance(value, Iterator) and name in _TAKE_ALL:
      value = _taken(value)
    _RENDERING.charge_values(value, *args, *kwargs.values())
    if name == "join" and args:
      value = _taken(value)
      _RENDERING.charge(len(str(args[0])) * len(value))
    first = {
      None: (),
      "context": (context,),
      "eval_context": (context.eval_ctx,),
      "environment": (context.environment,),
    }
    return function(*first[asked.name if asked else None], value, *args, **kwargs)

  return charged


@jinja2.pass_context
def _written(context: Context, value: Any) -> Any:
  """What `{{ }}` writes, charged."""
  _RENDERING.charge_values(value)
  return value


def _words(text: str) -> frozenset[str]:
  return frozenset(text.split())


# The statements, filters and methods that the 2,085 templates of PromptSource use, and their harmless neighbours.
_NODES = _words(
  """Template Output TemplateData Name Const Getitem Getattr Filter Call Keyword Assign Compare Operand If List Tuple
  Dict Pair Slice For Neg Pos Add Sub Mul Div FloorDiv Mod NSRef And Or Not CondExpr Test Concat"""
)
_FILTERS = _words(
  """abs capitalize count d default first float format int items join last length list lower map max min reject
  rejectattr reverse round select selectattr sort string sum title trim truncate unique upper wordcount"""
)
_TAKE_ALL = _words("join list sort unique last max min sum string length count reverse")
_METHODS: dict[type, frozenset[str]] = {
  str: _words(
    """capitalize count endswith find index isalpha isdigit islower isnumeric isspace isupper join lower lstrip
    partition removeprefix removesuffix replace rfind rindex rpartition rsplit rstrip split splitlines startswith strip
    swapcase title upper"""
  ),
  list: _words("append count index insert pop remove reverse"),
  tuple: _words("count index"),
  dict: _words("get items keys pop update values"),
}
_CHANGES = _words("append insert pop remove reverse update")


class StrictEnvironment(_Environment):
  """The same bounds for wordings and specs: a name that is not there is an error, and no list is changed."""

  def __init__(self):
    super().__init__(
      undefined=jinja2.StrictUndefined,
      autoescape=False,
      finalize=_written,
      trim_blocks=True,
      keep_trailing_newline=True,
    )
    furnished = _furnished(self)
    for name in ("choice", "random", "most_frequent"):  # PromptSource's own
      del furnished.filters[name]

  def is_safe_callable(self, obj: Any) -> bool:
    return super().is_safe_callable(obj) and getattr(obj, "__name__", "") not in _CHANGES

  def bounded(self, function: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    """A template's or expression's function of the fields, with a budget for each call.

    It raises jinja2.TemplateRuntimeError where the work is too much.
    """

    def render(fields: Mapping[str, Any]) -> Any:
      _RENDERING.begin("", frozenset())
      try:
        return function(fields)
      except (ValueError, RecursionError, MemoryError, OverflowError) as error:
        raise jinja2.TemplateRuntimeError(str(error) or type(error).__name__) from None

    return render

  def _generate(self, source: nodes.Template, *args: Any, **kwargs: Any) -> str:  # Jinja's hook before the code is made
    _check(source, "refused")
    return super()._generate(_Charged().visit(source), *args, **kwargs)


def _furnished(environment: _Environment) -> _Environment:
  """The environment with only the filters and functions that are known to be harmless, each charged."""
  known = environment.filters
  own = {
    **{"format": _format, "replace": _replaced, "most_frequent": _most_frequent},
    **{"round": _rounded, "trim": _trimmed, "sum": _summed},
  }
  kept = {name: own.get(name, known.get(name)) for name in (*_FILTERS, *own)}
  environment.filters = {name: _charged_filter(name, function) for name, function in kept.items()}
  environment.filters |= {"choice": _choice, "random": _choice, "charged": _kept, "charged_each": _each}
  environment.filters["charged_label"] = _label
  environment.tests = {name: _charged_test(function) for name, function in environment.tests.items()}
  environment.globals = {
    "range": jinja2.sandbox.safe_range,  # at most 100,000 numbers
    "zip": zip,
    "namespace": Namespace,
    "dict": dict,
  }
  return environment


_ENVIRONMENT = _furnished(_Environment(undefined=_Absent, autoescape=False, finalize=_written))
