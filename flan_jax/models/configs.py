"""What a network is: a frozen T5Config with T5X's field names, checked when it is made. Imports no JAX."""

import dataclasses
from collections.abc import Sequence

import gin

from flan_jax.errors import UsageError
from flan_jax.setting_types import check_types

# The tables that give these names their meaning: layers.ACTIVATIONS, layers.DTYPES and layer_stack.REMAT_POLICIES.
ACTIVATION_NAMES = ("gelu", "linear", "relu", "silu")
DTYPE_NAMES = ("auto", "bfloat16", "float32")
REMAT_NAMES = ("none", "dots", "full")
RELATIVE_BIAS_NAMES = ("shared", "per_layer")


@gin.register
@dataclasses.dataclass(frozen=True)
class T5Config:
  """The shape of a T5 encoder-decoder and how it computes; T5X's names and meanings.

  Gin binds the fields only where a gin file says `@T5Config()`; a direct call in Python sees no bindings.

  Attributes:
    vocab_size: rows of the embedding; at least the vocabulary's size, rounded up so that it divides over devices.
    emb_dim: width of the residual stream (d_model).
    num_heads: attention heads; num_heads * head_dim need not be emb_dim.
    head_dim: width of one head (d_kv).
    mlp_dim: hidden width of the feed-forward block (d_ff).
    mlp_activations: one name a branch, branches multiplied: ("gelu", "linear") is T5 1.1, ("relu",) T5 1.0.
    dropout_rate: probability that a unit is dropped in training, in [0, 1).
    logits_via_embedding: the head is the embedding, with the decoder's output scaled by emb_dim^-0.5 (T5 1.0).
    float32_attention_logits: attention scores and softmax in float32 whatever `dtype` is.
    dtype: of activations; "auto" is bfloat16 on accelerators and float32 on the CPU. Parameters are float32.
    remat_policy: what the backward pass computes again, layer by layer: "none", all but the matrix products ("dots"),
      or everything ("full").
    scan_layers: layers are stacked and run as one loop, which compiles in the time of one layer; the same results.
    relative_bias: one position bias for all layers of a stack ("shared", as published) or one a layer ("per_layer", as
      T5X's scanned networks have it).

  Raises:
    UsageError: when a value makes no network.
  """

  vocab_size: int
  emb_dim: int
  num_heads: int
  head_dim: int
  mlp_dim: int
  num_encoder_layers: int
  num_decoder_layers: int
  mlp_activations: Sequence[str] = ("gelu", "linear")
  dropout_rate: float = 0.0
  logits_via_embedding: bool = False
  float32_attention_logits: bool = True
  dtype: str = "auto"
  remat_policy: str = "none"
  scan_layers: bool = False
  relative_bias: str = "shared"

  def __post_init__(self):
    check_types(self)
    # JSON and gin give lists; tuples keep the config hashable.
    object.__setattr__(self, "mlp_activations", tuple(self.mlp_activations))
    for name in _SIZES:
      value = getattr(self, name)
      if value < 1:
        raise UsageError(f"T5Config.{name} = {value!r}: must be above 0")
    if not 0 <= self.dropout_rate < 1:
      raise UsageError(f"T5Config.dropout_rate = {self.dropout_rate!r}: must be in [0, 1)")
    if not self.mlp_activations:
      raise UsageError("T5Config.mlp_activations is empty: T5 1.1 has ('gelu', 'linear'), T5 1.0 ('relu',)")
    for name in self.mlp_activations:
      _check_choice("mlp_activations", name, ACTIVATION_NAMES)
    _check_choice("dtype", self.dtype, DTYPE_NAMES)
    _check_choice("remat_policy", self.remat_policy, REMAT_NAMES)
    _check_choice("relative_bias", self.relative_bias, RELATIVE_BIAS_NAMES)


_SIZES = ("vocab_size", "emb_dim", "num_heads", "head_dim", "mlp_dim", "num_encoder_layers", "num_decoder_layers")


def _check_choice(field: str, value: str, known: tuple[str, ...]) -> None:
  if value not in known:
    raise UsageError(f"T5Config.{field} = {value!r}: must be one of {', '.join(known)}")
