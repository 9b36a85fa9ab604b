"""Which row lengths suit a mixture: the most useful tokens for the FLOPs that its rows cost.

A packed row costs the same however full it is, and attention over it grows with the square of its length. So the best
rows are those whose two sides fill together and which are no longer than the examples ask for.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from flan_jax.data import packing, packing_bound
from flan_jax.errors import FlanJaxError

# Powers of two and the halves between; of targets, which are short and whose waste costs logits, the quarters too.
INPUTS = (32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096)
TARGETS = (8, 16, 24, *(2**octave * quarter // 4 for octave in range(5, 10) for quarter in (4, 5, 6, 7)), 1024)


@dataclasses.dataclass(frozen=True)
class Dims:
  """What FLOPs depend on in an encoder-decoder; T5Config's numbers.

  Attributes:
    emb_dim: width of the residual stream.
    attention_dim: num_heads * head_dim.
    mlp_dim: hidden width of the feed-forward block.
    mlp_branches: its activated projections: 2 for the gated blocks of T5 1.1, 1 for T5 1.0.
    encoder_layers, decoder_layers: how many.
    vocab_size: rows of the output head.
  """

  emb_dim: int
  attention_dim: int
  mlp_dim: int
  encoder_layers: int
  decoder_layers: int
  vocab_size: int
  mlp_branches: int = 2


@dataclasses.dataclass(frozen=True)
class Shape:
  """A pair of row lengths and how a sample of examples fares in it.

  Attributes:
    inputs, targets: tokens of a row.
    rows: packed rows of the examples that fit.
    kept: share of the examples that fit, 0 to 1; the others the length rule leaves out.
    fill_inputs, fill_targets: share of the rows' slots that hold tokens.
    tokens_per_gflop: tokens of the kept examples, both sides, over billions of forward FLOPs of their rows.
  """

  inputs: int
  targets: int
  rows: int
  kept: float
  fill_inputs: float
  fill_targets: float
  tokens_per_gflop: float


@dataclasses.dataclass(frozen=True)
class Suggestion:
  """The best shape, and the best for each input length, shortest first (those that keep too few are among these)."""

  best: Shape
  by_inputs: tuple[Shape, ...]


def suggest(
  lengths: Int[np.ndarray, "n 2"],
  dims: Dims,
  min_kept: float = 0.99,
  inputs: Sequence[int] = INPUTS,
  targets: Sequence[int] = TARGETS,
) -> Suggestion:
  """The row lengths with the most useful tokens per FLOP that keep enough of the examples; exact over the candidates.

  Args:
    lengths: tokens of inputs and targets with EOS of a sample drawn by the mixture's rates, not limited by any row;
      planned as one window. 16,384 take about a second.
    dims: of the model.
    min_kept: share of the examples that must fit the proposal. An input length that cannot keep so many is judged, in
      `by_inputs`, with the targets that keep this share of what it can.
    inputs, targets: candidate lengths, any order.

  Raises:
    FlanJaxError: no candidate keeps so many.
  """
  by_inputs = tuple(shape for length in sorted(inputs) if (shape := _best(lengths, dims, length, targets, min_kept)))
  enough = [shape for shape in by_inputs if shape.kept >= min_kept]
  if not enough:
    most = _kept(lengths, (max(inputs), max(targets))).mean() if len(lengths) else 0.0
    raise FlanJaxError(
      f"rows of {max(inputs)}/{max(targets)}, the longest that are tried, keep {most:.2%} of {len(lengths)} examples; "
      f"{min_kept:.2%} were asked for"
    )
  return Suggestion(max(enough, key=lambda shape: shape.tokens_per_gflop), by_inputs)


def measure(lengths: Int[np.ndarray, "n 2"], dims: Dims, inputs: int, targets: int) -> Shape:
  """How a sample fares in rows of given lengths; a Shape of zeros where nothing fits."""
  kept = lengths[_kept(lengths, (inputs, targets))]
  rows = int(packing.pack(kept, (inputs, targets)).max(initial=-1)) + 1
  tokens = kept.sum(axis=0, dtype=np.int64) / max(rows, 1)
  score = 1e9 * float(tokens.sum()) / row_flops(dims, inputs, targets)
  share = len(kept) / max(len(lengths), 1)
  return Shape(inputs, targets, rows, share, float(tokens[0]) / inputs, float(tokens[1]) / targets, score)


def row_flops(dims: Dims, inputs: int, targets: int) -> int:
  """Forward FLOPs of one row, two a multiply-add; with the backward pass a step costs three times as many.

  With S inputs, T targets, width E, attention A, feed-forward F in b branches, vocabulary V:

    encoder layer:  S (2 * 4 E A + 2 (b + 1) E F)  four projections, feed-forward
                    + 4 S S A                      scores and mixing; masks of segments skip nothing
    decoder layer:  T (2 * 4 E A + 2 * 2 E A + 2 (b + 1) E F)  self-attention, cross queries and output, feed-forward
                    + S (2 * 2 E A)                            cross keys and values
                    + 4 T T A + 4 T S A                        self and cross scores and mixing
    logits:         2 T E V

  Norms, biases, softmax and the embedding's gather are left out; they are below a percent of any real model.
  """
  projection = 2 * dims.emb_dim * dims.attention_dim
  feed_forward = 2 * (dims.mlp_branches + 1) * dims.emb_dim * dims.mlp_dim
  encoder = inputs * (4 * projection + feed_forward) + 4 * inputs**2 * dims.attention_dim
  decoder = targets * (6 * projection + feed_forward) + inputs * 2 * projection
  decoder += 4 * targets * (targets + inputs) * dims.attention_dim
  return dims.encoder_layers * encoder + dims.decoder_layers * decoder + 2 * targets * dims.emb_dim * dims.vocab_size


def _best(
  lengths: Int[np.ndarray, "n 2"], dims: Dims, inputs: int, targets: Sequence[int], min_kept: float
) -> Shape | None:
  """The best shape with these inputs; packs only where the proved bound on rows leaves room for a better one."""
  kept = {length: int(_kept(lengths, (inputs, length)).sum()) for length in targets}
  most = max(kept.values())
  wanted = min_kept * (len(lengths) if most >= min_kept * len(lengths) else most)
  limits = {length: _limit(lengths, dims, inputs, length) for length in targets if kept[length] >= max(wanted, 1)}
  best = None
  for length in sorted(limits, key=limits.__getitem__, reverse=True):
    if best and limits[length] <= best.tokens_per_gflop:
      break
    shape = measure(lengths, dims, inputs, length)
    best = max(best or shape, shape, key=lambda one: one.tokens_per_gflop)
  return best


def _limit(lengths: Int[np.ndarray, "n 2"], dims: Dims, inputs: int, targets: int) -> float:
  """The tokens per GFLOP that no packing exceeds."""
  kept = lengths[_kept(lengths, (inputs, targets))]
  rows = packing_bound.bound_rows(kept, (inputs, targets))
  return 1e9 * float(kept.sum()) / (rows * row_flops(dims, inputs, targets))


def _kept(lengths: Int[np.ndarray, "n 2"], shape: tuple[int, int]) -> Bool[np.ndarray, " n"]:
  return (lengths <= np.array(shape)).all(axis=1)
