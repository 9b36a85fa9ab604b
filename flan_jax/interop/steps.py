"""Which checkpoints a MODEL_DIR holds, by the names of its folders alone: whoever only waits for one needs no jax."""

import pathlib

CHECKPOINTS = "checkpoints"  # folder in MODEL_DIR
RECORD = "record"  # folder of a step: JSON


def saved_steps(model_dir: pathlib.Path) -> list[int]:
  """The steps of which a MODEL_DIR holds a whole checkpoint, oldest first."""
  folders = (model_dir / CHECKPOINTS).glob("*")
  # Orbax writes under another name and renames when all is there, so a bare number is a whole checkpoint.
  return sorted(int(folder.name) for folder in folders if folder.name.isdecimal() and (folder / RECORD).is_dir())
