"""How many floating-point operations a step needs, by our own formula.

XLA's cost analysis counts the body of a loop once (scanned layers, chunks of the loss) and counts recomputation, so it
tells neither; `tests/training/test_flops.py` holds this formula against it where it does tell.
"""

from flan_jax.models.configs import T5Config
from flan_jax.training.counts import Counts


def training_flops(config: T5Config, counts: Counts) -> float:
  """Model FLOPs of one update on the real tokens of a batch: three times the forward pass.

  A product of a token with a matrix [a, b] is 2ab FLOPs forward, and twice that backward: once for the gradient of the
  token, once for that of the matrix (Kaplan et al. 2020, section 2.1: 6 a parameter and token; Chowdhery et al. 2022,
  appendix B, whose utilisation this is). What is computed again in the backward pass (remat) and padding is work that
  the model does not need, and does not count.
  """
  return 3.0 * forward_flops(config, counts)


def forward_flops(config: T5Config, counts: Counts) -> float:
  """Model FLOPs of a forward pass over the real tokens of a batch.

  With E = emb_dim, J = num_heads * head_dim, M = mlp_dim and G branches of the feed-forward block (2 if it is gated):

      an encoder token, a layer   2 * (4EJ + (G + 1)EM)    queries, keys, values, out; branches and the way back
        and for each decoder layer  2 * 2EJ                its keys and values for cross-attention
      a decoder token, a layer    2 * (6EJ + (G + 1)EM)    as above, and cross-attention's queries and out
        and once                  2 * EV                   the head
      a pair of tokens that attend, a layer  4J            scores, and the weighted sum of values

  Pairs are those of an example's own tokens, and in the decoder those that look back: with an example of n inputs and m
  targets n * n, m * (m + 1) / 2 and m * n. (PaLM's formula takes the row's length for all of them, packed or not, and
  does not halve the causal ones.) Embedding lookups, norms, softmax, activations and the optimizer are left out: XLA
  counts 0.6% more for t5_1_1_large unrolled at 2048/512.

  t5_1_1_small (E = 512, J = 384, M = 1024, G = 2, 8 + 8 layers, V = 32,128), one example of 256 and 64 tokens, so
  256 * (8 * 4,718,592 + 8 * 786,432) + 64 * (8 * 5,505,024 + 32,899,072) + 8 * 1,536 * (65,536 + 2,080 + 16,384):
  11.27 + 4.92 + 1.03 = 17.2 GFLOP forward, 51.7 an update.
  """
  joined, width = config.num_heads * config.head_dim, config.emb_dim
  encoder_layers, decoder_layers = config.num_encoder_layers, config.num_decoder_layers
  feed_forward = 2 * (len(config.mlp_activations) + 1) * width * config.mlp_dim
  projection = 2 * width * joined
  encoder_token = encoder_layers * (4 * projection + feed_forward) + decoder_layers * 2 * projection
  decoder_token = decoder_layers * (6 * projection + feed_forward) + 2 * width * config.vocab_size
  pairs = encoder_layers * counts.encoder_pairs + decoder_layers * (counts.decoder_pairs + counts.cross_pairs)
  return counts.encoder_tokens * encoder_token + counts.decoder_tokens * decoder_token + pairs * 4 * joined
