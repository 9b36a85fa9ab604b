"""{p3: FILE.jsonl}: prompts that PromptSource has rendered, as P3 and its samples publish them.

A line is {prompt, completion} or {inputs_pretokenized, targets_pretokenized}, perhaps with answer_choices. Columns:
input, output and, where the line has them, choices.
"""

import pathlib
from collections.abc import Mapping
from typing import Any

from flan_jax.data.readers.lines import json_object
from flan_jax.data.readers.rows import LineRows, NoExample


def open_p3(entry: Mapping[str, Any], data_dir: pathlib.Path) -> LineRows:
  """The rows of {p3: FILE.jsonl}."""
  return LineRows(data_dir / entry["p3"], parsed)


def parsed(line: str) -> dict[str, Any]:
  """The columns of a line.

  Raises:
    ValueError: it is no JSON object with one of the two pairs of texts, or its input is empty.
    NoExample: its target is empty, as where a template does not apply to a record; or it is one of the wrong options
      that the files for rank classification (NAME_score_eval) list.
  """
  record = json_object(line)
  if record.get("is_correct") is False:
    raise NoExample("a wrong option of rank classification")
  given, said = _pair(record)
  output = said.strip().removesuffix(_END_OF_TEXT).strip()
  if not output:
    raise NoExample("the template gives no target")
  if not given.strip():
    raise ValueError("the prompt is empty")
  choices = record.get("answer_choices") or []
  if not isinstance(choices, list) or not all(isinstance(choice, str) for choice in choices):
    raise ValueError("answer_choices is not a list of texts")
  columns: dict[str, Any] = {"input": given.strip(), "output": output}
  if choices:
    columns["choices"] = [choice.strip() for choice in choices]
  return columns


_PAIRS = (("prompt", "completion"), ("inputs_pretokenized", "targets_pretokenized"))
_END_OF_TEXT = "<|endoftext|>"  # GPT's, in the files that were made to finetune it


def _pair(record: dict[str, Any]) -> tuple[str, str]:
  for pair in _PAIRS:
    if any(key in record for key in pair):
      for key in pair:
        if not isinstance(record.get(key), str):
          raise ValueError(f"{key!r} is not a text" if key in record else f"there is no {key!r}")
      return record[pair[0]], record[pair[1]]
  known = " nor ".join(" and ".join(pair) for pair in _PAIRS)
  raise ValueError(f"neither {known}; its keys: {', '.join(record) or 'none'}")
