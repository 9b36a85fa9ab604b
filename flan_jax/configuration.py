"""gin as T5X's users know it: files that include each other, --gin.NAME=value, macros; errors for people.

Everything that configures a run becomes a list of gin lines (`lines`), which is printed, parsed (`parse`) and turned
into one frozen dataclass (`build`); `gin_text` writes such a dataclass back as gin that builds it again. Configurables
are frozen dataclasses that are all built before anything runs, so that a binding nothing consumed is found at once.
"""

import ast
import dataclasses
import difflib
import inspect
import pathlib
import re
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import gin

from flan_jax.errors import FlanJaxError, UsageError, first_of, unknown_name

# Macro -> the binding that it feeds in gin_configs/runs/finetune.gin. The first eight have T5X's names.
MACROS = {
  "MODEL": "train.model",
  "MIXTURE_OR_TASK_NAME": "train.mixture_or_task_name",
  "TASK_FEATURE_LENGTHS": "train.task_feature_lengths",
  "TRAIN_STEPS": "train.train_steps",
  "BATCH_SIZE": "train.batch_size",
  "DROPOUT_RATE": "T5Config.dropout_rate",
  "INITIAL_CHECKPOINT_PATH": "train.initial_checkpoint_path",
  "INITIAL_OPTIMIZER": "train.initial_optimizer",
  "MODEL_DIR": "train.model_dir",
  "VOCABULARY": "train.vocabulary",
  "DATA_DIR": "train.data_dir",
  "STORE_DIR": "train.store_dir",
  "MISSING": "train.missing",
  "MODULE": "train.module",
  "ACCUMULATION": "train.accumulation",
  "LEARNING_RATE": "train.learning_rate",
  "CHECKPOINT_PERIOD": "Saving.period",
  "SEED": "train.seed",
  "RENDER_SEED": "train.render_seed",
  "VARIANTS": "train.variants",
  "PROFILE": "train.profile",
}

# Short form on the command line (--steps 200) -> macro.
SHORT_FORMS = {
  "mixture": "MIXTURE_OR_TASK_NAME",
  "steps": "TRAIN_STEPS",
  "batch_size": "BATCH_SIZE",
  "learning_rate": "LEARNING_RATE",
  "dropout_rate": "DROPOUT_RATE",
  "model_dir": "MODEL_DIR",
  "data_dir": "DATA_DIR",
  "store_dir": "STORE_DIR",
  "missing": "MISSING",
  "module": "MODULE",
  "vocabulary": "VOCABULARY",
  "initial_checkpoint": "INITIAL_CHECKPOINT_PATH",
  "seed": "SEED",
  "render_seed": "RENDER_SEED",
  "variants": "VARIANTS",
  "profile": "PROFILE",
}

_PACKAGE = pathlib.Path(__file__).parent
# In a checkout gin_configs/ stands beside the package, in an installed wheel inside it.
_OUR_ROOT = _PACKAGE.parent if (_PACKAGE.parent / "gin_configs").is_dir() else _PACKAGE
_BASE_RUN = "gin_configs/runs/finetune.gin"


def lines(
  model: str | None = None,
  *,
  gin_files: Sequence[str] = (),
  sharding: str | None = None,
  options: Mapping[str, object] | None = None,
  bindings: Sequence[str] = (),
) -> list[str]:
  """The gin lines that a command line stands for; a later line wins over an earlier one.

  Args:
    model: a file of gin_configs/models without its ending, such as 't5_demo'.
    gin_files: files in the order given; without any, the general gin_configs/runs/finetune.gin.
    sharding: a file of gin_configs/sharding without its ending.
    options: short forms (a key of SHORT_FORMS) to values; None is left out.
    bindings: 'NAME=value' from --gin.NAME=value; a bare word or path is taken as a string.

  >>> lines("t5_demo", options={"steps": 200}, bindings=["MODEL_DIR=/tmp/m"])  # doctest: +NORMALIZE_WHITESPACE
  ["include 'gin_configs/runs/finetune.gin'", "include 'gin_configs/models/t5_demo.gin'",
   'TRAIN_STEPS = 200', "MODEL_DIR = '/tmp/m'"]
  """
  includes = list(gin_files) or [_BASE_RUN]
  includes += [our_file("models", model, "model")] if model else []
  includes += [our_file("sharding", sharding, "sharding")] if sharding else []
  chosen = {SHORT_FORMS[name]: value for name, value in (options or {}).items() if value is not None}
  return [
    *(f"include {path!r}" for path in includes),
    *(f"{macro} = {value!r}" for macro, value in chosen.items()),
    *(_binding(text) for text in bindings),
  ]


class Parsed(NamedTuple):
  """What gin holds: bindings by (scope, configurable), and import statements. See `parsed`."""

  bindings: dict[tuple[str, str], dict[str, Any]]
  imports: frozenset[Any]


def parsed() -> Parsed:
  """What was parsed, for a later `parse`: a run's files take 15 ms each time."""
  return Parsed({key: dict(values) for key, values in gin.config._CONFIG.items()}, frozenset(gin.config._IMPORTS))


def parse(gin_lines: Sequence[str], search_paths: Sequence[str] = (), after: Parsed | None = None) -> None:
  """Reads gin lines, replacing whatever gin held before. Files are looked for in the working directory, then in
  `search_paths`, then in this project.

  Args:
    after: lines that come before these, as `parsed` gave them.

  Raises:
    UsageError: a missing file, wrong syntax, an unknown name; with the file and line where there is one.
  """
  gin.clear_config()
  if after is not None:
    gin.config._CONFIG.update({key: dict(values) for key, values in after.bindings.items()})
    gin.config._IMPORTS.update(after.imports)
  gin.config._LOCATION_PREFIXES[:] = ["", *search_paths, str(_OUR_ROOT)]  # gin can only add to it
  gin.config._FILE_READERS[:] = [(open, lambda path: pathlib.Path(path).is_file())]  # its other reader logs each miss
  for line in gin_lines:
    try:
      gin.parse_config(line)
    except UnicodeDecodeError as error:
      raise UsageError(f"{line}: not a text in UTF-8, as gin files are ({error.reason})") from None
    except (FlanJaxError, OSError, ImportError, KeyError, SyntaxError, ValueError, tokenize.TokenError) as error:
      raise _readable(error, line) from error


def default(macro: str, value: object) -> str | None:
  """Binds a macro that the parsed gin leaves at None; gives the line that says so, None if there was nothing to do."""
  try:
    bound = gin.query_parameter(f"%{macro}")
  except ValueError:  # no file has the macro
    return None
  if bound is not None or value is None:
    return None
  line = f"{macro} = {value!r}"
  gin.parse_config(line)
  return line


def is_bound(name: str) -> bool:
  """Whether the parsed gin says something of 'CONFIGURABLE.PARAMETER'."""
  try:
    gin.query_parameter(name)
  except ValueError:
    return False
  return True


def build(name: str = "train") -> Any:
  """The dataclass that the parsed gin describes, everything it refers to built as well.

  Raises:
    UsageError: a required macro or field has no value, a value is refused, or a binding was consumed by nothing.
  """
  return build_all([name])[0]


def build_all(names: Sequence[str]) -> list[Any]:
  """The dataclasses that one config describes together, such as 'train' and 'sweep': each binding is for one of them.

  Raises:
    UsageError: as `build` does.
  """
  _require_macros()
  values = [build_part(name) for name in names]
  _refuse_unused()
  return values


def build_part(name: str) -> Any:
  """One of the dataclasses of a config whose others cannot be built yet; bindings that it does not read are let be.

  Raises:
    UsageError: one of its fields has no value, or a value is refused.
  """
  try:
    configurable = gin.get_configurable(name)
  except ValueError as error:
    raise UsageError(f"no gin file binds {name}; start from include '{_BASE_RUN}'") from error
  try:
    return configurable()
  except FlanJaxError as error:
    raise UsageError(_without_gin_context(error)) from error
  except (TypeError, ValueError, RuntimeError) as error:
    raise UsageError(f"gin: {_without_gin_context(error)}") from error


def model(name: str) -> Any:
  """The T5Config of a file of gin_configs/models, such as 't5_1_1_xl', without a run around it.

  Raises:
    UsageError: no such model.
  """
  parse([f"include {our_file('models', name, 'model')!r}"])
  return gin.query_parameter("%MODEL").scoped_configurable_fn()


def partitioning(name: str) -> Any:
  """The Partitioning of a file of gin_configs/sharding, such as 'fsdp', without a run around it.

  Raises:
    UsageError: no such file, or it leaves the mesh to a run.
  """
  file = our_file("sharding", name, "sharding")
  if "Partitioning." not in project_file(f"sharding/{name}.gin").read_text(encoding="utf-8"):
    others = ", ".join(each for each in config_names("sharding") if each != name)
    raise UsageError(f"--sharding {name} chooses by a run's memory, and here is no run: one of {others}")
  parse([f"include {file!r}"])
  return gin.get_configurable("Partitioning")()


def gin_text(value: Any) -> str:
  """A frozen gin-configurable dataclass as gin: every field, of nested dataclasses too; macros on top.

  Parsing the text and building it gives an equal dataclass, whether gin or Python made the first one.
  """
  bindings = dict(_bindings_of(value))
  imports = sorted({type(each).__module__ for each in _dataclasses_in(value)})
  macros = {macro: bound for macro, bound in MACROS.items() if bound in bindings}
  of_binding = {bound: macro for macro, bound in macros.items()}
  return "\n".join(
    [
      *(f"import {module}" for module in imports),
      "",
      *(f"{macro} = {bindings[bound]}" for macro, bound in macros.items()),
      "",
      *(f"{bound} = {f'%{of_binding[bound]}' if bound in of_binding else text}" for bound, text in bindings.items()),
      "",
    ]
  )


def config_names(kind: str) -> list[str]:
  """The names of the project's own gin files of a kind: 'models', 'sharding', 'runs', 'sweeps'."""
  return sorted(path.stem for path in (_OUR_ROOT / "gin_configs" / kind).glob("*.gin"))


def project_file(path: str) -> pathlib.Path:
  """A file of the project's gin_configs, such as 'sharding/accelerators.yaml'."""
  return _OUR_ROOT / "gin_configs" / path


def our_file(kind: str, name: str, what: str) -> str:
  """The file of a name in gin_configs, as gin includes it.

  Args:
    kind: as of `config_names`.
    what: it is, for the error.

  Raises:
    UsageError: there is none of that name.
  """
  if name not in config_names(kind):
    raise unknown_name(what, name, config_names(kind), ", ".join(config_names(kind)))
  return f"gin_configs/{kind}/{name}.gin"


def _binding(text: str) -> str:
  name, equals, value = (part.strip() for part in text.partition("="))
  if not equals or not name or not value:
    raise UsageError(f"--gin.{text}: a binding has the form --gin.NAME=value")
  if re.fullmatch(r"[\w./~:+-]+", value) and not _is_literal(value):
    value = repr(value)  # --gin.MODEL_DIR=/tmp/m, whose quotes the shell has eaten
  return f"{name} = {value}"


def _is_literal(text: str) -> bool:
  try:
    ast.literal_eval(text)
  except (SyntaxError, ValueError):
    return False
  return True


# --- errors: what gin says, with file and line in front and the nearest name behind ---


def _readable(error: Exception, line: str) -> UsageError:
  where, what = _place(error, line), _first_line(error)
  if isinstance(error, OSError):
    path = re.search(r"Unable to open file: (.+?)\. Searched", str(error))
    looked_in = ", ".join(repr(prefix or ".") for prefix in gin.config._LOCATION_PREFIXES)
    return UsageError(f"{where}no gin file {path[1] if path else what!r}. Looked in {looked_in} (--gin_search_paths)")
  if unknown := re.search(r"No configurable matching (?:reference '@)?'?([\w./]+)", what):
    known = [selector.split(".")[-1] for selector, _ in gin.config._REGISTRY.items()]
    name = unknown[1].split("/")[-1]
    return UsageError(where + str(unknown_name("configurable", name, known, "gin_configs/ (and its file's imports)")))
  if wrong := re.search(r"Configurable '(.+?)' doesn't have a parameter named '(.+?)'", what):
    known = list(inspect.signature(_configurable(wrong[1])).parameters)
    return UsageError(where + str(unknown_name(f"{wrong[1]} parameter", wrong[2], known, ", ".join(known))))
  return UsageError(f"{where}{what}")


def _place(error: Exception, line: str) -> str:
  """'file:line: ' of the innermost file that gin names, or the line itself when it came from the command line."""
  if isinstance(error, SyntaxError) and error.filename:
    return f"{error.filename}:{error.lineno}: "
  if found := re.search(r'In file "(.+?)", line (\d+)', str(error)):
    return f"{found[1]}:{found[2]}: "
  if isinstance(error, tokenize.TokenError):  # gin says no file for it, so name the one that was being included
    return f"{line}: unclosed bracket or quote: "
  return "" if line.startswith("include") else f"{line}: "


def _first_line(error: Exception) -> str:
  text = str(error.msg if isinstance(error, SyntaxError) else error).split("\n")[0]
  if text.startswith("malformed node"):
    token = re.search(r"Failed to parse token '(.+?)'", str(error))
    return f"{token[1] if token else 'this'} is no gin value (a string needs quotes)"
  return text


def _without_gin_context(error: Exception) -> str:
  return str(error).split("\n  In call to configurable")[0].split("\n  No values supplied")[0]


def _configurable(name: str) -> Callable[..., Any]:
  return gin.config._REGISTRY.get_match(name).wrapped


# --- macros without a value, bindings without a reader ---


def _require_macros() -> None:
  config = gin.config._CONFIG
  references = [each.config_key for each in gin.config.iterate_references(config)]
  used = {scope for scope, selector in references if selector == "gin.macro"}
  bound = {scope: repr(values["value"]) for (scope, selector), values in config.items() if selector == "gin.macro"}
  missing = sorted(name for name in used if bound.get(name, "%gin.REQUIRED") == "%gin.REQUIRED")
  if missing:
    flags = {macro: f"--{option} or --gin.{macro}" for option, macro in SHORT_FORMS.items()}
    flags["MODEL"] = f"flan-jax train NAME ({', '.join(config_names('models'))}) or a --gin_file that binds it"
    raise UsageError("; ".join(f"{name} has no value: give {flags.get(name, f'--gin.{name}')}" for name in missing))


def _refuse_unused() -> None:
  """gin itself never says that a binding had no effect; compares what was bound with what was consumed."""
  consumed = {(scope, selector): set(values) for (scope, selector), values in gin.config._OPERATIVE_CONFIG.items()}
  unused = [
    scope if selector == "gin.macro" else _bound_name(scope, selector, parameter)
    for (scope, selector), values in gin.config._CONFIG.items()
    for parameter in values
    if not any(
      parameter in parameters and name == selector and (inner == scope or not scope or inner.startswith(f"{scope}/"))
      for (inner, name), parameters in consumed.items()
    )
  ]
  if unused:
    known = [scope for scope, selector in consumed if selector == "gin.macro"]
    known += [_bound_name(*key, each) for key, values in consumed.items() if key[1] != "gin.macro" for each in values]
    near = difflib.get_close_matches(unused[0], dict.fromkeys(known), n=3)
    hint = f" Nearest that are read: {', '.join(near)}." if near else ""
    if "sweep.name" in unused:
      hint = " This is a sweep: flan-jax sweep"
    raise UsageError(f"nothing reads the gin binding of {first_of(unused)}.{hint}")


def _bound_name(scope: str, selector: str, parameter: str) -> str:
  return f"{f'{scope}/' if scope else ''}{selector.split('.')[-1]}.{parameter}"


# --- a dataclass as gin ---


def _bindings_of(value: Any, scope: str = "") -> Iterator[tuple[str, str]]:
  """Each field of a dataclass as gin, then those of the dataclasses in its fields.

  A tuple may hold several of one class, so each of its items has a scope of its own: `objectives_0/SpanCorruption`.
  """
  inside = []
  for field in dataclasses.fields(value):
    inner = getattr(value, field.name)
    if _holds_dataclasses(inner):
      scopes = [f"{scope}{field.name}_{i}/" for i in range(len(inner))]
      inside += zip(inner, scopes, strict=True)
      text = "[" + ", ".join(_reference(*item) for item in zip(inner, scopes, strict=True)) + "]"
    elif dataclasses.is_dataclass(inner):
      inside.append((inner, scope))
      text = _reference(inner, scope)
    else:
      text = repr(inner)
    yield f"{scope}{_gin_name(type(value))}.{field.name}", text
  for inner, where in inside:
    yield from _bindings_of(inner, where)


def _reference(value: Any, scope: str) -> str:
  return f"@{scope}{_gin_name(type(value))}()"


def _holds_dataclasses(value: Any) -> bool:
  return isinstance(value, tuple) and bool(value) and all(map(dataclasses.is_dataclass, value))


def _dataclasses_in(value: Any) -> Iterator[Any]:
  yield value
  for field in dataclasses.fields(value):
    inner = getattr(value, field.name)
    for each in inner if _holds_dataclasses(inner) else [inner]:
      if dataclasses.is_dataclass(each):
        yield from _dataclasses_in(each)


def _gin_name(configurable: type) -> str:
  return gin.config._inverse_lookup(configurable).name
