"""Names and metadata out of a PromptSource templates.yaml in the layout that PromptSource itself writes.

YAML of 2,085 templates takes 0.35 s, most of it for Jinja that a listing does not look at; this takes a tenth of that.
A file in any other layout is none of its business: None, and YAML has the word.
"""

import re
from typing import NamedTuple


class Outline(NamedTuple):
  """What a listing tells of a template."""

  id: str
  name: str
  languages: tuple[str, ...]
  metrics: tuple[str, ...]


class FileOutline(NamedTuple):
  """A file's dataset, subset ('' for none) and templates in their order."""

  dataset: str
  subset: str
  templates: tuple[Outline, ...]


def outlined(text: str) -> FileOutline | None:
  """The outline, or None where the layout leaves any doubt."""
  head = _HEAD.match(text)
  if head is None:
    return None
  templates, end = [], head.end()
  while end < len(text):
    block = _BLOCK.match(text, end)
    outline = block and _outline(block[1], block[2])
    if not outline:
      return None
    templates.append(outline)
    end = block.end()
  dataset, subset = _scalar(head[1]), _scalar(head[2]) if head[2] else ""
  return None if dataset is None or subset is None else FileOutline(dataset, subset, tuple(templates))


def _outline(key: str, block: str) -> Outline | None:
  names = _NAME.findall(block)
  languages, metrics = _LANGUAGES.findall(block), _METRICS.findall(block)
  if not (len(names) == len(languages) == len(metrics) == 1 and len(_JINJA.findall(block)) == 1):
    return None
  lists = [tuple(map(_scalar, _ITEM.findall(items))) for items in (languages[0], metrics[0])]
  scalars = (_scalar(key), _scalar(names[0]), *lists[0], *lists[1])
  return None if None in scalars else Outline(scalars[0], scalars[1], *lists)


def _scalar(written: str) -> str | None:
  """The text that a scalar on one line stands for; None for one that only YAML understands."""
  quoted = _QUOTED.fullmatch(written)
  if quoted:
    return quoted[1]
  return written if _PLAIN.fullmatch(written) and not _TYPED.fullmatch(written) else None


_HEAD = re.compile(r"dataset: ([^\n]+)\n(?:subset: ([^\n]+)\n)?templates:\n")
_BLOCK = re.compile(r"  ([^\s:]+): !Template\n((?:    [^\n]*\n|\n)+)")
# A value that goes on in the next line (five spaces or more) is left to YAML.
_NAME = re.compile(r"^    name: ([^\n]+)\n(?!     )", re.MULTILINE)
_JINJA = re.compile(r"^    jinja: [^\n]*[^\s][^\n]*$", re.MULTILINE)
_LANGUAGES = re.compile(r"^      languages:(?: \[\]\n|\n((?:      - [^\n]+\n)+))(?!       )", re.MULTILINE)
_METRICS = re.compile(r"^      metrics:(?: \[\]\n|\n((?:      - [^\n]+\n)+))(?!       )", re.MULTILINE)
_ITEM = re.compile(r"^      - ([^\n]+)$", re.MULTILINE)
_QUOTED = re.compile(r"'([^'\n]+)'")
_PLAIN = re.compile(r"[A-Za-z](?:[\w./()?!,'\" +=<>&-]*[\w./()?!'\"])?|[0-9a-f]+(?:-[0-9a-f]+){4}", re.ASCII)
_TYPED = re.compile(r"y|n|yes|no|true|false|on|off|null", re.IGNORECASE)
