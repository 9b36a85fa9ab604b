"""Few-shot and reasoning wordings made of a type's zero-shot ones and of frames that all types share (frames.yaml).

few_shot        each exemplar and the query carry the wording, in the turn of a frame
few_shot_bare   the fields alone (`bare`) in the turn of a frame: exemplars without a word of instruction (MetaICL,
                Min et al. 2022)
bare            the fields alone
cot             the wording, its cue ('Answer:') replaced by a frame's request to reason
few_shot_cot    both
"""

import functools
import pathlib
from collections.abc import Mapping
from typing import Any

import flan_jax.collections
from flan_jax.data import spec_files

CUE_ENDS = (":", "：", "=", ">", "→")


def derived(form: str, entry: Mapping[str, Any]) -> list[dict[str, str]]:
  """The wordings (turn, head, join) of a format for an entry of types.yaml; none where the type cannot be so asked.

  Args:
    form: name of the format.
    entry: with `wordings`, and where there are such `bare` and `optional`.
  """
  if form == "bare":
    return [{"turn": entry["bare"]}] if entry.get("bare") else []
  if form == "few_shot_bare":
    return [_framed(frame, entry["bare"]) for frame in _frames(form)] if entry.get("bare") else []
  reasoned = form in ("cot", "few_shot_cot")
  if (
    form in ("zero_shot", "continuation")
    or not entry.get("bare")
    or (reasoned and "rationale" not in entry.get("optional", ()))
  ):
    return []
  frames = _frames(form)
  pairs = ((frames[i % len(frames)], turn) for i, turn in enumerate(entry["wordings"]))
  return [_framed(frame, _fitting(frame, turn, reasoned)) for frame, turn in pairs]


def parted(turn: str) -> tuple[str, str]:
  """(the question, the cue with the line breaks before it); the cue is '' where the last line is none.

  >>> parted("{{ question }}\\nAnswer:")
  ('{{ question }}', '\\nAnswer:')
  >>> parted("{{ question }}\\nAnswer briefly.")
  ('{{ question }}\\nAnswer briefly.', '')
  """
  question, _, last = turn.rstrip().rpartition("\n")
  if not question.strip() or "}" in last or not last.rstrip().endswith(CUE_ENDS):
    return turn, ""
  question = question.rstrip()
  return question, turn[len(question) :]


def _fitting(frame: Mapping[str, str], wording: str, reasoned: bool) -> str:
  """The wording without its cue where a rationale comes first or the frame ends on another one."""
  return wording if frame["turn"].endswith("{turn}") and not reasoned else parted(wording)[0]


def _framed(frame: Mapping[str, str], turn: str) -> dict[str, str]:
  return {**frame, "turn": frame["turn"].replace("{turn}", turn)}


@functools.cache
def _frames(form: str) -> list[dict[str, str]]:
  path = pathlib.Path(flan_jax.collections.__file__).parent / "frames.yaml"
  return [
    {key: value for key, value in frame.items() if key != "format"}
    for frame in spec_files.read(path)
    if frame["format"] == form
  ]
