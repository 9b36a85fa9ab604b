"""{promptsource: templates.yaml, template: NAME, rows: {another reader's entry}}: a PromptSource template over records.

Columns: input, output and, where the template has answer_choices and its target is one of them, choices. The texts are
whole: PromptSource itself cuts every value that it fills in at 2,048 characters, which P3's published files show.
"""

import dataclasses
import functools
import json
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

import xxhash
import yaml

from flan_jax import errors
from flan_jax.data.readers import json_scanning, number_columns
from flan_jax.data.readers.rows import NoExample, Rows


@dataclasses.dataclass(frozen=True, eq=False)
class Template:
  """A template as its file has it; `metadata` has languages, metrics, original_task, choices_in_prompt."""

  id: str
  name: str
  jinja: str
  answer_choices: str
  metadata: Mapping[str, Any]


@dataclasses.dataclass(frozen=True, eq=False)
class TemplateFile:
  """A templates.yaml: the dataset that its templates are for; `problems` tells of those it lacks ('ID: reason')."""

  dataset: str
  subset: str
  templates: tuple[Template, ...]
  problems: tuple[str, ...]


class RenderedRows:
  """The records of other rows as a template writes them (see readers.rows.Rows); ids and places are theirs."""

  def __init__(self, path: pathlib.Path, template: Template, rows: Rows):
    """Compiles the template. Raises FlanJaxError where it is none or uses what it may not."""
    from flan_jax.data.readers import prompt_sandbox  # Jinja, which no listing needs

    where = f"{path}: template {template.name!r}"
    self.file = rows.file
    self._template, self._rows = template, rows
    self._render = prompt_sandbox.compiled(template.jinja, where)
    self._choices = prompt_sandbox.compiled(template.answer_choices, where) if template.answer_choices else None

  def __len__(self) -> int:
    return len(self._rows)

  def read(self, row: int) -> dict[str, Any]:
    """The columns of one record.

    Raises:
      ValueError: the record is malformed, or the template fails on it.
      NoExample: the template gives no input or no target.
      FlanJaxError: the template tries to leave its sandbox.
    """
    key = f"{self._template.id}/{self._rows.id(row)}"
    # Written out and read again: a template may change the lists that it is given, so each render gets its own.
    written = json.dumps(self._rows.read(row)).replace(_PARTED, _ESCAPED)
    columns = json.loads(written)
    if "answer_choices" in columns:
      raise ValueError("the record has a column 'answer_choices', which is the template's word for its own")
    listed = self._choices(json.loads(written), key) if self._choices else None
    choices = None if listed is None else [choice.strip() for choice in listed.split(_PARTED)]
    parts = self._render({**columns, "answer_choices": choices}, key).split(_PARTED)
    json_scanning.check_text("".join((*parts, *(choices or ()))))  # templates can write what no record may hold
    return _columns(_unescaped(parts), [choice for choice in _unescaped(choices or []) if choice])

  def original(self, row: int) -> str:
    """What the record says that all templates of the dataset are rendered over: all but its number or name."""
    record = self._rows.read(row)
    said = {column: value for column, value in record.items() if not _NAMES_A_RECORD.fullmatch(column)}
    return json.dumps(said or record, sort_keys=True, default=str)

  def id(self, row: int) -> str:
    """The record's."""
    return self._rows.id(row)

  def place(self, row: int) -> str:
    """The record's."""
    return self._rows.place(row)

  def fingerprint(self) -> str:
    """Of the template and of the records, and of what tells these apart."""
    template = (self._template.id, self._template.jinja, self._template.answer_choices)
    own = "\x1f".join((*template, _NAMES_A_RECORD.pattern))
    return f"{xxhash.xxh3_64_intdigest(f'{own}{self._rows.fingerprint()}'.encode('utf-8', 'surrogatepass')):016x}"


def open_template(
  entry: Mapping[str, Any], data_dir: pathlib.Path, open_rows: Callable[[Mapping[str, Any], pathlib.Path], Rows]
) -> RenderedRows:
  """The rows of {promptsource: FILE, template: NAME or id, rows: ENTRY}; `open_rows` opens the inner entry."""
  path = data_dir / entry["promptsource"]
  wanted = str(entry.get("template", ""))
  found = read_templates(path).templates
  for template in found:
    if wanted in (template.id, template.name):
      rows = open_rows(entry["rows"], data_dir)
      texts_only = "csv" in entry["rows"] or "tsv" in entry["rows"]
      return RenderedRows(path, template, number_columns.NumberColumns(rows) if texts_only else rows)
  names = (template.name for template in found)
  raise errors.unknown_name("template", wanted, names, str(path))


def read_templates(path: pathlib.Path) -> TemplateFile:
  """The templates of a file; none is compiled, nothing in it is executed.

  Raises:
    FlanJaxError: it cannot be read, is not YAML, or is no templates file.
  """
  try:
    status = path.stat()
  except OSError as error:
    raise errors.FlanJaxError(f"{path}: {error.strerror or error}") from None
  return _read(path, status.st_mtime_ns, status.st_size)


# The columns that publishers number records by (idx, uid, pairID, question_id, the index that pandas writes). By their
# names alone, so that a record decides for itself, whatever else is in the file. A column of such a name that says
# something (answer_idx) does no harm: records that differ in it alone then stand on one side. Only the record's own
# columns, not those within one: there, `id` may be Indonesian.
_NAMES_A_RECORD = re.compile(
  r"(?i:(?:.*[_ -])?(?:id|idx|ind|index|uid|guid|uuid)|[pq]id)|.*[a-z](?:ID|Id)|__index_level_\d+__|Unnamed: 0"
)
_PARTED = "|||"  # between input and target, and between answer choices
# What PromptSource writes for it in a record's own text; the templates of multi_news split documents by it.
_ESCAPED = "3ed2dface8203c4c9dfb1a5dc58e41e0"


def _unescaped(parts: list[str]) -> list[str]:
  return [part.replace(_ESCAPED, _PARTED).strip() for part in parts]


def _columns(parts: list[str], choices: list[str]) -> dict[str, Any]:
  if len(parts) > 2:
    raise NoExample(f"the template gives {len(parts)} parts, not an input and a target")
  if not parts[0]:
    raise NoExample("the template gives no input")
  if len(parts) < 2 or not parts[1]:
    raise NoExample("the template gives no target")
  columns: dict[str, Any] = {"input": parts[0], "output": parts[1]}
  if parts[1] in choices:
    columns["choices"] = choices
  return columns


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
  """Safe YAML that reads a tagged mapping (!Template) as a plain one; no other tag means anything.

  Aliases share what they stand for (a published file shares metadata so), but `<<` would copy it, and so could make
  a huge mapping of a short file.
  """

  def flatten_mapping(self, node: yaml.MappingNode) -> None:
    for key, _ in node.value:
      if key.tag == "tag:yaml.org,2002:merge":
        raise yaml.constructor.ConstructorError(None, None, "a merge key (<<) is not read here", key.start_mark)


def _plain(loader: Any, tag: str, node: yaml.Node) -> Any:
  if not isinstance(node, yaml.MappingNode):
    raise yaml.constructor.ConstructorError(None, None, f"the tag !{tag} stands before no mapping", node.start_mark)
  return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _plain)


@functools.lru_cache(maxsize=16)  # the tasks of a file are opened one after the other
def _read(path: pathlib.Path, time: int, size: int) -> TemplateFile:
  del time, size  # they tell a changed file from the one before
  try:
    content = yaml.load(path.read_bytes(), Loader=_Loader)
  except (yaml.YAMLError, ValueError, LookupError, AttributeError, RecursionError, OSError) as error:  # '!!bool maybe'
    mark = getattr(error, "problem_mark", None)
    place = f":{mark.line + 1}" if mark else ""
    raise errors.FlanJaxError(f"{path}{place}: not YAML: {getattr(error, 'problem', None) or error}") from None
  if not isinstance(content, dict) or not isinstance(content.get("templates"), dict):
    raise errors.FlanJaxError(f"{path}: no templates file of PromptSource: it has no mapping `templates`")
  templates, problems = [], []
  for key, entry in content["templates"].items():
    try:
      templates.append(_template(str(key), entry))
    except ValueError as error:
      problems.append(f"{key}: {error}")
  for key in ("dataset", "subset"):
    # Not str(): of lists within lists that aliases share, a short file can make a text that fills the memory.
    if not isinstance(content.get(key), str | int | float | None):
      raise errors.FlanJaxError(f"{path}: no templates file of PromptSource: its {key} is no text")
  dataset, subset = (str(content.get(key) or "") for key in ("dataset", "subset"))
  return TemplateFile(dataset or path.parent.name, subset, tuple(templates), tuple(problems))


def _template(key: str, entry: Any) -> Template:
  if not isinstance(entry, dict):
    raise ValueError("a template is not a mapping")
  for part in ("name", "jinja"):
    if not isinstance(entry.get(part), str) or not entry[part].strip():
      raise ValueError(f"the template has no {part}")
  choices = entry.get("answer_choices") or ""
  if not isinstance(choices, str):
    raise ValueError("answer_choices is not a text")
  metadata = entry.get("metadata")
  return Template(key, entry["name"], entry["jinja"], choices, metadata if isinstance(metadata, dict) else {})
