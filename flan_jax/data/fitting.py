"""The length rule: too long a prompt loses exemplars, one at a time, before it is left out; a query is never cut."""

import dataclasses
import math
from collections.abc import Mapping

from flan_jax.data import rendering, sources, vocabularies

UNLIMITED: Mapping[str, float] = {"inputs": math.inf, "targets": math.inf}


@dataclasses.dataclass(frozen=True, slots=True)
class Fitted:
  """A rendered example with its clean tokens (no EOS), both of which fit a row with their EOS."""

  rendered: rendering.Rendered
  inputs: list[int]
  targets: list[int]


def fit(
  renderer: rendering.Renderer,
  vocabulary: vocabularies.Vocabulary,
  example: sources.Example,
  lengths: Mapping[str, float],
  variant: int = 0,
) -> Fitted | None:
  """Renders and tokenises an example so that it fits.

  Args:
    renderer: of the example's task.
    vocabulary: what counts the tokens.
    example: what to render.
    lengths: 'inputs' and 'targets', the tokens that a row has room for, EOS included.
    variant: as in `Renderer.render`.

  Returns:
    None where even the bare query, or the target, is too long.
  """
  rendered = renderer.render(example, variant)
  inputs, targets = vocabulary.encode([rendered.inputs, rendered.targets])
  if len(targets) + 1 > lengths["targets"]:
    return None
  while len(inputs) + 1 > lengths["inputs"]:
    if rendered.shots == 0:
      return None
    rendered = renderer.render(example, variant, format=rendered.format, shots=rendered.shots - 1)
    inputs = vocabulary.encode([rendered.inputs])[0]
  return Fitted(rendered, inputs, targets)
