"""A query that is too long loses the end of its longest context field: never of its question or its instruction."""

import dataclasses
from collections.abc import Sequence

from flan_jax.data.sources import Example
from flan_jax.data.vocabularies import Vocabulary

# Where a text is cut the last piece may come out as several; a prompt that still is too long is cut once more.
SLACK_TOKENS = 2


def shortened(example: Example, context: Sequence[str], excess: int, vocabulary: Vocabulary) -> Example | None:
  """The example with its longest context field cut at the end, between words, by at least so many tokens.

  Args:
    context: the type's fields that may be cut.
    excess: tokens to lose.

  Returns:
    None where no field is long enough to lose so many and keep something.
  """
  present = [name for name in context if isinstance(example.fields.get(name), str)]
  if not present:
    return None
  lengths = dict(zip(present, map(len, vocabulary.encode([example.fields[name] for name in present])), strict=True))
  longest = max(present, key=lambda name: lengths[name])
  text = _first_tokens(example.fields[longest], lengths[longest], lengths[longest] - excess - SLACK_TOKENS, vocabulary)
  return dataclasses.replace(example, fields={**example.fields, longest: text}) if text else None


def loses_answer(before: Example, after: Example, answer: str) -> bool:
  """Whether the answer stood in what was cut off, and so can no longer be read out of the context.

  Examples with options are not meant: 'yes' in a passage is no place where the answer is read.
  """
  if before.fields.get("choices") or not answer:
    return False
  changed = (name for name, value in before.fields.items() if after.fields[name] != value)
  return any(answer in before.fields[name] and answer not in after.fields[name] for name in changed)


def _first_tokens(text: str, tokens: int, wanted: int, vocabulary: Vocabulary) -> str:
  """The beginning of a text of so many tokens that has at most `wanted`; '' where that leaves nothing."""
  end = len(text)
  while wanted > 0 and tokens > wanted:
    # Tokens are about equally long; where they are not, the next round comes nearer. Each is shorter by a character.
    end = min(end - 1, end * wanted // tokens)
    cut = text[:end].rpartition(" ")[0] if text[end : end + 1].strip() and " " in text[:end] else text[:end]
    end = len(cut)
    if not cut.strip():
      return ""
    (ids,) = vocabulary.encode([cut])
    tokens = len(ids)
  return text[:end].rstrip() if wanted > 0 else ""
