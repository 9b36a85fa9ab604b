"""Compares a checkpoint's logits with those that another program wrote down for it (golden.npz)."""

import dataclasses
import pathlib
import zipfile

import jax
import numpy as np

from flan_jax.errors import FlanJaxError
from flan_jax.interop.loading import Source
from flan_jax.models.model import Model

TOLERANCE = 1e-4
_PLAIN = {"encoder_input_tokens": "input_ids", "decoder_input_tokens": "decoder_input_ids"}
_PACKED = {
  "encoder_input_tokens": "packed_input_ids",
  "decoder_input_tokens": "packed_decoder_input_ids",
  "encoder_segment_ids": "encoder_segment_ids",
  "decoder_segment_ids": "decoder_segment_ids",
}


def largest_differences(source: Source, golden: pathlib.Path) -> dict[str, float]:
  """The largest difference of `logits`, and of `packed_logits` where there are some, over real targets.

  Args:
    source: computed in float32, unrolled, on this process's first device.
    golden: an .npz with input_ids [B, S] (0 is padding), decoder_input_ids [B, T], logits [B, T, V] and, for T5X's,
      targets [B, T] (compared where they are above 0; everywhere where there are none); with packed_input_ids,
      packed_decoder_input_ids, encoder_segment_ids, decoder_segment_ids and packed_logits (compared in segments) too.

  Raises:
    FlanJaxError: the file cannot be read, or is of another network.
  """
  arrays = _arrays(golden)
  config = dataclasses.replace(source.config, scan_layers=False, dtype="float32")
  model, params = Model(config), source.parameters(config=config)

  @jax.jit
  def logits(params, batch):
    with jax.default_matmul_precision("highest"):  # accelerators multiply float32 in fewer bits by default
      return model.logits(params, model.hidden(params, batch))

  cases = {"logits": (_PLAIN, "targets")}
  if "packed_logits" in arrays:
    cases["packed_logits"] = (_PACKED, "decoder_segment_ids")
  differences = {}
  for name, (features, real) in cases.items():
    expected = _get(golden, arrays, name)
    if expected.shape[-1] != config.vocab_size:
      raise FlanJaxError(f"{golden}: {name} are of {expected.shape[-1]} pieces, the model has {config.vocab_size}")
    batch = {ours: _get(golden, arrays, theirs).astype(np.int32) for ours, theirs in features.items()}
    found = np.asarray(logits(params, batch))
    counted = arrays[real] > 0 if real in arrays else np.ones(expected.shape[:2], bool)
    # A NaN is as far off as can be, and would not be greater than any tolerance.
    difference = np.abs(found - expected)[counted].max(initial=0.0)
    differences[name] = float("inf") if np.isnan(difference) else float(difference)
  return differences


def _arrays(golden: pathlib.Path) -> dict[str, np.ndarray]:
  try:
    with np.load(golden, allow_pickle=False) as file:
      return dict(file)
  except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
    raise FlanJaxError(f"{golden}: cannot be read as .npz ({error})") from error


def _get(golden: pathlib.Path, arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
  if name not in arrays:
    raise FlanJaxError(f"{golden}: has no array {name!r}")
  return arrays[name]
