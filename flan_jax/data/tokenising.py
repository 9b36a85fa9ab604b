"""From examples to tokens that fit a row: the length rule, the same for the store and for SeqIO.

Tokens and their EOS must fit. A few-shot prompt loses exemplars, one at a time, until they do; without any it is asked
as a zero-shot prompt is. Then the longest of the
fields that the type calls context is shortened (see `shortening`). What is still too long is left out and the reason
told: neither a question, nor an instruction, nor a target is ever cut.

Under an objective (see `objectives`) only the whole counts, inputs and targets together. A text alone, without inputs,
is then cut into successive pieces, and nothing of it is lost.
"""

import dataclasses
import sys
from collections.abc import Mapping, Sequence

from flan_jax.data import shortening
from flan_jax.data.rendering import Rendered, Renderer
from flan_jax.data.sources import Example
from flan_jax.data.vocabularies import Vocabulary

TARGETS_TOO_LONG = "left out: targets longer than the row"
INPUTS_TOO_LONG = "left out: inputs longer than the row"  # without exemplars, too
ANSWER_CUT = "left out: the answer stood in the part of the context that is too long"
EMPTY_TARGET = "left out: empty target"
NO_RATIONALE = "left out: no rationale, and only rationale formats were asked for"


@dataclasses.dataclass(frozen=True)
class Sides:
  """Room for examples as they are: so many slots for the inputs, so many for the targets, EOS included."""

  inputs: int
  targets: int

  def refusal(self, inputs: int, targets: int) -> str:
    """Why an example of so many tokens is left out (one of the constants above); '' if it is not."""
    if not targets:
      return EMPTY_TARGET
    if targets >= self.targets:
      return TARGETS_TOO_LONG
    return INPUTS_TOO_LONG if inputs >= self.inputs else ""

  def pieces(self, inputs: int, targets: int) -> list[slice]:
    """The parts of the targets that become records: here all in one."""
    del inputs
    return [slice(0, targets)]


@dataclasses.dataclass(frozen=True)
class Whole:
  """Room for texts under an objective: so many tokens of inputs and targets together, without EOS.

  A text alone is cut into pieces of so many tokens, of which the last has the rest.
  """

  text: int

  def refusal(self, inputs: int, targets: int) -> str:
    """Why an example of so many tokens is left out (one of the constants above); '' if it is not."""
    if not targets:
      return EMPTY_TARGET
    if not inputs or inputs + targets <= self.text:
      return ""
    return TARGETS_TOO_LONG if targets >= self.text else INPUTS_TOO_LONG

  def pieces(self, inputs: int, targets: int) -> list[slice]:
    """The parts of the targets that become records."""
    step = targets if inputs else self.text
    return [slice(start, min(start + step, targets)) for start in range(0, targets, step)]


Room = Sides | Whole
UNLIMITED = Sides(sys.maxsize, sys.maxsize)


def room_of(lengths: Mapping[str, int]) -> Room:
  """The room that lengths stand for: {'inputs': I, 'targets': T}, or {'text': N} under an objective."""
  return Whole(lengths["text"]) if "text" in lengths else Sides(lengths["inputs"], lengths["targets"])


@dataclasses.dataclass(slots=True)
class Tokenised:
  """A rendered example, or a piece of it, as clean token ids without EOS.

  Attributes:
    left_out: why it may not be trained on (one of the constants above); '' if it fits.
    exemplars_dropped: how many the length rule took from the prompt that was drawn.
    shortened: whether it shortened the query's context, too.
    piece: its number among the pieces that a text was cut into; None for an example that is whole.
  """

  rendered: Rendered
  inputs: list[int]
  targets: list[int]
  left_out: str = ""
  exemplars_dropped: int = 0
  shortened: bool = False
  piece: int | None = None

  @property
  def example_id(self) -> str:
    """The example's own, or 'ID#0', 'ID#1', ... of its pieces."""
    identifier = self.rendered.example_id
    return identifier if self.piece is None else f"{identifier}#{self.piece}"


def tokenise(
  renderer: Renderer,
  vocabulary: Vocabulary,
  room: Room,
  examples: Sequence[Example],
  variant: int = 0,
) -> list[Tokenised | str]:
  """Each example rendered, tokenised and made to fit; the reason alone where it cannot even be rendered.

  Args:
    room: what has to hold it. Only a `Whole` cuts, into several entries of one example.
    examples: some hundreds at a time are tokenised fastest.
    variant: which set of draws, see `Renderer.render`.
  """
  possible = [renderer.renders(example) for example in examples]
  able = [example for example, can in zip(examples, possible, strict=True) if can]
  done = iter(_fitted(renderer, vocabulary, room, able, variant))
  return [each for can in possible for each in (_pieces(next(done), room) if can else [NO_RATIONALE])]


def _fitted(
  renderer: Renderer, vocabulary: Vocabulary, room: Room, examples: Sequence[Example], variant: int
) -> list[Tokenised]:
  rendered = [renderer.render(example, variant) for example in examples]
  inputs = vocabulary.encode([one.inputs for one in rendered])
  targets = vocabulary.encode([one.targets for one in rendered])
  out = [Tokenised(*parts) for parts in zip(rendered, inputs, targets, strict=True)]
  for one in out:
    one.left_out = room.refusal(len(one.inputs), len(one.targets))
  _drop_exemplars(renderer, vocabulary, room, examples, out, variant)
  for one, example in zip(out, examples, strict=True):
    if one.left_out == INPUTS_TOO_LONG and isinstance(room, Sides) and renderer.type.context:
      _shorten(renderer, vocabulary, room, example, one, variant)
  return out


def _drop_exemplars(
  renderer: Renderer,
  vocabulary: Vocabulary,
  room: Room,
  examples: Sequence[Example],
  out: list[Tokenised],
  variant: int,
) -> None:
  """Takes exemplars from the prompts that are too long until they fit or none is left."""
  long: Sequence[int] = range(len(out))
  while long := [i for i in long if out[i].left_out == INPUTS_TOO_LONG and out[i].rendered.shots > 0]:
    for i in long:
      drawn = out[i].rendered
      form = drawn.format if drawn.shots > 1 else renderer.without_exemplars(drawn.format)
      out[i].rendered = renderer.render(examples[i], variant, format=form, shots=drawn.shots - 1)
      out[i].exemplars_dropped += 1
    for i, tokens in zip(long, vocabulary.encode([out[i].rendered.inputs for i in long]), strict=True):
      out[i].inputs = tokens
      out[i].left_out = room.refusal(len(tokens), len(out[i].targets))


def _shorten(
  renderer: Renderer, vocabulary: Vocabulary, room: Sides, example: Example, one: Tokenised, variant: int
) -> None:
  """Shortens the query's context until the prompt fits, or leaves it as it was."""
  drawn, whole = one.rendered, example
  for _ in range(3):
    cut = shortening.shortened(example, renderer.type.context, len(one.inputs) - room.inputs + 1, vocabulary)
    if cut is None:
      return
    if shortening.loses_answer(whole, cut, drawn.answer):
      one.left_out = ANSWER_CUT
      return
    example = cut
    one.rendered = renderer.render(cut, variant, format=drawn.format, shots=0)
    one.inputs = vocabulary.encode([one.rendered.inputs])[0]
    one.left_out = room.refusal(len(one.inputs), len(one.targets))
    if not one.left_out:
      one.shortened = True
      return


def _pieces(one: Tokenised, room: Room) -> list[Tokenised]:
  parts = [] if one.left_out else room.pieces(len(one.inputs), len(one.targets))
  if len(parts) <= 1:
    return [one]
  return [dataclasses.replace(one, targets=one.targets[part], piece=i) for i, part in enumerate(parts)]
