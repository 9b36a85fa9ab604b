"""From examples to tokens that fit a row: the length rule, the same for the store and for SeqIO.

Tokens and their EOS must fit. A few-shot prompt loses exemplars, one at a time, until they do. What is still too long
is left out and the reason told: neither a query nor a target is ever cut.
"""

import dataclasses
from collections.abc import Sequence

from flan_jax.data.rendering import Rendered, Renderer
from flan_jax.data.sources import Example
from flan_jax.data.vocabularies import Vocabulary

TARGETS_TOO_LONG = "left out: targets longer than the row"
INPUTS_TOO_LONG = "left out: inputs longer than the row, without exemplars too"
EMPTY_TARGET = "left out: empty target"
NO_RATIONALE = "left out: no rationale, and only rationale formats were asked for"


@dataclasses.dataclass(slots=True)
class Tokenised:
  """A rendered example as clean token ids, without EOS.

  Attributes:
    left_out: why it may not be trained on (one of the constants above); '' if it fits.
    exemplars_dropped: how many the length rule took from the prompt that was drawn.
  """

  rendered: Rendered
  inputs: list[int]
  targets: list[int]
  left_out: str = ""
  exemplars_dropped: int = 0


def tokenise(
  renderer: Renderer,
  vocabulary: Vocabulary,
  lengths: tuple[int, int],
  examples: Sequence[Example],
  variant: int = 0,
) -> list[Tokenised | str]:
  """Each example rendered, tokenised and made to fit; the reason alone where it cannot even be rendered.

  Args:
    lengths: (inputs, targets) tokens of a row, EOS included.
    examples: some hundreds at a time are tokenised fastest.
    variant: which set of draws, see `Renderer.render`.
  """
  possible = [renderer.renders(example) for example in examples]
  able = [example for example, can in zip(examples, possible, strict=True) if can]
  done = iter(_fitted(renderer, vocabulary, lengths, able, variant))
  return [next(done) if can else NO_RATIONALE for can in possible]


def _fitted(
  renderer: Renderer, vocabulary: Vocabulary, lengths: tuple[int, int], examples: Sequence[Example], variant: int
) -> list[Tokenised]:
  rendered = [renderer.render(example, variant) for example in examples]
  inputs = vocabulary.encode([one.inputs for one in rendered])
  targets = vocabulary.encode([one.targets for one in rendered])
  out = [Tokenised(*parts) for parts in zip(rendered, inputs, targets, strict=True)]
  for one in out:
    one.left_out = _refusal(one, lengths[1])
  long = [i for i, one in enumerate(out) if not one.left_out and len(one.inputs) >= lengths[0]]
  while long:
    shorter = [i for i in long if out[i].rendered.shots > 0]
    for i in set(long) - set(shorter):
      out[i].left_out = INPUTS_TOO_LONG
    for i in shorter:
      drawn = out[i].rendered
      out[i].rendered = renderer.render(examples[i], variant, format=drawn.format, shots=drawn.shots - 1)
      out[i].exemplars_dropped += 1
    for i, tokens in zip(shorter, vocabulary.encode([out[i].rendered.inputs for i in shorter]), strict=True):
      out[i].inputs = tokens
    long = [i for i in shorter if len(out[i].inputs) >= lengths[0]]
  return out


def _refusal(one: Tokenised, targets_length: int) -> str:
  if not one.targets:
    return EMPTY_TARGET
  return TARGETS_TOO_LONG if len(one.targets) >= targets_length else ""
