"""From a checkpoint of one kind to another: all is written beside the destination and renamed when it is whole."""

import contextlib
import dataclasses
import math
import os
import pathlib
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from flan_jax.data.vocabularies import EXTRA_IDS, Vocabulary, is_unigram
from flan_jax.errors import FlanJaxError, UsageError
from flan_jax.interop import checkpoints as layout
from flan_jax.interop.bias_sharing import with_biases
from flan_jax.interop.checking import TOLERANCE, largest_differences
from flan_jax.interop.loading import FLAN_JAX, HUGGING_FACE, T5X, Source, open_source
from flan_jax.interop.tensors import Moments, cast, layers_apart, read_whole
from flan_jax.models.configs import T5Config
from flan_jax.models.model import Model

KINDS = (FLAN_JAX, T5X, HUGGING_FACE)
_KEPT = ("vocabulary", "mixture", "tasks", "task_feature_lengths")  # of our own record
_MT5_ROWS = 250_000  # mT5's vocabulary has 250,112 rows, T5's 32,128


@dataclasses.dataclass(frozen=True)
class Wish:
  """What is to be written.

  Attributes:
    to: one of KINDS.
    layout: of T5X: 'legacy' (as for None) or 'orbax'.
    scan: whether layers are stacked; for T5X, whether it is for its scanned network. None: as they are.
    dtype: of the parameters in the files; ours are float32 wherever an optimizer's state goes along.
    vocabulary: goes along; None takes the source's own.
  """

  to: str
  layout: str | None = None
  scan: bool | None = None
  dtype: str = "float32"
  vocabulary: Vocabulary | None = None

  def __post_init__(self):
    if self.to != T5X and self.layout is not None:
      raise UsageError(f"--layout {self.layout}: only T5X's checkpoints have layouts (--to t5x)")
    if self.to == HUGGING_FACE and self.scan:
      raise UsageError("--scan: Hugging Face's T5 has no stacked layers")


def convert(
  source: Source, destination: str | os.PathLike, wish: Wish, golden: pathlib.Path | None = None
) -> dict[str, Any]:
  """Writes what a source holds as another kind of checkpoint, and says what was found and written.

  Args:
    source: of any kind.
    destination: on this machine; does not exist, or is an empty folder, or a link to either. It appears when all is
      written (and checked).
    golden: a file of logits that what was written must give; see `checking`.

  Returns:
    JSON: source and destination {kind, path, ...}, parameters, notes (what was left out), check {name: difference}.

  Raises:
    UsageError: the destination holds something, or cannot hold this network.
    FlanJaxError: a file of the source is damaged; or the logits differ by more than TOLERANCE.
  """
  report = {
    "source": {"kind": source.kind, "path": source.path, "step": source.step, **source.details},
    "destination": {"kind": wish.to, "path": str(destination), "dtype": wish.dtype},
    "model": dataclasses.asdict(source.config),
    "parameters": sum(map(math.prod, source.tensors.shapes().values())),
    "notes": [],
  }
  if source.kind == T5X:
    activations = ", ".join(source.config.mlp_activations)
    report["notes"].append(f"activations assumed: {activations}; T5X's checkpoints do not say theirs")
  with _appearing(destination) as folder:
    report["destination"] |= _WRITERS[wish.to](source, folder, wish, report["notes"])
    report["destination"]["bytes"] = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    if golden is not None:
      report["check"] = largest_differences(open_source(folder), golden)
      if max(report["check"].values()) > TOLERANCE:
        told = ", ".join(f"{name} by {difference:.3g}" for name, difference in report["check"].items())
        raise FlanJaxError(f"{golden}: differs from what {source.path} gives: {told} at most; nothing was written")
  return report


@contextlib.contextmanager
def _appearing(destination: str | os.PathLike) -> Iterator[pathlib.Path]:
  """A folder beside the destination that takes its name in the end; it is deleted where anything fails."""
  place = _place(destination)
  place.parent.mkdir(parents=True, exist_ok=True)
  with _terminated_as_interrupted():
    folder = pathlib.Path(tempfile.mkdtemp(dir=place.parent, prefix=f".{place.name}."))
    try:
      folder.chmod(0o755)  # mkdtemp's is for its owner alone
      yield folder
      os.replace(folder, place)  # onto an empty folder too
    except BaseException:
      shutil.rmtree(folder, ignore_errors=True)
      raise


def _place(destination: str | os.PathLike) -> pathlib.Path:
  """Where a destination is when its links are followed. Raises UsageError where no folder can be put there."""
  if "://" in str(destination):
    raise UsageError(f"{destination}: checkpoints are written to folders of this machine; copy it from there")
  place = pathlib.Path(os.path.realpath(destination))
  if place.is_symlink():
    raise UsageError(f"{destination} is a link that leads to itself")
  if place.exists() and (not place.is_dir() or any(place.iterdir())):
    raise UsageError(f"{destination} holds something already: name a folder that is not there, or is empty")
  if place == pathlib.Path.cwd():
    raise UsageError(f"{destination} is the folder that this command runs in, which cannot be replaced: name another")
  return place


@contextlib.contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
  """SIGTERM, of a scheduler for one, raises KeyboardInterrupt here, as Ctrl-C does."""
  if threading.current_thread() is not threading.main_thread():  # Python hears signals nowhere else
    yield
    return

  def interrupt(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(number)  # the command's exit code tells which

  before = signal.signal(signal.SIGTERM, interrupt)
  try:
    yield
  finally:
    signal.signal(signal.SIGTERM, before)


def _to_hugging_face(source: Source, folder: pathlib.Path, wish: Wish, notes: list[str]) -> dict[str, Any]:
  from flan_jax.interop.huggingface_writing import write_hugging_face

  config, tensors = with_biases("shared", layers_apart(source.config), source.tensors, source.path)
  model_type = source.details.get("model_type") or ("mt5" if config.vocab_size >= _MT5_ROWS else "t5")
  vocabulary, extra_ids = _vocabulary(source, wish, notes)
  if vocabulary is not None and not is_unigram(vocabulary):
    notes.append("transformers 5.x takes every T5's vocabulary for a unigram model: this is none, and is cut otherwise")
  files = write_hugging_face(
    folder,
    config,
    tensors,
    model_type=model_type,
    dtype=wish.dtype,
    vocabulary=vocabulary,
    extra_ids=extra_ids,
  )
  if (known := source.moments() is not None) or _has_other_state(source):
    whose = "Adafactor's" if known else "the optimizer's"
    notes.append(f"{whose} state is left out: Hugging Face's folders have no place for one")
  return {"model_type": model_type, "files": sorted(files)}


def _to_t5x(source: Source, folder: pathlib.Path, wish: Wish, notes: list[str]) -> dict[str, Any]:
  from flan_jax.interop.t5x import TOLD_BY_NAMES
  from flan_jax.interop.t5x_export import check_moments, write_t5x

  if source.config.mlp_activations not in TOLD_BY_NAMES:
    raise UsageError(
      f"{source.path}: its activations {', '.join(source.config.mlp_activations)} would be lost: T5X's files keep "
      "none, and whoever reads one takes gelu, linear where the feed-forward block is gated, and relu elsewhere"
    )
  scan = source.config.relative_bias == "per_layer" if wish.scan is None else wish.scan
  bias = "per_layer" if scan else "shared"
  config, tensors = with_biases(bias, dataclasses.replace(source.config, scan_layers=scan), source.tensors, source.path)
  moments = source.moments()
  try:
    if moments is not None and bias != source.config.relative_bias:
      raise UsageError("Adafactor's state is of another network: one with its position biases kept another way")
    if moments is not None:
      check_moments(config, tensors, moments)
  except UsageError as error:
    notes.append(f"Adafactor's state is left out, and T5X will start it afresh, at step 0 ({error})")
    moments = None
  else:
    if moments is None:
      notes.append("there is no state of Adafactor's: T5X will start it afresh, at step 0")
  step, kind = source.updates() if moments is not None else 0, wish.layout or "legacy"
  write_t5x(folder, config, tensors, layout=kind, dtype=wish.dtype, step=step, moments=moments)
  if wish.vocabulary is not None:
    notes.append("the vocabulary is left out: T5X's checkpoints have no place for one")
  return {"layout": kind, "layers": "scanned" if scan else "unrolled", "step": step}


def _to_flan_jax(source: Source, folder: pathlib.Path, wish: Wish, notes: list[str]) -> dict[str, Any]:
  scan = source.config.scan_layers if wish.scan is None else wish.scan
  config = dataclasses.replace(source.config, scan_layers=scan)
  parameters = source.parameters(config=config)
  if wish.dtype != "float32":
    parameters = {name: jnp.asarray(cast(name, np.asarray(each), wish.dtype)) for name, each in parameters.items()}
  items = {layout.PARAMS: parameters}
  step = source.step or 0
  if (moments := source.moments()) is not None and wish.dtype != "float32":
    notes.append(f"Adafactor's state is left out: no run goes on from parameters in {wish.dtype}, though one can begin")
  elif moments is not None:
    items[layout.OPTIMIZER] = _adafactor_arrays(config, moments, source.updates())
  elif _has_other_state(source):
    notes.append("the optimizer's state is left out: only Adafactor's is taken along, and this is of another")
  vocabulary, extra_ids = _vocabulary(source, wish, notes)
  # Without what a run would go on with: this is of none.
  record = {name: source.record[name] for name in _KEPT if name in source.record}
  record |= {"model": dataclasses.asdict(config), "step": step, "converted_from": source.path}
  if vocabulary is not None:
    shutil.copyfile(vocabulary, folder / layout.VOCABULARY_FILE)
    own = Vocabulary(folder / layout.VOCABULARY_FILE, extra_ids)
    record["vocabulary"] = {"name": str(vocabulary), "sha256": own.sha256, "extra_ids": extra_ids}
  layout.write_step(folder / layout.CHECKPOINTS / str(step), items, record)
  return {"step": step, "layers": "stacked" if scan else "unrolled"}


def _has_other_state(source: Source) -> bool:
  """Whether it is a checkpoint of a run whose optimizer was not Adafactor."""
  return layout.OPTIMIZER in source.record.get("arrays", {}) and source.moments() is None


def _adafactor_arrays(config: T5Config, moments: Moments, updates: int) -> dict[str, jax.Array]:
  """Adafactor's state by the names that training/state.py gives it; the schedule's count, the last, begins anew."""

  def read(name: str) -> np.ndarray:
    return moments(*name.split(".", 2)[1:])

  arrays = {
    name: jnp.asarray(read_whole(read, name, shape.shape))
    for parameter, shape in Model(config).shapes().items()
    for name in (f"0.{kind}.{parameter}" for kind in ("v", "v_row", "v_col"))
  }
  return {**arrays, "0.count": jnp.asarray(updates, jnp.int32), "2.count": jnp.zeros((), jnp.int32)}


def _vocabulary(source: Source, wish: Wish, notes: list[str]) -> tuple[pathlib.Path | None, int]:
  """(the SentencePiece file that goes along, its sentinels). Raises UsageError where the network has too few rows."""
  words = wish.vocabulary
  if words is None and source.vocabulary_path is not None:
    extra_ids = (source.record.get("vocabulary") or {}).get("extra_ids", EXTRA_IDS)
    words = Vocabulary(source.vocabulary_path, extra_ids)
  if words is None:
    notes.append("there is no vocabulary in the source: --vocabulary V takes one along")
    return None, EXTRA_IDS
  rows = source.config.vocab_size
  if words.size > rows:
    raise UsageError(
      f"{words.path} has {words.size:,} ids, but {source.path} has an embedding of {rows:,} rows: name the vocabulary "
      "that it was trained with (--vocabulary)"
    )
  return words.path, words.extra_ids


_WRITERS = {FLAN_JAX: _to_flan_jax, T5X: _to_t5x, HUGGING_FACE: _to_hugging_face}
